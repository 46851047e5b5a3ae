"""Files that are small and unpack to much."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq


def dictionary_bomb(rows: int = 25_000, length: int = 400_000) -> bytes:
    """A Parquet file of about a kilobyte: one text, once in its dictionary, is that of every row."""
    text = pa.DictionaryArray.from_arrays(pa.array([0]).take(pa.array([0] * rows)), pa.array(["a" * length]))
    out = io.BytesIO()
    pq.write_table(pa.table({"title": text}), out, compression="zstd")
    return out.getvalue()
