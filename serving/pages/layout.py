"""The form as the page shows it: which fields stand together, and what each holds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from features.catalogue import Theme
from serving.pages.filling import AREAS, MAX_ENTERED
from serving.pages.meanings import meaning_of, theme_of
from tenders.dates import moment
from tenders.errors import Problem
from tenders.io import form
from tenders.io.fields import Field

GROUPS: tuple[tuple[Theme, str], ...] = (
    ("wording", "What is bought"),
    ("buyer", "Buyer, and what went before"),
    ("value", "Value"),
    ("lots", "Lots and scope"),
    ("timing", "Timetable"),
    ("procedure", "Procedure and terms"),
    ("structure", "Legal form and guarantees"),
    ("advisers", "Advisers"),
    ("competition", "Competition"),
)
LATER = {"bids_in": "Once bids are in", "awarded": "At award"}
# A draft is mostly this; the other groups start closed.
OPEN = ("wording", "value", "lots")


class Entry(msgspec.Struct, frozen=True):
    """One field with what was entered and what is wrong with it."""

    field: Field
    value: str = ""
    problem: str = ""

    @property
    def meaning(self) -> str:
        """What the fact means for failure."""
        return meaning_of(self.field.key)

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
    is_first: bool = False

    @property
    def open(self) -> bool:
        """Whether the fields are seen without a click."""
        return self.is_first or any(entry.value or entry.problem for entry in self.entries)

    @property
    def known(self) -> int:
        """How many of the fields hold something."""
        return sum(bool(entry.value) for entry in self.entries)


def groups(values: Mapping[str, str], problems: Iterable[Problem] = ()) -> list[Group]:
    """All fields of the form: those of a draft by theme, then the later ones by stage.

    A problem whose path is no field is left to `elsewhere`.
    """
    wrong: dict[str, str] = {}
    for each in problems:
        wrong.setdefault(_key(each), f"{each.problem}. {each.remedy}" if each.remedy else each.problem)
    entries = [Entry(field, values.get(field.key, "")[:MAX_ENTERED], wrong.get(field.key, "")) for field in form.FIELDS]
    drafted = [entry for entry in entries if entry.field.stage == "draft"]
    shown = [
        Group(title, [entry for entry in drafted if theme_of(entry.field.key) == theme], theme in OPEN)
        for theme, title in GROUPS
    ]
    shown += [Group(title, [e for e in entries if e.field.stage == stage]) for stage, title in LATER.items()]
    return [group for group in shown if group.entries]


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
