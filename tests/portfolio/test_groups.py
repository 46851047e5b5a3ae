"""A portfolio by groups: every tender counted once, unknown kept apart, money summed where it is known."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from portfolio import groups
from portfolio.groups import UNSTATED, Table, by, foremost
from portfolio.worklist import Wish, worklist
from tests.portfolio.scored import table


def tenders(scored: pa.Table, outcomes: pa.Table | None = None, capacity: int = 1) -> Table:
    listed = worklist(scored, Wish(capacity=capacity)).rows
    return groups.tenders(ds.dataset(scored), 0, False, listed, outcomes)


SCORED = table(
    {"buyer": "The Leeds Council", "failure": 0.5, "band": "very high", "value_gbp": 1000.0},
    {"buyer": "LEEDS", "failure": 0.1, "band": "low", "value_gbp": 1e7},
    {"buyer": None, "failure": 0.3, "band": "high", "published": None},
)


def test_each_group_counts_its_tenders_failures_flags_and_money() -> None:
    leeds, nobody = by(tenders(SCORED), "buyer")
    assert (leeds.name, leeds.rows, leeds.failure) == ("The Leeds Council", 2, 0.3)
    assert (leeds.flagged, leeds.listed, leeds.at_risk_gbp, leeds.unvalued) == (1, 1, pytest.approx(1_000_500), 0)
    assert (nobody.name, nobody.rows, nobody.flagged, nobody.at_risk_gbp, nobody.unvalued) == (UNSTATED, 1, 1, 0.0, 1)


def test_a_tender_that_stands_twice_counts_once() -> None:
    scored = table({"ocid": "a", "failure": 0.9}, {"ocid": "a", "failure": 0.1})
    (only,) = by(tenders(scored), "category")
    assert (only.rows, only.failure) == (1, 0.9)


def test_years_and_value_bands_come_from_dates_and_pounds() -> None:
    assert [each.name for each in by(tenders(SCORED), "year")] == ["2026", UNSTATED]
    assert {each.name for each in by(tenders(SCORED), "value_band")} == {"under £10,000", "£10m to £100m", UNSTATED}


@pytest.mark.parametrize(
    ("value", "name"), [(9_999.99, "under £10,000"), (1e4, "£10,000 to £100,000"), (1e12, "£100m and over")]
)
def test_a_value_at_the_limit_is_in_the_band_above(value: float, name: str) -> None:
    assert by(tenders(table({"value_gbp": value})), "value_band")[0].name == name


def test_most_money_at_risk_comes_first_and_then_most_failures_to_expect() -> None:
    scored = table(
        {"region": "some"},
        {"region": "many"},
        {"region": "many"},
        {"region": "rich", "failure": 0.01, "value_gbp": 1e6},
    )
    assert [each.name for each in foremost(by(tenders(scored), "region"), 2)] == ["rich", "many"]


def test_outcomes_meet_tenders_by_ocid_and_what_is_not_told_stays_open() -> None:
    outcomes = pa.table(
        {"ocid": ["ocds-made-2", None, "ocds-made-3", "elsewhere"], "failed": [True, True, None, False]}
    )
    found = tenders(SCORED, outcomes)
    told = dict(zip(found["failure"].to_pylist(), found["failed"].to_pylist(), strict=True))
    assert told == {0.5: None, 0.1: True, 0.3: None}


def test_nothing_scored_has_no_groups() -> None:
    assert by(tenders(table()), "buyer") == []
