"""The form's values of a tender: what `tenders.io.form` writes, read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tenders.io import form
from tenders.io.fields import Field
from tenders.tender import Tender

MAX_ENTERED = 20_000
"""Characters of one field that a page repeats: as many as the longest description may have."""
AREAS = frozenset({"description", "no_lots_rationale", "risk_details"})
"""Fields in which a line break is kept."""


def filled(tender: Tender) -> dict[str, str]:
    """Every key of the form that a tender states, as a user would have typed it."""
    document = msgspec.to_builtins(tender)
    typed = ((field.key, tidy(field.key, _typed(field, at(document, field.path)))) for field in form.FIELDS)
    return {key: text for key, text in typed if text}


def tidy(key: str, text: str) -> str:
    """A field's text as a browser sends it back: line ends as one character, none where a field has one line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return (lines if key in AREAS else lines.replace("\n", " ")).strip()[:MAX_ENTERED].strip()


def typed(value: Any) -> str:
    """A value of a decoded form as a user would have typed it."""
    if isinstance(value, list | tuple):
        return "; ".join(typed(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def at(document: Any, path: str) -> Any:
    """What stands at a JSON path of names and 0; None if nothing does."""
    for step in path.strip("/").split("/"):
        if step == "0":
            document = document[0] if isinstance(document, list | tuple) and document else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _typed(field: Field, value: Any) -> str:
    if field.key in _READ:
        return _READ[field.key](value or ())
    if value is None or isinstance(value, Mapping):
        return ""
    if field.kind in ("number", "count"):
        return number(value / form.DAYS_A_YEAR if field.key == "term_years" else value)
    if field.kind == "choice" and value not in field.choices:
        return ""
    return typed(value)


def number(value: float) -> str:
    """A number as it is typed: thousands apart, no more places than it needs."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"


def _each(name: str, otherwise: str = "") -> Callable[[Any], str]:
    return lambda listed: "; ".join(str(each.get(name) or otherwise) for each in listed)


def _lot_values(lots: Any) -> str:
    amounts = [at(lot, "/value/amount") for lot in lots]
    return "" if None in amounts else "; ".join(number(amount) for amount in amounts)


_READ: Mapping[str, Callable[[Any], str]] = {
    "lots": lambda lots: str(len(lots) or ""),
    "lot_values": _lot_values,
    "advisers": _each("name"),
    "structure_changes": _each("touches"),
    "assurance_holds": _each("by", "not named"),
    "supplier": lambda suppliers: str(suppliers[0].get("name") or "") if suppliers else "",
}
"""Keys of which the form writes an object where the user gave a word."""
