"""Templates to text: everything escaped, and a name that a template needs and does not get is an error."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, **content: Any) -> str:
    """A template of this package with its content, every value escaped."""
    return _own().get_template(template).render(content)


def text(name: str) -> str:
    """A file beside the templates, such as a style sheet."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _own() -> jinja2.Environment:
    return environment(TEMPLATES)


def environment(*folders: Path) -> jinja2.Environment:
    """How the templates of these folders are read, with the filters for probabilities."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = percent
    made.filters["exact"] = exact
    made.filters["chance"] = chance
    made.filters["points"] = points
    made.filters["plain"] = plain
    return made


def percent(share: float) -> str:
    """0.314 as "31%"; never 0% or 100%, which no model can know."""
    rounded = round(share * 100)
    if rounded < 1:
        return "under 1%"
    return "over 99%" if rounded > 99 else f"{rounded}%"


def exact(share: float) -> str:
    """0.3141 as "31.4%": where scores stand beside each other."""
    return f"{share:.1%}"


def chance(share: float | None) -> str:
    """A part of a score. Exactly 0 or 1 is no prediction any more: the bids are counted, or there is an award."""
    known = {None: "unknown", 0.0: "no", 1.0: "yes"}
    return known[share] if share in known else percent(share or 0.0)


def points(difference: float) -> str:
    """0.0123 as "+1.2", in percentage points."""
    shown = f"{abs(difference) * 100:.1f}"
    sign = "" if shown == "0.0" else "+" if difference > 0 else "−"
    return f"{sign}{shown}"


def plain(code: str) -> str:
    """A codelist's word as people write it."""
    return code.replace("_", " ")
