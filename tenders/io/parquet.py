"""Parquet in batches of bounded size, whatever it unpacks to.

A text that stands once in a file may be that of every row: 322 bytes of Parquet are 10 GB of text. So texts are read as
they stand, once each, with a number a row; what they would take is counted, and only then they are written out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenders.errors import DataError
from tenders.io.streams import MIB, Bounds, too_large, unpacks_to_more

CELL_BYTES = 8
"""What a cell takes beside its text, at least."""
VALUES_A_CELL = 100
"""Values of the lists of a column, for each row, at most."""
FIXED_BYTES = 64
"""Of a column of bytes of one length. Numbers and identifiers have up to 32."""


def parquet_batches(
    source: Any, size: int, bounds: Bounds, chosen: Callable[[list[str]], Sequence[str]], cell: int = CELL_BYTES
) -> Iterator[pa.RecordBatch]:
    """The rows of the `chosen` columns, in batches of up to `bounds.rows` rows and about `bounds.block` bytes.

    `source` is a path or a buffer of `size` bytes, and a cell counts `cell` bytes beside its text. A file without rows
    gives no batch. Raises TooLargeError above `bounds`, DataError for columns that are no table's, and what pyarrow
    raises for a damaged file.
    """
    most = max(bounds.unpacked, bounds.ratio * size)
    with _opened(source) as file:
        _check_sizes(file.metadata, size, most, bounds)
        names = [*chosen(list(file.schema_arrow.names))]
        leaves = [file.schema.column(number) for number in range(len(file.schema))]
        read = [leaf for leaf in leaves if leaf.path.partition(".")[0] in names]
        _check_columns(file.schema_arrow, read, names)
        _check_lists(file, [number for number, leaf in enumerate(leaves) if leaf in read and leaf.max_repetition_level])
    if hasattr(source, "seek"):
        source.seek(0)
    texts = [leaf.path for leaf in read if leaf.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False) as file:
        for batch in file.iter_batches(bounds.rows, columns=names, use_threads=False):
            sizes = _row_sizes(batch, cell)
            most -= int(sizes.sum())
            if most < 0:
                raise unpacks_to_more(max(bounds.unpacked, bounds.ratio * size))
            yield from _parts(batch, np.cumsum(sizes), bounds.block)


def row_range(source: Any, start: int, count: int, chosen: Callable[[list[str]], Sequence[str]]) -> pa.RecordBatch:
    """`count` rows from row `start` on, counted from 0, of the `chosen` columns, with their texts written out.

    They are some that `parquet_batches` gave, which has counted what they take. Of other row groups nothing is read.
    """
    with _opened(source) as file:
        names = [*chosen(list(file.schema_arrow.names))]
        ends = np.cumsum([file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)])
        first, last = np.searchsorted(ends, [start, start + count - 1], "right")
        at = start - int(ends[first - 1] if first else 0)
        table = file.read_row_groups([*range(int(first), int(last) + 1)], columns=names, use_threads=False)
    (batch,) = table.slice(at, count).combine_chunks().to_batches()
    return batch


def _opened(source: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, pre_buffer=False)
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("the name of a column is not UTF-8") from None


def _check_sizes(metadata: pq.FileMetaData, size: int, most: int, bounds: Bounds) -> None:
    """Raises TooLargeError for more rows or bytes than a file of this size can honestly have."""
    if metadata.num_rows > max(bounds.table_rows, size):
        raise too_large(f"{metadata.num_rows:,} rows in {size / MIB:,.1f} MB", "Check what it is, or split it")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(max(group.total_byte_size, 0) for group in groups) > most:
        raise unpacks_to_more(most)


def _check_columns(schema: pa.Schema, leaves: Sequence[Any], names: Sequence[str]) -> None:
    for name in names:
        kind = schema.field(name).type
        nested = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
        if pa.types.is_nested(nested):
            raise DataError.at("", f"the column {name[:80]} holds structures", "Give it one value or list a row")
    for leaf in leaves:
        if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length > FIXED_BYTES:
            raise DataError.at("", f"the column {leaf.name[:80]} holds bytes", "Write it as text")


def _check_lists(file: pq.ParquetFile, places: Sequence[int]) -> None:
    most = VALUES_A_CELL * (file.metadata.num_rows + 1_000)
    for number in range(file.metadata.num_row_groups if places else 0):
        # No rows are read. What pyarrow raises here of a damaged column would end the process in the next line.
        [*file.reader.iter_batches(0, [number], [*places], use_threads=False)]
        group = file.metadata.row_group(number)
        if any(group.column(place).num_values > most for place in places):
            raise too_large(f"more than {VALUES_A_CELL} values a row", "Check what it is")


def _row_sizes(batch: pa.RecordBatch, cell: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The bytes of each row once its texts are written out."""
    sizes = np.full(batch.num_rows, cell * batch.num_columns, np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            sizes += _text_sizes(column)
        elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            values = column.values
            text_sizes = _text_sizes(values) if pa.types.is_dictionary(values.type) else np.zeros(len(values), np.int64)
            ends = np.concatenate([[0], np.cumsum(text_sizes + cell)])
            offsets = column.offsets.to_numpy(zero_copy_only=False)
            sizes += ends[offsets[1:]] - ends[offsets[:-1]]
    return sizes


def _text_sizes(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    if not len(column.dictionary):
        return np.zeros(len(column), np.int64)
    lengths = pc.binary_length(column.dictionary).take(column.indices).cast(pa.int64())
    return np.asarray(lengths.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _parts(batch: pa.RecordBatch, ends: np.ndarray[Any, np.dtype[np.int64]], most: int) -> Iterator[pa.RecordBatch]:
    """The rows with their texts written out, as many at a time as `most` bytes hold, and at least one."""
    start = 0
    while start < batch.num_rows:
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
        part = batch.slice(start, stop - start)
        columns = [_written_out(column) for column in part.columns]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        start = stop


def _written_out(column: Any) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.dictionary_decode()
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return column.cast(pa.list_(kind.value_type.value_type))
    if pa.types.is_large_list(kind) and pa.types.is_dictionary(kind.value_type):
        return column.cast(pa.large_list(kind.value_type.value_type))
    return column
