"""A portfolio's files, and the blocks that they are cut into: what one worker scores at once.

The blocks are the same whatever the number of workers, so that a run can be resumed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Container, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa

from tenders.errors import DataError, TenderRiskError, UnreachableError
from tenders.history import Register
from tenders.io.detection import (
    ARCHIVES,
    BULK_SUFFIXES,
    JSON_LINES,
    YAML,
    is_json_lines,
    is_workbook,
    path_kind,
    split_suffix,
    starts_json_lines,
)
from tenders.io.json_documents import DocumentPiece, piece_size, split_document
from tenders.io.remote import AnyPath, RemotePath, local_copy, locate, read_head
from tenders.io.rows import cut_register, has_register_columns
from tenders.io.streams import (
    BOUNDS,
    Block,
    Bounds,
    Cut,
    Member,
    batches,
    file_lines,
    problems_cut,
    read_whole,
    too_large,
    unpacked_members,
)
from tenders.io.tables import csv_table, cut_csv, cut_flattened, cut_parquet, parquet_rows
from tenders.io.text import as_utf8, parse_yaml
from tenders.io.xlsx import cut_workbook
from tenders.registers import find_register as source_of

log = logging.getLogger(__name__)


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the input: its path relative to the input, its size in bytes, and its SHA-256 in hexadecimal."""

    file: str
    size: int
    sha256: str


def input_files(source: AnyPath) -> list[InputFile]:
    """Every file of the input in the order in which it is read, those that no reader knows included.

    Raises UnreachableError if the input, or a file that is the whole of it, cannot be read. A file of a folder that
    cannot be read has no digest, and `blocks` reports it.
    """
    return [_describe(name, path, alone) for name, path, alone in _files(source)]


def input_tags(source: AnyPath) -> list[InputFile]:
    """As `input_files`, without reading the files: in place of its digest each has one of what changes when it does,
    which is what the store says of it, or its time of change.
    """
    return [InputFile(file=name, size=size, sha256=tag) for name, size, tag in map(_tagged, _files(source))]


def _tagged(file: tuple[str, AnyPath, bool]) -> tuple[str, int, str]:
    name, path, _ = file
    if isinstance(path, RemotePath):
        known = path.known()
        return name, known.size, known.tag
    try:
        status = path.stat()
    except OSError:
        return name, 0, ""
    return name, status.st_size, hashlib.sha256(str(status.st_mtime_ns).encode()).hexdigest()


def read_first(source: AnyPath) -> bytes:
    """The first bytes of the input's first file. Raises OSError if it cannot be read."""
    _, path, _ = next(_files(source))
    return read_head(path, 4)


def input_size(source: AnyPath) -> int:
    """Bytes of the input, without those of files that cannot be read."""
    return sum(path.stat().st_size for _, path, _ in _files(source) if path.is_file())


def describe_file(path: AnyPath) -> InputFile:
    """One file under its own name. Raises UnreachableError if it cannot be read."""
    return _describe(path.name, path, alone=True)


def _describe(name: str, path: AnyPath, alone: bool) -> InputFile:
    try:
        if not path.is_file():
            raise OSError(0, "not a file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return InputFile(file=name, size=file.tell(), sha256=digest)
    except UnreachableError:
        if alone:
            raise
        return InputFile(file=name, size=0, sha256="")
    except OSError as error:
        if alone:
            raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
        return InputFile(file=name, size=0, sha256="")


def _files(source: AnyPath) -> Iterator[tuple[str, AnyPath, bool]]:
    """The name and path of the input itself, or of every file below it in order of its relative path, and whether it is
    the input itself.

    Links to folders are not followed, so that no folder is read twice. Raises UnreachableError if there is nothing.
    """
    if isinstance(source, RemotePath):
        yield from _remote_files(source)
        return
    if not source.is_dir():
        if not source.exists():
            raise UnreachableError(f"{source}: no such file. Check the name")
        yield source.name, source, True
        return
    below = (Path(folder, name) for folder, _, names in os.walk(source) for name in names)
    for name, path in sorted((path.relative_to(source).as_posix(), path) for path in below):
        yield name, path, False


def _remote_files(source: RemotePath) -> Iterator[tuple[str, AnyPath, bool]]:
    if source.is_file():
        yield source.name, source.known(), True
        return
    below = source.files()
    if not below:
        raise UnreachableError(f"{source}: no such file. Check the name")
    for name, path in below:
        yield name, path, False


def blocks(
    source: AnyPath,
    register: str | None = None,
    skip: Container[int] = (),
    bounds: Bounds = BOUNDS,
    whole_files: bool = False,
) -> Iterator[Block]:
    """The blocks of a file, or of every file below a folder in order of its relative path.

    With `whole_files`, a JSON document of a folder that is no larger than a block is one, and is not read here but by
    `opened`.

    With a `register`, tables have that register's own columns. Blocks whose numbers are in `skip` have no data, and are
    numbered all the same. What cannot be read of a folder, or not to its end, is a block of problems. Raises
    UnreachableError, DataError or TooLargeError where the input is one file of which nothing is read, UnreachableError
    if a store cannot be reached, and UsageError if there is no such register.
    """
    columns = source_of(register) if register else None
    number = 0
    for file, path, alone in _files(source):
        whole = whole_files and not alone and columns is None and _is_small_document(path, bounds)
        for cut in [_whole_file(path)] if whole else _cut_file(path, columns, bounds, alone):
            data = b"" if number in skip else cut.data
            name = f"{file}/{cut.member}" if cut.member else file
            yield Block(number=number, file=name, **(msgspec.structs.asdict(cut) | {"data": data}))
            number += 1


def opened(block: Block) -> Iterator[Block]:
    """The block itself, or what it says where to find. Raises OSError if that cannot be read."""
    if block.kind == "kept":
        yield from opened(msgspec.msgpack.decode(locate(block.path).read_bytes(), type=Block))
    elif block.kind == "parquet":
        try:
            with locate(block.path).open("rb") as file:
                data = parquet_rows(file, block.first, block.rows)
        except (pa.ArrowException, DataError) as error:
            raise UnreachableError(f"{block.path}: {error}. Has the file changed?") from None
        yield msgspec.structs.replace(block, kind="arrow", data=data)
    elif block.kind == "file":
        yield from _opened_file(block)
    else:
        yield block


def _opened_file(block: Block) -> Iterator[Block]:
    """The blocks of a file, which a block without a folder in its path carries itself."""
    with tempfile.TemporaryDirectory() if "/" not in block.path else nullcontext("") as folder:
        if folder:
            Path(folder, block.path).write_bytes(block.data)
        path = Path(folder, block.path) if folder else locate(block.path)
        for cut in _cut_file(path, None, BOUNDS, alone=False):
            yield Block(number=block.number, file=block.file, **msgspec.structs.asdict(cut))


def _is_small_document(path: AnyPath, bounds: Bounds) -> bool:
    """Whether a file is called a JSON document and is at most a block, so that one worker reads it."""
    return split_suffix(path.name) == (".json", None) and path.is_file() and path.stat().st_size <= bounds.block


def _whole_file(path: AnyPath) -> Cut:
    return Cut(kind="file", first=1, path=str(path.resolve()))


def _cut_file(path: AnyPath, register: Register | None, bounds: Bounds, alone: bool) -> Iterator[Cut]:
    empty = True
    try:
        for cut in _cutter(path, register)(path, bounds):
            yield cut
            empty = False
    except (DataError, OSError) as error:
        if alone and empty:
            raise _with_file(error, path) from error
        if isinstance(path, RemotePath) and isinstance(error, UnreachableError):
            # A network that pauses must not cost a file of the folder.
            raise
        problems = error.problems if isinstance(error, DataError) else DataError.at("", str(error)).problems
        yield problems_cut(problems)
    except Exception as error:
        log.exception("%s", path)
        unexpected = DataError.at("", f"an unexpected error, {type(error).__name__}", "Tell who runs Tender Risk")
        yield problems_cut(unexpected.problems)


def _with_file(error: DataError | OSError, path: AnyPath) -> TenderRiskError:
    """The error of a file that is read alone, with its name, which no column `file` shows."""
    if isinstance(error, DataError):
        return type(error)([msgspec.structs.replace(p, path=p.path or path.name) for p in error.problems])
    return error if isinstance(error, TenderRiskError) else UnreachableError(str(error))


Cutter = Callable[[AnyPath, Bounds], Iterator[Cut]]
TableCutter = Callable[[Path, Bounds], Iterator[Cut]]


def _cutter(path: AnyPath, register: Register | None, kept: bool = True) -> Cutter:
    """The function that cuts a file of this name. What is not `kept` is gone before its blocks are read.

    Raises DataError if there is none, UnreachableError if it is no file.
    """
    if not path.is_file():
        raise UnreachableError(f"{path.name}: not a file that can be read")
    suffix, codec = path_kind(path)
    if suffix in ARCHIVES:
        return _near(lambda file, bounds: _cut_archive(file, register, bounds))
    if register and has_register_columns(register, suffix):
        return _near(lambda file, bounds: cut_register(file, register, bounds))
    cut_lines = _cut_packed_lines if codec or not kept else _cut_ranges
    if suffix in JSON_LINES:
        return lambda file, bounds: _cut_json_lines(file, bounds, cut_lines)
    if suffix == ".json":
        return lambda file, bounds: _cut_json(file, bounds, cut_lines)
    if suffix in YAML:
        return _cut_yaml
    cutters: dict[str, TableCutter] = {".parquet": cut_parquet, ".csv": cut_csv, ".xlsx": cut_workbook}
    if suffix not in cutters:
        problem = f"no reader for {suffix or 'files without an ending'}"
        raise DataError.at("", problem, f"Use one of {', '.join(BULK_SUFFIXES)}")
    return _near(cutters[suffix])


def _near(cutter: TableCutter) -> Cutter:
    """The cutter of files that are read here and there: one of a store is copied first."""

    def cut(path: AnyPath, bounds: Bounds) -> Iterator[Cut]:
        with local_copy(path) as near:
            for cut in cutter(near, bounds):
                yield cut if near is path or not cut.path else msgspec.structs.replace(cut, path=str(path))

    return cut


def _cut_archive(path: Path, register: Register | None, bounds: Bounds) -> Iterator[Cut]:
    """The files of an archive one after the other; tables of flattened releases together, because they are joined."""
    with unpacked_members(path, bounds) as members:
        if is_workbook(member.name for member in members):
            yield from cut_workbook(path, bounds)
            return
        if not members:
            raise DataError.at("", "the archive is empty", "Give releases, records or packages")
        opened = [(member, csv_table(member.path, member.name, bounds)) for member in members] if not register else []
        tables = [table for _, table in opened if table]
        joined = {member.name for member, table in opened if table}
        if tables:
            yield from cut_flattened(tables, bounds)
        for member in members:
            if member.name in joined or (tables and _is_description(member)):
                continue
            try:
                for cut in _cut_member(member, register, bounds):
                    yield msgspec.structs.replace(cut, member=member.name, path="")
            except DataError as error:
                if len(members) == 1:
                    raise
                yield msgspec.structs.replace(problems_cut(error.problems), member=member.name)


def _is_description(member: Member) -> bool:
    """Beside the registry's tables stand descriptions of them."""
    return not member.problems and member.path.suffix in (".csv", ".json")


def _cut_member(member: Member, register: Register | None, bounds: Bounds) -> Iterator[Cut]:
    if member.problems:
        raise DataError([*member.problems])
    yield from _cutter(member.path, register, kept=False)(member.path, bounds)


def _cut_ranges(path: AnyPath, bounds: Bounds) -> Iterator[Cut]:
    size = path.stat().st_size
    for start in range(0, size, bounds.block):
        end = min(start + bounds.block, size)
        yield Cut(kind="range", first=0, start=start, end=end, path=str(path.resolve()))


def _cut_packed_lines(path: AnyPath, bounds: Bounds) -> Iterator[Cut]:
    most = max(bounds.table_rows, path.stat().st_size)
    for first, lines in batches(file_lines(path, bounds), len, bounds.block, bounds.table_rows):
        if first + len(lines) - 1 > most:
            raise too_large(f"more than {most:,} lines", "Check what it is, or split it")
        yield Cut(kind="lines", first=first, data=b"\n".join(lines) + b"\n")


def _cut_json_lines(path: AnyPath, bounds: Bounds, cut_lines: Cutter) -> Iterator[Cut]:
    """JSON lines, or documents over several lines in a file that is called .jsonl."""
    first = next((line for line in file_lines(path, bounds) if line.strip()), b"")
    if first.strip() in (b"{", b"["):
        yield from _cut_pieces(split_document(read_whole(path, bounds)), bounds)
    else:
        yield from cut_lines(path, bounds)


def _cut_json(path: AnyPath, bounds: Bounds, cut_lines: Cutter) -> Iterator[Cut]:
    """One JSON document or several one after the other, or JSON lines in a file that is called .json."""
    beginning = list(islice((line for line in file_lines(path, bounds) if line.strip()), 2))
    if not beginning:
        raise DataError.at("", "the file is empty", "Give releases, records or packages")
    if starts_json_lines(beginning):
        yield from cut_lines(path, bounds)
        return
    document = read_whole(path, bounds)
    if is_json_lines(document):
        yield from cut_lines(path, bounds)
        return
    yield from _cut_pieces(split_document(document), bounds)


def _cut_yaml(path: AnyPath, bounds: Bounds) -> Iterator[Cut]:
    document = parse_yaml(as_utf8(read_whole(path, msgspec.structs.replace(bounds, document=bounds.line))))
    yield from _cut_pieces(split_document(msgspec.json.encode(document)), bounds)


def _cut_pieces(pieces: Iterator[DocumentPiece], bounds: Bounds) -> Iterator[Cut]:
    for first, some in batches(pieces, piece_size, bounds.block, bounds.documents):
        yield Cut(kind="documents", first=first, data=msgspec.msgpack.encode(some))
