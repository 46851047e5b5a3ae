"""Tables written as Parquet, CSV, XLSX or JSON lines: whole or not at all, the same bytes for the same rows.

Text that a spreadsheet would take for a formula is written as text.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell

from tenders import files
from tenders.errors import UsageError
from tenders.io.text import FORMULA_STARTS

GROUP = 100_000
"""Rows of a Parquet row group."""
A_TIME = 10_000
"""Rows that are read at a time to be written in another format."""
SHEET = 1_000_000
"""Rows of a sheet below its first: a workbook has at most 1,048,576."""
EPOCH = b"2000-01-01T00:00:00Z"
"""The time that a workbook says it was made: always the same, as its bytes must be."""
CORE = "docProps/core.xml"
_STAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")

Tables = Iterable[pa.Table]


def format_of(out: Path, named: str | None = None) -> str:
    """The format by its name, or by the ending of the output. Raises UsageError for one that is not written."""
    found = (named or out.suffix.lstrip(".")).lower()
    if found not in FORMATS:
        raise UsageError(f"{found or out.name!r} is no format that is written. Use {', '.join(FORMATS)}")
    return found


def write(out: Path, format: str, schema: pa.Schema, tables: Tables) -> None:
    """Writes tables of a schema, one after the other, in a format of FORMATS."""
    unfinished = files.partial(out)
    FORMATS[format](unfinished, schema, tables)
    unfinished.replace(out)


def convert(rows: Path, out: Path, format: str) -> None:
    """Writes the rows of a Parquet file in a format of FORMATS, some of them in memory at a time."""
    with pq.ParquetFile(rows, pre_buffer=False) as file:
        tables = (pa.Table.from_batches([batch]) for batch in file.iter_batches(A_TIME))
        write(out, format, file.schema_arrow, tables)


def _parquet(path: Path, schema: pa.Schema, tables: Tables) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(schema, tables, GROUP):
            writer.write_table(group)


def _groups(schema: pa.Schema, tables: Tables, size: int) -> Iterator[pa.Table]:
    """The rows in groups of a size, however they come: what is written must not depend on the parts."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table.cast(schema))
        rows += table.num_rows
        while rows >= size:
            together = pa.concat_tables(held)
            # In one piece, for Parquet ends a page where a piece ends.
            yield together.slice(0, size).combine_chunks()
            held, rows = [together.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def _csv(path: Path, schema: pa.Schema, tables: Tables) -> None:
    with pa_csv.CSVWriter(path, schema) as writer:
        for table in tables:
            writer.write_table(neutral(table).cast(schema))


def _json_lines(path: Path, schema: pa.Schema, tables: Tables) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for table in tables:
            file.writelines(encode(row) + b"\n" for row in table.to_pylist())


def _workbook(path: Path, schema: pa.Schema, tables: Tables) -> None:
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet()
    sheet.append(schema.names)
    rows = 0
    for table in tables:
        for line in zip(*(column.to_pylist() for column in table.columns), strict=True):
            if rows == SHEET:
                sheet, rows = book.create_sheet(), 0
                sheet.append(schema.names)
            sheet.append([_cell(sheet, value) for value in line])
            rows += 1
    book.save(path)
    _undated(path)


def _cell(sheet: Any, value: Any) -> Any:
    """A value as a cell; text is text, whatever it begins with."""
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell


def _undated(path: Path) -> None:
    """Packs a workbook anew, without the times at which it was saved and each of its files packed."""
    again = path.with_name(f"{path.name}.undated")
    with zipfile.ZipFile(path) as read, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as written:
        for each in read.infolist():
            entry = zipfile.ZipInfo(each.filename)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with read.open(each) as source, written.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(2**20):
                    target.write(_STAMP.sub(rb"\g<1>" + EPOCH, piece) if each.filename == CORE else piece)
    again.replace(path)


def neutral(table: pa.Table) -> pa.Table:
    """The table with a mark before every text that a spreadsheet would run."""
    columns = [_marked(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _marked(column: pa.ChunkedArray) -> pa.ChunkedArray:
    runs = pc.match_substring_regex(column, pattern=f"^[{''.join(FORMULA_STARTS)}]".replace("-", r"\-"))
    if not pc.any(runs).as_py():
        return column
    return pc.if_else(runs, pc.binary_join_element_wise("'", column, ""), column)


FORMATS: dict[str, Callable[[Path, pa.Schema, Tables], None]] = {
    "parquet": _parquet,
    "csv": _csv,
    "xlsx": _workbook,
    "jsonl": _json_lines,
}
