"""Finds the document of a scored row again in the upload, by the row's line and place.

In a large upload that takes seconds, so a process of its own does it: `python -m serving.pages.opening`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from serving.jobs.subprocess import lower_priority, run_module
from serving.pages.drafts import Draft, draft_of, fill_from_document
from serving.pages.form import form_values
from tenders.errors import DataError, Problem
from tenders.io.blocks import blocks
from tenders.io.json_documents import DocumentPiece, split_document
from tenders.io.rows import read_rows
from tenders.io.streams import Block, block_lines, count_lines
from tenders.io.text import parse_json
from tenders.process import Process

QUICK_BYTES = 16 * 2**20
"""An upload of this size is read within a moment."""
_WITHIN = {"record": "records", "releases": "releases"}


class DraftOrProblems(msgspec.Struct, frozen=True):
    """What the process answers: the draft, or what is wrong with it."""

    draft: Draft | None
    problems: list[Problem]


async def open_draft(source: Path, register: str | None, line: int, place: str) -> Draft:
    """As `read_draft`, without blocking the event loop. Raises UnreachableError too."""
    if source.stat().st_size <= QUICK_BYTES:
        return await anyio.to_thread.run_sync(read_draft, source, register, line, place)
    output = await run_module(__name__, str(source), register or "", str(line), place)
    result = msgspec.json.decode(output, type=DraftOrProblems)
    if result.draft is None:
        raise DataError(result.problems)
    return result.draft


def read_draft(source: Path, register: str | None, line: int, place: str) -> Draft:
    """The tender at a line or row of a file, as a draft for the pages.

    Raises DataError if there is none, TooLargeError if it is larger than a page carries.
    """
    for block, before in _blocks_with(source, register, line):
        if block.kind in ("range", "lines"):
            text = next((text for number, text in block_lines(block) if number + before == line), b"")
            return draft_of(_document_at(list(split_document(text)), place))
        if block.kind == "documents":
            pieces = msgspec.msgpack.decode(block.data, type=list[DocumentPiece])
            return draft_of(_document_at(pieces, place))
        for row in read_rows(block):
            if row.line == line and row.place == place and row.process:
                return _row_draft(row.process)
    raise DataError.at(place, f"nothing is found at {line}")


def _blocks_with(source: Path, register: str | None, line: int) -> Iterator[tuple[Block, int]]:
    """The block that holds a line, and how many lines of the file come before those that the block counts itself."""
    before = 0
    previous: Block | None = None
    for block in blocks(source, register):
        if block.kind == "range":
            count = count_lines(block)
            if before < line <= before + count:
                yield block, before
                return
            before += count
        elif block.kind != "problems":
            if previous and block.first > line:
                break
            previous = block
    if previous:
        yield previous, 0


def _document_at(pieces: list[DocumentPiece], place: str) -> Any:
    """The document at a place, alone in the kind of package that it stood in."""
    for piece in pieces:
        if piece.places[0] == place:
            values = [parse_json(value.decode()) for value in piece.values]
            return values[0] if piece.kind == "document" else {_WITHIN[piece.kind]: values}
    raise DataError.at(place, "nothing is found there")


def _row_draft(process: Process) -> Draft:
    """A row of a table: the form's values, or the release that a register's own columns were read into."""
    if process.form is not None:
        return Draft(values=form_values(process.compiled()), notes=process.all_warnings())
    document = msgspec.json.encode(process.releases[0]).decode()
    return fill_from_document(Draft(document=document, notes=process.all_warnings()))


def _read_or_explain(source: str, register: str, line: str, place: str) -> DraftOrProblems:
    try:
        return DraftOrProblems(read_draft(Path(source), register or None, int(line), place), [])
    except DataError as error:
        return DraftOrProblems(None, error.problems)


if __name__ == "__main__":
    lower_priority()
    sys.stdout.buffer.write(msgspec.json.encode(_read_or_explain(*sys.argv[1:5])))
