"""A scored row's document, found again in the upload by the line and the place that its row says.

In a large upload that takes seconds, so that a process of its own looks for it: `python -m serving.pages.opening`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from serving.jobs.aside import aside, step_back
from serving.pages import uploads
from serving.pages.drafts import Draft, with_told
from serving.pages.filling import filled
from tenders.errors import DataError, Problem
from tenders.io.blocks import blocks
from tenders.io.json_documents import DocumentPiece, split_document
from tenders.io.rows import read_rows
from tenders.io.streams import Block, block_lines, count_lines
from tenders.io.text import parse_json
from tenders.process import Process

QUICK = 16 * 2**20
"""Bytes of an upload that are read within a moment."""


class Found(msgspec.Struct, frozen=True):
    """What the process that looks answers: the draft, or what is wrong with it."""

    draft: Draft | None
    problems: list[Problem]


async def opened(source: Path, register: str | None, line: int, place: str) -> Draft:
    """As `draft`, and nobody else waits for it. Raises UnreachableError too."""
    if source.stat().st_size <= QUICK:
        return await anyio.to_thread.run_sync(draft, source, register, line, place)
    said = await aside(__name__, str(source), register or "", str(line), place)
    found = msgspec.json.decode(said, type=Found)
    if found.draft is None:
        raise DataError(found.problems)
    return found.draft


def draft(source: Path, register: str | None, line: int, place: str) -> Draft:
    """The tender that stands at a line or row of a file, as the desk takes it.

    Raises DataError if nothing does, TooLargeError if it is larger than a page carries.
    """
    for block, before in _placed(source, register, line):
        if block.kind in ("range", "lines"):
            written = next((text for number, text in block_lines(block) if number + before == line), b"")
            return uploads.drafted(_piece(list(split_document(written)), place))
        if block.kind == "documents":
            held = msgspec.msgpack.decode(block.data, type=list[DocumentPiece])
            return uploads.drafted(_piece(held, place))
        for row in read_rows(block):
            if row.line == line and row.place == place and row.process:
                return _drafted(row.process)
    raise DataError.at(place, f"nothing is found at {line}")


def _placed(source: Path, register: str | None, line: int) -> Iterator[tuple[Block, int]]:
    """The block that holds a line, and how many lines of the file stand before those that it counts itself."""
    before = 0
    held: Block | None = None
    for block in blocks(source, register):
        if block.kind == "range":
            count = count_lines(block)
            if before < line <= before + count:
                yield block, before
                return
            before += count
        elif block.kind != "problems":
            if held and block.first > line:
                break
            held = block
    if held:
        yield held, 0


def _piece(pieces: list[DocumentPiece], place: str) -> Any:
    """The document of a piece, alone in the kind of package that it stood in."""
    for piece in pieces:
        if piece.places[0] == place:
            values = [parse_json(value.decode()) for value in piece.values]
            return values[0] if piece.kind == "document" else {_WITHIN[piece.kind]: values}
    raise DataError.at(place, "nothing is found there")


_WITHIN = {"record": "records", "releases": "releases"}


def _drafted(process: Process) -> Draft:
    """A row of a table: the form's values, or the release that a register's own columns were read into."""
    if process.form is not None:
        return Draft(values=filled(process.compiled()), notes=process.warnings)
    return with_told(Draft(document=msgspec.json.encode(process.releases[0]).decode(), notes=process.warnings))


def _look(source: str, register: str, line: str, place: str) -> Found:
    try:
        return Found(draft(Path(source), register or None, int(line), place), [])
    except DataError as error:
        return Found(None, error.problems)


if __name__ == "__main__":
    step_back()
    sys.stdout.buffer.write(msgspec.json.encode(_look(*sys.argv[1:5])))
