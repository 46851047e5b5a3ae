"""Writes the pages that follow from the code: features.md from the catalogue, form.md from the form's fields, signs.md
from the register of warning signs and their records in the casebook.

    python docs/build.py

tests/test_docs.py checks that the pages are what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from features.catalogue import THEMES, Feature, catalogue
from models.signs.judging import CAVEAT
from models.signs.record import Record, records
from models.signs.register import Sign, register
from tenders.io.form import FIELDS

HOME = Path(__file__).parent
DIRECTION = {1: "more never lowers the risk", -1: "more never raises the risk", 0: "the data decide"}


def features() -> str:
    """docs/features.md."""
    parts = [
        "# Features",
        f"{len(catalogue())} features. Each is one function in `features/<theme>.py`; None means unknown and is never "
        "turned into zero. The same list: `tender-risk features`. Those that are read from a register's records, one a "
        "key and span, stand [at the end](#families), a family at a time "
        "(`features/track_records/register_catalogue.py`).",
    ]
    for theme in THEMES:
        parts.append(f"## {theme.capitalize()}")
        for each in (f for f in catalogue().values() if f.theme == theme and not f.family):
            rule = " ".join(each.doc.split())
            parts.append(
                f"### {each.name}\n\n*{each.label}*, {each.unit}, known at {each.stage}, from `{each.path}`; "
                f"{DIRECTION[each.direction]}.\n\n{rule}"
            )
    parts += ["## Families", *_families()]
    return "\n\n".join(parts) + "\n"


def _families() -> Iterator[str]:
    """What is read from a register's records: the rule of each family, and the features it has."""
    members: dict[str, list[Feature]] = {}
    for each in catalogue().values():
        if each.family:
            members.setdefault(each.family, []).append(each)
    for family, found in members.items():
        rules = dict.fromkeys(" ".join(each.doc.split()) for each in found)
        names = ", ".join(f"`{each.name}`" for each in found)
        yield f"### Family {family}\n\n{found[0].unit}, known at draft. {' '.join(rules)}\n\n{names}"


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


def signs() -> str:
    """docs/signs.md."""
    parts = [
        "# Warning signs",
        f"{len(register())} signs that people who looked into failures wrote down, each a rule in `models/signs/` with "
        "its source: shown, not shown, or not to be judged from what the tender states. `score` lists them beside the "
        "probability; none is part of it.",
        "The records say how each did in the casebook: failed / all, among the cohort cases that show it and among "
        "those that do not, judged by the same rule at the stage named. The difference is in percentage points with "
        "its 95 % interval (Newcombe's, on Wilson's). Cases of one programme and buyer share their fate, so they count "
        "as Kish's effective number; *events* says how many programmes and buyers they are. Left out are picked cases, "
        "those too recent to tell, and those without any bid, which fail by definition.",
        CAVEAT,
        "| sign | with it | without it | events | difference | verdict |\n|---|---|---|---|---|---|\n"
        + "\n".join(_record_row(each, records()[each.name]) for each in register().values()),
    ]
    parts += [_sign(each) for each in register().values()]
    return "\n\n".join(parts) + "\n"


def _record_row(sign: Sign, found: Record) -> str:
    span = ""
    if found.difference is not None and found.interval is not None:
        low, high = found.interval
        span = f"{100 * found.difference:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"
    sides = (f"{failed} / {cases}" for failed, cases in (found.with_, found.without))
    events = f"{found.events[0]}, {found.events[1]}"
    return f"| [{sign.title}](#{sign.name}) | {' | '.join(sides)} | {events} | {span} | {found.verdict} |"


def _sign(sign: Sign) -> str:
    place = f"from `{sign.path}`" if sign.path else "told by no field of a notice"
    counted = f", counted at {sign.counted_at}" if sign.counted_at != sign.stage else ""
    return (
        f"## {sign.name}\n\n*{sign.title}*, known at {sign.stage}{counted}, {place}; seen with {sign.seen_with}.\n\n"
        f"{sign.doc}\n\n- Shown: {sign.says}\n- Not shown: {sign.says_not}\n- Source: {sign.source}."
    )


PAGES = {"features.md": features, "form.md": form, "signs.md": signs}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HOME / name).write_text(page(), encoding="utf-8")
