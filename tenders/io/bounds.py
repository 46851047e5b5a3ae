"""What is read of a portfolio at most, and in how large pieces: whatever comes in, memory stays where it is."""

from __future__ import annotations

import msgspec

MIB = 2**20


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes unless the name says otherwise.

    A `block` is cut after so many bytes, or `documents`, or `rows` of a table. A `line`, document of a package or cell
    above `line` is refused by itself, and a whole JSON `document` above `document`. What is compressed may unpack to
    `unpacked`, and beyond that to `ratio` times its size; a workbook to `unpacked` and `workbook_ratio` times its size,
    of which what is no sheet, and so held in memory, `shared`. A table has up to `columns`, and a register's file,
    which is read whole, up to `register_rows`.
    """

    block: int = 16 * MIB
    documents: int = 2_000
    rows: int = 25_000
    line: int = 32 * MIB
    document: int = 256 * MIB
    unpacked: int = 1024 * MIB
    ratio: int = 1_000
    workbook_ratio: int = 200
    shared: int = 256 * MIB
    columns: int = 1_000
    register_rows: int = 600_000


BOUNDS = Bounds()
