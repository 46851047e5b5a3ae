"""The form of one tender: its fields in groups, what each means for failure, and what a tender's facts fill in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from features.catalogue import catalogue
from features.feature import Feature, Theme
from serving.served import served_bundle
from tenders.columns import DAYS_A_YEAR, Column
from tenders.dates import moment
from tenders.errors import Problem
from tenders.io import form
from tenders.tender import Tender

MAX_FIELD_CHARACTERS = 20_000
"""Characters of one field that a page repeats: as many as the longest description may have."""
MULTILINE = frozenset({"description", "no_lots_rationale", "risk_details"})
"""Fields in which a line break is kept."""
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
LATER_GROUPS = {"bids_in": "Once bids are in", "awarded": "At award"}
MAIN_FEATURE: Mapping[str, str] = {
    "lots": "lot_count", "buyer": "buyer_record", "cpv": "expected_bidders", "supplier": "supplier_record",
    "value": "value_gbp", "lot_values": "largest_lot_share", "procurement_method": "open_procedure",
    "contract_start": "term_years", "contract_end": "term_years",
}  # fmt: skip
"""The feature that says most about a field that several features read."""
WITHOUT_FEATURE = frozenset({"region", "currency", "category", "incumbents"})
"""Fields whose object a feature reads without reading them."""
FIXED_THEME: Mapping[str, Theme] = {
    "category": "wording", "cpv": "wording", "region": "buyer", "currency": "value",
    "incumbents": "buyer", "procuring_entity": "buyer", "risk_details": "wording",
}  # fmt: skip
"""Themes of fields that no feature decides, or that people look for elsewhere."""


MAIN = (
    "title", "cpv", "buyer", "value", "lots", "term_years", "tender_period_days", "procurement_method",
    "market_engagement",
)  # fmt: skip
"""The fields that are asked first."""
HELP: Mapping[str, str] = {
    "title": "What the contract is called.",
    "description": "What is bought, as the notice will say it.",
    "cpv": "In words, such as community nursing, or as a CPV code. It decides which past cases it is compared with.",
    "buyer": "The body that pays. Its past tenders count.",
    "value": "For the whole term, without VAT: 1,200,000 or £1.2m.",
    "lots": "How many parts are let apart. 1 means one block.",
    "term_years": "Without options to extend: 5 or 18 months.",
    "tender_period_days": (
        "From the notice to the deadline. The Procurement Act 2023, section 54, sets the least: often 25 days. It sets "
        "none for light touch contracts. The Provider Selection Regime has rules of its own."
    ),
    "procurement_method": "How the supplier is chosen.",
    "market_engagement": "Whether you spoke to suppliers before the notice.",
}
"""One line of help for the fields that are asked first."""
LABELS: Mapping[str, str] = {
    "cpv": "What kind of service or goods", "procurement_method": "Route to market",
    "award_date": "Date of the award",
    "market_engagement": "Talked to the market first",
}  # fmt: skip
"""Labels that say more than those of the columns, or keep two of them apart."""
ROUTES: tuple[tuple[str, str], ...] = (
    ("open:Open procedure", "Open procedure (Procurement Act 2023, section 20)"),
    ("selective:Competitive flexible procedure", "Competitive flexible procedure (section 20)"),
    ("direct:Direct award", "Direct award (sections 41 to 43)"),
    ("selective:Competitive selection under a framework", "Call-off from a framework, with competition (section 46)"),
    (
        "direct:Direct award process A or B (Provider Selection Regime)",
        "PSR: direct award process A or B",
    ),
    ("direct:Direct award process C (Provider Selection Regime)", "PSR: direct award process C"),
    (
        "limited:Most suitable provider process (Provider Selection Regime)",
        "PSR: most suitable provider process",
    ),
    ("selective:Competitive process (Provider Selection Regime)", "PSR: competitive process"),
)
"""Routes of UK law: the method of OCDS with the name of the procedure, and words. The regime is SI 2023/1348."""


def label_of(key: str) -> str:
    """What the pages call a field."""
    return LABELS.get(key, form.BY_KEY[key].label)


class FormEntry(msgspec.Struct, frozen=True):
    """One field with what was entered and what is wrong with it.

    `moves` is how far it can move the score, in probability; None where that was not tried. `sentence` is that of a
    pasted text in which its value was found, `doubt` what it contradicts. `details` is the name of a route.
    """

    field: Column
    value: str = ""
    problem: str = ""
    moves: float | None = None
    sentence: str = ""
    doubt: str = ""
    details: str = ""

    @property
    def label(self) -> str:
        """What the field is called."""
        return label_of(self.field.name)

    @property
    def help(self) -> str:
        """One line on what to enter."""
        return HELP.get(self.field.name, self.field.help)

    @property
    def effect(self) -> str:
        """How far it can move the score, in words."""
        if self.moves is None:
            return ""
        if math.isnan(self.moves):
            return "Can change the score."
        points = round(100 * self.moves, 1)
        return f"Can move the score by up to {points:g} points." if points >= SMALLEST else NO_EFFECT

    @property
    def meaning(self) -> str:
        """What the fact means for failure."""
        return meaning_of(self.field.name)

    @property
    def has_effect(self) -> bool:
        """Whether the fact can move the probability of the UK models."""
        return self.field.name in served_bundle().moving_fields

    @property
    def input(self) -> str:
        """The kind of control: area, select, date or text."""
        if self.field.name in MULTILINE:
            return "area"
        if self.field.kind in ("yes_no", "choice"):
            return "select"
        # A date input drops text that is no date, and the user would not see what to correct.
        return "date" if self.field.kind == "date" and _is_date_or_blank(self.value) else "text"

    @property
    def is_wide(self) -> bool:
        """Whether the control takes a line of its own."""
        return self.field.name == "title" or self.input == "area"

    @property
    def options(self) -> list[tuple[str, str]]:
        """The choices of a select, each with its words, and whatever else was sent, so that nothing is lost."""
        choices = ["yes", "no"] if self.field.kind == "yes_no" else list(self.field.choices)
        named = [(choice, choice.replace("_", " ")) for choice in choices]
        if self.field.name == "procurement_method":
            named = [*ROUTES, *((method, OTHER_ROUTES[method]) for method in choices)]
        if self.field.name == "award_criteria":
            named = [(choice, CRITERIA[choice]) for choice in choices]
        return named if self.chosen in ("", *(choice for choice, _ in named)) else [*named, (self.value, self.value)]

    @property
    def chosen(self) -> str:
        """The option that is chosen: of routes the one with this name."""
        named = f"{self.value}:{self.details}"
        return named if self.details and any(named == route for route, _ in ROUTES) else self.value


SMALLEST = 0.1
"""Percentage points below which a fact does not change a score that is shown."""
NO_EFFECT = "Does not change this score."
OTHER_ROUTES = {
    "open": "Other: open to all",
    "selective": "Other: open to some",
    "limited": "Other: limited",
    "direct": "Other: direct award",
}
CRITERIA = {
    "priceOnly": "price only",
    "costOnly": "cost only",
    "qualityOnly": "quality only",
    "ratedCriteria": "price and quality",
}


class FormGroup(msgspec.Struct, frozen=True):
    """Fields under one heading, closed unless `is_first` or something is entered."""

    title: str
    entries: list[FormEntry]
    is_first: bool = False

    @property
    def open(self) -> bool:
        """Whether the fields are seen without a click."""
        return self.is_first or any(entry.value or entry.problem for entry in self.entries)

    @property
    def known(self) -> int:
        """How many of the fields hold something."""
        return sum(bool(entry.value) for entry in self.entries)


def groups(
    values: Mapping[str, str],
    problems: Iterable[Problem] = (),
    moves: Mapping[str, float] | None = None,
    sentences: Mapping[str, str] | None = None,
    doubts: Mapping[str, str] | None = None,
) -> list[FormGroup]:
    """All fields of the form: first those of MAIN, then those of a draft by theme, then the later ones by stage.

    Problems whose path is no field are left to `problems_elsewhere`.
    """
    messages: dict[str, str] = {}
    for problem in problems:
        text = f"{problem.problem}. {problem.remedy}" if problem.remedy else problem.problem
        messages.setdefault(_key_of(problem), f"{text[:1].upper()}{text[1:]}")
    entries = {
        field.name: FormEntry(
            field=field,
            value=values.get(field.name, "")[:MAX_FIELD_CHARACTERS],
            problem=messages.get(field.name, ""),
            # What was not tried by itself says nothing.
            moves=moves.get(field.name) if moves else None,
            sentence=(sentences or {}).get(field.name, ""),
            doubt=(doubts or {}).get(field.name, ""),
            details=values.get("procurement_method_details", "") if field.name == "procurement_method" else "",
        )
        for field in form.FIELDS
    }
    main = FormGroup("The facts that count most", [entries.pop(key) for key in MAIN], is_first=True)
    by_theme = [
        FormGroup(title, [e for e in entries.values() if e.field.stage == "draft" and theme_of(e.field.name) == theme])
        for theme, title in GROUPS
    ]
    by_stage = [
        FormGroup(title, [e for e in entries.values() if e.field.stage == stage])
        for stage, title in LATER_GROUPS.items()
    ]
    return [group for group in (main, *by_theme, *by_stage) if group.entries]


def problems_elsewhere(problems: Iterable[Problem]) -> list[Problem]:
    """The problems that belong to no field of the form."""
    return [problem for problem in problems if _key_of(problem) not in form.BY_KEY]


def _key_of(problem: Problem) -> str:
    if problem.path.strip("/") in form.BY_KEY:
        return problem.path.strip("/")
    return form.key_of(problem.path).strip("/")


def _is_date_or_blank(value: str) -> bool:
    try:
        return not value or (len(value) == len("2026-01-31") and bool(moment(value)))
    except ValueError:
        return False


@cache
def features_of(key: str) -> tuple[Feature, ...]:
    """The features that a field decides or bears on, the closest first; not those of a register's track records."""
    if key in WITHOUT_FEATURE:
        return ()
    field = form.BY_KEY[key]
    own = (feature for feature in catalogue().values() if feature.trained and feature.reads != "register_history")
    readers = [feature for feature in own if _reads(feature, field)]
    main = MAIN_FEATURE.get(key, key)
    return tuple(sorted(readers, key=lambda feature: (feature.name != main, feature.path != field.path)))


def theme_of(key: str) -> Theme:
    """The theme under which the form asks for a field."""
    if key in FIXED_THEME:
        return FIXED_THEME[key]
    features = features_of(key)
    return features[0].theme if features else "procedure"


@cache
def meaning_of(key: str) -> str:
    """Why a field matters for failure, and the source; blank where no feature that reads it says so."""
    return next(filter(None, map(_meaning, features_of(key))), "")


def _meaning(feature: Feature) -> str:
    """What follows the rule in a feature's docstring; blank if that is only the source."""
    _, _, rest = feature.doc.partition("\n\n")
    text = " ".join(rest.replace("`", "").split())
    # Sources stand in the documentation.
    return "" if text.startswith("Source:") else text.partition(" Source:")[0]


def _reads(feature: Feature, field: Column) -> bool:
    return any(f"{field.path}/".startswith(f"{path}/") for path in (feature.path, *feature.also))


def form_values(tender: Tender) -> dict[str, str]:
    """The form's values for a tender: every field that it states, as a user would have typed it."""
    document = msgspec.to_builtins(tender)
    texts = (
        (field.name, tidy(field.name, _text_of(field, form.value_at(document, field.path)))) for field in form.FIELDS
    )
    return {key: text for key, text in texts if text}


def tidy(key: str, text: str) -> str:
    """A field's text as a browser sends it back: one character a line end, and none where the field has one line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = lines if key in MULTILINE else lines.replace("\n", " ")
    return lines.strip()[:MAX_FIELD_CHARACTERS].strip()


def as_text(value: Any) -> str:
    """A value of a decoded form as a user would have typed it."""
    if isinstance(value, list | tuple):
        return "; ".join(map(as_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def number_text(value: float) -> str:
    """A number as it is typed: thousands apart, no more places than it needs."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"


def _text_of(field: Column, value: Any) -> str:
    if field.name in _OBJECT_TEXTS:
        return _OBJECT_TEXTS[field.name](value or ())
    if value is None or isinstance(value, Mapping):
        return ""
    if field.kind in ("number", "count"):
        return number_text(value / DAYS_A_YEAR if field.name == "term_years" else value)
    if field.kind == "choice" and value not in field.choices:
        return ""
    return as_text(value)


def _names(name: str, default: str = "") -> Callable[[Any], str]:
    return lambda objects: "; ".join(str(item.get(name) or default) for item in objects)


def _lot_values(lots: Any) -> str:
    amounts = [form.value_at(lot, "/value/amount") for lot in lots]
    return "" if None in amounts else "; ".join(map(number_text, amounts))


_OBJECT_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "lots": lambda lots: str(len(lots) or ""),
    "lot_values": _lot_values,
    "advisers": _names("name"),
    "structure_changes": _names("touches"),
    "assurance_holds": _names("by", "not named"),
    "supplier": lambda suppliers: str(suppliers[0].get("name") or "") if suppliers else "",
}
"""Fields for which OCDS has objects where the user types words."""
