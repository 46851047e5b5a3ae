"""Reference classes: whose base rate a tender carries."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.table_builder import of_tenders
from models.bundle import Bundle
from models.reference_classes import LARGE, ClassRate, Placement, placement
from models.score import score
from tenders.io.read import to_process

NEW = date(2026, 1, 5)
RATES = {
    "no_award": {name: ClassRate(rate=rate, spread=0.3, basis="made") for name, rate in (
        (LARGE, 0.06), ("ordinary", 0.04), ("before", 0.02), ("call-off", 0.13),
    )},
    "early_end": {name: ClassRate(rate=rate, spread=0.3, basis="made") for name, rate in (
        (LARGE, 0.18), ("value not stated", 0.014), ("under £100k", 0.007), ("£100k to £1m", 0.014),
        ("£1m to £10m", 0.03), ("£10m or more", 0.056),
    )},
}  # fmt: skip


def placed(published: date | None = NEW, **facts: object) -> Placement:
    """Where a form is placed."""
    return placement(of_tenders([to_process(facts).as_of("draft")], "draft", [published]))


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({"value": 60_000, "category": "services"}, "ordinary UK contracts, under £100k"),
        ({"value": 60_000_000, "category": "works"}, "ordinary UK contracts, £10m or more"),
        ({"value": 60_000_000, "cpv": "33100000"}, "ordinary UK contracts, £10m or more"),
        ({"value": 725e6, "category": "services"}, "large outsourced UK services"),
        ({"value": 5e6, "cpv": "85100000"}, "UK services of £1m to £30m, between ordinary and large"),
        ({"title": "Care"}, "ordinary UK contracts, value not stated"),
        ({"title": "Care", "outsourced_service": "yes"}, "large outsourced UK services"),
        ({"value": 725e6, "outsourced_service": "no"}, "ordinary UK contracts, £10m or more"),
        ({"procurement_method_details": "Call-off: digital-outcomes-and-specialists-2"}, "UK digital call-offs"),
    ],
)
def test_the_class_follows_from_value_kind_and_procedure(facts: dict[str, object], title: str):
    assert placed(**facts).title.rows() == [title]


def test_cancellations_were_seldom_published_before_the_act():
    assert placed(date(2024, 1, 5), value=60_000).title.rows() == [
        "ordinary UK contracts, under £100k, published before 24 February 2025"
    ]


@given(st.floats(1e4, 1e9), st.floats(1.0, 1.02))
def test_a_little_more_value_never_makes_a_leap(value: float, factor: float):
    """Within a size of ordinary contracts, and between those and large services."""
    levels = [placed(value=v, category="services").level(RATES, "no_award")[0][0] for v in (value, value * factor)]
    assert abs(levels[1] - levels[0]) < 0.02


# An amount of nines alone is a default, so it has no class of its size.
@given(st.floats(1e4, 9e8), st.floats(1e4, 9e8))
def test_a_larger_service_never_has_a_lower_rate_of_early_ends(first: float, second: float):
    less, more = sorted((first, second))
    low, high = (placed(value=v, category="services").level(RATES, "early_end")[0][0] for v in (less, more))
    assert low <= high + 1e-9


def test_a_score_names_its_class_and_the_rate_of_it(bundle: Bundle):
    small = score(
        bundle, to_process({"title": "Grounds maintenance", "value": 60_000, "category": "services"}), "draft"
    )
    large = score(bundle, to_process({"title": "Care", "value": 700e6, "category": "services"}), "draft")
    assert small.reference_class != large.reference_class and small.base_rate < large.base_rate / 3
    assert 0 < small.base_rate < 1 and np.isfinite(small.failure)
