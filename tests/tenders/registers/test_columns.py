"""A register's columns: the same cells from whatever types a file has them in, and no cell breaks a reader."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.history import HistoryFile
from tenders.io.checks import find_problems
from tenders.registers import find_register
from tenders.registers.columns import as_clock, as_day, as_number, as_text, count, read_cells
from tests.tenders.registers import made

ROWS: Mapping[str, list[made.Row]] = {
    "sicoes_bo": [made.sicoes(), made.sicoes("15-0099-00-500001-2-1", "Desierto", fecha_presentacion=None)],
    "placsp_es": [made.placsp("1"), made.placsp("2", "Desierto", None), made.placsp(id=901, lot_value_eur=None)],
    "dncp_py": [made.dncp(), made.dncp("call-2-1750000009", "cancelled", id_llamado="call-2", monto_estimado=None)],
    "nicgep_in": [made.nicgep(), made.nicgep(None)],
    "fpds_dod_us": [made.fpds(), made.fpds(1, idvpiid="W31ZZZ07D0001", SumOfUnmodifiedobligatedAmount=None)],
    "ted_de": [made.ted(), made.ted(1, CRIT_PRICE_WEIGHT=100), made.ted(None, AWARD_VALUE_EURO=None)],
    "uk_notices": [made.uk_notice(), made.uk_notice("ocds-b5fd17-2", outcome="no_award", published=None, lots=None)],
    "dos_uk": [made.dos(), made.dos("cancelled", id="2", expected_length=None, applications=None)],
}


def as_parquet(folder: Path, rows: list[made.Row]) -> Path:
    return made.table(folder, rows)


def as_csv(folder: Path, rows: list[made.Row]) -> Path:
    path = folder / "register.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def as_text_parquet(folder: Path, rows: list[made.Row]) -> Path:
    spelt = [{name: None if cell is None else str(cell) for name, cell in row.items()} for row in rows]
    return made.table(folder, spelt)


def as_categories(folder: Path, rows: list[made.Row]) -> Path:
    table = pa.Table.from_pylist(rows)
    coded = [column.dictionary_encode() if column.type == pa.string() else column for column in table.columns]
    path = folder / "register.parquet"
    pq.write_table(pa.Table.from_arrays(coded, names=table.column_names), path)
    return path


def with_another_order_and_more_columns(folder: Path, rows: list[made.Row]) -> Path:
    return made.table(folder, [{"new": 1} | dict(reversed(row.items())) for row in rows])


@pytest.mark.parametrize(
    "written", [as_csv, as_text_parquet, as_categories, with_another_order_and_more_columns], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("register", ROWS)
def test_a_register_says_the_same_in_whatever_types_its_file_has(tmp_path, register, written):
    rows = ROWS[register]
    expected = find_register(register).read(as_parquet(tmp_path, rows))
    assert expected.cases
    assert find_register(register).read(written(tmp_path, rows)) == expected


JUNK = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(
        ["nan", "inf", "-1", "1e999", "9999-12-31", "0000-00-00", "31-Dec-9999", "²-²", "2021-06-28T25:00", "-----", "28/06/2021"]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)  # fmt: skip


@pytest.mark.parametrize("register", ROWS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_cell_breaks_a_reader(tmp_path, register, data):
    columns = list(ROWS[register][0])
    broken = [dict.fromkeys(columns) | row for row in ROWS[register]]
    for row in broken:
        for column in data.draw(st.sets(st.sampled_from(columns), max_size=6)):
            row[column] = data.draw(JUNK)
    file = read(register, as_text_parquet(tmp_path, broken))
    assert file.rows == len(broken)
    kept = {case.row for case in file.cases}
    # That no outcome has its day is said once, of all rows.
    places = {problem.path.split(",")[0] for problem in file.problems} - {"all rows"}
    named = {int(place.removeprefix("row ")) - 1 for place in places}
    replaced = register in ("dncp_py", "uk_notices") and len(kept) == 1
    assert kept | named == set(range(len(broken))) or replaced
    for case in file.cases:
        assert not list(find_problems(case.as_of("draft")))


def read(register: str, path: Path) -> HistoryFile:
    return find_register(register).read(path)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("a", "a"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (1e15, "1000000000000000"), (float("nan"), None), (None, None),
     (True, "True"), (date(2021, 6, 28), "2021-06-28"), (Decimal("1.20"), "1.20")],
)  # fmt: skip
def test_text(cell, expected):
    assert as_text(cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("7", 7.0), (" 7.5 ", 7.5), (7, 7.0), (True, 1.0), (Decimal("1.2"), 1.2), ("", None), (None, None), ("nan", None),
     ("inf", None)],
)  # fmt: skip
def test_number(cell, expected):
    assert as_number(cell) == expected


@pytest.mark.parametrize("cell", ["many", "7,5", "1.000,00", [1]])
def test_no_number(cell):
    with pytest.raises(ValueError, match="no number"):
        as_number(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "2021-06-28",
        " 2021-06-28 00:00:00.0000000",
        "2021-06-28T23:59:00-04:00",
        date(2021, 6, 28),
    ],
)
def test_day(cell):
    assert as_day(cell) == date(2021, 6, 28)
    assert as_clock(cell) == date(2021, 6, 28)


@pytest.mark.parametrize("cell", ["28/06/2021", "soon", "2021-06-31", "2021-06-2812", "2021", "20210628", 20210628])
def test_no_day(cell):
    with pytest.raises(ValueError, match="no date, which is written as YYYY-MM-DD"):
        as_day(cell)


def test_nothing_happened_in_a_year_that_cannot_be_but_it_may_be_known_then():
    assert as_clock("9999-12-31") == date.max
    with pytest.raises(ValueError, match="the year 9999 is out of range"):
        as_day("9999-12-31")


def table(folder: Path, **columns: Any) -> Path:
    path = folder / "register.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_a_cell_that_cannot_be_is_named_once_and_taken_as_not_given(tmp_path):
    cells = read_cells(table(tmp_path, day=["soon", None, "2021-06-28"]), {"day": as_day}, {"more": as_number})
    assert cells.columns == {"day": [None, None, date(2021, 6, 28)], "more": [None, None, None]}
    for row in (0, 1):
        cells.add_missing(row, "day", "no day")
    assert [str(problem) for problem in cells.problems] == [
        "row 1, column day: 'soon' is no date, which is written as YYYY-MM-DD. Taken as not given",
        "row 2, column day: no day",
    ]


def test_a_day_beyond_the_calendar_is_no_date(tmp_path):
    cells = read_cells(table(tmp_path, day=pa.array([4_000_000, 18_806], pa.date32())), {"day": as_day}, {})
    assert cells.columns["day"] == [None, date(2021, 6, 28)]
    assert "is no date" in cells.problems[0].problem


def test_a_column_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "register.csv"
    path.write_text("day,day\n2021-06-28,2021-06-29\n")
    with pytest.raises(DataError, match="two columns are called day"):
        read_cells(path, {"day": as_day}, {})


@pytest.mark.parametrize(
    ("cell", "counted"),
    [
        (3, 3),
        (3.0, 3),
        ("3", 3),
        (0, 0),
        (10**6, 10**6),
        (None, None),
        (-1, None),
        (2.5, None),
        (10**6 + 1, None),
        (1e300, None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_a_count_is_a_whole_number_that_a_tender_may_have(cell: Any, counted: int | None) -> None:
    assert count(cell) == counted
