"""Writes the pages that follow from the code.

features.md comes from the catalogue, form.md from the form's fields, columns.md from the columns of a portfolio's
outputs, factors.md from the documented factors and their records in the casebook.

    python docs/build.py

tests/test_docs.py checks that the pages are what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from features.catalogue import catalogue, factor_features
from features.feature import THEMES, FactorSpec, Feature
from features.track_records.register_features import MEASURES
from models.factor_records import FactorRecord, factor_records
from models.factors import CAVEAT
from portfolio.columns import JOINT, OUTPUT_COLUMNS
from portfolio.output import OutputColumn
from portfolio.worklist import WORKLIST_COLUMNS
from tenders.io.form import FIELDS

HOME = Path(__file__).parent
DIRECTION = {1: "more never lowers the risk", -1: "more never raises the risk", 0: "the data decide"}


def features() -> str:
    """docs/features.md."""
    parts = [
        "# Features",
        f"{len(catalogue())} features. Each is one function in `features/<theme>.py`: a table of tenders in, a number "
        "for each tender out. NaN means unknown and is never turned into zero. The same list: `tender-risk features`. "
        "What is measured of a register's earlier cases under a key stands [at the end](#cases-under-a-key), all keys "
        "of a measure together.",
        "A documented factor says so and links to its sources and its record in the casebook. If it is a factor only, "
        "no model weighs it. Which features a model weighs stands in its bundle's manifest.",
    ]
    of_keys = {measure.feature_name(key) for measure in MEASURES for key in measure.keys}
    for theme in THEMES:
        parts.append(f"## {theme.capitalize()}")
        parts += [
            f"### {feature.name}\n\n*{feature.label}*, {_facts(feature)}.\n\n{_rule(feature)}"
            for feature in catalogue().values()
            if feature.theme == theme and feature.name not in of_keys
        ]
    parts += ["## Cases under a key", *_measures_of_keys()]
    return "\n\n".join(parts) + "\n"


def _measures_of_keys() -> Iterator[str]:
    """What is measured of a register's earlier cases under a key: the rule of each measure, and its keys."""
    for measure in MEASURES:
        keys = ", ".join(f"`{'_'.join(key)}`" for key in measure.keys)
        yield (
            f"### {measure.name}\n\n{measure.unit}, known at draft; {DIRECTION[measure.direction]}.\n\n"
            f"{measure.doc}\n\nKeys: {keys}."
        )


def _facts(feature: Feature) -> str:
    """Unit, stage, path, direction, and whether it is a factor, in one line."""
    place = f"from `{feature.path}`" if feature.path else "told by no field of a notice"
    effect = DIRECTION[feature.direction] if feature.trained else ""
    link = f"[documented factor](factors.md#{feature.name})" if feature.factor else ""
    known = f"{feature.unit}, known at {feature.stage}, {place}"
    return "; ".join(filter(None, (known, effect, link if feature.trained else f"{link} only")))


def _rule(feature: Feature) -> str:
    return " ".join(feature.doc.split())


def form() -> str:
    """docs/form.md."""
    lines = [
        "# The flat form",
        "",
        "One key a fact, as JSON, YAML (one mapping) or CSV (one row a tender). Every key may be left out, empty or",
        "`unknown`. `tender-risk score FILE` and `POST /score` read it as they read OCDS; the path is where the",
        "fact goes.",
        "",
        "Values are read as people write them: `£120m`, `120m` or `1.2 billion`; `8 years`, `18 months` or `6 weeks`;",
        "`11/01/2027` or `11 January 2027`, the day first; what is bought as a CPV code or by the name of one.",
        "",
        "| key | what | kind | stage | OCDS path |",
        "|---|---|---|---|---|",
    ]
    for field in FIELDS:
        kind = " / ".join(f"`{choice}`" for choice in field.choices) or field.kind.replace("_", "/")
        unit = f", {field.unit}" if field.unit else ""
        note = f". {field.help}" if field.help and not field.choices else ""
        lines.append(f"| `{field.name}` | {field.label}{note} | {kind}{unit} | {field.stage} | `{field.path}` |")
    return "\n".join(lines) + "\n"


def factors() -> str:
    """docs/factors.md."""
    parts = [
        "# Documented factors",
        f"{len(factor_features())} factors that people who looked into failures wrote down. Each is a "
        "[feature](features.md) with its rule and its sources. A tender shows a factor, or it is absent, or unknown "
        "because the tender does not state the fact. `score --explain` lists them beside the probability.",
        "The record of a factor says how the casebook's cohort cases ended, measured by the same rule at the stage "
        "named: failed / all, with the factor and without it. The difference is in percentage points with its 95 % "
        "interval (Newcombe's, on Wilson's). Cases of one programme or buyer share their outcome, so they count as "
        "Kish's effective number; *events* says how many programmes and buyers they are. Left out are picked cases, "
        "cases too recent to tell, and cases without any bid, which fail by definition.",
        CAVEAT,
        "| factor | with it | without it | events | difference | verdict |\n|---|---|---|---|---|---|\n"
        + "\n".join(_record_row(feature, factor_records()[feature.name]) for feature, _ in factor_features()),
    ]
    parts += [_factor(feature, spec) for feature, spec in factor_features()]
    return "\n\n".join(parts) + "\n"


def _record_row(feature: Feature, record: FactorRecord) -> str:
    span = ""
    if record.difference is not None and record.interval is not None:
        low, high = record.interval
        span = f"{100 * record.difference:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"
    sides = (f"{failed} / {cases}" for failed, cases in (record.with_, record.without))
    events = f"{record.events[0]}, {record.events[1]}"
    return f"| [{feature.label}](#{feature.name}) | {' | '.join(sides)} | {events} | {span} | {record.verdict} |"


def _factor(feature: Feature, spec: FactorSpec) -> str:
    place = f"from `{feature.path}`" if feature.path else "told by no field of a notice"
    counted = f", counted at {spec.counted_at}" if spec.counted_at else ""
    return (
        f"## {feature.name}\n\n*{feature.label}*, known at {feature.stage}{counted}, {place}; "
        f"seen with {spec.seen_with}.\n\n{_rule(feature)}\n\n- Shown: {feature.says}\n- Absent: {feature.says_not}\n"
        f"- Sources: {'; '.join(spec.sources)}."
    )


def columns() -> str:
    """docs/columns.md."""
    parts = [
        "# Columns of a portfolio's outputs",
        "What `tender-risk portfolio IN OUT` writes ([portfolio.md](portfolio.md)), whatever the format. Lists are "
        f"joined by `{JOINT}`. Empty means unknown: it is never 0.",
        "## OUT",
        _columns_table(OUTPUT_COLUMNS),
        "## The worklist",
        "These columns, then those of `OUT` ([worklist.md](worklist.md)).",
        _columns_table(WORKLIST_COLUMNS),
    ]
    return "\n\n".join(parts) + "\n"


def _columns_table(columns: Sequence[OutputColumn[Any]]) -> str:
    rows = [f"| `{column.name}` | {column.description} | {column.type} |" for column in columns]
    return "\n".join(["| column | what it says | type |", "|---|---|---|", *rows])


PAGES = {"features.md": features, "form.md": form, "columns.md": columns, "factors.md": factors}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HOME / name).write_text(page(), encoding="utf-8")
