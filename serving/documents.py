"""The JSON schema of one tender as a request has it: the flat form, or an OCDS release, record or package.

It is narrower than what is read: the form takes numbers and dates in words as well, and fields that are not known are
named in a warning. What a program writes by it is read.
"""

from __future__ import annotations

from typing import Any

from tenders.codelists import CURRENCIES
from tenders.columns import DAYS_A_YEAR, Column
from tenders.facts import STAGES
from tenders.io import form
from tenders.io.checks import MAX_LOTS
from tenders.io.form import MAX_COUNT
from tenders.tender import LARGEST

LONGEST_TEXT, LONGEST_LIST = 2_000, 100
"""Characters and entries that a program may count on."""
VISIBLE = r"\S"
"""A text that holds more than blanks, which would mean unknown."""
_DAYS = "(19[89]|20[0-6])[0-9]-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
DAY, MOMENT = (
    f"^{_DAYS}$",
    rf"^{_DAYS}(T([01][0-9]|2[0-3])(:[0-5][0-9]){{2}}(\.[0-9]{{1,6}})?(Z|[+-][01][0-9]:[0-5][0-9]))?$",
)
"""Days that exist, but for 29 February, which a pattern cannot know; and days with or without a time."""
MAXIMUM = {"years": float(int(LARGEST / DAYS_A_YEAR)), "ratio": 1e6}
"""The largest number of a unit, where it is not that of all: terms are kept in days, and `tenders.facts` has the
ratio's."""
MINIMUM = {"service_lines": 1}
PARTS: dict[str, dict[str, Any]] = {
    "date": {"type": "string", "pattern": DAY, "examples": ["2026-03-01"]},
    "yes_no": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
    "number": {"type": "number", "minimum": 0, "maximum": LARGEST},
    "text": {"type": "string", "maxLength": LONGEST_TEXT},
}
RELEASE: dict[str, Any] = {
    "title": "Release",
    "description": "An OCDS release",
    "type": "object",
    "properties": {
        "ocid": {"type": "string", "pattern": VISIBLE, "maxLength": LONGEST_TEXT, "examples": ["ocds-b5fd17-1"]},
        "date": {"type": "string", "pattern": MOMENT, "examples": ["2026-03-01T09:00:00Z"]},
        "tender": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "title": PARTS["text"],
                "description": PARTS["text"],
                "value": {
                    "type": "object",
                    "properties": {"amount": PARTS["number"], "currency": {"enum": sorted(CURRENCIES)}},
                },
            },
        },
    },
    "required": ["ocid", "tender"],
}
PACKAGE: dict[str, Any] = {
    "title": "Package",
    "description": "A package of the releases of one process: all have the same ocid",
    "type": "object",
    "properties": {
        "releases": {
            "type": "array",
            "minItems": 1,
            "maxItems": LONGEST_LIST,
            "items": {**RELEASE, "title": "DatedRelease", "required": ["ocid", "date", "tender"]},
        }
    },
    "required": ["releases"],
}
RECORD: dict[str, Any] = {
    "title": "Record",
    "description": "An OCDS record",
    "type": "object",
    "properties": {"compiledRelease": RELEASE},
    "required": ["compiledRelease"],
}


def field_schema(field: Column) -> dict[str, Any]:
    """The schema of one field of the flat form."""
    if field.name == "currency":
        schema: dict[str, Any] = {"enum": sorted(CURRENCIES)}
    elif field.name == "cpv":
        schema = {"type": "string", "pattern": "^[0-9]{8}$", "examples": ["85141200"]}
    elif field.kind == "list":
        items = {"enum": list(field.choices)} if field.choices else PARTS["number" if field.unit == "money" else "text"]
        schema = {"type": "array", "items": items, "maxItems": LONGEST_LIST}
    elif field.choices:
        schema = {"enum": list(field.choices)}
    else:
        schema = dict(PARTS[field.kind if field.kind in PARTS else "text"])
    if field.name == "lots":
        schema["maximum"] = MAX_LOTS
    if field.unit in MAXIMUM:
        schema["maximum"] = MAXIMUM[field.unit]
    if field.name in MINIMUM:
        schema["minimum"] = MINIMUM[field.name]
    known = f"Known from {field.stage} on." if field.stage != STAGES[0] else ""
    # The help of lists says how to write one in a cell.
    help_text = {"lot_values": "As many as there are lots."}.get(field.name, "") if field.kind == "list" else field.help
    description = " ".join(filter(None, (help_text, known)))
    return {"title": field.label, **({"description": description} if description else {}), **schema}


def fact_schema(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """The schema of what one field is set to: a value that is stated, or null."""
    stated = dict(field)
    if field.get("type") == "array":
        items = field["items"]
        stated |= {"minItems": 1, "items": {**items, "pattern": VISIBLE} if items.get("type") == "string" else items}
    elif field.get("type") == "string":
        stated.setdefault("pattern", VISIBLE)
    elif name == "lots":
        stated["minimum"] = 1
    return {"anyOf": [stated, {"type": "null"}]}


FIELDS: dict[str, Any] = {field.name: field_schema(field) for field in form.FIELDS}
FACTS: dict[str, Any] = {
    "properties": {name: fact_schema(name, schema) for name, schema in FIELDS.items()},
    "additionalProperties": False,
}
"""Facts of a tender by their keys in the flat form; null takes one away. Those that are known later than the stage at
which a tender is scored cannot be set; the description of each says when it is known."""
FORM: dict[str, Any] = {
    "title": "Form",
    "description": "The flat form, docs/form.md",
    "type": "object",
    "properties": FIELDS,
    "additionalProperties": False,
    "minProperties": 1,
}
DOCUMENT: dict[str, Any] = {"anyOf": [FORM, RELEASE, PACKAGE, RECORD]}
"""One tender."""
ENTRY: dict[str, Any] = {
    "title": "Entry",
    "description": "One of many tenders: a document, or an object as for /score",
    "type": "object",
    "anyOf": [
        *DOCUMENT["anyOf"],
        {
            "type": "object",
            "properties": {
                "tender": DOCUMENT,
                "stage": {"anyOf": [{"enum": list(STAGES)}, {"type": "null"}]},
                "explain": {"type": "boolean"},
            },
            "required": ["tender"],
        },
    ],
}
"""One of many tenders."""
