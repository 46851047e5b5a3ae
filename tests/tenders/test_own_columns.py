"""Declared columns: how their cells are read, and when their filling tells an outcome."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec.structs import replace

from tenders.own_columns import OwnColumn, filling_tells, own_text, parse_number, with_categories
from tenders.tender import Tender

URGENCY = OwnColumn(kind="category", column="Urgencia", categories=("Alta", "Normal", "1"))
DAYS = OwnColumn(kind="number", column="Dias")


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (URGENCY, "Alta", 0), (URGENCY, " Normal ", 1), (URGENCY, 1.0, 2), (URGENCY, "Rara", None), (URGENCY, None, None),
        (DAYS, 12.5, 12.5), (DAYS, "12.5", 12.5), (DAYS, True, 1), (DAYS, "soon", None), (DAYS, "inf", None),
        (DAYS, None, None),
    ],
)  # fmt: skip
def test_a_cell_is_a_number_the_place_of_its_category_or_unknown(column, cell, expected):
    assert column.number(cell) == expected


@pytest.mark.parametrize(("text", "number"), [("1,200", 1200), ("-3.5", -3.5), ("1,200,000.5", 1200000.5)])
def test_numbers_of_a_table(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["many", "1,2", "nan", "inf", ""])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="expected a number"):
        parse_number(text)


def test_true_and_false_are_words():
    assert [own_text(cell) for cell in (True, False, 2.0, 2.5, "a  b")] == ["yes", "no", "2", "2.5", "a b"]


def tender(**own: str) -> Tender:
    return replace(Tender(), tender_risk=replace(Tender().tender_risk, own=own))


def test_categories_are_those_that_enough_cases_state_unless_the_mapping_gives_them():
    cases = [tender(urgency="b")] * 30 + [tender(urgency="a")] * 20 + [tender(urgency="c")] * 19 + [tender()] * 50
    open_ended = OwnColumn(kind="category", column="Urgencia")
    learnt = with_categories({"urgency": open_ended, "given": URGENCY, "days": DAYS}, cases)
    assert learnt["urgency"].categories == ("a", "b")
    assert learnt["given"] == URGENCY and learnt["days"] == DAYS


def test_a_column_that_is_filled_for_failures_alone_tells_the_outcome():
    y = np.array([1.0] * 50 + [0.0] * 150 + [math.nan] * 20)
    assert filling_tells(y == 1, y) == (1.0, 0.0)
    assert filling_tells(np.ones(len(y), dtype=bool), y) is None
    assert filling_tells(np.random.default_rng(0).random(len(y)) < 0.5, y) is None
    assert filling_tells(y == 1, np.ones(len(y))) is None


def test_hundred_thousand_cases_may_differ_by_a_little():
    y = np.repeat([1.0, 0.0], 100_000)
    few, more = (np.tile([True] * share + [False] * (100 - share), 1000) for share in (50, 55))
    assert filling_tells(np.concatenate([few, more]), y) is None
