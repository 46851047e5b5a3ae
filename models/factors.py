"""The documented factors of one tender: which it shows, which are absent, which are unknown, each with its record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import msgspec

from features.table import TenderTable
from models.factor_records import FactorRecord, factor_records
from models.signs.register import SeenWith, Sign, register
from tenders.facts import STAGES, Stage
from tenders.tender import Tender

State = Literal["shown", "absent", "unknown"]
STATES: Mapping[bool | None, State] = {True: "shown", False: "absent", None: "unknown"}

CAVEAT = (
    "Factors are what people who looked into failures wrote down. How each did in the casebook stands beside the "
    "probability and is no part of it. These records are thin: few cohort cases state the fact, some facts were noted "
    "only because a case had failed, and of this many factors one or two differ by chance alone."
)


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One documented factor of one tender. `stage` is the first at which it can be known.

    `seen_with` is what its sources saw it with; `cases` is its record among the casebook's cohort cases.
    """

    feature: str
    state: State
    title: str
    text: str
    stage: Stage
    seen_with: SeenWith
    sources: tuple[str, ...]
    cases: FactorRecord


def factors(table: TenderTable, tender: Tender) -> tuple[Factor, ...]:
    """Every factor of the one tender of a table, in catalogue order; `tender` is the same, as of its stage."""
    answers = _answers(table.stage)
    return tuple(answers[name][sign.rule(tender, table)] for name, sign in register().items())


@cache
def _answers(stage: Stage) -> Mapping[str, Mapping[bool | None, Factor]]:
    """Each factor in each state, made once, so that a score only picks."""
    return {name: {shown: _factor(sign, shown, stage) for shown in STATES} for name, sign in register().items()}


def _factor(sign: Sign, shown: bool | None, stage: Stage) -> Factor:
    early = shown is None and STAGES.index(sign.stage) > STAGES.index(stage)
    return Factor(
        feature=sign.name,
        state=STATES[shown],
        title=sign.title,
        text=f"Cannot be judged yet: it is known at {sign.stage}." if early else sign.text(shown),
        stage=sign.stage,
        seen_with=sign.seen_with,
        sources=tuple(sign.source.split("; ")),
        cases=factor_records()[sign.name],
    )
