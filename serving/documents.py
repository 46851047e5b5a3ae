"""The JSON schema of one tender as a request has it: the flat form, or an OCDS release, record or package.

It is narrower than what is read: the form takes numbers and dates in words as well, and fields that are not known are
named in a warning. What a program writes by it is read.
"""

from __future__ import annotations

from typing import Any

from tenders.codelists import CURRENCIES
from tenders.columns import Column
from tenders.io import form
from tenders.io.form import MAX_COUNT
from tenders.tender import LARGEST

LONGEST_TEXT, LONGEST_LIST = 2_000, 100
"""Characters and entries that a program may count on."""
DAY = "^20[0-3][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"
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
        "ocid": {"type": "string"},
        "tender": {
            "type": "object",
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
    "required": ["tender"],
}
PACKAGE: dict[str, Any] = {
    "title": "Package",
    "description": "A package of the releases of one process",
    "type": "object",
    "properties": {"releases": {"type": "array", "minItems": 1, "items": RELEASE}},
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
    return {"title": field.label, **schema}


FIELDS: dict[str, Any] = {field.name: field_schema(field) for field in form.FIELDS}
FACTS: dict[str, Any] = {
    "properties": {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in FIELDS.items()},
    "additionalProperties": False,
}
"""Facts of a tender by their keys in the flat form; null takes one away."""
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
