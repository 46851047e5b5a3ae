"""Receives an upload piece by piece onto disk, never whole in memory, from a browser's form or a bare body."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from serving.jobs.durable import sync
from serving.jobs.paths import safe_name
from tenders.errors import DataError

BUFFER_BYTES = 2**20
"""Bytes that are held before they are written."""
MAX_FIELDS, MAX_FIELD_BYTES = 20, 1_000
EXAMPLE = "Send multipart/form-data with one file, or the file as the body and ?name=tenders.jsonl"


class Upload(msgspec.Struct, frozen=True):
    """A file on disk, its size in bytes and SHA-256, and the text fields that came with it."""

    path: Path
    size: int
    sha256: str
    fields: Mapping[str, str]


async def receive_upload(request: Request, folder: Path, fields: dict[str, str]) -> Upload:
    """Receives a request's file into `folder` under its own name, and fills `fields` with the texts as they come.

    Raises DataError without a file or for one that no reader knows, TooLargeError as `serving.middleware` limits it.
    """
    media_type, options = parse_options_header(request.headers.get("Content-Type"))
    is_form = media_type == b"multipart/form-data"
    file = _UploadFile(folder)
    try:
        if is_form:
            form = _FormParser(options.get(b"boundary", b""), file, fields)
        else:
            fields.update(request.query_params)
            file.begin(request.query_params.get("name", ""))
        async for chunk in request.stream():
            if is_form:
                form.write(chunk)
            else:
                file.add(chunk)
            if len(file.buffer) >= BUFFER_BYTES:
                await anyio.to_thread.run_sync(file.flush)
        if is_form and form.refusal:
            raise form.refusal
        await anyio.to_thread.run_sync(file.flush)
        path = await anyio.to_thread.run_sync(file.finish)
    finally:
        file.close()
    return Upload(path, file.size, file.sha256, fields)


class _UploadFile:
    """A file on its way to disk."""

    def __init__(self, folder: Path) -> None:
        self.buffer = bytearray()
        self.size = 0
        self._digest = hashlib.sha256()
        self._folder = folder
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """Opens a file for an upload of this name. Raises DataError."""
        if self._path:
            raise DataError.at("/file", "more than one file", "Upload one at a time")
        self._path = self._folder / safe_name(name)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._file = (self._folder / ".partial").open("wb")

    def add(self, data: bytes) -> None:
        """Adds bytes to the buffer."""
        self.buffer += data
        self.size += len(data)

    def flush(self) -> None:
        """Writes the buffer to disk."""
        if self._file:
            self._file.write(self.buffer)
            self._digest.update(self.buffer)
        self.buffer.clear()

    @property
    def sha256(self) -> str:
        """The digest of what was written."""
        return self._digest.hexdigest()

    def finish(self) -> Path:
        """The complete file. Raises DataError if there is none or it is empty."""
        if not self._path or not self.size:
            raise DataError.at("/file", "no file was given" if not self._path else "the file is empty", EXAMPLE)
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.close()
        path = (self._folder / ".partial").replace(self._path)
        sync(self._folder)
        return path

    def close(self) -> None:
        """Closes the file, if one is open."""
        if self._file:
            self._file.close()


class _FormParser:
    """Parses a multipart form: the file part goes to `file`, short texts to `fields`.

    `refusal` says why the file is refused. The fields that follow it are read all the same: a page shows them again.
    """

    def __init__(self, boundary: bytes, file: _UploadFile, fields: dict[str, str]) -> None:
        self._fields = fields
        self._file = file
        self._header, self._value = b"", b""
        self._name, self._text = "", bytearray()
        self._is_file = False
        self.refusal: DataError | None = None
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

    def write(self, chunk: bytes) -> None:
        """Parses more of the body. Raises DataError."""
        try:
            self._parser.write(chunk)
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
            filename = options.get(b"filename")
            # A browser sends an empty name where no file was chosen.
            if filename:
                self._is_file = True
                try:
                    self._file.begin(filename.decode("utf-8", "replace"))
                except DataError as error:
                    self.refusal = error
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        if not self._is_file and len(self._fields) >= MAX_FIELDS:
            raise DataError.at("", f"more than {MAX_FIELDS} fields", EXAMPLE)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            if not self.refusal:
                self._file.add(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise DataError.at(f"/{self._name[:80]}", f"more than {MAX_FIELD_BYTES:,} bytes", EXAMPLE)

    def _end(self) -> None:
        if not self._is_file and self._name:
            self._fields[self._name[:80]] = self._text.decode("utf-8", "replace")


def _unreadable(error: Exception) -> DataError:
    return DataError.at("", f"the form cannot be read: {str(error)[:200]}", EXAMPLE)
