"""CSV as text: rows keep their numbers, and what a spreadsheet would run stays text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.io.text import csv_rows, escape_formula, parse_csv, to_csv, unescape_formula

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


BLANKS = "\t\n\r\v\f\0\x1f \x85\xa0\u1680\u2003\u200b\u2028\u202f\u205f\u3000\ufeff"
SIGNS = {"=": "=＝﹦", "+": "+＋﹢", "-": "-－﹣", "@": "@＠﹫"}
FORMULAS = st.builds(
    "{}{}{}".format, st.text(BLANKS, max_size=4), st.sampled_from("".join(SIGNS.values())), CELLS
) | st.builds("{}{}".format, st.sampled_from("\t\n\r\0"), CELLS)


def begins_a_formula(text: str) -> bool:
    """Whether a spreadsheet that passes over blanks and narrows signs would run it."""
    return text.lstrip(BLANKS)[:1] in {*"".join(SIGNS.values())} or text[:1] in {*"\t\n\r\0"}


@given(FORMULAS)
def test_every_text_that_begins_a_formula_is_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    assert unescape_formula(f"'{text}") == text


@pytest.mark.parametrize("text", ["", " ", " Care", "a=b", "'quoted", "a@b.example", "\xa0Hospital", "1-2", "'", "(=1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert escape_formula(text) == text


@given(CELLS | st.sampled_from(["=1", "'=1", "''-2", "'quoted", "+44"]))
def test_a_formula_is_escaped_and_comes_back(text: str) -> None:
    assert not begins_a_formula(escape_formula(text))
    assert unescape_formula(escape_formula(text)) == text or text.startswith("'")
    row = {"title": text, "lots": "2"}
    assert parse_csv(to_csv([row], ["title", "lots"]))[2]["title"] == unescape_formula(escape_formula(text))
