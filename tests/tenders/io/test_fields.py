"""A table's cells are read as the form's are, and each different one of a column once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.io import fields, form
from tenders.io.fields import Remembered
from tenders.io.form import BY_KEY, FIELDS

CELLS = st.sampled_from(
    ["", "yes", "no", "2", "1,000", "2024-03-01", "GBP", "open", "scope;lots", "unknown", "many", " 3 "]
)


@given(st.lists(st.tuples(*[CELLS | st.none()] * len(FIELDS)), min_size=1, max_size=4))
def test_a_remembered_row_is_the_release_of_its_form(table: list[tuple[Any, ...]]) -> None:
    remembered = Remembered(FIELDS)
    for row in table:
        given_cells = {field.name: cell for field, cell in zip(FIELDS, row, strict=True)}
        values = remembered(row)
        try:
            expected, _ = form.release(given_cells)
        except DataError:
            if values is not None:
                with pytest.raises(DataError):
                    form.placed(values)
        else:
            assert values is not None
            assert form.placed(values) == expected


def test_what_repeats_in_a_column_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    parsed = fields.parsed
    monkeypatch.setattr(fields, "parsed", lambda field, raw: asked.append(raw) or parsed(field, raw))
    remembered = Remembered([BY_KEY["lots"], BY_KEY["title"]])
    rows = [("2", "Nursing"), ("2", "Cleaning"), ("many", "Nursing"), ("many",), ("2",)]
    assert [remembered(row) for row in rows] == [
        {"lots": 2, "title": "Nursing"}, {"lots": 2, "title": "Cleaning"}, None, None, {"lots": 2}
    ]  # fmt: skip
    assert asked == ["2", "Nursing", "Cleaning", "many"]


def test_a_list_is_read_each_time() -> None:
    remembered = Remembered([BY_KEY["advisers"]])
    assert [remembered(([name],)) for name in ("A", "B")] == [{"advisers": ["A"]}, {"advisers": ["B"]}]
