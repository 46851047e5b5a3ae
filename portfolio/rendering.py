"""Templates to HTML, and the numbers in them as people read them.

Every value is escaped, and a name that a template needs and does not get is an error.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """A template of this package with its content, every value escaped."""
    return _own_templates().get_template(template).render(content)


def read_asset(name: str) -> str:
    """A file beside the templates, such as a style sheet."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _own_templates() -> jinja2.Environment:
    return environment(TEMPLATES)


def environment(*folders: Path) -> jinja2.Environment:
    """A template environment for these folders, with the filters below."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (percent, exact, chance, points, plain, pounds):
        templates.filters[function.__name__] = function
    return templates


def percent(share: float) -> str:
    """0.314 as "31%"; never 0% or 100%, which no model can know."""
    rounded = round(share * 100)
    if rounded < 1:
        return "under 1%"
    return "over 99%" if rounded > 99 else f"{rounded}%"


def exact(share: float) -> str:
    """0.3141 as "31.4%", for scores that stand beside each other."""
    return f"{share:.1%}"


def chance(share: float | None) -> str:
    """A probability, or "no" and "yes" where it is exactly 0 or 1: then the outcome is known already."""
    known = {None: "unknown", 0.0: "no", 1.0: "yes"}
    return known[share] if share in known else percent(share or 0.0)


def points(difference: float) -> str:
    """0.0123 as "+1.2", in percentage points."""
    shown = f"{abs(difference) * 100:.1f}"
    sign = "" if shown == "0.0" else "+" if difference > 0 else "−"
    return f"{sign}{shown}"


def plain(code: str) -> str:
    """A codelist's word as people write it."""
    return WORDS.get(code, code.replace("_", " "))


WORDS = {"bids_in": "bids counted", "no_award": "no contract", "early_end": "ends early"}
"""Words for the codes that people do not know."""


def pounds(amount: float | None) -> str:
    """1234567.0 as "£1.2m"; None as "unknown"."""
    if amount is None:
        return "unknown"
    for unit, name in ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k")):
        # What would be rounded up to 1,000 of a unit is 1 of the next.
        if abs(amount) >= unit * 0.9995:
            return f"£{amount / unit:,.1f}{name}"
    return f"£{amount:,.0f}"
