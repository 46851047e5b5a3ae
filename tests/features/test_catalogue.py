"""Every feature of the catalogue is fit to be shown, explained and learnt from."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue, known_at
from features.feature import THEMES, Feature, feature, pounds
from features.table_builder import one_row
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tenders.tender import Tender
from tests.every import for_every
from tests.features import made

FEATURES = list(catalogue().values())
UNITS = {
    "GBP",
    "adviser",
    "advisers",
    "bidders",
    "bids",
    "calls",
    "cases",
    "changes",
    "characters",
    "covers",
    "day",
    "days",
    "days more",
    "digits",
    "divisions",
    "holds",
    "log amount",
    "log cases",
    "log-odds",
    "lots",
    "percent",
    "points",
    "ratio",
    "services",
    "share",
    "spreads",
    "words",
    "years",
    "yes/no",
}
# How far from the register's own: more or less.
SIGNED = {"days more", "log-odds", "points", "spreads"}
# Known only where the answer is yes: a notice without the field says nothing.
YES_OR_UNKNOWN = {"no_division_rationale"}
RECORDS = made.records()

each_feature = for_every({entry.name: entry for entry in FEATURES})


def in_range(entry: Feature, value: float) -> bool:
    """Whether a value can be, by the feature's unit."""
    if entry.unit == "yes/no":
        return value in (0, 1)
    if entry.unit == "share":
        return 0 <= value <= 1
    if entry.unit == "percent":
        return 0 <= value <= 100
    if entry.unit in ("log amount", "log cases"):
        return 0 <= value <= 60
    return entry.unit in SIGNED or value >= 0


@each_feature
def test_the_docstring_states_the_rule_and_its_source(entry: Feature) -> None:
    rule, _, source = entry.doc.partition("Source:")
    assert len(rule.split()) >= 2
    assert source.strip() or entry.factor, "a factor has its sources in its declaration"


@each_feature
def test_it_has_a_label_a_unit_a_path_and_a_sentence(entry: Feature) -> None:
    assert entry.label and entry.label[0].isupper()
    assert entry.unit in UNITS
    assert entry.theme in THEMES
    assert all(path.startswith("/") for path in (entry.path, *entry.also) if path)
    assert entry.path or (entry.factor and not entry.trained), "told by no field of a notice"
    assert entry.says.endswith(".")


@each_feature
def test_a_yes_or_no_is_said_both_ways_and_a_number_with_its_value(entry: Feature) -> None:
    holes = {name for _, name, _, _ in string.Formatter().parse(entry.says) if name is not None}
    if entry.unit == "yes/no":
        assert not holes
        assert bool(entry.says_not) != (entry.name in YES_OR_UNKNOWN)
    else:
        assert "value" in holes and holes <= {"value", "record"}
        assert ("record" in holes) == (entry.evidence is not None)
        assert not entry.says_not


@each_feature
def test_every_value_has_a_sentence(entry: Feature) -> None:
    values = [value for value in (0.0, 1.0, 0.37, -0.2, 12.0, 4.25e9) if in_range(entry, value)]
    assert values
    for value in values:
        if not (entry.name in YES_OR_UNKNOWN and value == 0):
            text = entry.text(value, one_row(Tender()))
            assert text and "{" not in text, value


@each_feature
def test_an_empty_tender_is_unknown(entry: Feature) -> None:
    assert made.value(entry, Tender()) is None
    assert made.value(entry, Tender(), given=RECORDS) is None


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=150)
@given(data=st.data())
def test_a_value_is_unknown_or_a_finite_number_in_the_range_of_its_unit(stage: Stage, data: Any) -> None:
    table = one_row(to_process(data.draw(made.known_at(stage))).as_of(stage), records=RECORDS)
    for entry in FEATURES:
        values = entry.measure(table)
        assert values.shape == (1,) and values.dtype == np.float64, entry.name
        value = float(values[0])
        if not math.isnan(value):
            assert math.isfinite(value) and value < 3e38, (entry.name, value)  # the boosters read 32-bit floats
            assert in_range(entry, value), (entry.name, value)
            assert entry.text(value, table)


def test_later_stages_know_all_that_earlier_ones_know_and_more() -> None:
    draft, bids_in, awarded = ({f.name for f in known_at(stage)} for stage in STAGES)
    assert draft < bids_in < awarded == set(catalogue())


def test_features_come_in_the_order_of_themes() -> None:
    order = [THEMES.index(f.theme) for f in FEATURES]
    assert order == sorted(order)
    assert set(order) == set(range(len(THEMES)))


def test_there_are_no_fewer_than_forty_features() -> None:
    assert len(FEATURES) >= 40


def test_a_name_is_given_once() -> None:
    declare = feature(stage="draft", theme="lots", unit="lots", label="Again", path="/tender/lots", says="{value}.")
    with pytest.raises(ValueError, match="two features are called lot_count"):
        declare(catalogue()["lot_count"].measure)


@pytest.mark.parametrize(
    ("amount", "shown"), [(5.9e9, "£5.9bn"), (725_500_000, "£726m"), (40_000, "£40k"), (950, "£950"), (0, "£0")]
)
def test_money_is_shown_short(amount: float, shown: str) -> None:
    assert pounds(amount) == shown
