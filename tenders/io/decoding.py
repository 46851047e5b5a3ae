"""Text to plain values: JSON, JSON lines, YAML and CSV, each bounded and each error with its place.

What the text means is not asked here; see `tenders.io.reading`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import msgspec
import yaml

from tenders.errors import DataError
from tenders.io import form

# A tender needs about ten levels; a hundred leaves room for fields that are not read.
MAX_DEPTH = 100

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def csv_rows(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV of forms, by column name.

    Raises DataError that names the row, also where no column is a key of the form.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = []
    try:
        if not reader.fieldnames or not set(reader.fieldnames) & set(form.BY_KEY):
            raise DataError.at("row 1", "no column is a key of the form", "See docs/form.md for the keys of the form")
        for number, row in enumerate(reader, start=2):
            if None in row:
                raise DataError.at(f"row {number}", "more cells than columns", "Quote the cells that hold commas")
            rows.append(row)
    except csv.Error as error:
        raise DataError.at(f"line {reader.line_num + 1}", f"not CSV: {error}") from None
    if not rows:
        raise DataError.at("row 2", "no row below the column names", "Give one row a tender")
    return rows


class _TextLoader(yaml.CSafeLoader):
    """Safe YAML in which a date stays the text it is, so that a wrong one is refused at its own place."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(text: str) -> Any:
    """The value of one YAML document. Raises DataError that names the line; aliases and tags are refused."""
    try:
        _check_yaml(text)
        return yaml.load(text, Loader=_TextLoader)  # noqa: S506 - it is a safe loader
    except DataError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise DataError.at("", f"not YAML: {str(error).splitlines()[0]}") from None


def _check_yaml(text: str) -> None:
    """Refuses what can grow when built: aliases (a few lines can mean billions of nodes), deep nesting and tags."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = f"line {event.start_mark.line + 1}" if event.start_mark else ""
        if isinstance(event, yaml.AliasEvent):
            raise DataError.at(line, "an alias", "Write the value out where it is meant")
        if tag := getattr(event, "tag", None):
            raise DataError.at(line, f"the tag {tag!r:.60}", "Give plain values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _too_deep()


def _too_deep() -> DataError:
    return DataError.at("", "nested too deeply", "A tender needs no more than a dozen levels")


def from_json(text: str) -> Any:
    """The value of a JSON text, or the list of the values of JSON lines. Raises DataError."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.DecodeError as error:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") for _, line in lines):
            return [_value(line, f"line {number}") for number, line in lines]
        return _with_wild_numbers(text, "", error)


def _value(text: str, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.DecodeError as error:
        return _with_wild_numbers(text, where, error)


def _with_wild_numbers(text: str, where: str, refused: msgspec.DecodeError) -> Any:
    """JSON that may hold 1e9999 or NaN, as Find a Tender's does: read, so that the check can name the place."""
    try:
        if _SURROGATE.search(text):
            raise ValueError("half a character")
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise DataError.at(where, f"not JSON: {refused}", "Check that it is whole") from None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else float(digits)
