"""Rows that are read by column are scored as if each had been read by itself, and what is odd in one costs it alone."""

from __future__ import annotations

import io
from datetime import date
from datetime import datetime as date_time
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.form_columns import PLAIN, form_tables
from models import bundle as bundles
from portfolio import work
from portfolio.work import RefusedRow, RunOptions
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.streams import Block
from tenders.io.tables import FormRows

OPTIONS = RunOptions(bundle=str(bundles.released()))

TEXTS = st.sampled_from(["", " ", "unknown", "Unknown ", " a ", "Council of A", "=1+1", "ÀÖ", "x" * 300])
DAYS = st.sampled_from(
    ["2024-03-01", "2024-03-01T09:00:00Z", "2024-03", "2024", "2023-12-31", "2024-13-01", "1850-01-01", "soon", "", "?"]
)
NUMBERS = st.sampled_from(["1", "2.5", "1,234.50", "1.234,50", "£3", "-1", "0", "1e19", "nan", "unknown", "", "9999"])
YES_NO = st.sampled_from(["yes", "no", "Y", "0", "maybe", "", "?"])
BY_KIND = {"text": TEXTS, "date": DAYS, "number": NUMBERS, "count": NUMBERS, "yes_no": YES_NO, "list": TEXTS}
OWN = {
    "currency": st.sampled_from(["GBP", "EUR", "XXX", "ZZZ", "gbp", "", " USD "]),
    "cpv": st.sampled_from(["85140000", "45", "", "?", "x"]),
    "lots": st.sampled_from(["1", "3", "2001", "0", "1.5", "-1", ""]),
}


def cells(key: str) -> st.SearchStrategy[str | None]:
    """Cells of a column: sound, odd and empty ones."""
    field = form.BY_KEY[key]
    chosen = st.sampled_from([*field.choices, "another", ""])
    return st.none() | OWN.get(key, chosen if field.choices else BY_KIND[field.kind])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of some of the form's columns, as text."""
    keys = draw(st.lists(st.sampled_from(list(form.BY_KEY)), min_size=1, max_size=9, unique=True))
    count = draw(st.integers(1, 6))
    return pa.table(
        {key: pa.array(draw(st.lists(cells(key), min_size=count, max_size=count)), pa.string()) for key in keys}
    )


def block(table: pa.Table, unread: tuple[str, ...] = ()) -> Block:
    """The block that a Parquet file of the table is cut into."""
    about = {"unread": msgspec.json.encode(unread)}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata(about)) as stream:
        stream.write_table(table.replace_schema_metadata(about))
    return Block(kind="arrow", first=1, number=0, file="a.parquet", data=sink.getvalue().to_pybytes())


def scored(of: Block, run_options: RunOptions = OPTIONS) -> tuple[list[dict[str, Any]], list[RefusedRow]]:
    """The rows of a block and its refusals: whatever stands in it meets no fault of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work.log, "exception", pytest.fail)
        content = work.score_block(run_options, of)
    with pa.ipc.open_file(io.BytesIO(content)) as part:
        table = part.read_all()
    return table.to_pylist(), msgspec.json.decode(table.schema.metadata[b"refused"], type=list[RefusedRow])


def one_by_one(of: Block, run_options: RunOptions = OPTIONS) -> tuple[list[dict[str, Any]], list[RefusedRow]]:
    """The same without reading by column."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "_stages", lambda bundle, options: {})
        return scored(of, run_options)


@settings(max_examples=250, deadline=None)
@given(table=tables(), stage=st.sampled_from([None, *STAGES]))
def test_every_row_is_what_it_is_alone(table: pa.Table, stage: Stage | None) -> None:
    given_block, run_options = block(table, ("other", "column")), msgspec.structs.replace(OPTIONS, stage=stage)
    assert scored(given_block, run_options) == one_by_one(given_block, run_options)


@settings(max_examples=150, deadline=None)
@given(table=tables(), stage=st.sampled_from([None, *STAGES]), data=st.data())
def test_rows_of_text_too(table: pa.Table, stage: Stage | None, data: st.DataObject) -> None:
    """As CSV and workbooks have them: some are short, some empty, and some are none."""
    full = [[cell or "" for cell in row.values()] for row in table.to_pylist()]
    short = st.sampled_from(full).map(lambda row: row[:-1])
    rows = data.draw(st.permutations([*full, data.draw(short), [], "12 cells where there are 3 columns"]))
    cells = msgspec.msgpack.encode(FormRows(table.column_names, ["other"], rows))
    given_block = Block(kind="cells", first=2, number=0, file="a.csv", data=cells)
    run_options = msgspec.structs.replace(OPTIONS, stage=stage)
    assert scored(given_block, run_options) == one_by_one(given_block, run_options)


def test_what_is_odd_in_one_row_does_not_send_the_others_away() -> None:
    odd = {
        "published": "soon",
        "currency": "ZZZ",
        "lots": "2.5",
        "category": "x",
        "single_block": "perhaps",
        "title": "",
    }
    for key, cell in odd.items():
        table = pa.table({"region": ["UKC"] * 3, key: pa.array([None, cell, None])})
        assert scored(block(table)) == one_by_one(block(table)), key
        pieces = list(form_tables(block(table), 10, lambda reached: reached))
        assert [len(part.numbers) for part in pieces] == [3 if key == "title" else 2]


def test_rows_of_every_stage_stand_side_by_side() -> None:
    table = pa.table(
        {
            "title": [f"t{n}" for n in range(6)],
            "bidders": [None, 0, 1, 7, None, 10_001],
            "supplier": [None, "", "unknown", "S plc", None, "T"],
            "award_date": [None, None, None, None, "2024-05-01T10:00:00Z", None],
            "award_value": [None, None, None, 1e6, None, None],
            "published": ["2024-01-02"] * 3 + [None] * 3,
        }
    )
    rows, refused = scored(block(table))
    assert (rows, refused) == one_by_one(block(table))
    assert [row["stage"] for row in rows] == ["draft", "bids_in", "bids_in", "awarded", "awarded"]
    assert [row.line for row in refused] == [6]
    # A year before its award, as of a tender that says no more.
    assert [row["published"] for row in rows][3:] == [None, date(2023, 5, 2)]


@settings(max_examples=60, deadline=None)
@given(
    value=st.lists(st.none() | st.floats() | st.floats(0, 1e10), min_size=4, max_size=4),
    lots=st.lists(st.none() | st.integers(-1, 2002), min_size=4, max_size=4),
    lines=st.lists(st.none() | st.floats(-1, 20), min_size=4, max_size=4),
    days=st.lists(st.none() | st.dates(date(2000, 1, 1), date(2030, 1, 1)), min_size=4, max_size=4),
    moments=st.lists(st.none() | st.datetimes(), min_size=4, max_size=4),
    flags=st.lists(st.none() | st.booleans(), min_size=4, max_size=4),
)
def test_columns_of_numbers_days_and_flags_too(
    value: Any, lots: Any, lines: Any, days: Any, moments: Any, flags: Any
) -> None:
    table = pa.table(
        {
            "value": pa.array(value, pa.float64()),
            "lots": pa.array(lots, pa.int32()),
            "service_lines": pa.array(lines, pa.float32()),
            "published": pa.array(days, pa.date32()),
            "tender_start": pa.array(days, pa.date32()),
            "tender_end": pa.array(moments, pa.timestamp("us")),
            "single_block": pa.array(flags, pa.bool_()),
            "cpv": pa.array([85140000.0, None, 45000000.0, 7.5]),
            "buyer": pa.array(["A", "B", None, "A"]).dictionary_encode(),
        }
    )
    assert scored(block(table)) == one_by_one(block(table))


INSTANTS = st.datetimes(
    date_time.fromisoformat("1890-01-01"), date_time.fromisoformat("2210-01-01"), timezones=st.none() | st.timezones()
)
ODD_TIMES = ("", " ", "unknown", "2024", "2024-11", "2024-02-30T10:00:00Z", "2024-03-01T25:00:00", "2024-03-01Tnoon",
             "2024-W01-1T10:00", "20240301T100000Z", "٢024-03-01T10:00:00", " 2024-03-01T10:00:00 ", "2024-03-01 10:00")  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.none() | INSTANTS.map(str) | INSTANTS.map(date_time.isoformat) | st.sampled_from(ODD_TIMES),
                   min_size=3, max_size=6),
)  # fmt: skip
def test_instants_are_read_as_the_days_that_they_name(times: list[str | None]) -> None:
    for kind in (pa.string(), pa.large_string()):
        table = pa.table({"title": ["A"] * len(times), "published": pa.array(times, kind), "tender_end": times[::-1]})
        assert scored(block(table)) == one_by_one(block(table))


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(INSTANTS, min_size=1, max_size=4),
    shape=st.sampled_from(
        ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f+05:30", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S.1234567-1100",
         "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H", "%Y-%m-%d"]
    ),
    odd=st.sampled_from([None, *ODD_TIMES]),
)  # fmt: skip
def test_instants_that_are_all_written_alike_too(times: list[date_time], shape: str, odd: str | None) -> None:
    texts = [time.strftime(shape) for time in times]
    table = pa.table({"title": ["A"] * (len(times) + 1), "published": [*texts, odd], "tender_end": [*texts, None]})
    assert scored(block(table)) == one_by_one(block(table))


@pytest.mark.parametrize("zone", [None, "UTC", "+05:30", "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_with_a_type_of_their_own_too(unit: str, zone: str | None) -> None:
    times = pa.array([-1, 0, 86_399, 1_700_000_000, None, 4_102_444_800], pa.timestamp("s"))
    column = times.cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    table = pa.table({"title": ["A"] * 6, "published": column, "tender_start": column})
    assert scored(block(table)) == one_by_one(block(table))


def test_odd_rows_keep_their_place_among_the_others() -> None:
    count = 100
    values = ["1,000" if n % 7 == 0 else "x" if n % 11 == 0 else str(n) for n in range(count)]
    table = pa.table(
        {"title": [f"t{n}" for n in range(count)], "value": values, "advisers": [None, "A; B"] * (count // 2)}
    )
    rows, refused = scored(block(table))
    assert (rows, refused) == one_by_one(block(table))
    assert [row["line"] for row in rows] == [n + 1 for n in range(count) if n % 7 == 0 or n % 11]
    assert {row.line for row in refused} == {n + 1 for n in range(count) if n % 7 and not n % 11}


@pytest.mark.parametrize("key", ["title", "buyer", "description", "risk_details"])
def test_texts_that_are_no_utf_8_are_refused_in_their_row(key: str) -> None:
    bad = pa.array([b"fine", b"\xff\xfe", None, b"A"], pa.binary()).view(pa.string())
    table = pa.table({key: bad, "lots": [1, 2, 3, 4]})
    assert scored(block(table)) == one_by_one(block(table))
    assert {row.line for row in scored(block(table))[1]} == {2}


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_a_row_of_empty_texts_says_nothing_however_they_are_kept(kind: pa.DataType) -> None:
    table = pa.table(
        {"title": pa.array(["", "A", None, " "]).cast(kind), "region": pa.array(["", "", None, ""]).cast(kind)}
    )
    assert scored(block(table)) == one_by_one(block(table))
    assert {row.line for row in scored(block(table))[1]} == {1, 3}


def test_what_a_cell_says_depends_on_the_type_of_its_column() -> None:
    """1, 1.0 and True are one key of a dictionary."""
    ones = [
        pa.array([1], pa.int64()),
        pa.array([1.0]),
        pa.array([1.0], pa.float16()),
        pa.array([1], pa.decimal128(5)),
        pa.array([True]),
        pa.array(["1"]),
    ]
    for cells in (ones, ones[::-1]):
        for key in ("value", "cpv", "title", "single_block", "lots"):
            for column in cells:
                table = pa.table({key: column})
                assert scored(block(table)) == one_by_one(block(table)), (key, column.type)


def test_lists_in_cells_are_read_one_by_one() -> None:
    table = pa.table({"title": ["a", "b"], "region": pa.array([["UKC"], None], pa.list_(pa.string()))})
    assert scored(block(table)) == one_by_one(block(table))


def test_what_needs_the_tender_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "form_tables", None)
    rows, refused = scored(
        block(pa.table({"title": ["a"], "lots": [1]})), msgspec.structs.replace(OPTIONS, explain=True)
    )
    assert len(rows) == 1 and not refused


def test_most_rows_are_read_by_column() -> None:
    table = pa.table({key: ["5"] if form.BY_KEY[key].kind in ("number", "count") else [None] for key in PLAIN})
    (read,) = form_tables(block(table), 10, lambda reached: reached)
    assert read.numbers == [1] and read.table.stage == "awarded" and not read.odd


def test_a_stage_that_is_not_read_here_is_left_to_be_read_one_by_one() -> None:
    table = pa.table({"title": ["a", "b", "c"], "bidders": [None, 2, None]})
    (read,) = form_tables(block(table), 10, {"draft": "draft"}.get)
    assert (read.numbers.tolist(), read.table.stage, read.odd) == ([1, 3], "draft", {2})
    (read,) = form_tables(block(table.slice(1, 1)), 10, {"draft": "draft"}.get)
    assert (read.numbers.tolist(), read.odd) == ([], {1})
