"""A portfolio by groups: every tender counted once, unknown kept apart, money summed where it is known; the bias audit."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from portfolio.groups import (
    NOT_STATED,
    Proportion,
    TenderGroups,
    bias_audit,
    group_totals,
    most_at_risk,
    tender_groups,
)
from portfolio.worklist import WorklistOptions, build_worklist
from tests.portfolio.scored_rows import table


def tenders(scored: pa.Table, outcomes: pa.Table | None = None) -> TenderGroups:
    options = WorklistOptions(capacity=1)
    worklist = build_worklist(scored, options).rows
    return tender_groups(ds.dataset(scored), options, worklist, outcomes)


SCORED = table(
    {"buyer": "The Leeds Council", "failure": 0.5, "band": "very high", "value_gbp": 1000.0},
    {"buyer": "LEEDS", "failure": 0.1, "band": "low", "value_gbp": 1e7},
    {"buyer": None, "failure": 0.3, "band": "high", "published": None},
)


def test_each_group_counts_its_tenders_failures_flags_and_money() -> None:
    leeds, nobody = group_totals(tenders(SCORED), "buyer")
    assert (leeds.name, leeds.rows, leeds.failure) == ("The Leeds Council", 2, 0.3)
    assert (leeds.flagged, leeds.listed, leeds.at_risk_gbp, leeds.unvalued) == (1, 1, pytest.approx(1_000_500), 0)
    assert (nobody.name, nobody.rows, nobody.flagged, nobody.at_risk_gbp, nobody.unvalued) == (NOT_STATED, 1, 1, 0.0, 1)


def test_a_tender_in_two_rows_counts_once() -> None:
    scored = table({"ocid": "a", "failure": 0.9}, {"ocid": "a", "failure": 0.1})
    (only,) = group_totals(tenders(scored), "category")
    assert (only.rows, only.failure) == (1, 0.9)


def test_years_and_value_bands_come_from_dates_and_pounds() -> None:
    assert [group.name for group in group_totals(tenders(SCORED), "year")] == ["2026", NOT_STATED]
    assert {group.name for group in group_totals(tenders(SCORED), "value_band")} == {
        "under £10,000",
        "£10m to £100m",
        NOT_STATED,
    }


@pytest.mark.parametrize(
    ("value", "name"), [(9_999.99, "under £10,000"), (1e4, "£10,000 to £100,000"), (1e12, "£100m and over")]
)
def test_a_value_at_the_limit_is_in_the_band_above(value: float, name: str) -> None:
    assert group_totals(tenders(table({"value_gbp": value})), "value_band")[0].name == name


def test_most_money_at_risk_comes_first_and_then_most_failures_to_expect() -> None:
    scored = table(
        {"region": "some"},
        {"region": "many"},
        {"region": "many"},
        {"region": "rich", "failure": 0.01, "value_gbp": 1e6},
    )
    assert [group.name for group in most_at_risk(group_totals(tenders(scored), "region"), 2)] == ["rich", "many"]


def test_outcomes_are_matched_by_ocid_and_others_stay_unknown() -> None:
    outcomes = pa.table(
        {"ocid": ["ocds-made-2", None, "ocds-made-3", "elsewhere"], "failed": [True, True, None, False]}
    )
    matched = tenders(SCORED, outcomes)
    by_probability = dict(zip(matched["failure"].to_pylist(), matched["failed"].to_pylist(), strict=True))
    assert by_probability == {0.5: None, 0.1: True, 0.3: None}


def test_no_rows_have_no_groups() -> None:
    assert group_totals(tenders(table()), "buyer") == []


@pytest.mark.parametrize(
    # Figures of the Wilson interval as R's prop.test(correct = FALSE) gives them.
    ("hits", "of", "interval"),
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0)), (81, 263, (0.2553, 0.3662))],
)
def test_the_interval_is_wilsons(hits: int, of: int, interval: tuple[float, float]) -> None:
    assert Proportion(hits=hits, of=of).interval == pytest.approx(interval, abs=2e-4)


def test_a_proportion_of_no_tenders_is_unknown() -> None:
    assert (Proportion(hits=0, of=0).share, Proportion(hits=0, of=0).interval) == (None, (0.0, 1.0))


@pytest.mark.parametrize(("hits", "sentence"), [(2, "below"), (20, "no clear difference"), (60, "above")])
def test_a_proportion_differs_from_the_overall_share_outside_its_interval(hits: int, sentence: str) -> None:
    assert Proportion(hits=hits, of=100).compared_with(Proportion(hits=2000, of=10_000)) == sentence


def test_buyers_are_sized_by_their_tenders_and_unknown_ones_are_apart() -> None:
    scored = table(*[{"buyer": "big"}] * 120, *[{"buyer": "mid"}] * 10, *[{"buyer": "few"}] * 9, {"buyer": "one"}, {})
    sizes = {group.name: group.rows for group in bias_audit(tenders(scored))["size"]}
    assert list(sizes.items()) == [
        ("1 tender", 1),
        ("2 to 9 tenders", 9),
        ("10 to 99 tenders", 10),
        ("100 tenders and more", 120),
        ("buyer not stated", 1),
    ]


def test_flags_are_the_high_bands_and_listed_are_those_chosen_by_risk() -> None:
    scored = table(
        {"region": "north", "band": "high", "failure": 0.5},
        {"region": "north", "band": "low"},
        {"region": "south", "band": "very high", "failure": 0.4},
    )
    audit = bias_audit(tenders(scored))
    north, south = audit["region"]
    assert (north.flagged, north.listed) == (Proportion(hits=1, of=2), Proportion(hits=1, of=2))
    assert (south.flagged, south.listed) == (Proportion(hits=1, of=1), Proportion(hits=0, of=1))
    assert audit["all"][0].flagged == Proportion(hits=2, of=3)


def test_errors_are_counted_among_tenders_with_a_known_outcome() -> None:
    scored = table({"band": "high"}, {"band": "low"}, {"band": "high"}, {"band": "low"}, {"band": "high"})
    ends = pa.table({"ocid": [f"ocds-made-{at}" for at in (1, 2, 3, 4)], "failed": [False, False, True, True]})
    (all_,) = bias_audit(tenders(scored, ends))["all"]
    assert (all_.false_alarms, all_.missed) == (Proportion(hits=1, of=2), Proportion(hits=1, of=2))
    (unknown,) = bias_audit(tenders(scored))["all"]
    assert (unknown.false_alarms.share, unknown.missed.share) == (None, None)
