"""The form as the page shows it: which fields stand together, and what each holds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tenders import form
from tenders.dates import moment
from tenders.errors import Problem
from tenders.fields import Field

GROUPS: tuple[tuple[str, str], ...] = (
    ("What is bought", "title description buyer procuring_entity region cpv category value currency"),
    ("Lots and scope", "lots lot_values single_block no_lots_rationale service_lines"),
    (
        "Timetable",
        "published tender_start tender_end tender_period_days enquiry_period_days "
        "contract_start contract_end term_years",
    ),
    (
        "Procedure",
        "procurement_method procurement_method_details framework award_criteria market_engagement advisers retender",
    ),
)
LATER = {
    "draft": "Terms and circumstances",
    "bids_in": "Once bids are in",
    "awarded": "At award",
}
AREAS = frozenset({"description", "no_lots_rationale", "risk_details"})
# A draft is mostly this; the other groups start closed.
OPEN = ("What is bought", "Lots and scope")


class Entry(msgspec.Struct, frozen=True):
    """One field with what was entered and what is wrong with it."""

    field: Field
    value: str = ""
    problem: str = ""

    @property
    def input(self) -> str:
        """How it is asked for: area, select, date or text."""
        if self.field.key in AREAS:
            return "area"
        if self.field.kind in ("yes_no", "choice"):
            return "select"
        # A date input drops what is no date, and the user would not see what to correct.
        return "date" if self.field.kind == "date" and _is_shown_as_date(self.value) else "text"

    @property
    def is_wide(self) -> bool:
        """Whether it takes a line of its own."""
        return self.field.key == "title" or self.input == "area"

    @property
    def options(self) -> list[str]:
        """The choices, and whatever else was sent, so that nothing sent is lost."""
        known = ["yes", "no"] if self.field.kind == "yes_no" else list(self.field.choices)
        return known if self.value in ("", *known) else [*known, self.value]


class Group(msgspec.Struct, frozen=True):
    """Fields under one heading, which are hidden until wanted unless something stands in them."""

    title: str
    entries: list[Entry]

    @property
    def open(self) -> bool:
        """Whether the fields are seen without a click."""
        return self.title in OPEN or any(entry.value or entry.problem for entry in self.entries)


def groups(values: Mapping[str, str], problems: Iterable[Problem] = ()) -> list[Group]:
    """All fields of the form in their groups. A problem whose path is no field is left to `elsewhere`."""
    wrong: dict[str, str] = {}
    for each in problems:
        wrong.setdefault(_key(each), each.problem)
    entries = {
        field.key: Entry(field, values.get(field.key, ""), wrong.get(field.key, "")) for field in form.FIELDS
    }
    shown = [
        Group(title, [entries.pop(key) for key in keys.split()]) for title, keys in GROUPS
    ]
    for stage, title in LATER.items():
        rest = [entry for entry in entries.values() if entry.field.stage == stage]
        shown.append(Group(title, rest))
    return shown


def elsewhere(problems: Iterable[Problem]) -> list[Problem]:
    """The problems that belong to no field of the form."""
    return [each for each in problems if _key(each) not in form.BY_KEY]


def _key(problem: Problem) -> str:
    if problem.path.strip("/") in form.BY_KEY:
        return problem.path.strip("/")
    return form.key_of(problem.path).strip("/")


def _is_shown_as_date(value: str) -> bool:
    try:
        return not value or (len(value) == len("2026-01-31") and bool(moment(value)))
    except ValueError:
        return False
