"""How each sign did in the casebook: cases that failed with it and without it, and how much chance could do.

Judged by the sign's own function, on the cohort cases only, as of the sign's `counted_at`; `picked` cases entered
because of how they ended, so their shares say nothing. Cases too recent to tell are left out, and those without any
bid, which fail by definition. Cases that share their fate (one programme, one buyer) are one event more than many: the
interval counts them as Kish's effective number, (sum of sizes)² / sum of squared sizes, so that 21 contracts ended by
one decision weigh as one.

Source: Kish, Survey Sampling (1965).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec

from features.track_records.case_records import Log, TrackRecord
from features.track_records.resolutions import failure, picked, resolutions
from models.signs.interval import Interval, newcombe
from models.signs.register import Sign, register
from tenders import casebook
from tenders.bid_counts import bidders
from tenders.facts import STAGES
from tenders.history import Past
from tenders.registers.casebook_uk import past

Verdict = Literal["supported", "contradicted", "not told from chance", "not compared"]


class Record(msgspec.Struct, frozen=True, kw_only=True, rename={"with_": "with"}):
    """Cohort cases (failed, all) with a sign and without it, and how many events each are.

    `difference` is the share that failed with it less that without it, `interval` its 95 % interval; None where one
    side has no case. `verdict` is whether the interval lies on the side that the sign's source expects.
    """

    with_: tuple[int, int]
    without: tuple[int, int]
    events: tuple[int, int]
    difference: float | None
    interval: Interval | None
    verdict: Verdict

    @property
    def words(self) -> str:
        """The record as a sentence."""
        counted = f"in the cohorts {_of(self.with_)} with it failed, {_of(self.without)} without it"
        if self.difference is None or self.interval is None:
            return f"{counted}: nothing to compare"
        low, high = (f"{100 * each:+.0f}" for each in self.interval)
        return f"{counted}: {100 * self.difference:+.0f} points ({low} to {high}), {self.verdict}"


class Judgement(msgspec.Struct, frozen=True):
    """One cohort case under one sign: whether it shows it, whether it failed, and whose fate it shares."""

    shown: bool
    failed: bool
    fate: str


@cache
def records() -> Mapping[str, Record]:
    """The record of every sign, by name. Walks the casebook once, which takes a few tenths of a second."""
    found: dict[str, list[Judgement]] = {name: [] for name in register()}
    for case, state in _in_time(_cases()):
        failed = failure(case)
        if failed is None or picked(case):
            continue
        tenders = {stage: case.as_of(stage) for stage in STAGES}
        if bidders(tenders["bids_in"]) == 0:
            continue
        for name, sign in register().items():
            shown = sign.rule(tenders[sign.counted_at], state)
            if shown is not None:
                found[name].append(Judgement(shown, failed, case.shares_fate))
    return {name: record(sign, found[name]) for name, sign in register().items()}


def record(sign: Sign, judged: Sequence[Judgement]) -> Record:
    """The record of a sign from its judgements."""
    shown, absent = ([each for each in judged if each.shown is side] for side in (True, False))
    with_, without = ((sum(each.failed for each in side), len(side)) for side in (shown, absent))
    difference, interval = None, None
    if shown and absent:
        difference = with_[0] / with_[1] - without[0] / without[1]
        interval = newcombe(with_, effective(shown), without, effective(absent))
    return Record(
        with_=with_,
        without=without,
        events=(len({each.fate for each in shown}), len({each.fate for each in absent})),
        difference=None if difference is None else round(difference, 4),
        interval=interval and (round(interval[0], 4), round(interval[1], 4)),
        verdict=_verdict(sign, interval),
    )


def effective(judged: Sequence[Judgement]) -> float:
    """How many independent cases these are worth, if those that share their fate share it wholly."""
    sizes = Counter(each.fate for each in judged).values()
    return sum(sizes) ** 2 / sum(size**2 for size in sizes)


def _verdict(sign: Sign, interval: Interval | None) -> Verdict:
    if interval is None:
        return "not compared"
    low, high = interval if sign.seen_with == "failure" else (-interval[1], -interval[0])
    return "supported" if low > 0 else "contradicted" if high < 0 else "not told from chance"


def _cases() -> list[Past]:
    return [past(case, row) for row, case in enumerate(casebook.cases())]


def _in_time(cases: Sequence[Past]) -> Iterator[tuple[Past, TrackRecord]]:
    """Each case with the track records of its day, learnt from the casebook alone."""
    log = Log.of(resolutions(cases))
    for case in cases:
        yield case, log.on(case.published)


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}"
