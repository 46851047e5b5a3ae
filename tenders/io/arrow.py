"""Rows of an Arrow table as forms: each column turned at once into what the form takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from tenders.io import form

UNREAD = b"unread"


def table(data: bytes) -> tuple[pa.Table, list[str]]:
    """Of an Arrow IPC stream the columns that are read, and the names of those that are not."""
    with pa.ipc.open_stream(data) as stream:
        read = stream.read_all()
    plain = pa.table({name: _plain(column) for name, column in zip(read.column_names, read.columns, strict=True)})
    return plain, msgspec.json.decode(read.schema.metadata[UNREAD], type=list[str])


def _plain(column: Any) -> Any:
    """A column in the one layout of its type of which pyarrow can do everything."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_string_view(kind):
        return column.cast(pa.string())
    return column.cast(pa.binary()) if pa.types.is_binary_view(kind) else column


def cells(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table; None is empty."""
    columns = [values(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    return zip(*columns, strict=True)


def values(name: str, column: Any) -> list[Any]:
    """A column's values as the form takes them: days as ISO 8601, whole numbers without a point where text is meant."""
    kind = column.type
    if pa.types.is_date(kind):
        return list(column.cast(pa.date32()).cast(pa.string()).to_pylist())
    if pa.types.is_timestamp(kind):
        return _days(column)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type) and form.BY_KEY[name].kind not in ("number", "count"):
        return [int(value) if value is not None and value.is_integer() else value for value in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(column)
    return list(column.to_pylist())


def _days(column: Any) -> list[Any]:
    days = column.cast(pa.date32(), safe=False)
    if days.cast(column.type).equals(column):
        return list(days.cast(pa.string()).to_pylist())
    instants = column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
    return [instant and instant.isoformat() for instant in instants]


def _texts(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        # Bytes that are no UTF-8 stay bytes, which the form refuses in their row.
        return [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return value and value.decode()
    except UnicodeDecodeError:
        return value
