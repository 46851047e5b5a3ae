"""The one door for a document: a file, bytes or decoded JSON becomes processes.

It reads an OCDS release, record, release package or record package of 1.0 to 1.2, a list, JSON lines or a sequence of
these, flattened tables of releases, and the flat form as JSON, CSV, YAML, XLSX or Parquet; a file may be compressed or
an archive of such files. Find a Tender and Contracts Finder publish the first four. A draft that the pages keep,
{"tender": …, "set": {…}}, is read with what was changed in it. Portfolios of millions of tenders are read by
`tenders.io.blocks` and `tenders.io.rows`, which bring each row here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from tenders import dates
from tenders.errors import DataError, Problem, TooLargeError, UnreachableError
from tenders.io import flattened, form
from tenders.io.detection import (
    ARCHIVES,
    RESULTS,
    WORKBOOKS,
    YAML,
    document_kind,
    file_kind,
    is_workbook,
    unreadable_kind,
)
from tenders.io.flattened import FlatTable
from tenders.io.ocds import json_type, read_release, select_fields, unread_fields
from tenders.io.reused import procurements
from tenders.io.text import as_utf8, flat_table, parse_csv, parse_json, parse_yaml
from tenders.io.upgrade import upgrade
from tenders.io.versions import split_versions
from tenders.overrides import override
from tenders.own_columns import is_of_own_history
from tenders.process import Process, Release
from tenders.settled import as_warnings

MAX_BYTES = 32 * 2**20
MAX_MEMBERS = 1_000
"""Files of an archive that are read."""
MAX_FLAT_ROWS = 600_000
MAX_NAMED = 20
REMEDY = "Copy its text and paste it into the page, or fill in the form"


def read_file(path: Path) -> list[Process]:
    """All processes of a file of any kind that `tenders.io.detection` knows, by its name and its first bytes.

    Raises UnreachableError if it cannot be read, DataError that names the place, TooLargeError over MAX_BYTES.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise too_many_bytes(path.stat().st_size)
        data = path.read_bytes()
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
    return read_bytes(data, path.name)


def read_bytes(data: bytes, name: str = ".json") -> list[Process]:
    """All processes in the bytes of a file of this name. Raises DataError that names the place, TooLargeError."""
    members = _members(data, name)
    tables = _flat_tables(members)
    processes = _flat_processes(tables) if tables else []
    for member in members:
        # Beside the registry's tables stand descriptions of them.
        if tables and member.suffix in (*WORKBOOKS, ".csv", ".json"):
            continue
        try:
            processes += _member_processes(member)
        except DataError as error:
            raise error.under(f"{member.name}: ") if len(members) > 1 else error from None
    return processes


def decode(data: bytes, name: str = ".json") -> Any:
    """The plain value in the bytes of a file of this name.

    Of JSON lines, documents one after the other, archives, tables and workbooks it is a list, a release package, or the
    only one that there is.

    Raises DataError if it cannot be read, TooLargeError if it is more than MAX_BYTES, or unpacks to more.
    """
    members = _members(data, name)
    if tables := _flat_tables(members):
        releases = [release for group in _flat_groups(tables) for release in group.releases]
        return releases[0] if len(releases) == 1 else {"releases": releases}
    values = [_decode_member(member) for member in members]
    if len(values) == 1:
        return values[0]
    return [entry for value in values for entry in (value if isinstance(value, list) else [value])]


class _Member(NamedTuple):
    """A file, or one of an archive, as plain bytes, and the suffix that says what it is."""

    name: str
    suffix: str
    data: bytes


def _members(data: bytes, name: str) -> list[_Member]:
    """The file itself, or those that it holds. Raises DataError, and TooLargeError if they are more than MAX_BYTES."""
    suffix, codec = file_kind(name, data[:4])
    if kind := unreadable_kind(data, suffix):
        raise DataError.at("", f"this is {kind}, which cannot be read", REMEDY)
    if suffix not in ARCHIVES:
        return [_unpack(data, name)]
    # Arrow is loaded only where something is compressed.
    from tenders.io.streams import open_members

    opened = open_members(BytesIO(data), suffix, codec, MAX_BYTES, MAX_MEMBERS)
    packed = [(inside, b"".join(chunks)) for inside, chunks in opened]
    if is_workbook(inside for inside, _ in packed):
        return [_Member(name, ".xlsx", data)]
    if not packed:
        raise DataError.at("", "the archive is empty", "Give releases, records or packages")
    members = [_unpack(content, inside) for inside, content in sorted(packed)]
    if (size := sum(len(member.data) for member in members)) > MAX_BYTES:
        raise too_many_bytes(size)
    return members


def _unpack(data: bytes, name: str) -> _Member:
    """A file without compression."""
    suffix, codec = file_kind(name, data[:4])
    if codec is None:
        return _Member(name, suffix, data)
    from tenders.io.streams import unpack

    return _Member(name, suffix, unpack(data, codec, MAX_BYTES))


def _decode_member(member: _Member) -> Any:
    if member.suffix in WORKBOOKS:
        # openpyxl is loaded only for a workbook.
        from tenders.io.xlsx import read_forms

        return _only(read_forms(member.data))
    if member.suffix == ".parquet":
        return _only(_parquet_rows(member.data))
    text = _text(member.data)
    if member.suffix == ".csv":
        return _only(list(parse_csv(text).values()))
    if not text.strip():
        raise DataError.at("", "the file is empty", "Give a release, record, package or filled form")
    return parse_yaml(text) if member.suffix in YAML else parse_json(text)


def _member_processes(member: _Member) -> list[Process]:
    if member.suffix == ".csv":
        return _table_processes(parse_csv(_text(member.data)))
    if member.suffix == ".parquet":
        return _table_processes(dict(enumerate(_parquet_rows(member.data), start=1)))
    return to_processes(_decode_member(member))


def _parquet_rows(data: bytes) -> list[dict[str, Any]]:
    from tenders.io.tables import parquet_forms

    return parquet_forms(data)


# Flattened releases.


def _flat_tables(members: Sequence[_Member]) -> list[FlatTable]:
    """The tables of flattened releases in some files."""
    tables = []
    for member in members:
        if member.suffix == ".csv" and (table := flat_table(StringIO(_text(member.data), newline=""), member.name)):
            tables.append(table)
        elif member.suffix in WORKBOOKS:
            from tenders.io.workbook_reader import WorkbookReader
            from tenders.io.xlsx import FORM_BOUNDS, check_size, flat_sheets

            check_size(member.data)
            tables += flat_sheets(WorkbookReader(BytesIO(member.data), FORM_BOUNDS))
    return tables


def _flat_groups(tables: Sequence[FlatTable]) -> list[flattened.FlatGroup]:
    groups, problems = flattened.groups(tables, MAX_FLAT_ROWS)
    if problems:
        raise DataError(problems)
    return groups


def _flat_processes(tables: Sequence[FlatTable]) -> list[Process]:
    processes: list[Process] = []
    problems: list[Problem] = []
    for group in _flat_groups(tables):
        try:
            processes += processes_of_releases(group.releases, group.places)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return processes


def _only(forms: Sequence[Mapping[str, Any]]) -> Any:
    return forms[0] if len(forms) == 1 else forms


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data))
    return as_utf8(data)


def too_many_bytes(size: int) -> TooLargeError:
    """The error for a document of `size` bytes, which is more than MAX_BYTES."""
    problem = f"{size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read"
    return TooLargeError(Problem(path="", problem=problem, remedy="Split it, or use tender-risk portfolio"))


def to_processes(document: Any, where: str = "") -> list[Process]:
    """All processes in a decoded document, which stands at the JSON path `where`.

    Raises DataError if there is none or one is wrong.
    """
    processes = list(_of_document(document, where))
    if not processes:
        raise DataError.at(where, "there is no tender in it", "Give a release, record, package or filled form")
    return processes


def to_process(document: Any, where: str = "") -> Process:
    """The only process in a decoded document. Raises DataError if there are several."""
    processes = to_processes(document, where)
    if len(processes) > 1:
        raise DataError.at(
            where, f"{len(processes)} tenders where one is expected", "Score them one by one, or all with /score_many"
        )
    return processes[0]


def processes_of_record(document: Any, where: str) -> list[Process]:
    """The process of one OCDS record, which stands at `where`; several if its ocid was reused. Raises DataError."""
    return _of_record(_object(document, where), where)


def processes_of_releases(releases: Sequence[Any], where: Sequence[str]) -> list[Process]:
    """The process of releases of one ocid; several if it was reused. `where` has the JSON path of each release.

    Raises DataError.
    """
    for release, place in zip(releases, where, strict=True):
        _ocid(release, place)
    return _by_procurement(releases, where)


def process_of_form(
    document: Mapping[str, Any], unread: Sequence[str] = (), values: Mapping[str, Any] | None = None
) -> Process:
    """The process of one filled form. `unread` are paths of what stands beside it and is no key of the form.

    `values` are the form's values by key, if the caller has parsed them already. Raises DataError with one problem for
    each key whose value cannot be read.
    """
    return _of_form(document, "", unread, values)


def unread_warnings(paths: Sequence[str]) -> Iterator[str]:
    """The warning about fields or columns whose names are unknown; none if there are none."""
    if paths:
        more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
        yield f"not part of the score, because the name is unknown: {', '.join(paths[:MAX_NAMED])}{more}"


def _of_document(document: Any, where: str) -> Iterator[Process]:
    if isinstance(document, list):
        for i, item in enumerate(document):
            yield from _of_object(_object(item, f"{where}/{i}"), f"{where}/{i}")
    else:
        yield from _of_object(_object(document, where), where)


def _of_object(document: Mapping[str, Any], where: str) -> Iterator[Process]:
    kind = document_kind(document)
    if kind == "record package":
        for i, record in enumerate(_array(document, "records", where)):
            yield from _of_record(_object(record, f"{where}/records/{i}"), f"{where}/records/{i}")
    elif kind == "record":
        yield from _of_record(document, where)
    elif kind == "release package":
        yield from _of_package(_array(document, "releases", where), f"{where}/releases")
    elif kind == "results":
        yield from _of_document(_array(document, RESULTS, where), f"{where}/{RESULTS}")
    elif kind == "kept draft":
        yield _of_kept_draft(document, where)
    elif kind == "form":
        yield _of_form(document, where)
    else:
        yield _of_releases([document], [where])


def _of_kept_draft(document: Mapping[str, Any], where: str) -> Process:
    process = to_process(document["tender"], f"{where}/tender")
    try:
        return override(process, document["set"], "awarded")
    except DataError as error:
        raise error.under(f"{where}/set") from None


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(value)}")
    return value


def _array(document: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
    value = document[name]
    if not isinstance(value, list):
        raise DataError.at(f"{where}/{name}", f"expected an array, got {json_type(value)}")
    return value


def _of_record(record: Mapping[str, Any], where: str) -> list[Process]:
    listed = _array(record, "releases", where) if record.get("releases") is not None else []
    placed = [(_object(release, f"{where}/releases/{i}"), f"{where}/releases/{i}") for i, release in enumerate(listed)]
    # A release that has only a url is a link to one that is not here.
    embedded = [(release, place) for release, place in placed if "tender" in release or "url" not in release]
    if embedded:
        return _by_procurement([r for r, _ in embedded], [w for _, w in embedded])
    if record.get("versionedRelease") is not None:
        place = f"{where}/versionedRelease"
        releases, notes = split_versions(_object(record["versionedRelease"], place), place)
        processes = _by_procurement(releases, [place] * len(releases))
        added = tuple(as_warnings(notes))
        return [replace(process, warnings=(*process.warnings, *added)) for process in processes] if added else processes
    if record.get("compiledRelease") is not None:
        place = f"{where}/compiledRelease"
        return [_of_releases([_object(record["compiledRelease"], place)], [place])]
    raise DataError.at(
        where, "the record has no releases, versioned or compiled release", "Ask the publisher for embedded releases"
    )


def _of_package(releases: Sequence[Any], where: str) -> Iterator[Process]:
    """The processes of each ocid, in the order of its first release; a release without an ocid stands alone."""
    by_ocid: dict[str, list[int]] = defaultdict(list)
    for i, release in enumerate(releases):
        by_ocid[_ocid(release, f"{where}/{i}") or f"#{i}"].append(i)
    for indexes in by_ocid.values():
        yield from _by_procurement([releases[i] for i in indexes], [f"{where}/{i}" for i in indexes])


def _ocid(release: Any, where: str) -> str | None:
    ocid: Any = _object(release, where).get("ocid")
    if not isinstance(ocid, str | None):
        raise DataError.at(f"{where}/ocid", f"expected text, got {json_type(ocid)}")
    return ocid


def _by_procurement(releases: Sequence[Release], where: Sequence[str]) -> list[Process]:
    """The process of the releases of one ocid; one for each procurement where several buyers' share it."""
    if len(releases) < 2:
        return [_of_releases(releases, where)]
    order = sorted(range(len(releases)), key=lambda i: _sort_key(releases[i], where[i]))
    ordered, places = [releases[i] for i in order], [where[i] for i in order]
    groups = procurements(ordered)
    if len(groups) == 1:
        return [_of_releases(ordered, places)]
    shared = f"{places[0]}/ocid: {len(groups)} procurements of different buyers share it, and are told apart"
    processes = [_of_releases([ordered[i] for i in group], [places[i] for i in group]) for group in groups]
    return [replace(process, warnings=(*process.warnings, shared)) for process in processes]


def _of_releases(releases: Sequence[Release], where: Sequence[str]) -> Process:
    releases = [upgrade(release) for release in releases]
    if len(releases) > 1:
        order = sorted(range(len(releases)), key=lambda i: _sort_key(releases[i], where[i]))
        releases, where = [releases[i] for i in order], [where[i] for i in order]
    if len(releases) == 1:
        warnings = tuple(unread_warnings(unread_fields(releases[0], where[0])))
        return Process(releases=tuple(releases), where=tuple(where), warnings=warnings)
    selected = [select_fields(release, place) for release, place in zip(releases, where, strict=True)]
    warnings = tuple(unread_warnings([path for _, unread in selected for path in unread]))
    process = Process(releases=tuple(releases), where=tuple(where), warnings=warnings)
    return process.with_fields([fields for fields, _ in selected])


def _sort_key(release: Release, where: str) -> tuple[datetime, str]:
    """The instant of a release, then its id, so that the order in the file does not matter.

    Raises DataError if the release lacks what several releases of one process need.
    """
    written, tags = release.get("date"), release.get("tag")
    if not isinstance(written, str):
        raise DataError.at(f"{where}/date", "a release without a date among several", "Give each release its date")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise DataError.at(f"{where}/tag", "expected an array of text", 'Write the tag as an array such as ["tender"]')
    if not isinstance(release.get("tender") or {}, Mapping):
        raise DataError.at(f"{where}/tender", f"expected an object, got {json_type(release['tender'])}")
    try:
        instant = dates.moment(written) or datetime.combine(dates.earliest(written), time(), UTC)
    except (ValueError, OverflowError):
        raise DataError.at(f"{where}/date", f"{written[:40]!r} is not a date that exists") from None
    return instant, str(release["id"]) if isinstance(release.get("id"), str | int) else ""


def _of_form(
    document: Mapping[str, Any], where: str, unread: Sequence[str] = (), values: Mapping[str, Any] | None = None
) -> Process:
    try:
        release, unknown = form.to_release(document) if values is None else (form.release_of_values(values), [])
        if not document:
            raise DataError.at("", "the form is empty", "Fill in what is known, such as title, value and term")
        known = [key for key in document if key in form.BY_KEY]
        # A schema and a code list have a title and a description too.
        if not known or (values is None and not form.are_of_form(known, _count(document))):
            raise DataError.at("", "neither OCDS nor a filled form", "See docs/form.md for the keys of the form")
        read = read_release(release)
    except DataError as error:
        raise DataError(
            [Problem(path=where + form.key_of(p.path), problem=p.problem, remedy=p.remedy) for p in error.problems]
        ) from None
    unread_names = unread_warnings([*(where + path for path in unknown), *unread])
    notes = [replace(note, path=where + form.key_of(note.path, tuple(document))) for note in read.notes]
    warnings = (*unread_names, *as_warnings(notes))
    process = Process(releases=(release,), where=(where,), warnings=warnings, form=tuple(document))
    return process.with_compiled(read.tender)


def _count(document: Mapping[str, Any]) -> int:
    """The members of a form, without those that only a history of one's own has."""
    return sum(not is_of_own_history(f"/{name}", value) for name, value in document.items())


def _table_processes(rows: Mapping[int, Mapping[str, Any]]) -> list[Process]:
    processes: list[Process] = []
    problems: list[Problem] = []
    for number, row in rows.items():
        try:
            processes.append(process_of_form(row))
        except DataError as error:
            problems += [
                Problem(path=f"row {number}, column {p.path.strip('/')}", problem=p.problem, remedy=p.remedy)
                for p in error.problems
            ]
    if problems:
        raise DataError(problems)
    return processes
