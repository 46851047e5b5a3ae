"""The record of each factor in the casebook: cases that failed with it and without it, and how much chance could do.

A factor is measured by its own function, on cohort cases only, as of its `counted_at` stage. Picked cases entered the
casebook because of how they ended, so their shares say nothing. Left out are cases too recent to tell, and cases
without any bid, which fail by definition. Cases with one `cluster_id` (one programme, one buyer) share their outcome.
They count as Kish's effective number, (sum of sizes)² / sum of squared sizes: 21 contracts ended by one decision weigh
as one.

Sources: Kish, Survey Sampling (1965); Wilson, JASA 22 (1927); Newcombe, Statistics in Medicine 17 (1998) 873-890,
method 10. The intervals are written here because scipy and statsmodels are no dependencies of serving, and theirs take
no effective numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec

from features.catalogue import factor_features
from features.categorical import Categorical
from features.feature import SeenWith
from features.table import TrackRecords
from features.table_builder import of_tenders
from features.track_records.case_records import CaseHistory
from features.track_records.resolutions import failure, picked, resolved_cases
from tenders import casebook
from tenders.facts import STAGES
from tenders.history import LabelledTender
from tenders.tender import bidders

Verdict = Literal["supported", "contradicted", "could be chance", "not compared"]
Interval = tuple[float, float]
Z95 = 1.959964


class FactorRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"with_": "with"}):
    """Cohort cases (failed, all) with a factor and without it, and how many programmes and buyers (events) each are.

    `difference` is the share that failed with it less the share without it, `interval` its 95 % interval; None if one
    side has no case. `verdict` is whether the interval lies on the side that the factor's sources expect.
    """

    with_: tuple[int, int]
    without: tuple[int, int]
    events: tuple[int, int]
    difference: float | None
    interval: Interval | None
    verdict: Verdict

    @property
    def words(self) -> str:
        """The record as a sentence without its full stop."""
        (failed, cases), (failed_without, cases_without) = self.with_, self.without
        if self.difference is None or self.interval is None:
            if not cases and not cases_without:
                return "No past case states it: nothing to compare"
            if cases:
                return f"Of {cases} past cases with it, {failed} failed; none is without it: nothing to compare"
            return f"Of {cases_without} past cases without it, {failed_without} failed; none has it: nothing to compare"
        low, high = (f"{100 * bound:+.0f}" for bound in self.interval)
        return (
            f"Of {cases} past cases with it, {failed} failed; of {cases_without} without it, {failed_without}: "
            f"{100 * self.difference:+.0f} points ({low} to {high}), {self.verdict}"
        )


class FactorCase(msgspec.Struct, frozen=True):
    """One cohort case under one factor: whether it shows it, whether it failed, and whose outcome it shares."""

    shown: bool
    failed: bool
    cluster_id: str


@cache
def factor_records() -> Mapping[str, FactorRecord]:
    """The record of every factor, by name. Reads the casebook once, which takes a few tenths of a second."""
    every = [case.labelled(row) for row, case in enumerate(casebook.cases())]
    history = CaseHistory.of(resolved_cases(every))
    cases = [case for case in every if _counts(case)]
    records = TrackRecords(cases=Categorical.by_identity([history.as_of(case.published) for case in cases]))
    tables = {stage: of_tenders([case.as_of(stage) for case in cases], stage, records=records) for stage in STAGES}
    by_feature = {}
    for feature, spec in factor_features():
        values = feature.measure(tables[spec.counted_at or feature.stage]).tolist()
        known = [
            FactorCase(value == 1, bool(failure(case)), case.cluster_id)
            for case, value in zip(cases, values, strict=True)
            if not math.isnan(value)
        ]
        by_feature[feature.name] = factor_record(spec.seen_with, known)
    return by_feature


def factor_record(seen_with: SeenWith, cases: Sequence[FactorCase]) -> FactorRecord:
    """The record of a factor from its cases."""
    shown, absent = ([case for case in cases if case.shown is side] for side in (True, False))
    with_, without = ((sum(case.failed for case in side), len(side)) for side in (shown, absent))
    difference, interval = None, None
    if shown and absent:
        difference = with_[0] / with_[1] - without[0] / without[1]
        interval = newcombe(with_, effective_cases(shown), without, effective_cases(absent))
    return FactorRecord(
        with_=with_,
        without=without,
        events=(len({case.cluster_id for case in shown}), len({case.cluster_id for case in absent})),
        difference=None if difference is None else round(difference, 4),
        interval=interval and (round(interval[0], 4), round(interval[1], 4)),
        verdict=_verdict(seen_with, interval),
    )


def effective_cases(cases: Sequence[FactorCase]) -> float:
    """Kish's effective number: how many independent cases these are worth, if a cluster shares its outcome wholly."""
    sizes = Counter(case.cluster_id for case in cases).values()
    return sum(sizes) ** 2 / sum(size**2 for size in sizes)


def wilson(share: float, n: float) -> Interval:
    """Wilson's 95 % interval of a share seen on `n` cases, which need not be whole."""
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    # At 0 and 1 the bound is the share itself, but for rounding.
    return 0.0 if share <= 0 else max(0.0, middle - half), 1.0 if share >= 1 else min(1.0, middle + half)


def newcombe(first: tuple[int, int], n_first: float, second: tuple[int, int], n_second: float) -> Interval:
    """Newcombe's 95 % interval of the difference of two shares (failed, all), each seen on `n` effective cases."""
    p, q = first[0] / first[1], second[0] / second[1]
    (p_low, p_high), (q_low, q_high) = wilson(p, n_first), wilson(q, n_second)
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def _counts(case: LabelledTender) -> bool:
    """Whether a case counts: a cohort case with known outcome that drew a bid, or of which no count is known."""
    return failure(case) is not None and not picked(case) and bidders(case.as_of("bids_in")) != 0


def _verdict(seen_with: SeenWith, interval: Interval | None) -> Verdict:
    if interval is None:
        return "not compared"
    low, high = interval if seen_with == "failure" else (-interval[1], -interval[0])
    return "supported" if low > 0 else "contradicted" if high < 0 else "could be chance"
