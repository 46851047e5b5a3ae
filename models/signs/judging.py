"""Signs on one tender: which it shows, which it lacks, which cannot be judged, each with its record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from features.track_records.case_records import TrackRecord
from models.signs.record import Record, records
from models.signs.register import SeenWith, Sign, register
from tenders.facts import STAGES, Stage
from tenders.tender import Tender

CAVEAT = (
    "Signs stand beside the probability and are no part of it. Their records are thin: few cohort cases tell, some "
    "facts were noted only because a case had failed, and of this many signs one or two differ by chance alone."
)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One sign on one tender. `shown` is None where it cannot be judged; `record` is that of the casebook's cohorts."""

    sign: str
    shown: bool | None
    title: str
    text: str
    stage: Stage
    seen_with: SeenWith
    source: str
    record: Record


def judged(tender: Tender, track_record: TrackRecord, stage: Stage) -> tuple[Judged, ...]:
    """Every sign of the register on a tender as of a stage, with the track record of its day, in register order."""
    answers = _answers(stage)
    return tuple(answers[name][sign.rule(tender, track_record)] for name, sign in register().items())


@cache
def _answers(stage: Stage) -> Mapping[str, Mapping[bool | None, Judged]]:
    """What is said of each sign for each judgement: made once, so that a score only picks."""
    return {
        name: {shown: _answer(sign, shown, stage) for shown in (True, False, None)} for name, sign in register().items()
    }


def _answer(sign: Sign, shown: bool | None, stage: Stage) -> Judged:
    early = shown is None and STAGES.index(sign.stage) > STAGES.index(stage)
    return Judged(
        sign=sign.name,
        shown=shown,
        title=sign.title,
        text=f"Cannot be judged yet: it is known at {sign.stage}." if early else sign.text(shown),
        stage=sign.stage,
        seen_with=sign.seen_with,
        source=sign.source,
        record=records()[sign.name],
    )
