"""A history of the user's own: OCDS, or a table with a mapping file. docs/own-history.md shows both.

- OCDS (.json, .jsonl, .yaml, compressed, an archive, or a folder of such files): every process is a case.
  `tenders.outcomes` reads the outcomes from its statuses, and each stage is rebuilt from its releases. `known_on` is
  the day on which the last of the outcomes became known.
  Beside `own.jsonl`, `own.verdicts.csv` (or .parquet) has the verdicts of people who reviewed its processes, by ocid:
  columns `ocid`, `verdict` (a key of VERDICTS) and `date`. They count before what the notices say.
- A mapping (.toml): which column is which fact, outcome and day. Every fact goes where the form or OCDS has it, so that
  `as_of` knows when it was known; a fact without a column is unknown. A value that an outcome lists neither under `yes`
  nor under `no` is censored. It may also declare columns to be features (`tenders.own_columns`).

Failed calls are often those without a day of decision, and records that never learnt of them would show too low a rate.
So an outcome without its day counts as known late, after the time that nearly all others took. That leaks nothing.

The user says what is after the fact by mapping it to such a place (the value of an award, the number of bidders) or not
at all. Nothing else can know it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tenders import dates
from tenders.errors import DataError, Problem, UnreachableError
from tenders.held_cases import HeldCases, without_tenders
from tenders.history import UNDATED, HistoryFile, LabelledTender, Register
from tenders.io import form
from tenders.io.checks import find_problems
from tenders.io.detection import ARCHIVES, JSON_LINES, split_suffix
from tenders.io.plain_tables import plain_table
from tenders.io.read import MAX_BYTES, decode, processes_of_releases, read_file, to_processes
from tenders.io.streams import Bounds, file_lines
from tenders.lot_outcomes import Outcome
from tenders.outcomes import outcomes_of
from tenders.own_columns import PLACE, OwnColumn, own_text, parse_number
from tenders.process import Process
from tenders.registers.columns import as_text, read_columns
from tenders.tender import Tender

NAME = "own"
OUTCOMES = ("no_award", "early_end", "single_bid")
TABLES = (".csv", ".parquet", ".xlsx")
NAME_OF_A_FEATURE = "^[a-z][a-z0-9_]{0,39}$"
LATE_SHARE, LATE_DAYS = 0.95, 365
"""An outcome without its day counts as known after as many days as this share of the others took, or after so many days
if no other has a day."""
Row = Mapping[str, Any]
VERDICTS: Mapping[str, tuple[bool | None, dict[str, bool | None]]] = {
    "no_award": (True, {"no_award": True, "early_end": None}),
    "early_end": (True, {"no_award": False, "early_end": True}),
    "held": (False, {"no_award": False, "early_end": False}),
    "open": (None, {}),
}
"""What a reviewer found: whether it failed, and the outcomes that are known then."""


class OutcomeLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The column of an outcome, and its values that say that it happened and that it did not."""

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


class HistoryMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file. `file` stands beside it; `facts` are columns with a key of the form or an OCDS path.

    `values` translates cells by column; `date_format` is that of `strptime`, ISO 8601 without; `id` names the case and
    `together` the cluster that it is in, by default the cases with one id. `features` declares columns to be features,
    by the names that these get.
    """

    file: str
    published: str
    facts: dict[str, str]
    outcomes: dict[Literal["no_award", "early_end", "single_bid"], OutcomeLabels]
    known_on: str | None = None
    id: str | None = None
    together: str | None = None
    date_format: str | None = None
    currency: str = "GBP"
    values: dict[str, dict[str, str]] = {}
    features: dict[Annotated[str, msgspec.Meta(pattern=NAME_OF_A_FEATURE)], OwnColumn] = {}


def read_own(path: Path) -> HistoryFile:
    """Every process or row as a case. Raises as `Register` says; a wrong mapping is a DataError that names the key."""
    suffix, _ = split_suffix(path)
    if suffix == ".toml":
        return _read_table(path)
    if suffix in TABLES:
        raise DataError.at(
            path.name, "a table without a mapping", "Give the TOML file that names it and maps its columns"
        )
    return read_ocds(path)


def read_ocds(path: Path) -> HistoryFile:
    """Every process of an OCDS file, or of the files below a folder, as a case, an outcome without its day as
    `with_days` takes it. Raises as `Register` says."""
    parts, problems = _read_folder(path) if path.is_dir() else _read_parts(path)
    processes = _by_ocid(parts, problems)
    outcomes = outcomes_of(processes)
    cases = [_case_of_process(i, p, o) for i, (p, o) in enumerate(zip(processes, outcomes, strict=True))]
    cases = _with_verdicts(path, cases, problems)
    return with_days(HistoryFile(cases=cases, rows=len(cases) + len(problems), problems=problems))


def _read_parts(path: Path) -> tuple[list[Process], list[Problem]]:
    """The processes of a file, and what is wrong with the lines that cannot be read."""
    suffix, _ = split_suffix(path)
    return _read_lines(path) if suffix in JSON_LINES else (read_file(path), [])


def _read_folder(folder: Path) -> tuple[list[Process], list[Problem]]:
    """The processes of all OCDS files below a folder, in order of their paths, such as days that were pulled.

    A file that cannot be read is a problem. Raises DataError if none can be read.
    """
    parts, problems = list[Process](), list[Problem]()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if split_suffix(file)[0] not in (".json", *JSON_LINES, *ARCHIVES) or _is_verdicts(file):
            continue
        name = file.relative_to(folder).as_posix()
        try:
            file_parts, wrong = _read_parts(file)
        except DataError as error:
            file_parts, wrong = [], error.problems
        parts += file_parts
        problems += [msgspec.structs.replace(problem, path=f"{name}, {problem.path}") for problem in wrong]
    if not parts:
        raise DataError(problems or [Problem(path=folder.name, problem="no OCDS file in the folder")])
    return parts, problems


def _is_verdicts(file: Path) -> bool:
    return ".verdicts" in file.name


def _with_verdicts(path: Path, cases: list[LabelledTender], problems: list[Problem]) -> list[LabelledTender]:
    """The cases with the verdicts of a file beside them, if there is one; adds what is wrong there to the problems."""
    beside = (path.with_name(f"{path.name.partition('.')[0]}.verdicts{ending}") for ending in (".csv", ".parquet"))
    file = next((file for file in beside if file.is_file()), None)
    if file is None:
        return cases
    table = read_columns(file, ["ocid", "verdict", "date"])
    verdicts = dict[str, tuple[str, date | None]]()
    for number, (ocid, verdict, day) in enumerate(zip(*table.values(), strict=True), start=1):
        place = f"{file.name}, row {number}"
        if str(verdict) not in VERDICTS:
            words = f"{str(verdict)[:40]!r} is no verdict"
            problems.append(Problem(path=place, problem=words, remedy=f"Use {', '.join(VERDICTS)}"))
        elif ocid:
            try:
                verdicts[str(ocid)] = (str(verdict), dates.latest(str(day)) if day else None)
            except ValueError as error:
                remedy = "Write dates as YYYY-MM-DD"
                problems.append(Problem(path=f"{place}, column date", problem=str(error), remedy=remedy))
    reviewed = [
        _with_verdict(case, *verdicts.pop(case.tender.ocid)) if case.tender.ocid in verdicts else case for case in cases
    ]
    words, remedy = "a verdict on a process that the history lacks", "Give the notices of it too"
    problems += [Problem(path=f"{file.name}, {ocid[:80]}", problem=words, remedy=remedy) for ocid in verdicts]
    return reviewed


def _with_verdict(case: LabelledTender, verdict: str, day: date | None) -> LabelledTender:
    _, known = VERDICTS[verdict]
    if not known:
        return case
    outcomes = {**case.outcomes, **known}
    return msgspec.structs.replace(case, outcomes=outcomes, kind=f"reviewed: {verdict}", known_on=day)


def _read_lines(path: Path) -> tuple[list[Process], list[Problem]]:
    """The processes of JSON lines, one line at a time, and what is wrong with the lines that cannot be read."""
    processes, problems = list[Process](), list[Problem]()
    for number, line in enumerate(file_lines(path, Bounds(line=MAX_BYTES)), start=1):
        try:
            processes += _read_line(line, f"line {number}")
        except DataError as error:
            problems += error.problems
    if not processes:
        raise DataError(problems or [Problem(path=path.name, problem="the file is empty")])
    return processes, problems


def _read_line(line: bytes, place: str) -> list[Process]:
    if not line.strip():
        return []
    try:
        document = decode(line)
    except DataError as error:
        raise error.under(place) from None
    return to_processes(document, place)


def _by_ocid(parts: Sequence[Process], problems: list[Problem]) -> list[Process]:
    """The processes of each ocid, in the order of their first parts; adds those that cannot be read to the problems."""
    by_ocid: dict[str, list[Process]] = {}
    for i, part in enumerate(parts):
        by_ocid.setdefault(part.ocid or f"#{i}", []).append(part)
    processes = list[Process]()
    for same in by_ocid.values():
        releases = [release for part in same for release in part.releases]
        places = [place for part in same for place in part.where]
        try:
            together = same if len(same) == 1 else processes_of_releases(releases, places)
            for process in together:
                process.compiled()
        except DataError as error:
            problems += error.problems
        else:
            processes += together
    return processes


def with_days(history: HistoryFile) -> HistoryFile:
    """Gives every known outcome the day from which it counts as known, if the case has a day of publication.

    A day that the history lacks is a problem of its row.
    """
    dated = [case for case in without_tenders(history.cases) if case.published != UNDATED]
    labelled = [case for case in dated if any(value is not None for value in case.outcomes.values())]
    lags = sorted((case.known_on - case.published).days for case in labelled if case.known_on)
    late = max(lags[math.ceil(LATE_SHARE * len(lags)) - 1], 0) if lags else LATE_DAYS
    undated = {case.row: case.published + timedelta(late) for case in labelled if case.known_on is None}
    what, remedy = "an outcome without its day", f"Taken as known {late} days after publication"
    problems = [Problem(path=f"row {row + 1}", problem=what, remedy=remedy) for row in undated]
    if undated and not lags:
        # That the history tells no days at all is said once.
        problems = [Problem(path="all rows", problem="no outcome has its day", remedy=remedy)]
    return msgspec.structs.replace(
        history, cases=_known_on(history.cases, undated), problems=[*history.problems, *problems]
    )


def _known_on(cases: Sequence[LabelledTender], days: Mapping[int, date]) -> Sequence[LabelledTender]:
    """The cases with the days on which the outcomes of some rows became known."""
    if isinstance(cases, HeldCases):
        return cases.with_known_on(days)
    return [msgspec.structs.replace(case, known_on=days[case.row]) if case.row in days else case for case in cases]


def _case_of_process(row: int, process: Process, outcome: Outcome) -> LabelledTender:
    outcomes = {name: getattr(outcome, name) for name in OUTCOMES}
    labelled = any(value is not None for value in outcomes.values())
    ocid = process.ocid or f"row {row}"
    return LabelledTender(
        tender=process.compiled(),
        published=process.published_on() or UNDATED,
        known_on=dates.latest(outcome.known_on) if labelled and outcome.known_on else None,
        outcomes=outcomes,
        kind=outcome.kind or ("awarded" if outcome.no_award is False else "not told"),
        cluster_id=ocid,
        row=row,
        process=process,
    )


def read_mapping(path: Path) -> HistoryMapping:
    """The mapping in a file. Raises UnreachableError, or DataError that names the key that is wrong."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), HistoryMapping)
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
    except (ValueError, RecursionError) as error:
        raise DataError.at(path.name, str(error), "See docs/own-history.md") from None
    wrong = [to for to in mapping.facts.values() if not to.startswith("/") and to not in form.BY_KEY]
    if wrong:
        raise DataError.at(f"{path.name}, facts", f"{wrong[0]!r} is no key of the form and no path", "See docs/form.md")
    ends = {mapping.known_on, *(labels.column for labels in mapping.outcomes.values())}
    if late := [name for name, feature in mapping.features.items() if feature.column in ends]:
        problem = f"{mapping.features[late[0]].column} tells how a case ended, so it cannot be a feature"
        raise DataError.at(f"{path.name}, features.{late[0]}", problem)
    return mapping


def _read_table(path: Path) -> HistoryFile:
    mapping = read_mapping(path)
    names = [mapping.published, mapping.known_on, mapping.id, mapping.together, *mapping.facts]
    names += [column.column for column in mapping.features.values()]
    needed = dict.fromkeys(name for name in (*names, *(o.column for o in mapping.outcomes.values())) if name)
    with plain_table(path.parent / mapping.file) as file:
        table = read_columns(file, list(needed))
    cases, problems = HeldCases(), list[Problem]()
    count = 0
    for count, cells in enumerate(zip(*table.values(), strict=True), start=1):
        try:
            cases.add(*_case_of_row(count - 1, dict(zip(table, cells, strict=True)), mapping))
        except DataError as error:
            problems += [msgspec.structs.replace(p, path=f"row {count}, {p.path}") for p in error.problems]
    return with_days(HistoryFile(cases=cases, rows=count, problems=problems, columns=mapping.features))


def _case_of_row(row: int, cells: Row, mapping: HistoryMapping) -> tuple[LabelledTender, dict[str, Any]]:
    """The case of a row, and the release that its tender was made of."""
    published = _day(cells, mapping.published, mapping)
    known = _day(cells, mapping.known_on, mapping) if mapping.known_on else None
    if published is None:
        raise DataError.at(f"column {mapping.published}", "no publication day")
    outcomes: dict[str, bool | None] = {
        o: _label(cells[labels.column], labels) for o, labels in mapping.outcomes.items()
    }
    name = str(cells[mapping.id]) if mapping.id else f"row {row + 1}"
    labelled = any(value is not None for value in outcomes.values())
    first = next(iter(mapping.outcomes.values()), None)
    tender, release = _tender(name, published, cells, mapping)
    case = LabelledTender(
        tender=tender,
        published=published,
        known_on=known if labelled else None,
        outcomes=outcomes,
        kind=str(cells[first.column]) if first else "",
        cluster_id=str(cells[mapping.together]) if mapping.together else name,
        row=row,
    )
    return case, release


def _label(cell: object, labels: OutcomeLabels) -> bool | None:
    return True if str(cell) in labels.yes else False if str(cell) in labels.no else None


def _day(cells: Row, column: str, mapping: HistoryMapping) -> date | None:
    cell = cells[column]
    if cell is None or cell == "":
        return None
    if isinstance(cell, date):
        return cell.date() if isinstance(cell, datetime) else cell
    try:
        if mapping.date_format:
            return datetime.strptime(str(cell), mapping.date_format).date()  # noqa: DTZ007 - a day has no zone
        return dates.earliest(str(cell))
    except ValueError:
        raise DataError.at(f"column {column}", f"{str(cell)[:40]!r} is no date", "Set date_format") from None


def _tender(name: str, published: date, cells: Row, mapping: HistoryMapping) -> tuple[Tender, dict[str, Any]]:
    filled = {to: value for to, value in _facts(cells, mapping) if value is not None}
    keys = {to: value for to, value in filled.items() if not to.startswith("/")}
    built, _ = form.to_release({"published": published.isoformat(), "currency": mapping.currency, **keys})
    built["ocid"] = f"{NAME}-{name}"
    for to, value in filled.items():
        if to.startswith("/"):
            form.put(built, to, value)
    if own := dict(_own_cells(cells, mapping)):
        form.put(built, PLACE, own)
    try:
        # Not strict: a table writes numbers as text.
        tender = msgspec.convert(built, Tender, strict=False)
    except msgspec.ValidationError as error:
        raise DataError.at("facts", str(error)) from None
    if problems := list(find_problems(tender)):
        raise DataError(problems)
    return tender, built


def _facts(cells: Row, mapping: HistoryMapping) -> Iterator[tuple[str, Any]]:
    for column, to in mapping.facts.items():
        cell = cells[column]
        if cell is None or cell == "":
            continue
        if _holds_date(to):
            day = _day(cells, column, mapping)
            yield to, day.isoformat() if day else None
        else:
            yield to, mapping.values.get(column, {}).get(str(cell), cell)


def _own_cells(cells: Row, mapping: HistoryMapping) -> Iterator[tuple[str, str | float]]:
    """The cells of declared columns, by the names of their features. Raises DataError for one that is no number."""
    for name, column in mapping.features.items():
        cell = as_text(cells[column.column])
        if cell is None or form.clean_text(cell) is None:
            continue
        text = mapping.values.get(column.column, {}).get(cell, cell)
        try:
            yield name, parse_number(text) if column.kind == "number" else own_text(text)
        except ValueError as error:
            raise DataError.at(f"column {column.column}", str(error)) from None


def _holds_date(to: str) -> bool:
    field = form.BY_KEY.get(to)
    last = to.rsplit("/", 1)[-1].lower()
    return field.kind == "date" if field else last.startswith("date") or last.endswith(("date", "deadline"))


REGISTER = Register(
    name=NAME,
    title="a history of your own",
    credit="A history that you gave.",
    outcomes={"no_award": ("draft", "bids_in"), "early_end": ("draft", "bids_in", "awarded"), "single_bid": ("draft",)},
    read=read_own,
    # In English, Spanish and Portuguese.
    called_off=("cancel", "anulad", "desistimiento", "renuncia", "withdrawn", "terminated"),
)
