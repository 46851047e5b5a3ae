"""Tables of forms, one a row: Parquet and CSV, cut into blocks of rows.

A column is a key of the form, or it is not read; a file of which no column is one is refused. Rows are numbered as
people see them: in Parquet from 1, in CSV and spreadsheets from 2, below the column names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tenders.errors import DataError
from tenders.io import form, streams
from tenders.io.bounds import Bounds
from tenders.io.cuts import Cut, gathered

NO_COLUMN = "row 1", "no column is a key of the form", "See docs/form.md for the keys, or name the register"
NO_ROW = "row 2", "no row below the column names", "Give one row a tender"


class Cells(msgspec.Struct, frozen=True, array_like=True):
    """Rows of text, each with a cell a column, or with fewer, or what is wrong with it; and the columns not read."""

    columns: list[str]
    unread: list[str]
    rows: list[list[str] | str]


def parquet(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """Batches of up to `bounds.rows` rows of the columns that are read; the schema's metadata names the others.

    Raises DataError if it is no Parquet file of forms, TooLargeError above `bounds.columns`.
    """
    with streams.unpacked(path, bounds) as plain:
        try:
            yield from _batches(plain, bounds)
        except (pa.ArrowException, OSError) as error:
            raise DataError.at("", f"not Parquet, or damaged: {str(error).splitlines()[0][:200]}") from None


def _batches(path: Path, bounds: Bounds) -> Iterator[Cut]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = list(file.schema_arrow.names)
        read = known(names, bounds)
        about = {"unread": msgspec.json.encode([name for name in names if name not in form.BY_KEY])}
        first = 1
        if not file.metadata.num_rows:
            raise DataError.at(*NO_ROW)
        for batch in file.iter_batches(bounds.rows, columns=read, use_threads=False):
            sink = pa.BufferOutputStream()
            # A column without a cell says as much as none. The first stays, for the rows are counted by it.
            stated = [name for name in read if batch[name].null_count < batch.num_rows]
            kept = batch.select(stated or read[:1]).replace_schema_metadata(about)
            with pa.ipc.new_stream(sink, kept.schema) as stream:
                stream.write_batch(kept)
            yield Cut(kind="arrow", first=first, data=sink.getvalue().to_pybytes())
            first += batch.num_rows


def comma_separated(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """The rows of a CSV in UTF-8 as `Cells`; a row that cannot be read costs itself alone.

    Raises DataError if its first row is not the columns of forms, TooLargeError above `bounds.columns`.
    """
    reader = csv.reader(_texts(path, bounds))
    try:
        names = [name.strip() for name in next(reader, [])]
        known(names, bounds)
    except csv.Error as error:
        raise DataError.at("row 1", f"not CSV: {error}") from None
    yield from cut(names, _rows(reader), bounds)


def known(names: Sequence[str], bounds: Bounds) -> list[str]:
    """The columns that are keys of the form. Raises DataError if there is none, TooLargeError if there are too many."""
    if len(names) > bounds.columns:
        raise streams.too_large(f"{len(names):,} columns; at most {bounds.columns:,} are read", "Keep the form's")
    read = [name for name in names if name in form.BY_KEY]
    if twice := [name for name in read if read.count(name) > 1]:
        raise DataError.at("row 1", f"two columns are called {twice[0]}", "Keep the one that is meant")
    if not read:
        raise DataError.at(*NO_COLUMN)
    return read


def cut(names: Sequence[str], rows: Iterable[Sequence[str] | str], bounds: Bounds, first: int = 2) -> Iterator[Cut]:
    """Rows below column names, cut into blocks; of each row the cells that are read. Text is what is wrong with a row.

    A row without any text stays as an empty one, for the sake of the numbers. Passes on a DataError of `rows` after
    what came before it.
    """
    places = [place for place, name in enumerate(names) if name in form.BY_KEY]
    columns = [names[place] for place in places]
    unread = [name for name in names if name and name not in form.BY_KEY]
    kept = (row if isinstance(row, str) else _kept(row, places, len(names)) for row in rows)
    number = 0
    for number, held in gathered(kept, _size, bounds.block, bounds.rows, first):
        yield _cells(columns, unread, held, number)
    if not number:
        raise DataError.at(*NO_ROW)


def _size(row: list[str] | str) -> int:
    return sum(map(len, row))


def _kept(row: Sequence[str], places: Sequence[int], width: int) -> list[str] | str:
    if any(row[width:]):
        return f"{len(row)} cells where there are {width} columns"
    kept = [row[place] for place in places if place < len(row)]
    if any(kept):
        return kept
    return "no column that is read has a value" if any(row) else []


def _cells(columns: list[str], unread: list[str], rows: list[list[str] | str], first: int) -> Cut:
    try:
        data = msgspec.msgpack.encode(Cells(columns, unread, rows))
    except UnicodeEncodeError:
        checked = [row if _is_text(row) else "not UTF-8" for row in rows]
        data = msgspec.msgpack.encode(Cells(columns, unread, checked))
    return Cut(kind="cells", first=first, data=data)


def _is_text(row: list[str] | str) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str] | str]:
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"not CSV: {error}"


def _texts(path: Path, bounds: Bounds) -> Iterator[str]:
    """Lines for `csv`; what is no UTF-8 is marked, and refused with its row."""
    mark = "\ufeff"
    for line in streams.lines(path, bounds):
        yield line.decode("utf-8", "surrogateescape").removeprefix(mark) + "\n"
        mark = ""
