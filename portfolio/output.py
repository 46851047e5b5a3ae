"""The columns of outputs, and tables written as Parquet, CSV, XLSX or JSON lines.

A column is declared once, with how it is filled; schema and documentation follow. Files are written whole or not at
all, with the same bytes for the same rows. Text that a spreadsheet would run as a formula is written as text.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell

from features.categorical import Categorical
from tenders import files
from tenders.errors import UsageError
from tenders.io.text import FORMULA

ROW_GROUP = 25_000
"""Rows of a Parquet row group."""
CONVERTED_ROWS = 10_000
"""Rows that are in memory at a time while a Parquet file is converted."""
SHEET_ROWS = 1_000_000
"""Rows of a sheet below its heading: Excel opens at most 1,048,576."""
CREATED = b"2000-01-01T00:00:00Z"
"""The time of creation in every workbook, so that the same rows give the same bytes."""
WORKBOOK_PROPERTIES = "docProps/core.xml"
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")

Tables: TypeAlias = Iterable[pa.Table]
Rows = TypeVar("Rows")


class OutputColumn(msgspec.Struct, Generic[Rows], frozen=True):
    """One column of an output: its name, its type, what it says, and how it is filled.

    `values` gives the column of some rows: an Arrow array, a NumPy array (NaN becomes null), a Categorical, a list, or
    one scalar for all rows.
    """

    name: str
    type: pa.DataType
    description: str
    values: Callable[[Rows], Any]


def schema_of(columns: Sequence[OutputColumn[Any]]) -> pa.Schema:
    """The Arrow schema of some columns."""
    return pa.schema([(column.name, column.type) for column in columns])


def fill_columns(columns: Sequence[OutputColumn[Rows]], rows: Rows, count: int) -> pa.Table:
    """The table of some columns, filled from `count` rows."""
    arrays = [_array(column.values(rows), column.type, count) for column in columns]
    return pa.Table.from_arrays(arrays, schema=schema_of(columns))


def _array(values: Any, type: pa.DataType, count: int) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, Categorical):
        return pa.array(values.categories, type).take(pa.array(values.codes))
    if isinstance(values, np.ndarray | list):
        # NaN is null in an array of numbers; a list is not searched for it.
        return pa.array(values, type=type, from_pandas=isinstance(values, np.ndarray))
    return pa.repeat(pa.scalar(values, type), count)


def output_format(out: Path, name: str | None = None) -> str:
    """The format of this name, else of the file's ending. Raises UsageError if it is not one of FORMATS."""
    chosen = (name or out.suffix.lstrip(".")).lower()
    if chosen not in FORMATS:
        raise UsageError(f"{chosen or out.name!r} is not a format that can be written. Use {', '.join(FORMATS)}")
    return chosen


def write_tables(out: Path, format: str, schema: pa.Schema, tables: Tables) -> None:
    """Writes tables of a schema, one after the other, in a format of FORMATS."""
    unfinished = files.partial_path(out)
    FORMATS[format](unfinished, schema, tables)
    unfinished.replace(out)


def convert_parquet(rows: Path, out: Path, format: str) -> None:
    """Writes the rows of a Parquet file in a format of FORMATS, with few of them in memory at a time."""
    with pq.ParquetFile(rows, pre_buffer=False) as file:
        tables = (pa.Table.from_batches([batch]) for batch in file.iter_batches(CONVERTED_ROWS))
        write_tables(out, format, file.schema_arrow, tables)


def _write_parquet(path: Path, schema: pa.Schema, tables: Tables) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _row_groups(schema, tables, ROW_GROUP):
            writer.write_table(group)


def _row_groups(schema: pa.Schema, tables: Tables, size: int) -> Iterator[pa.Table]:
    """The rows in groups of one size, however they come: the bytes must not depend on how the input was cut."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table.cast(schema))
        rows += table.num_rows
        while rows >= size:
            together = pa.concat_tables(waiting)
            # One chunk per column, because Parquet ends a page where a chunk ends.
            yield together.slice(0, size).combine_chunks()
            waiting, rows = [together.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def _write_csv(path: Path, schema: pa.Schema, tables: Tables) -> None:
    with pa_csv.CSVWriter(path, schema) as writer:
        for table in tables:
            writer.write_table(_without_formulas(table).cast(schema))


def _write_json_lines(path: Path, schema: pa.Schema, tables: Tables) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for table in tables:
            file.writelines(encode(row) + b"\n" for row in table.to_pylist())


def _write_workbook(path: Path, schema: pa.Schema, tables: Tables) -> None:
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet()
    sheet.append(schema.names)
    rows = 0
    for table in tables:
        for line in zip(*(column.to_pylist() for column in table.columns), strict=True):
            if rows == SHEET_ROWS:
                sheet, rows = book.create_sheet(), 0
                sheet.append(schema.names)
            sheet.append([_cell(sheet, value) for value in line])
            rows += 1
    book.save(path)
    _remove_times(path)


def _cell(sheet: Any, value: Any) -> Any:
    """A value as a cell. Text is text, whatever it begins with."""
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell


def _remove_times(path: Path) -> None:
    """Packs a workbook again, without the times at which it and each file in it was written."""
    repacked = path.with_name(f"{path.name}.repacked")
    with zipfile.ZipFile(path) as read, zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as written:
        for member in read.infolist():
            entry = zipfile.ZipInfo(member.filename)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with read.open(member) as source, written.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(2**20):
                    is_dated = member.filename == WORKBOOK_PROPERTIES
                    target.write(_TIMES.sub(rb"\g<1>" + CREATED, piece) if is_dated else piece)
    repacked.replace(path)


def _without_formulas(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that a spreadsheet would run as a formula."""
    columns = [_with_apostrophes(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _with_apostrophes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    formulas = pc.match_substring_regex(column, pattern=FORMULA)
    if not pc.any(formulas).as_py():
        return column
    return pc.if_else(formulas, pc.binary_join_element_wise("'", column, ""), column)


FORMATS: dict[str, Callable[[Path, pa.Schema, Tables], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "xlsx": _write_workbook,
    "jsonl": _write_json_lines,
}
