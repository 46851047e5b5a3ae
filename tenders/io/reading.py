"""The one door: text, bytes, a file or decoded JSON becomes processes.

Reads an OCDS release, record, release package, record package, a list or JSON lines of these, and the
flat form as JSON, CSV or YAML. Find a Tender and Contracts Finder publish the first four. And a tender with what was
set on it, {"tender": …, "set": {…}}, as the pages keep it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from tenders import dates
from tenders.edited import edited
from tenders.errors import DataError, Problem, TooLargeError, UnreachableError
from tenders.io import decoding, form, versioned
from tenders.io.checks import converted, named, unread_fields
from tenders.process import Process, Release

MAX_BYTES = 32 * 2**20
MAX_NAMED = 20

_OCDS_KEYS = frozenset(
    {
        "ocid", "tender", "releases", "records", "compiledRelease", "versionedRelease",
        "parties", "awards", "contracts", "tag", "bids", "planning",
    }
)  # fmt: skip


def read_file(path: Path) -> list[Process]:
    """All processes of a file, by its ending: .json, .jsonl, .csv, .yaml (a mapping or a list)."""
    return read(content(path), path.suffix.lower())


def content(path: Path) -> bytes:
    """The bytes of a file. Raises UnreachableError, and TooLargeError over MAX_BYTES."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise too_large(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None


def read(data: bytes, suffix: str = ".json") -> list[Process]:
    """All processes in `data`. Raises DataError that names the place, TooLargeError over MAX_BYTES."""
    if len(data) > MAX_BYTES:
        raise too_large(len(data))
    if suffix == ".csv":
        return _form_rows(decoding.csv_rows(_text(data)))
    return processes(decoded(data, suffix))


def decoded(data: bytes, suffix: str = ".json") -> Any:
    """The value in JSON or YAML, and a list of them in JSON lines. Raises DataError that names the place."""
    text = _text(data)
    if not text.strip():
        raise DataError.at("", "the file is empty", "Give a release, record, package or filled form")
    return decoding.from_yaml(text) if suffix in (".yaml", ".yml") else decoding.from_json(text)


def processes(document: Any, where: str = "") -> list[Process]:
    """All processes in a decoded document. Raises DataError if there is none or one is wrong."""
    found = list(_walk(document, where))
    if not found:
        raise DataError.at(where, "there is no tender in it", "Give a release, record, package or filled form")
    return found


def one(document: Any, where: str = "") -> Process:
    """The only process in a decoded document. Raises DataError if there are several."""
    found = processes(document, where)
    if len(found) > 1:
        raise DataError.at(
            where, f"{len(found)} tenders where one is expected", "Score them one by one, or all with /score_many"
        )
    return found[0]


def record(document: Any, where: str) -> Process:
    """The process of one OCDS record, which stands at `where`. Raises DataError."""
    return _record(_object(document, where), where)


def released(releases: Sequence[Any], where: Sequence[str]) -> Process:
    """The process of releases of one ocid; `where` has the place of each. Raises DataError."""
    for release, place in zip(releases, where, strict=True):
        _ocid(release, place)
    return _process(releases, where)


def filled(document: Mapping[str, Any], unread: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> Process:
    """The process of one filled form; `unread` are paths of what stands beside it and is no key.

    `given` are the form's values by key, if they were read already. Raises DataError with one problem a key whose value
    cannot be read.
    """
    return _form(document, "", unread, given)


def too_large(size: int) -> TooLargeError:
    """The error for `size` bytes where MAX_BYTES are read."""
    return TooLargeError(
        Problem(path="", problem=f"{size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read", remedy="Split it")
    )


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError.at(
            "", f"byte {error.start} is not UTF-8", "Save the file as UTF-8; old exports are often ISO-8859-1"
        ) from None


def _walk(document: Any, where: str) -> Iterator[Process]:
    if isinstance(document, list):
        for i, each in enumerate(document):
            yield from _processes_of(_object(each, f"{where}/{i}"), f"{where}/{i}")
    else:
        yield from _processes_of(_object(document, where), where)


def _processes_of(document: Mapping[str, Any], where: str) -> Iterator[Process]:
    if "records" in document:
        for i, record in enumerate(_listed(document, "records", where)):
            yield _record(_object(record, f"{where}/records/{i}"), f"{where}/records/{i}")
    elif "compiledRelease" in document or "versionedRelease" in document:
        yield _record(document, where)
    elif "releases" in document:
        yield from _package(_listed(document, "releases", where), f"{where}/releases")
    elif isinstance(document.get("set"), Mapping) and isinstance(document.get("tender"), Mapping):
        yield _kept(document, where)
    elif _OCDS_KEYS.isdisjoint(document):
        yield _form(document, where)
    else:
        yield _process([document], [where])


def _kept(document: Mapping[str, Any], where: str) -> Process:
    """A tender with what was set on it, as the pages keep it."""
    held = one(document["tender"], f"{where}/tender")
    try:
        return edited(held, document["set"], "awarded")
    except DataError as error:
        raise error.under(f"{where}/set") from None


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError.at(where, f"expected an object, got {named(value)}")
    return value


def _listed(document: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
    value = document[name]
    if not isinstance(value, list):
        raise DataError.at(f"{where}/{name}", f"expected an array, got {named(value)}")
    return value


def _record(record: Mapping[str, Any], where: str) -> Process:
    listed = _listed(record, "releases", where) if record.get("releases") is not None else []
    placed = [(_object(release, f"{where}/releases/{i}"), f"{where}/releases/{i}") for i, release in enumerate(listed)]
    # What has only a url is a link to a release that is not here.
    embedded = [(release, place) for release, place in placed if "tender" in release or "url" not in release]
    if embedded:
        return _process([r for r, _ in embedded], [w for _, w in embedded])
    if record.get("versionedRelease") is not None:
        place = f"{where}/versionedRelease"
        rebuilt = versioned.releases(_object(record["versionedRelease"], place), place)
        return _process(rebuilt, [place] * len(rebuilt))
    if record.get("compiledRelease") is not None:
        place = f"{where}/compiledRelease"
        return _process([_object(record["compiledRelease"], place)], [place])
    raise DataError.at(
        where, "the record has no releases, versioned or compiled release", "Ask the publisher for embedded releases"
    )


def _package(releases: Sequence[Any], where: str) -> Iterator[Process]:
    together: dict[str, list[int]] = defaultdict(list)
    for i, release in enumerate(releases):
        # A release without an ocid stands alone.
        together[_ocid(release, f"{where}/{i}") or f"#{i}"].append(i)
    for chosen in together.values():
        yield _process([releases[i] for i in chosen], [f"{where}/{i}" for i in chosen])


def _ocid(release: Any, where: str) -> str | None:
    ocid: Any = _object(release, where).get("ocid")
    if not isinstance(ocid, str | None):
        raise DataError.at(f"{where}/ocid", f"expected text, got {named(ocid)}")
    return ocid


def _process(releases: Sequence[Release], where: Sequence[str]) -> Process:
    if len(releases) > 1:
        order = sorted(range(len(releases)), key=lambda i: _sequence(releases[i], where[i]))
        releases, where = [releases[i] for i in order], [where[i] for i in order]
    unread = [path for release, place in zip(releases, where, strict=True) for path in unread_fields(release, place)]
    return Process(releases=tuple(releases), where=tuple(where), warnings=tuple(unread_warning(unread)))


def _sequence(release: Release, where: str) -> tuple[datetime, str]:
    """What releases are ordered by: the instant, then the id, so that the order in the file does not matter.

    Raises DataError if the release has not what several releases of one process need.
    """
    written, tags = release.get("date"), release.get("tag")
    if not isinstance(written, str):
        raise DataError.at(f"{where}/date", "a release without a date among several", "Give each release its date")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise DataError.at(f"{where}/tag", "expected an array of text", 'Write the tag as an array such as ["tender"]')
    if not isinstance(release.get("tender") or {}, Mapping):
        raise DataError.at(f"{where}/tender", f"expected an object, got {named(release['tender'])}")
    try:
        instant = dates.moment(written) or datetime.combine(dates.earliest(written), time(), UTC)
    except (ValueError, OverflowError):
        raise DataError.at(f"{where}/date", f"{written[:40]!r} is not a date that exists") from None
    return instant, str(release["id"]) if isinstance(release.get("id"), str | int) else ""


def _form(
    document: Mapping[str, Any], where: str, unread: Sequence[str] = (), given: Mapping[str, Any] | None = None
) -> Process:
    try:
        built, unknown = form.release(document) if given is None else (form.placed(given), [])
        if len(unknown) == len(document):
            raise DataError.at("", "neither OCDS nor a filled form", "See docs/form.md for the keys of the form")
        tender = converted(built)
    except DataError as error:
        raise DataError(
            [Problem(path=where + form.key_of(p.path), problem=p.problem, remedy=p.remedy) for p in error.problems]
        ) from None
    warnings = unread_warning([*(where + path for path in unknown), *unread])
    process = Process(releases=(built,), where=(where,), warnings=tuple(warnings), form=tuple(document))
    return process.holding(tender)


def unread_warning(paths: Sequence[str]) -> Iterator[str]:
    """What is said of fields or columns whose names are unknown: nothing, if there are none."""
    if paths:
        more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
        yield f"not part of the score, because the name is unknown: {', '.join(paths[:MAX_NAMED])}{more}"


def _form_rows(rows: Sequence[Mapping[str, Any]]) -> list[Process]:
    found, problems = [], []
    for number, row in enumerate(rows, start=2):
        try:
            found += processes(row)
        except DataError as error:
            problems += [
                Problem(path=f"row {number}, column {p.path.strip('/')}", problem=p.problem, remedy=p.remedy)
                for p in error.problems
            ]
    if problems:
        raise DataError(problems)
    return found
