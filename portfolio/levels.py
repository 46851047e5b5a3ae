"""Known outcomes move the level of a served bundle: nothing is fitted again, and order and reasons stay as they are.

Outcomes come as OCDS notices, which say when each tender was published and how and when it ended, or as a table of
`ocid` and `failed` about tenders of the input, with the day of `known_on` where it is known. What is known of recent
tenders counts as `features.track_records.delays` says; a table without days is taken as how all of its tenders ended.
In a register that has models of its own, publications that these learnt from move nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import logit

from features.table_builder import of_tenders
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.level import START_OF_OTHERS, Known, Level, follow, level_day
from models.predict import predict
from tenders.history import UNDATED, LabelledTender
from tenders.registers import find_register

OF_NOTICES = ("no_award",)
"""The outcome that notices tell soon enough to move a level."""
Floats = NDArray[np.float64]


class LevelMove(msgspec.Struct, frozen=True, kw_only=True):
    """How far known outcomes moved the level of an outcome in a register, in log-odds.

    `cases` outcomes counted, the latest of tenders published in the month that begins on `day` (ISO). `stale` says
    that the level lay farther away than intervals allow for.
    """

    register: str
    outcome: str
    shift: float
    cases: int
    day: str
    stale: bool


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A tender with a forecast, and what is known of its end: days as ordinals, `y` NaN where it is not known."""

    register: str
    probability: float
    published: int
    known: int
    y: float


def moves(bundle: Bundle, ended: Iterable[Ended], outcomes: tuple[str, ...]) -> list[LevelMove]:
    """How far the levels of the registers of these tenders have moved by what became of them."""
    by_register: dict[str, list[Ended]] = {}
    for one in ended:
        by_register.setdefault(one.register, []).append(one)
    level_moves = []
    for register, tenders in sorted(by_register.items()):
        own = bundle.registers.get(register, bundle)
        level = _level(own, tenders)
        if level.cases:
            level_moves += [
                LevelMove(
                    register=register,
                    outcome=outcome,
                    shift=round(level.shift, 6),
                    cases=level.cases,
                    day=date.fromordinal(level.day).isoformat(),
                    stale=level.stale,
                )
                for outcome in outcomes
                if any(part.outcome == outcome for part in own.manifest.parts)
            ]
    return level_moves


def _level(own: Bundle, tenders: list[Ended]) -> Level:
    p, y = np.array([one.probability for one in tenders]), np.array([one.y for one in tenders])
    published = np.array([one.published for one in tenders], dtype=np.int64)
    known = np.array([one.known for one in tenders], dtype=np.int64)
    seen = Known(
        logit=logit(np.clip(p, 1e-6, 1 - 1e-6)), published=published, known=known, y=y, cluster=np.arange(len(y))
    )
    first = level_day(own) if own.histories else None
    start = Level(day=int(published.min()), variance=START_OF_OTHERS**2) if first is None else Level(day=first)
    return follow(seen, int(max(published.max(), known.max())) + 1, start)


def of_notices(bundle: Bundle, path: Path) -> list[LevelMove]:
    """How far the notices of a file move the levels, each tender forecast as it was first published."""
    cases = [case for case in find_register("own").cases(path) if case.published != UNDATED]
    by_register: dict[str, list[LabelledTender]] = {}
    for case in cases:
        by_register.setdefault(bundle.for_ocid(case.tender.ocid).manifest.register, []).append(case)
    ended: list[Ended] = []
    for register, some in by_register.items():
        own = bundle.registers.get(register, bundle)
        if ("no_award", "draft") in own.predicted:
            days = [case.published for case in some]
            table = of_tenders([case.as_of("draft") for case in some], "draft", days)
            p = predict(own, table, only=OF_NOTICES).of("no_award")
            ended += [_of_case(register, case, float(forecast)) for case, forecast in zip(some, p, strict=True)]
    return moves(bundle, ended, OF_NOTICES)


def _of_case(register: str, case: LabelledTender, probability: float) -> Ended:
    no_award = case.outcomes.get("no_award") if case.known_on else None
    published = case.published.toordinal()
    return Ended(
        register=register,
        probability=probability,
        published=published,
        known=case.known_on.toordinal() if case.known_on else published,
        y=np.nan if no_award is None else float(no_award),
    )


def of_table(bundle: Bundle, outcomes: pa.Table, scored: Iterable[pa.Table]) -> list[LevelMove]:
    """How far a table of outcomes moves the levels; `scored` are the rows of the input as they would be scored."""
    rows = outcomes.filter(pc.and_(pc.is_valid(outcomes["ocid"]), pc.is_valid(outcomes["failed"]))).to_pylist()
    return moves(bundle, _of_rows({row["ocid"]: row for row in rows}, scored), FAILURE_OUTCOMES)


def _of_rows(by_ocid: Mapping[str, Mapping[str, Any]], scored: Iterable[pa.Table]) -> Iterator[Ended]:
    ocids = pa.array(list(by_ocid), pa.string())
    for table in scored:
        known = table.filter(pc.is_in(table["ocid"], ocids)).select(["ocid", "register", "failure", "published"])
        for row in known.to_pylist():
            outcome = by_ocid[row["ocid"]]
            published = _day(row["published"])
            if published is not None:
                known_on = _day(outcome.get("known_on"))
                yield Ended(
                    register=row["register"],
                    probability=row["failure"],
                    published=published,
                    known=published if known_on is None else max(known_on, published),
                    y=float(outcome["failed"]),
                )


def _day(cell: Any) -> int | None:
    if cell is None:
        return None
    day = cell if isinstance(cell, date) else date.fromisoformat(str(cell)[:10])
    return day.toordinal()
