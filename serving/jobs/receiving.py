"""An upload as it comes: to disk piece by piece, never whole in memory, whether a browser's form or a bare body."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from serving.jobs.places import safe_name
from tenders.errors import DataError

PIECE = 2**20
"""Bytes that are held before they are written."""
MOST_FIELDS, LONGEST_FIELD = 20, 1_000
EXAMPLE = "Send multipart/form-data with one file, or the file as the body and ?name=tenders.jsonl"


class Upload(msgspec.Struct, frozen=True):
    """A file that is on disk, its size in bytes, and the texts that came with it."""

    path: Path
    size: int
    fields: Mapping[str, str]


async def received(request: Request, folder: Path, fields: dict[str, str]) -> Upload:
    """The upload of a request, in `folder` under its own name; `fields` has the texts as they come.

    Raises DataError if there is none or no reader knows its ending, TooLargeError as `serving.limits` bounds it.
    """
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    form = kind == b"multipart/form-data"
    writing = _Writing(folder)
    try:
        if form:
            reading = _Form(options.get(b"boundary", b""), writing, fields)
        else:
            fields.update(request.query_params)
            writing.begin(request.query_params.get("name", ""))
        async for piece in request.stream():
            if form:
                reading.write(piece)
            else:
                writing.add(piece)
            if len(writing.held) >= PIECE:
                await anyio.to_thread.run_sync(writing.write)
        await anyio.to_thread.run_sync(writing.write)
        path = writing.end()
    finally:
        writing.close()
    return Upload(path, writing.size, fields)


class _Writing:
    """A file on its way to disk."""

    def __init__(self, folder: Path) -> None:
        self.held = bytearray()
        self.size = 0
        self._folder = folder
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """A file of that name comes. Raises DataError."""
        if self._path:
            raise DataError.at("/file", "more than one file", "Upload one at a time")
        self._path = self._folder / safe_name(name)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._file = (self._folder / ".partial").open("wb")

    def add(self, data: bytes) -> None:
        """More of it."""
        self.held += data
        self.size += len(data)

    def write(self) -> None:
        """Puts what is held on disk."""
        if self._file:
            self._file.write(self.held)
        self.held.clear()

    def end(self) -> Path:
        """The file, whole. Raises DataError if there is none."""
        if not self._path or not self.size:
            raise DataError.at("/file", "no file was given" if not self._path else "the file is empty", EXAMPLE)
        self.close()
        return (self._folder / ".partial").replace(self._path)

    def close(self) -> None:
        """Lets go of it."""
        if self._file:
            self._file.close()


class _Form:
    """The parts of a form: the file goes to `writing`, short texts are kept."""

    def __init__(self, boundary: bytes, writing: _Writing, fields: dict[str, str]) -> None:
        self._fields = fields
        self._writing = writing
        self._header, self._value = b"", b""
        self._name, self._text = "", bytearray()
        self._is_file = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._end,
                },
            )
        except FormParserError as error:
            raise _unreadable(error) from None

    def write(self, piece: bytes) -> None:
        """More of the body. Raises DataError."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _unreadable(error) from None

    def _begin(self) -> None:
        self._name, self._is_file = "", False
        self._header, self._value = b"", b""
        self._text.clear()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            file = options.get(b"filename")
            # A browser sends an empty name where no file was chosen.
            if file:
                self._is_file = True
                self._writing.begin(file.decode("utf-8", "replace"))
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        if not self._is_file and len(self._fields) >= MOST_FIELDS:
            raise DataError.at("", f"more than {MOST_FIELDS} fields", EXAMPLE)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._writing.add(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > LONGEST_FIELD:
            raise DataError.at(f"/{self._name[:80]}", f"more than {LONGEST_FIELD:,} bytes", EXAMPLE)

    def _end(self) -> None:
        if not self._is_file and self._name:
            self._fields[self._name[:80]] = self._text.decode("utf-8", "replace")


def _unreadable(error: Exception) -> DataError:
    return DataError.at("", f"the form cannot be read: {str(error)[:200]}", EXAMPLE)
