"""The bias audit: rates with their intervals, by size of buyer and region, and errors where outcomes are known."""

from __future__ import annotations

import pyarrow as pa
import pytest

from portfolio.bias import Rate, audited
from tests.portfolio.scored import table
from tests.portfolio.test_groups import tenders


@pytest.mark.parametrize(
    # Figures of the Wilson interval as R's prop.test(correct = FALSE) gives them.
    ("hits", "of", "interval"),
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0)), (81, 263, (0.2553, 0.3662))],
)
def test_the_interval_is_wilsons(hits: int, of: int, interval: tuple[float, float]) -> None:
    assert Rate(hits=hits, of=of).interval == pytest.approx(interval, abs=2e-4)


def test_of_nothing_nothing_is_known() -> None:
    assert (Rate(hits=0, of=0).share, Rate(hits=0, of=0).interval) == (None, (0.0, 1.0))


@pytest.mark.parametrize(("hits", "said"), [(2, "below"), (20, "as all"), (60, "above")])
def test_a_rate_differs_from_all_when_its_interval_leaves_theirs(hits: int, said: str) -> None:
    assert Rate(hits=hits, of=100).against(Rate(hits=2000, of=10_000)) == said


def test_buyers_are_sized_by_their_tenders_and_unknown_ones_are_apart() -> None:
    scored = table(*[{"buyer": "big"}] * 120, *[{"buyer": "mid"}] * 10, *[{"buyer": "few"}] * 9, {"buyer": "one"}, {})
    found = {each.name: each.rows for each in audited(tenders(scored))["size"]}
    assert list(found.items()) == [
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
    found = audited(tenders(scored))
    north, south = found["region"]
    assert (north.flagged, north.listed) == (Rate(hits=1, of=2), Rate(hits=1, of=2))
    assert (south.flagged, south.listed) == (Rate(hits=1, of=1), Rate(hits=0, of=1))
    assert found["all"][0].flagged == Rate(hits=2, of=3)


def test_errors_are_counted_among_those_whose_end_is_known() -> None:
    scored = table({"band": "high"}, {"band": "low"}, {"band": "high"}, {"band": "low"}, {"band": "high"})
    ends = pa.table({"ocid": [f"ocds-made-{at}" for at in (1, 2, 3, 4)], "failed": [False, False, True, True]})
    (all_,) = audited(tenders(scored, ends))["all"]
    assert (all_.false_alarms, all_.missed) == (Rate(hits=1, of=2), Rate(hits=1, of=2))
    (unknown,) = audited(tenders(scored))["all"]
    assert (unknown.false_alarms.share, unknown.missed.share) == (None, None)
