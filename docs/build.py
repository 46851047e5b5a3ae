"""Writes the pages that follow from the code: features.md from the catalogue, form.md from the form's fields.

    python docs/build.py

tests/test_docs.py checks that the pages are what this writes.
"""

from __future__ import annotations

from pathlib import Path

from features.catalogue import THEMES, catalogue
from tenders.form import FIELDS

HOME = Path(__file__).parent
DIRECTION = {1: "more never lowers the risk", -1: "more never raises the risk", 0: "the data decide"}


def features() -> str:
    """docs/features.md."""
    parts = [
        "# Features",
        f"{len(catalogue())} features. Each is one function in `features/<theme>.py`; None means unknown and is never "
        "turned into zero. The same list: `tender-risk features`.",
    ]
    for theme in THEMES:
        parts.append(f"## {theme.capitalize()}")
        for each in (f for f in catalogue().values() if f.theme == theme):
            rule = " ".join(each.doc.split())
            parts.append(
                f"### {each.name}\n\n*{each.label}*, {each.unit}, known at {each.stage}, from `{each.path}`; "
                f"{DIRECTION[each.direction]}.\n\n{rule}"
            )
    return "\n\n".join(parts) + "\n"


def form() -> str:
    """docs/form.md."""
    lines = [
        "# The flat form",
        "",
        "One key a fact, as JSON, YAML (one mapping) or CSV (one row a tender). Every key may be left out, empty or",
        "`unknown`. `tender-risk score FILE` and `POST /score` read it as they read OCDS; the path is where the",
        "fact goes.",
        "",
        "| key | what | kind | stage | OCDS path |",
        "|---|---|---|---|---|",
    ]
    for each in FIELDS:
        kind = " / ".join(f"`{choice}`" for choice in each.choices) or each.kind.replace("_", "/")
        unit = f", {each.unit}" if each.unit else ""
        note = f". {each.help}" if each.help and not each.choices else ""
        lines.append(f"| `{each.key}` | {each.label}{note} | {kind}{unit} | {each.stage} | `{each.path}` |")
    return "\n".join(lines) + "\n"


PAGES = {"features.md": features, "form.md": form}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HOME / name).write_text(page(), encoding="utf-8")
