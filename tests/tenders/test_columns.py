"""Every column is declared once, and says of a tender what was known at a stage and nothing that came later."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.categorical import Categorical
from features.table import TenderTable
from features.table_builder import TableBuilder, of_tenders, one_row
from tenders.columns import COLUMNS, FORM, NOT_ON_FORM
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tenders.tender import Period, Procedure, Tender, Value
from tenders.tender_chunk import TenderChunk
from tests.features import made

releases = st.sampled_from(STAGES).flatmap(made.known_at)


def plain(column: Any) -> Any:
    """A column as something that can be compared."""
    return column.rows() if isinstance(column, Categorical) else [None if x != x else x for x in column.tolist()]


def columns(table: TenderTable) -> dict[str, Any]:
    """All columns of a table."""
    return {name: plain(table.number(name) if column.is_number else table.text(name)) for name, column in COLUMNS.items()}


def test_names_are_given_once_and_labels_are_those_of_the_form() -> None:
    assert len(COLUMNS) == len(FORM) + len(NOT_ON_FORM)
    assert all(column.label for column in FORM) and not any(column.label for column in NOT_ON_FORM)
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in COLUMNS)
    assert {column.per for column in COLUMNS.values()} - {""} <= {n for n, c in COLUMNS.items() if c.kind == "count"}


@settings(max_examples=150)
@given(data=st.data())
@pytest.mark.parametrize("stage", STAGES)
def test_what_came_later_is_not_read(stage: Stage, data: Any) -> None:
    """A column read of all that is known today, as of a stage, is that of the tender as it was then."""
    release = made.with_facts(data.draw(made.known_at(stage)), data.draw(made.later_than(stage)))
    process = to_process(release)
    whole, then = process.compiled(), process.as_of(stage)
    assert columns(one_row(whole, stage)) == columns(one_row(then, stage))


@settings(max_examples=60)
@given(documents=st.lists(releases, min_size=1, max_size=6), stage=st.sampled_from(STAGES), size=st.integers(1, 3))
def test_many_are_read_as_each_is_alone(documents: list[Any], stage: Stage, size: int) -> None:
    tenders = [to_process(document).compiled() for document in documents]
    alone = [columns(one_row(tender, stage)) for tender in tenders]
    expected = {name: [value for single in alone for value in single[name]] for name in COLUMNS}
    builder = TableBuilder(COLUMNS, stage)
    for at in range(0, len(tenders), size):
        builder.add(TenderChunk(tenders[at : at + size]))
    assert len(builder) == len(tenders)
    assert columns(of_tenders(tenders, stage)) == columns(builder.table()) == expected


def test_a_tender_that_says_nothing_is_unknown_in_every_column() -> None:
    for name, column in columns(one_row(Tender())).items():
        assert column in ([], [None], [()]) or (name == "lots" and column == [0.0]), name


def test_no_tenders_make_an_empty_table() -> None:
    table = TableBuilder(COLUMNS, "awarded").table()
    assert len(table) == 0 and all(column == [] for column in columns(table).values())


def test_a_column_that_was_not_read_is_named() -> None:
    table = TableBuilder(["lots"], "draft").table()
    assert table.number("lots").shape == (0,)
    with pytest.raises(KeyError, match="value was not read"):
        table.number("value")


@pytest.mark.parametrize(
    ("columns", "field", "part"),
    [
        (["currency"], "value", Value(amount=1, currency="XYZ")),
        (["tender_end", "tender_start"], "tender_period", Period(end_date="2024-02-30")),
        (["tender_end", "tender_start"], "tender_period", Period(max_extent_date="soon")),
        (["published"], "date_published", "1850-01-01"),
    ],
)
def test_what_is_no_date_or_currency_is_noticed_and_then_none_is_read(columns: Any, field: str, part: Any) -> None:
    builder = TableBuilder(columns, "draft")
    assert (Procedure, field) in builder.checked
    with pytest.raises(ValueError, match=r"no currency|not a date|out of range"):
        builder.add(TenderChunk([Tender(), Tender(tender=Procedure(**{field: part}))]))
    assert len(builder) == 0
    builder.add(TenderChunk([Tender()]))
    assert len(builder.table()) == 1
