"""Drift: silence where nothing moved, a finding where something did, and no answer from too few."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from models.drift import (
    LARGE_SHIFT,
    MIN_SHIFT,
    MIN_TENDERS,
    ColumnCounts,
    Drift,
    DriftCounts,
    drift,
    smallest_visible_shift,
)
from models.training_profile import TrainingProfile, quantiles
from tenders.io.read import to_process
from tests import samples
from tests.models import drifted
from tests.models.drifted import FEATURES, NAMES, compared, scores, table


def made(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def past() -> TrainingProfile:
    return drifted.training_profile(20_000, made(1))


def shifts(report: Drift) -> list[tuple[str, str]]:
    return [(shift.kind, shift.name) for shift in report.shifts]


# `benchmarks/drift.py` counts false alarms and what is found over many more runs, and with tenders of one buyer alike.
@pytest.mark.parametrize(("rows", "runs"), [(50, 40), (100, 40), (1000, 15), (100_000, 1)])
def test_without_drift_there_is_no_alarm_and_hardly_a_finding(past: TrainingProfile, rows: int, runs: int) -> None:
    reports = [compared(past, table(rows, made(seed)), scores(rows, made(seed + 100))) for seed in range(runs)]
    assert all(report.same and not report.why for report in reports)
    # In features, scores and codes chance may find something once in a hundred runs each.
    assert sum(bool(report.shifts) for report in reports) <= 0.03 * runs


def test_nor_against_a_reference_of_few_rows() -> None:
    few = drifted.training_profile(300, made(5))
    for seed in range(20):
        assert compared(few, table(300, made(seed + 50)), scores(300, made(seed))).same


@pytest.mark.parametrize("rows", [0, MIN_TENDERS - 1])
def test_too_few_tell_nothing_however_odd(past: TrainingProfile, rows: int) -> None:
    report = compared(past, np.full((rows, FEATURES), 1e6, dtype=np.float32), np.ones(rows))
    assert (report.same, report.why, report.shifts) == (None, (), ())


def test_scores_that_moved_far_mean_something_else(past: TrainingProfile) -> None:
    report = compared(past, table(1000, made(2)), scores(1000, made(2)) + 0.2)
    assert report.same is False
    (shift,) = report.shifts
    assert (shift.kind, shift.name) == ("score", "no_award")
    assert shift.size >= LARGE_SHIFT
    assert shift.now < shift.was


def test_a_feature_that_moved_is_named_with_where_and_how_far_and_alone_changes_nothing(past: TrainingProfile) -> None:
    matrix = table(2000, made(3))
    matrix[:, 0] *= 2
    report = compared(past, matrix, scores(2000, made(3)))
    assert (report.same, shifts(report)) == (True, [("values", NAMES[0])])
    shift = report.shifts[0]
    # Half of the past lay below a value that a third lies below now.
    assert shift.size == pytest.approx(shift.was - shift.now)
    assert report.weight_moved == pytest.approx(1 / FEATURES, abs=1e-4)


def test_half_of_the_weight_moved_or_a_quarter_of_it_far_changes_what_scores_mean(past: TrainingProfile) -> None:
    moved, far = table(2000, made(4)), table(2000, made(4))
    for place in range(0, FEATURES, 3):
        moved[:, place] *= 1.7
        far[:, place] *= 20
    assert compared(past, moved, scores(2000, made(4))).same
    assert compared(past, far, scores(2000, made(4))).same is False


def test_what_the_model_leans_on_weighs(past: TrainingProfile) -> None:
    matrix = table(2000, made(3))
    matrix[:, 0] *= 2

    def same(weights: Mapping[str, float]) -> bool | None:
        counts = DriftCounts(past)
        counts.rows = len(matrix)
        counts.add_features(drifted.PART, NAMES, matrix)
        return drift(counts, weights).same

    assert same({NAMES[0]: 0.1, NAMES[1]: 0.9})
    assert same({NAMES[0]: 0.9, NAMES[1]: 0.1}) is False


def test_what_became_unknown_or_known_is_a_shift(past: TrainingProfile) -> None:
    matrix = table(1000, made(6))
    matrix[:400, 1] = np.nan
    matrix[:, 58] = 0.0
    assert shifts(compared(past, matrix, scores(1000, made(6)))) == [
        ("values", NAMES[58]),
        ("unknown", NAMES[58]),
        ("unknown", NAMES[1]),
    ]


def test_a_value_beyond_all_that_was_seen_is_a_shift(past: TrainingProfile) -> None:
    matrix = table(1000, made(7))
    matrix[:200, 3] = 1e9
    report = compared(past, matrix, scores(1000, made(7)))
    (shift,) = report.shifts
    assert (shift.name, shift.was) == (NAMES[3], 1.0)
    assert shift.now == pytest.approx(0.8, abs=0.01)


def test_new_codes_and_shares_of_old_ones_are_told(past: TrainingProfile) -> None:
    def compare(codes: dict[str, int]) -> Drift:
        return compared(past, table(500, made(9)), scores(500, made(9)), codes)

    assert not compare({"goods": 245, "services": 155, "works": 100}).shifts
    shifted = compare({"goods": 100, "services": 300, "works": 100})
    assert {(shift.kind, shift.code) for shift in shifted.shifts} == {("code", "services"), ("code", "goods")}
    assert shifted.same
    new = compare({"vessels": 400, "goods": 100})
    assert new.shifts[0].kind == "new codes"
    assert new.why == ("of the tenders that state a category, 80% state one that the model never saw",)


def test_small_shifts_of_many_tenders_are_beyond_chance_and_do_not_count(past: TrainingProfile) -> None:
    rows = 100_000
    matrix = table(rows, made(10))
    matrix[:, 0] *= 1.1
    report = compared(past, matrix, scores(rows, made(10)))
    assert (report.same, report.shifts) == (True, ())


def test_what_can_be_seen_grows_with_the_tenders_and_ends_with_the_reference() -> None:
    assert (
        smallest_visible_shift(100, 20_000, 120) > 2 * MIN_SHIFT > MIN_SHIFT > smallest_visible_shift(1000, 20_000, 120)
    )
    assert smallest_visible_shift(1_000_000, 300, 120) == pytest.approx(smallest_visible_shift(300, 1_000_000, 120))
    assert smallest_visible_shift(0, 300, 120) == 1.0


def counted(past: np.ndarray, *parts: np.ndarray) -> ColumnCounts:
    counts = ColumnCounts(np.asarray(quantiles(past)))
    for part in parts:
        counts.add(part)
    return counts


def test_the_same_rows_are_no_distance_away_and_unknown_ones_are_counted_apart() -> None:
    past = np.random.default_rng(0).lognormal(size=1000)
    counts = counted(past, past, np.full(10, np.nan))
    assert (counts.known, counts.unknown) == (1000, 10)
    assert counts.distance()[0] < 0.01


def test_the_distance_is_the_largest_difference_in_share_and_where_it_lies() -> None:
    size, at, was, now = counted(np.arange(101.0), np.arange(101.0) / 2).distance()
    assert (size, at, was) == (pytest.approx(0.5, abs=0.01), pytest.approx(50), 0.5)
    assert now == pytest.approx(1, abs=0.02)


def test_counting_in_parts_or_at_once_gives_the_same() -> None:
    rows = np.random.default_rng(1).normal(size=300)
    one_by_one, at_once = counted(rows, *np.split(rows, 30)), counted(rows, rows)
    assert one_by_one.distance() == at_once.distance()


def test_a_yes_or_no_is_told_from_another_share_of_yes() -> None:
    past = np.repeat([0.0, 1.0], [900, 100])
    assert counted(past, np.repeat([0.0, 1.0], [880, 120])).distance()[0] < 0.05
    assert counted(past, np.repeat([0.0, 1.0], [600, 400])).distance()[0] == pytest.approx(0.3, abs=0.05)


def test_a_share_that_was_rounded_is_still_the_same_value() -> None:
    third = np.full(100, np.float32(1 / 3))
    assert counted(third, third).distance()[0] == 0


def test_codes_are_counted_where_they_are_stated() -> None:
    counts = DriftCounts(drifted.training_profile(100, np.random.default_rng(2)))
    counts.add_tenders(
        [
            to_process(samples.draft()).as_of("draft"),
            to_process(samples.plain(mainProcurementCategory=None)).as_of("draft"),
        ]
    )
    assert counts.rows == 2
    assert counts.codes["category"] == {"services": 1}
