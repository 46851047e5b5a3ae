"""Tables of forms, one a row, cut into blocks of rows: Parquet and CSV, and what Arrow holds as the form takes it.

A column is a key of the form, or it is not read; a file of which no column is one is refused. Rows are numbered as
people see them: in Parquet from 1, in CSV and workbooks from 2, below the column names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from tenders.errors import DataError
from tenders.io import flattened, form
from tenders.io.detection import path_kind
from tenders.io.flattened import FlatTable
from tenders.io.json_documents import DocumentPiece, piece_size
from tenders.io.parquet import parquet_batches, row_range
from tenders.io.streams import BOUNDS, Bounds, Cut, batches, file_lines, problems_cut, too_large, unpacked
from tenders.io.text import csv_rows, flat_table

NO_ROW = "row 2", "no row below the column names", "Give one row a tender"
FORM_BOUNDS, FORM_CELL = msgspec.structs.replace(BOUNDS, unpacked=BOUNDS.document, ratio=0), 64
"""Of a file that is read whole into forms: its texts, and so many bytes for each cell."""
LEAST_ROW = 32
"""Bytes of a row of a form in plain CSV, at least, where there are more than `Bounds.table_rows`."""
_UNREAD = b"unread"


class FormRows(msgspec.Struct, frozen=True, array_like=True):
    """Rows of text: each has a cell for each of `columns`, or fewer, or is a text that says what is wrong with it.

    `unread` are the names of the columns that are not read.
    """

    columns: list[str]
    unread: list[str]
    rows: list[list[str] | str]


def check_columns(names: Sequence[str], bounds: Bounds) -> list[str]:
    """The columns that are keys of the form. Raises DataError if there is none, TooLargeError if there are too many."""
    check_width(names, bounds)
    return form.known_columns(names, f"{form.REMEDY}, or name the register")


def check_width(names: Sequence[str], bounds: Bounds) -> None:
    """Raises TooLargeError for a table of more than `bounds.columns`."""
    if len(names) > bounds.columns:
        raise too_large(f"{len(names):,} columns; at most {bounds.columns:,} are read", "Keep the form's")


def cut_csv(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """The rows of a CSV in UTF-8 as `FormRows`, or as releases if it is flattened.

    A row that cannot be read costs only itself. Raises DataError if its first row is not the columns of forms,
    TooLargeError above `bounds.columns`.
    """
    if table := csv_table(path, path.name, bounds):
        yield from cut_flattened([table], bounds)
        return
    rows = csv_rows(_text_lines(path, bounds))
    header = next(rows, [])
    if isinstance(header, str):
        raise DataError.at("row 1", header)
    names = [name.strip() for name in header]
    check_columns(names, bounds)
    a_row = 1 if path_kind(path)[1] else LEAST_ROW
    yield from cut_rows(names, _bounded(rows, max(bounds.table_rows, path.stat().st_size // a_row)), bounds)


def _bounded(rows: Iterable[list[str] | str], most: int) -> Iterator[list[str] | str]:
    """The rows, blank ones included. Raises TooLargeError above `most`."""
    for number, row in enumerate(rows):
        if number == most:
            raise too_large(f"more than {most:,} rows", "Check what it is, or split it")
        yield row


def csv_table(path: Path, name: str, bounds: Bounds) -> FlatTable | None:
    """A file as a table of flattened releases under its own name; None if it is something else."""
    if path_kind(path)[0] != ".csv":
        return None
    table = flat_table(_text_lines(path, bounds), name)
    if table:
        check_width(table.columns, bounds)
    return table


def cut_flattened(tables: Sequence[FlatTable], bounds: Bounds) -> Iterator[Cut]:
    """The releases of flattened tables, those of one ocid together, and then what is wrong with rows.

    All tables are held in memory, because rows that belong together may stand anywhere. Raises as
    `flattened.releases` does, with at most `bounds.register_rows` rows.
    """
    groups, problems = flattened.groups(tables, bounds.register_rows)
    pieces = (DocumentPiece("releases", group.places, [*map(_encoded, group.releases)]) for group in groups)
    for first, some in batches(pieces, piece_size, bounds.block, bounds.documents):
        yield Cut(kind="documents", first=first, data=msgspec.msgpack.encode(some))
    for problem in problems:
        yield problems_cut([problem], first=0)


def _encoded(release: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(release)
    except UnicodeEncodeError:
        # Not JSON, so that its row is refused.
        return b"\xff"


def _text_lines(path: Path, bounds: Bounds) -> Iterator[str]:
    """Lines of text; bytes that are not UTF-8 are marked, and refused with their row."""
    mark = "\ufeff"
    for line in file_lines(path, bounds):
        yield line.decode("utf-8", "surrogateescape").removeprefix(mark) + "\n"
        mark = ""


def cut_rows(
    names: Sequence[str], rows: Iterable[Sequence[str] | str], bounds: Bounds, first: int = 2
) -> Iterator[Cut]:
    """Rows below column names, cut into blocks of the cells that are read. A text in place of a row says what is wrong.

    A row without any text stays as an empty one, for the sake of the numbers. A DataError of `rows` is passed on after
    what came before it.
    """
    # Names that are not UTF-8 are unknown, and are shown as far as they can be.
    names = [name.encode("utf-8", "replace").decode() for name in names]
    places = [place for place, name in enumerate(names) if name in form.BY_KEY]
    columns = [names[place] for place in places]
    unread = [name for name in names if name and name not in form.BY_KEY]
    read = (row if isinstance(row, str) else _read_cells(row, places, len(names)) for row in rows)
    number = 0
    for number, held in batches(read, _row_size, bounds.block, bounds.rows, first):
        yield Cut(kind="cells", first=number, data=_encode(columns, unread, held))
    if not number:
        raise DataError.at(*NO_ROW)


def _row_size(row: list[str] | str) -> int:
    return sum(map(len, row))


def _read_cells(row: Sequence[str], places: Sequence[int], width: int) -> list[str] | str:
    if any(row[width:]):
        return f"{len(row)} cells where there are {width} columns"
    cells = [row[place] for place in places if place < len(row)]
    if any(cells):
        return cells
    return "no column that is read has a value" if any(row) else []


def _encode(columns: list[str], unread: list[str], rows: list[list[str] | str]) -> bytes:
    try:
        return msgspec.msgpack.encode(FormRows(columns, unread, rows))
    except UnicodeEncodeError:
        checked = [row if _is_text(row) else "not UTF-8" for row in rows]
        return msgspec.msgpack.encode(FormRows(columns, unread, checked))


def _is_text(row: list[str] | str) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def cut_parquet(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """Batches of up to `bounds.rows` rows of the columns that are read; the schema's metadata names the others."""
    with unpacked(path, bounds) as plain:
        try:
            for cut in _cut_batches(plain, bounds):
                yield cut if plain == path else msgspec.structs.replace(cut, path="")
        except DataError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise _not_parquet(error) from None


def parquet_forms(data: bytes) -> list[dict[str, Any]]:
    """The rows of a Parquet file as forms, without empty cells. Raises DataError as `cut_parquet` does."""
    names: list[str] = []

    def chosen(columns: list[str]) -> list[str]:
        names.extend(columns)
        return check_columns(columns, BOUNDS)

    try:
        batches = [*parquet_batches(pa.BufferReader(data), len(data), FORM_BOUNDS, chosen, cell=FORM_CELL)]
    except DataError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _not_parquet(error) from None
    if not batches:
        raise DataError.at(*NO_ROW)
    table = pa.Table.from_batches(batches)
    plain = pa.table({name: _plain(table[name].combine_chunks()) for name in table.column_names})
    unread = dict.fromkeys((name for name in names if name not in form.BY_KEY), "")
    rows = (dict(zip(plain.column_names, row, strict=True)) for row in arrow_rows(plain))
    return [{name: cell for name, cell in row.items() if cell is not None} | unread for row in rows]


def _not_parquet(error: Exception) -> DataError:
    return DataError.at("", f"not Parquet, or damaged: {str(error).splitlines()[0][:200]}")


def _cut_batches(path: Path, bounds: Bounds) -> Iterator[Cut]:
    names: list[str] = []

    def chosen(columns: list[str]) -> list[str]:
        names.extend(columns)
        return check_columns(columns, bounds)

    first = 1
    for batch in parquet_batches(path, path.stat().st_size, bounds, chosen):
        data = _arrow_stream(batch, names)
        yield Cut(kind="arrow", first=first, rows=batch.num_rows, path=str(path.resolve()), data=data)
        first += batch.num_rows
    if first == 1:
        raise DataError.at(*NO_ROW)


def parquet_rows(source: Any, first: int, rows: int, bounds: Bounds = BOUNDS) -> bytes:
    """The `rows` rows from `first` of a Parquet file (a path, or an open file), as `cut_parquet` gave them."""
    names: list[str] = []

    def chosen(columns: list[str]) -> list[str]:
        names.extend(columns)
        return check_columns(columns, bounds)

    return _arrow_stream(row_range(source, first - 1, rows, chosen), names)


def _arrow_stream(batch: pa.RecordBatch, names: Sequence[str]) -> bytes:
    """Rows as an Arrow IPC stream. Its metadata has those of the file's columns `names` that are not read."""
    sink = pa.BufferOutputStream()
    columns = batch.schema.names
    # A column without a cell is as good as none. The first one stays, because the rows are counted by it.
    stated = [name for name in columns if batch[name].null_count < batch.num_rows]
    unread = msgspec.json.encode([name for name in names if name not in form.BY_KEY])
    kept = batch.select(stated or columns[:1]).replace_schema_metadata({_UNREAD: unread})
    with pa.ipc.new_stream(sink, kept.schema) as stream:
        stream.write_batch(kept)
    return bytes(sink.getvalue().to_pybytes())


def read_arrow(data: bytes) -> tuple[pa.Table, list[str]]:
    """Of an Arrow IPC stream of `cut_parquet`: the columns that are read, and the names of those that are not."""
    with pa.ipc.open_stream(data) as stream:
        table = stream.read_all()
    plain = pa.table({name: _plain(column) for name, column in zip(table.column_names, table.columns, strict=True)})
    return plain, msgspec.json.decode(table.schema.metadata[_UNREAD], type=list[str])


def _plain(column: Any) -> Any:
    """A column in the one layout of its type with which pyarrow can do everything."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_string_view(kind):
        return column.cast(pa.string())
    return column.cast(pa.binary()) if pa.types.is_binary_view(kind) else column


def arrow_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table as the form takes their cells; None is empty."""
    columns = [form_values(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    return zip(*columns, strict=True)


def form_values(name: str, column: Any) -> list[Any]:
    """A column's values as the form takes them: days as ISO 8601, whole numbers without a point where text is meant."""
    kind = column.type
    if pa.types.is_date(kind):
        return list(column.cast(pa.date32()).cast(pa.string()).to_pylist())
    if pa.types.is_timestamp(kind):
        return _day_texts(column)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type) and form.BY_KEY[name].kind not in ("number", "count"):
        return [int(value) if value is not None and value.is_integer() else value for value in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(column)
    return list(column.to_pylist())


def _day_texts(column: Any) -> list[Any]:
    days = column.cast(pa.date32(), safe=False)
    if days.cast(column.type).equals(column):
        return list(days.cast(pa.string()).to_pylist())
    try:
        instants = column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
    except (OverflowError, ValueError):
        # Of years that are none: as numbers they are refused in their rows.
        return list(column.cast(pa.int64()).to_pylist())
    return [instant and instant.isoformat() for instant in instants]


def _texts(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        # Bytes that are not UTF-8 stay bytes, which the form refuses in their row.
        return [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return value and value.decode()
    except UnicodeDecodeError:
        return value
