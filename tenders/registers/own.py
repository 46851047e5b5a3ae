"""A history of the user's own: OCDS, or a table (CSV or parquet) with a mapping file. docs/own-history.md shows both.

- OCDS (.json, .jsonl, .yaml): every process is a case; `tenders.outcomes` reads the outcomes from its statuses, and
  each stage is rebuilt from its releases. `known_on` is the day on which the last of the outcomes became known.
- A mapping (.toml): which column is which fact, outcome and day. Every fact goes where the form or OCDS has it, so that
  `as_of` knows when it was known; what no column says is unknown. A value that an outcome lists neither under `yes` nor
  under `no` is censored.

Failed calls are often those without a day of decision, and records that never learnt of them would tell too low a rate.
So an outcome without its day counts as known late, after the time that nearly all others took: that leaks nothing.

The user says what is after the fact by mapping it to a place that is (an award's value, a number of bidders) or not at
all: nothing else can know.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from tenders import dates
from tenders.errors import DataError, Problem, UnreachableError
from tenders.history import UNDATED, HistoryFile, LabelledTender, Register
from tenders.io import form
from tenders.io.detection import JSON_LINES, split_suffix
from tenders.io.ocds import find_problems
from tenders.io.read import MAX_BYTES, decode, process_of_releases, read_file, to_processes
from tenders.io.streams import Bounds, file_lines
from tenders.outcomes import Outcome
from tenders.process import Process
from tenders.registers.columns import read_columns
from tenders.relaunches import outcomes_of
from tenders.tender import Tender

NAME = "own"
OUTCOMES = ("no_award", "early_end", "single_bid")
TABLES = (".csv", ".parquet", ".xlsx")
Row = Mapping[str, Any]
LATE, UNSEEN = 0.95, 365
"""The share of dated outcomes that are known by the time at which an undated one counts as known, in days after it was
published; and that time where none is dated."""


class OutcomeLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The column that tells an outcome, and its values that say that it happened and that it did not."""

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


class HistoryMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file. `file` stands beside it; `facts` are columns with a key of the form or an OCDS path.

    `values` translates cells by column; `date_format` is that of `strptime`, ISO 8601 without; `id` names the case and
    `together` the cases that share their fate, by default those with one id.
    """

    file: str
    published: str
    known_on: str
    facts: dict[str, str]
    outcomes: dict[Literal["no_award", "early_end", "single_bid"], OutcomeLabels]
    id: str | None = None
    together: str | None = None
    date_format: str | None = None
    currency: str = "GBP"
    values: dict[str, dict[str, str]] = {}


def read(path: Path) -> HistoryFile:
    """Every process or row as a case. Raises as `Register` says; a wrong mapping is a DataError that names the key."""
    suffix, _ = split_suffix(path)
    if suffix == ".toml":
        return _of_table(path)
    if suffix in TABLES:
        raise DataError.at(
            path.name, "a table without a mapping", "Give the TOML file that names it and maps its columns"
        )
    held, problems = _lines(path) if suffix in JSON_LINES else (read_file(path), [])
    processes = _together(held, problems)
    found = outcomes_of(processes)
    cases = [_of_process(i, p, o) for i, (p, o) in enumerate(zip(processes, found, strict=True))]
    return _all_dated(HistoryFile(cases=cases, rows=len(cases) + len(problems), problems=problems))


def _lines(path: Path) -> tuple[list[Process], list[Problem]]:
    """The processes of JSON lines, one line at a time, and what is wrong with the lines that cannot be read."""
    found, problems = list[Process](), list[Problem]()
    for number, line in enumerate(file_lines(path, Bounds(line=MAX_BYTES)), start=1):
        try:
            found += _of_line(line, f"line {number}")
        except DataError as error:
            problems += error.problems
    if not found:
        raise DataError(problems or [Problem(path=path.name, problem="the file is empty")])
    return found, problems


def _of_line(line: bytes, place: str) -> list[Process]:
    if not line.strip():
        return []
    try:
        document = decode(line)
    except DataError as error:
        raise error.under(place) from None
    return to_processes(document, place)


def _together(processes: Sequence[Process], problems: list[Problem]) -> list[Process]:
    """Processes of one ocid as one, where its first stood; those that cannot be read as a tender are problems."""
    found: dict[str, list[Process]] = {}
    for i, each in enumerate(processes):
        found.setdefault(each.ocid or f"#{i}", []).append(each)
    whole = []
    for parts in found.values():
        releases = [release for part in parts for release in part.releases]
        places = [place for part in parts for place in part.where]
        try:
            one = parts[0] if len(parts) == 1 else process_of_releases(releases, places)
            one.compiled()
        except DataError as error:
            problems += error.problems
        else:
            whole.append(one)
    return whole


def _all_dated(read: HistoryFile) -> HistoryFile:
    """Every outcome that is told with the day from which it counts as known, if the case was published on one."""
    dated = [case for case in read.cases if case.published != UNDATED]
    told = [case for case in dated if any(value is not None for value in case.outcomes.values())]
    lags = sorted((case.known_on - case.published).days for case in told if case.known_on)
    late = max(lags[math.ceil(LATE * len(lags)) - 1], 0) if lags else UNSEEN
    undated = {
        case.row: msgspec.structs.replace(case, known_on=case.published + timedelta(late))
        for case in told
        if case.known_on is None
    }
    what, remedy = "an outcome without its day", f"Taken as known {late} days after publication"
    return msgspec.structs.replace(
        read,
        cases=[undated.get(case.row, case) for case in read.cases],
        problems=[*read.problems, *(Problem(path=f"row {row + 1}", problem=what, remedy=remedy) for row in undated)],
    )


def _of_process(row: int, process: Process, found: Outcome) -> LabelledTender:
    outcomes = {name: getattr(found, name) for name in OUTCOMES}
    told = any(value is not None for value in outcomes.values())
    ocid = process.ocid or f"row {row}"
    return LabelledTender(
        tender=process.compiled(),
        published=process.published_on() or UNDATED,
        known_on=dates.latest(found.known_on) if told and found.known_on else None,
        outcomes=outcomes,
        kind=found.kind or ("awarded" if found.no_award is False else "not told"),
        cluster_id=ocid,
        row=row,
        process=process,
    )


def read_mapping(path: Path) -> HistoryMapping:
    """The mapping in a file. Raises UnreachableError, or DataError that names the key that is wrong."""
    try:
        given = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), HistoryMapping)
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise DataError.at(path.name, str(error), "See docs/own-history.md") from None
    wrong = [to for to in given.facts.values() if not to.startswith("/") and to not in form.BY_KEY]
    if wrong:
        raise DataError.at(f"{path.name}, facts", f"{wrong[0]!r} is no key of the form and no path", "See docs/form.md")
    return given


def _of_table(path: Path) -> HistoryFile:
    given = read_mapping(path)
    named = [given.published, given.known_on, given.id, given.together, *given.facts]
    needed = dict.fromkeys(name for name in (*named, *(o.column for o in given.outcomes.values())) if name)
    table = read_columns(path.parent / given.file, list(needed))
    cases, problems = list[LabelledTender](), list[Problem]()
    count = 0
    for count, cells in enumerate(zip(*table.values(), strict=True), start=1):
        try:
            cases.append(_of_row(count - 1, dict(zip(table, cells, strict=True)), given))
        except DataError as error:
            problems += [msgspec.structs.replace(p, path=f"row {count}, {p.path}") for p in error.problems]
    return _all_dated(HistoryFile(cases=cases, rows=count, problems=problems))


def _of_row(row: int, cells: Row, given: HistoryMapping) -> LabelledTender:
    published, known = (_day(cells, column, given) for column in (given.published, given.known_on))
    if published is None:
        raise DataError.at(f"column {given.published}", "no publication day")
    outcomes: dict[str, bool | None] = {o: _label(cells[said.column], said) for o, said in given.outcomes.items()}
    name = str(cells[given.id]) if given.id else f"row {row + 1}"
    told = any(value is not None for value in outcomes.values())
    first = next(iter(given.outcomes.values()), None)
    return LabelledTender(
        tender=_tender(name, published, cells, given),
        published=published,
        known_on=known if told else None,
        outcomes=outcomes,
        kind=str(cells[first.column]) if first else "",
        cluster_id=str(cells[given.together]) if given.together else name,
        row=row,
    )


def _label(cell: object, labels: OutcomeLabels) -> bool | None:
    return True if str(cell) in labels.yes else False if str(cell) in labels.no else None


def _day(cells: Row, column: str, given: HistoryMapping) -> date | None:
    cell = cells[column]
    if cell is None or cell == "":
        return None
    if isinstance(cell, date):
        return cell.date() if isinstance(cell, datetime) else cell
    try:
        if given.date_format:
            return datetime.strptime(str(cell), given.date_format).date()  # noqa: DTZ007 - a day has no zone
        return dates.earliest(str(cell))
    except ValueError:
        raise DataError.at(f"column {column}", f"{str(cell)[:40]!r} is no date", "Set date_format") from None


def _tender(name: str, published: date, cells: Row, given: HistoryMapping) -> Tender:
    filled = {to: value for to, value in _facts(cells, given) if value is not None}
    keys = {to: value for to, value in filled.items() if not to.startswith("/")}
    built, _ = form.to_release({"published": published.isoformat(), "currency": given.currency, **keys})
    built["ocid"] = f"{NAME}-{name}"
    for to, value in filled.items():
        if to.startswith("/"):
            form.put(built, to, value)
    try:
        # Not strict: a table writes numbers as text.
        tender = msgspec.convert(built, Tender, strict=False)
    except msgspec.ValidationError as error:
        raise DataError.at("facts", str(error)) from None
    if problems := list(find_problems(tender)):
        raise DataError(problems)
    return tender


def _facts(cells: Row, given: HistoryMapping) -> Iterator[tuple[str, Any]]:
    for column, to in given.facts.items():
        cell = cells[column]
        if cell is None or cell == "":
            continue
        if _holds_date(to):
            day = _day(cells, column, given)
            yield to, day.isoformat() if day else None
        else:
            yield to, given.values.get(column, {}).get(str(cell), cell)


def _holds_date(to: str) -> bool:
    field = form.BY_KEY.get(to)
    last = to.rsplit("/", 1)[-1].lower()
    return field.kind == "date" if field else last.startswith("date") or last.endswith(("date", "deadline"))


REGISTER = Register(
    name=NAME,
    title="a history of your own",
    credit="A history that you gave.",
    outcomes={"no_award": ("draft", "bids_in"), "early_end": ("draft", "bids_in", "awarded"), "single_bid": ("draft",)},
    read=read,
)
