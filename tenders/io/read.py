"""The one door for a document: a file, bytes or decoded JSON becomes processes.

It reads an OCDS release, record, release package or record package, a list or JSON lines of these, and the flat form as
JSON, CSV, YAML or XLSX; a file may be compressed. Find a Tender and Contracts Finder publish the first four. A draft
that the pages keep, {"tender": …, "set": {…}}, is read with what was changed in it. Portfolios of millions of tenders
are read by `tenders.io.blocks` and `tenders.io.rows`, which bring each row here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from tenders import dates
from tenders.errors import DataError, Problem, TooLargeError, UnreachableError
from tenders.io import form
from tenders.io.detection import WORKBOOKS, YAML, document_kind, split_suffix
from tenders.io.ocds import json_type, split_versions, to_tender, unread_fields
from tenders.io.text import parse_csv, parse_json, parse_yaml
from tenders.overrides import override
from tenders.process import Process, Release

MAX_BYTES = 32 * 2**20
MAX_NAMED = 20


def read_file(path: Path) -> list[Process]:
    """All processes of a file, by the end of its name: .json, .jsonl, .csv, .xlsx, .yaml, also with .gz or .zst behind.

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
    data, suffix = _unpack(data, name)
    return _csv_processes(parse_csv(_text(data))) if suffix == ".csv" else to_processes(decode(data, suffix))


def decode(data: bytes, name: str = ".json") -> Any:
    """The plain value in the bytes of a file of this name; of JSON lines, CSV and XLSX a list, or a table's only form.

    Raises DataError that names the place, TooLargeError if it is more than MAX_BYTES, or unpacks to more.
    """
    data, suffix = _unpack(data, name)
    if suffix in WORKBOOKS:
        # openpyxl is loaded only for a workbook.
        from tenders.io.xlsx import read_forms

        return _only(read_forms(data))
    text = _text(data)
    if suffix == ".csv":
        return _only(list(parse_csv(text).values()))
    if not text.strip():
        raise DataError.at("", "the file is empty", "Give a release, record, package or filled form")
    return parse_yaml(text) if suffix in YAML else parse_json(text)


def _unpack(data: bytes, name: str) -> tuple[bytes, str]:
    """The bytes without compression, and the suffix that says what they are."""
    suffix, codec = split_suffix(name)
    if codec is None:
        return data, suffix
    # Arrow is loaded only where something is compressed.
    from tenders.io.streams import unpack

    return unpack(data, codec, MAX_BYTES), suffix


def _only(forms: list[dict[str, str]]) -> Any:
    return forms[0] if len(forms) == 1 else forms


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError.at(
            "", f"byte {error.start} is not UTF-8", "Save the file as UTF-8; old exports are often ISO-8859-1"
        ) from None


def too_many_bytes(size: int) -> TooLargeError:
    """The error for a document of `size` bytes, which is more than MAX_BYTES."""
    return TooLargeError(
        Problem(path="", problem=f"{size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read", remedy="Split it")
    )


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


def process_of_record(document: Any, where: str) -> Process:
    """The process of one OCDS record, which stands at `where`. Raises DataError."""
    return _of_record(_object(document, where), where)


def process_of_releases(releases: Sequence[Any], where: Sequence[str]) -> Process:
    """The process of releases of one ocid; `where` has the JSON path of each. Raises DataError."""
    for release, place in zip(releases, where, strict=True):
        _ocid(release, place)
    return _of_releases(releases, where)


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
            yield _of_record(_object(record, f"{where}/records/{i}"), f"{where}/records/{i}")
    elif kind == "record":
        yield _of_record(document, where)
    elif kind == "release package":
        yield from _of_package(_array(document, "releases", where), f"{where}/releases")
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


def _of_record(record: Mapping[str, Any], where: str) -> Process:
    listed = _array(record, "releases", where) if record.get("releases") is not None else []
    placed = [(_object(release, f"{where}/releases/{i}"), f"{where}/releases/{i}") for i, release in enumerate(listed)]
    # A release that has only a url is a link to one that is not here.
    embedded = [(release, place) for release, place in placed if "tender" in release or "url" not in release]
    if embedded:
        return _of_releases([r for r, _ in embedded], [w for _, w in embedded])
    if record.get("versionedRelease") is not None:
        place = f"{where}/versionedRelease"
        releases = split_versions(_object(record["versionedRelease"], place), place)
        return _of_releases(releases, [place] * len(releases))
    if record.get("compiledRelease") is not None:
        place = f"{where}/compiledRelease"
        return _of_releases([_object(record["compiledRelease"], place)], [place])
    raise DataError.at(
        where, "the record has no releases, versioned or compiled release", "Ask the publisher for embedded releases"
    )


def _of_package(releases: Sequence[Any], where: str) -> Iterator[Process]:
    """One process for each ocid, in the order of its first release; a release without an ocid stands alone."""
    by_ocid: dict[str, list[int]] = defaultdict(list)
    for i, release in enumerate(releases):
        by_ocid[_ocid(release, f"{where}/{i}") or f"#{i}"].append(i)
    for indexes in by_ocid.values():
        yield _of_releases([releases[i] for i in indexes], [f"{where}/{i}" for i in indexes])


def _ocid(release: Any, where: str) -> str | None:
    ocid: Any = _object(release, where).get("ocid")
    if not isinstance(ocid, str | None):
        raise DataError.at(f"{where}/ocid", f"expected text, got {json_type(ocid)}")
    return ocid


def _of_releases(releases: Sequence[Release], where: Sequence[str]) -> Process:
    if len(releases) > 1:
        order = sorted(range(len(releases)), key=lambda i: _sort_key(releases[i], where[i]))
        releases, where = [releases[i] for i in order], [where[i] for i in order]
    unread = [path for release, place in zip(releases, where, strict=True) for path in unread_fields(release, place)]
    return Process(releases=tuple(releases), where=tuple(where), warnings=tuple(unread_warnings(unread)))


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
        if len(unknown) == len(document):
            raise DataError.at("", "neither OCDS nor a filled form", "See docs/form.md for the keys of the form")
        tender = to_tender(release)
    except DataError as error:
        raise DataError(
            [Problem(path=where + form.key_of(p.path), problem=p.problem, remedy=p.remedy) for p in error.problems]
        ) from None
    warnings = unread_warnings([*(where + path for path in unknown), *unread])
    process = Process(releases=(release,), where=(where,), warnings=tuple(warnings), form=tuple(document))
    return process.with_compiled(tender)


def _csv_processes(rows: Mapping[int, Mapping[str, Any]]) -> list[Process]:
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
