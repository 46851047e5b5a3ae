"""Bytes of a portfolio's files as they come: unpacked on the way, within bounds, in lines and in blocks.

Whatever comes in, memory stays where it is: a file is read in chunks, a line or document above its bound is refused by
itself, and what is compressed may unpack only so far.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, TypeVar

import msgspec
import pyarrow as pa

from tenders.errors import DataError, Problem, TooLargeError, UnreachableError
from tenders.io.detection import ARCHIVES, path_kind
from tenders.io.remote import AnyPath, locate

MIB = 2**20
# A damaged stream loses the chunk in which it breaks off. Lines of a chunk are still cached when they are decoded.
CHUNK = 2**18
TAR_HEADER = 2**20
"""Bytes of what stands in a tar before a file: its long name, or more headers."""
ZIP_DIRECTORY = 4 * MIB
"""Bytes of the list of files at the end of a zip, which zipfile holds whole: 10,000 files with names of 350 letters."""

Item = TypeVar("Item")
BlockKind = Literal["range", "lines", "documents", "arrow", "cells", "cases", "problems", "file", "parquet", "kept"]
"""How a block is read: `range` is lines of a plain file, `lines` are lines; `documents` are pieces of JSON documents
(`json_documents.DocumentPiece`); rows are an `arrow` IPC stream, `cells` (`tables.FormRows`), or `cases` of a register
(`rows.RegisterCase`); `problems` say what is wrong with a file.

Three say where their content is, and whoever scores them reads it (`blocks.opened`): a `file`, rows of a `parquet`
file, a block that is `kept` in a file.
"""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is read of a portfolio at most, and in how large pieces. In bytes unless the name says otherwise.

    A `block` ends after so many bytes, or `documents`, or `rows` of a table. A `line`, document of a package or cell
    above `line` is refused by itself, and a whole JSON `document` above `document`. A compressed file may unpack to
    `unpacked`, and beyond that to `ratio` times its size. A workbook may unpack to `unpacked` and to `workbook_ratio`
    times its size, in up to `workbook_parts` parts; what is not a sheet is held in memory, and may have `shared`. A
    table has up to `columns`, and a register's file, which is read whole, up to `register_rows`. Parquet, CSV
    and packed lines have up to `table_rows`, and beyond that one for each byte of the file, or 32 of plain CSV.
    """

    block: int = 16 * MIB
    documents: int = 2_000
    rows: int = 25_000
    line: int = 32 * MIB
    document: int = 256 * MIB
    unpacked: int = 1024 * MIB
    ratio: int = 1_000
    workbook_ratio: int = 200
    workbook_parts: int = 10_000
    shared: int = 256 * MIB
    columns: int = 1_000
    register_rows: int = 600_000
    table_rows: int = 1_000_000


BOUNDS = Bounds()


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a file. `first` is the number of its first line, row or record from 1, or 0 if that is not known.

    A `range` is the lines that start in the bytes from `start` up to `end` of the file at `path`, which may be an
    address; `parquet` is the `rows` from `first` of the file at `path`, and `arrow` may say that it was these. Other
    kinds have their content in `data`. `member` is the name within the file, if that is an archive.
    """

    kind: BlockKind
    first: int
    start: int = 0
    end: int = 0
    path: str = ""
    rows: int = 0
    data: bytes = b""
    member: str = ""


class Block(Cut, frozen=True, kw_only=True):
    """A piece of the whole input. `number` counts from 0 in the order of the input; `file` is relative to the input."""

    number: int
    file: str


def problems_cut(problems: list[Problem], first: int = 0) -> Cut:
    """Problems in place of what they are about: the row `first`, or the file as a whole."""
    return Cut(kind="problems", first=first, data=msgspec.json.encode(problems))


def batches(
    items: Iterable[Item], size: Callable[[Item], int], most: int, count: int | None = None, first: int = 1
) -> Iterator[tuple[int, list[Item]]]:
    """Items in lists, each with the number of its first item. A list ends with the item that fills `most` bytes or
    `count` items.

    A DataError of `items` is passed on after what came before it.
    """
    batch: list[Item] = []
    left = most
    try:
        for item in items:
            batch.append(item)
            left -= size(item)
            if left <= 0 or len(batch) == count:
                yield first, batch
                first += len(batch)
                batch, left = [], most
    except DataError:
        if batch:
            yield first, batch
        raise
    if batch:
        yield first, batch


def too_large(problem: str, remedy: str) -> TooLargeError:
    """The refusal of a file that is larger than what is read."""
    return TooLargeError(Problem(path="", problem=problem, remedy=remedy))


# Files.


def read_chunks(path: AnyPath, bounds: Bounds) -> Iterator[bytes]:
    """The content of a file in chunks of up to CHUNK bytes, unpacked if it is compressed.

    Raises UnreachableError if it cannot be read, DataError where it is damaged, TooLargeError where it unpacks to more
    than `bounds.unpacked` and `bounds.ratio` times its size.
    """
    try:
        codec = path_kind(path)[1]
        with path.open("rb") as raw:
            yield from _chunks(raw, codec, max(bounds.unpacked, bounds.ratio * path.stat().st_size))
    except (DataError, UnreachableError):
        raise
    except OSError as error:
        raise UnreachableError(f"{path.name}: {error.strerror or error}. Check the name and the permissions") from None


def _chunks(raw: BinaryIO, codec: str | None, most: int) -> Iterator[bytes]:
    stream: Any = _Unpacking(raw, codec) if codec else raw
    read = 0
    while chunk := _next_chunk(stream, codec):
        read += len(chunk)
        if codec and read > most:
            raise unpacks_to_more(most)
        yield chunk


class _Unpacking:
    """A compressed stream. Arrow's own `read` never frees the memory of a read that fails: 256 KB of a damaged file."""

    def __init__(self, raw: Any, codec: str) -> None:
        stream = pa.CompressedInputStream(raw, codec)
        self.close, self._read = stream.close, stream.read_buffer

    def read(self, size: int) -> bytes:
        return bytes(self._read(size).to_pybytes())


def _next_chunk(stream: Any, codec: str | None) -> bytes:
    try:
        return bytes(stream.read(CHUNK))
    except OSError as error:
        if codec is None or error.errno:
            raise
        raise DataError.at("", f"damaged: {error}", "Fetch the file again") from None


def unpack(data: bytes, codec: str, most: int) -> bytes:
    """Compressed bytes, unpacked. Raises DataError if they are damaged, TooLargeError above `most` bytes."""
    return b"".join(_chunks(BytesIO(data), codec, most))


def read_whole(path: AnyPath, bounds: Bounds) -> bytes:
    """The content of a file, unpacked. Raises as `read_chunks` does, and TooLargeError above `bounds.document`."""
    chunks, size = [], 0
    for chunk in read_chunks(path, bounds):
        size += len(chunk)
        if size > bounds.document:
            raise too_large(
                f"one JSON document of more than {bounds.document // MIB} MB",
                "Convert it to JSON lines (.jsonl), one release or record a line",
            )
        chunks.append(chunk)
    return b"".join(chunks)


def file_lines(path: AnyPath, bounds: Bounds) -> Iterator[bytes]:
    """Each line of a file without its end. A line above `bounds.line` is cut one byte above it, which shows that it is
    too long.

    Raises as `read_chunks` does, with the number of the line at which the file broke off.
    """
    buffer, number, most = bytearray(), 0, bounds.line + 1
    try:
        for chunk in read_chunks(path, bounds):
            *complete, rest = chunk.split(b"\n")
            if complete:
                complete[0] = bytes(buffer + complete[0])[:most] if buffer else complete[0][:most]
                buffer.clear()
                yield from complete
                number += len(complete)
            buffer += rest[: most - len(buffer)]
    except DataError as error:
        raise type(error)([msgspec.structs.replace(p, path=f"line {number + 1}") for p in error.problems]) from None
    if buffer:
        yield bytes(buffer)


@contextmanager
def unpacked(path: Path, bounds: Bounds) -> Iterator[Path]:
    """A compressed file as a plain one in a temporary folder, a plain file as it is. Raises as `read_chunks` does."""
    suffix, codec = path_kind(path)
    if not codec:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{path.name.partition('.')[0]}{suffix}"
        with plain.open("wb") as out:
            for chunk in read_chunks(path, bounds):
                out.write(chunk)
        yield plain


# Archives.

_UNIX = 3
"""The system that a zip was made on."""
_SUFFIXES = re.compile(r"(?:\.[A-Za-z0-9]{1,10}){0,2}\Z")
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, pa.ArrowException,
    # Of places and sizes that cannot be.
    ValueError, OverflowError, LookupError, struct.error,
)  # fmt: skip


def open_members(
    source: Path | BytesIO, suffix: str, codec: str | None, most: int, count: int
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The name of each file in an archive and its content in chunks, which must be read before the next is asked for.

    Hidden files are left out. Raises DataError where the archive is damaged, encrypted or holds another archive,
    TooLargeError above `most` bytes in all, and above `count` files. The content of a link or a device raises
    NotAFileError.
    """
    left = most

    def chunks(file: Any, name: str) -> Iterator[bytes]:
        nonlocal left
        with _naming(name):
            if file is None:
                raise NotAFileError.at(name, "a link or a device, which is not followed", "Pack the file itself")
            while chunk := file.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise unpacks_to_more(most)
                yield chunk

    with _naming(""):
        for number, (name, file) in enumerate(_members(source, suffix, codec, most), start=1):
            if number > count:
                raise too_large(f"more than {count:,} files in it", "Split it")
            yield name, chunks(file, name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Errors of an archive as DataError at the name of the file in it."""
    try:
        yield
    except (UnreachableError, DataError):
        raise
    except (RuntimeError, NotImplementedError) as error:
        raise DataError.at(name, f"cannot be unpacked: {error}", "Pack it without a password, as zip or gzip") from None
    except _DAMAGED as error:
        raise DataError.at(name, f"damaged: {error}", "Fetch the file again") from None


def unpacks_to_more(most: int) -> TooLargeError:
    """The refusal of a file that unpacks to more bytes than are read."""
    return too_large(f"it unpacks to more than {most / MIB:,.0f} MB", "Check what it is, or split it")


def _members(source: Path | BytesIO, suffix: str, codec: str | None, most: int) -> Iterator[tuple[str, Any]]:
    if suffix == ".zip":
        with open_zip(source) as packed:
            for info in packed.infolist():
                if info.is_dir() or not _is_wanted(info.filename):
                    continue
                if _is_special(info):
                    yield info.filename, None
                else:
                    with packed.open(info) as file:
                        yield info.filename, file
        return
    raw: Any = source.open("rb") if isinstance(source, Path) else source
    bounded: Any = _Bounded(_Unpacking(raw, codec) if codec else raw, most)
    with raw, bounded, tarfile.open(fileobj=bounded, mode="r|", tarinfo=_TarEntry) as packed_tar:
        for entry in packed_tar:
            if not entry.isdir() and _is_wanted(entry.name):
                yield entry.name, packed_tar.extractfile(entry) if entry.isfile() else None


def _is_special(info: zipfile.ZipInfo) -> bool:
    """Whether a zip says that a file is a link, a device or the like, as Unix writes it."""
    return info.create_system == _UNIX and stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG)


def open_zip(source: Path | BytesIO) -> zipfile.ZipFile:
    """A zip to read. Raises TooLargeError if its list of files is above ZIP_DIRECTORY, BadZipFile, OSError."""
    file = _ZipSource(source.open("rb", buffering=0) if isinstance(source, Path) else source, CHUNK)
    try:
        return _OwnZip(file)
    except BaseException:
        file.close()
        raise


class _OwnZip(zipfile.ZipFile):
    """A zip that closes its file with itself."""

    def close(self) -> None:
        """Closes the zip and its file."""
        file = self.fp
        super().close()
        if file:
            file.close()


class _ZipSource(BufferedReader):
    """The file of a zip. zipfile asks for the whole list of its files at once, and for nothing else that is large."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's. Raises TooLargeError for more than ZIP_DIRECTORY bytes at once."""
        if size is not None and size > ZIP_DIRECTORY:
            raise too_large(f"its list of files has {size / MIB:,.0f} MB", "Split it")
        return super().read(ZIP_DIRECTORY if size is None or size < 0 else size)


def _is_wanted(name: str) -> bool:
    plain = name.removeprefix("./")
    if plain.lower().endswith((*ARCHIVES, ".tgz", ".tar.gz", ".tar.zst")):
        raise DataError.at(plain, "an archive within an archive", "Unpack it and give the files")
    # What macOS adds begins with a point too.
    return not Path(plain).name.startswith(".")


_TAR_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _TarEntry(tarfile.TarInfo):
    """An entry of a tar. tarfile holds a long name and other headers whole: they are bounded before they are read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As tarfile's. Raises TooLargeError for headers above TAR_HEADER."""
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _TAR_HEADERS and entry.size > TAR_HEADER:
            raise too_large(f"a name or header of {entry.size / MIB:,.0f} MB in it", "Pack the files again")
        return entry


class _Bounded:
    """A stream of which no more than `most` bytes are read, those of files that are left out included."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def read(self, size: int) -> bytes:
        data = bytes(self._stream.read(size))
        self._left -= len(data)
        if self._left < 0:
            raise unpacks_to_more(self._most)
        return data

    def __enter__(self) -> _Bounded:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stream.close()


class NotAFileError(DataError):
    """What stands in an archive in place of a file: a link or a device."""


class Member(msgspec.Struct, frozen=True):
    """A file of an archive: its name there, where it was unpacked, and what is wrong with it if it was not."""

    name: str
    path: Path
    problems: tuple[Problem, ...] = ()


@contextmanager
def unpacked_members(path: Path, bounds: Bounds) -> Iterator[list[Member]]:
    """The files of an archive in a temporary folder, in the order of their names. Raises as `open_members` does."""
    suffix, codec = path_kind(path)
    most = max(bounds.unpacked, bounds.ratio * path.stat().st_size)
    with tempfile.TemporaryDirectory() as folder:
        members = []
        opened = open_members(path, suffix, codec, most, bounds.workbook_parts)
        for number, (name, chunks) in enumerate(opened):
            # Only the end of its name is used, because the name may lead anywhere.
            ending = _SUFFIXES.search(Path(name).name)
            place = Path(folder) / f"{number}{ending.group() if ending else ''}"
            try:
                with place.open("wb") as out:
                    out.writelines(chunks)
                members.append(Member(name, place))
            except NotAFileError as error:
                members.append(Member(name, place, tuple(error.problems)))
        yield sorted(members, key=lambda member: member.name)


# The lines of a block of JSON lines: of a range of a plain file, or lines that were unpacked before.


def block_lines(block: Block, bounds: Bounds = BOUNDS) -> Iterator[tuple[int, bytes]]:
    """Each line with its end and its number, from `block.first`, or from 1 where that is not known; blank lines too.

    A line above `bounds.line` comes cut one byte above it, and no more of it is held. Of a range, the lines that start
    in it. Raises OSError if the file cannot be read.
    """
    most = bounds.line
    lines = _range_lines(block, most) if block.kind == "range" else BytesIO(block.data)
    for number, line in enumerate(lines, start=block.first or 1):
        # The end of a line does not count towards its bound, but to take it off is to copy the line.
        yield number, line if len(line) <= most else line.rstrip(b"\n")[: most + 1] + b"\n"


def count_lines(block: Block) -> int:
    """How many lines `block_lines` gives. Raises OSError if the file cannot be read."""
    if block.kind == "range":
        return _count_range(block)
    return block.data.count(b"\n") + (not block.data.endswith(b"\n") and bool(block.data))


LINE_END = ord("\n")


def _range_lines(block: Block, most: int) -> Iterator[bytes]:
    with locate(block.path).open("rb", CHUNK) as file:
        at = block.start
        if at:
            # What stands before the first line end started before the range.
            file.seek(at - 1)
            at += _skip_line(file) - 1
        read, end = file.readline, block.end
        while at < end and (line := read(most + 1)):
            at += len(line)
            if line[-1] != LINE_END:
                at += _skip_line(file)
            yield line


def _count_range(block: Block) -> int:
    """How many lines start in a range of bytes: one after each line end that stands before its last byte."""
    with locate(block.path).open("rb", buffering=0) as file:
        at = file.seek(max(block.start - 1, 0))
        count = int(not block.start and block.end > 0)
        while at < block.end - 1 and (chunk := file.read(min(CHUNK, block.end - 1 - at))):
            at += len(chunk)
            count += chunk.count(b"\n")
    return count


def _skip_line(file: BinaryIO) -> int:
    """Reads to the end of the line at which a file stands and holds none of it. Returns the bytes that were read."""
    skipped = 0
    while chunk := file.readline(CHUNK):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped
