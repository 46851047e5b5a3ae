"""CSV as text: rows keep their numbers, and what a spreadsheet would run stays text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.io.text import FORMULA_STARTS, csv_rows, escape_formula, parse_csv, to_csv, unescape_formula

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_rows_come_as_they_were_written(table: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(table)
    assert list(csv_rows(io.StringIO(out.getvalue(), newline=""))) == table


def test_a_row_that_is_not_csv_is_a_text_and_the_next_is_read() -> None:
    rows = list(csv_rows(["a,b\n", "x" * 200_000 + "\n", "\n", "c,d\n"]))
    assert rows[0] == ["a", "b"] and rows[2:] == [[], ["c", "d"]]
    assert isinstance(rows[1], str) and rows[1].startswith("not CSV")


def test_forms_keep_the_numbers_that_people_see() -> None:
    assert parse_csv("title, lots\nNursing,2\n\nCare\n") == {2: {"title": "Nursing", "lots": "2"}, 4: {"title": "Care"}}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "row 1"),
        ("colour\nred\n", "row 1"),
        ("title,title\na,b\n", "row 1"),
        ("title\n", "row 2"),
        ("title\na\nb,c\n", "row 3"),
    ],
)
def test_a_csv_that_holds_no_forms_is_refused_at_its_row(text: str, place: str) -> None:
    with pytest.raises(DataError) as refused:
        parse_csv(text)
    assert refused.value.problems[0].path == place


@given(CELLS | st.sampled_from(["=1", "'=1", "''-2", "'quoted", "+44"]))
def test_a_formula_is_escaped_and_comes_back(text: str) -> None:
    assert not escape_formula(text).startswith(FORMULA_STARTS)
    assert unescape_formula(escape_formula(text)) == text or text.startswith("'")
    row = {"title": text, "lots": "2"}
    assert parse_csv(to_csv([row], ["title", "lots"]))[2]["title"] == unescape_formula(escape_formula(text))
