"""The UK casebook: researched tenders and contracts, one row a case. Outcomes: no_award (draft, bids in), early_end and
failure (every stage), single_bid (draft).

Reads the casebook's own columns (tenders/casebook/README.md is their dictionary) or those of the researchers (columns
such as `year_advertised`, see `tenders.casebook.research`); the header tells which. What is a fact and when it was
known is decided by `Case.release`, which leaves out every column marked as later; `Case` has the rules of outcomes.

- `cohort` is kept: `picked` rows entered because something is known about them, the others by a rule. Their figures
  stand apart.
- `failure` is the case's label; None where either answer could be defended, or if it is too recent to have failed.
- `known_on` is the last day that `outcome_date` can mean.
- Many cases have no publication day: it is reckoned back from award or start, and without those it is UNDATED.
- Cases of one cohort and buyer share their fate.
- That a cell is filled says how much was written about a case: see `gaps_tell`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import msgspec

from tenders import dates
from tenders.casebook import Case, research
from tenders.errors import DataError, Problem, UnreachableError
from tenders.history import UNDATED, HistoryFile, LabelledTender, Register

NAME = "casebook_uk"


def read(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            made = _reader(path, table.fieldnames or ())
            rows = list(table)
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError.at(path.name, f"no CSV in UTF-8: {error}") from None
    cases: list[LabelledTender] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        try:
            cases.append(labelled_tender(made(row), number))
        except (ValueError, KeyError, TypeError) as error:
            problems += _problems(number, error)
    return HistoryFile(cases=cases, rows=len(rows), problems=problems)


def labelled_tender(case: Case, row: int) -> LabelledTender:
    """One case of the casebook. Raises DataError or ValueError if a cell cannot be what it should be."""
    process = case.process()
    return LabelledTender(
        tender=process.compiled(),
        published=process.published_on() or UNDATED,
        known_on=dates.latest(case.outcome_date) if case.outcome_date else None,
        outcomes={
            "no_award": case.no_award,
            "early_end": case.early_end,
            "single_bid": case.single_bid,
            "failure": None if not case.fail or (case.censored and case.fail == "0") else case.fail == "1",
        },
        kind=case.outcome or "not told",
        cluster_id=case.case_id if case.picked else f"{case.cohort}|{case.buyer}",
        row=row,
        cohort=case.cohort,
    )


def _reader(path: Path, header: object) -> Callable[[dict[str, str]], Case]:
    given = set(header) if isinstance(header, list) else set()
    if research.MARK in given:
        return research.converted
    if missing := [name for name in Case.__struct_fields__ if name not in given]:
        raise DataError.at(path.name, f"no column {', '.join(missing)}", "See tenders/casebook/README.md")
    return lambda row: msgspec.convert(row, Case)


def _problems(row: int, error: Exception) -> list[Problem]:
    if isinstance(error, DataError):
        return [msgspec.structs.replace(p, path=f"row {row + 1}, {p.path}") for p in error.problems]
    return [Problem(path=f"row {row + 1}", problem=str(error) or type(error).__name__)]


REGISTER = Register(
    name=NAME,
    outcomes={
        "no_award": ("draft", "bids_in"),
        "early_end": ("draft", "bids_in", "awarded"),
        "single_bid": ("draft",),
        "failure": ("draft", "bids_in", "awarded"),
    },
    read=read,
    gaps_tell=("/",),
)
