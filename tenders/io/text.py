"""Text to plain values: JSON, JSON lines, YAML and CSV, each within bounds, and each error with its place.

`tenders.io.read` says what the values mean.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from tenders.errors import DataError
from tenders.io import form
from tenders.io.detection import is_json_lines, split_concatenated, table_kind
from tenders.io.flattened import FlatTable

# A tender needs about ten levels; a hundred leaves room for fields that are not read.
MAX_DEPTH = 100
_BLANKS = r"[\x00-\x20" + "\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]*"
FORMULA = r"^(?:[\t\n\r\x00]|" + _BLANKS + "[-=+@＝＋－＠﹦﹢﹣﹫])"
"""What a spreadsheet takes for the start of a formula, as a regular expression of Python and of Arrow.

Some pass over spaces, control characters and byte order marks, or read full-width signs as their narrow forms.
"""
_FORMULA = re.compile(FORMULA)

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """The value of a JSON text, or the list of the values of JSON lines or of documents one after the other.

    Raises DataError that names the line.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise too_deep() from None
    except msgspec.DecodeError as error:
        if is_json_lines(text):
            lines = enumerate(text.split("\n"), start=1)
            return [_parse_line(line, f"line {number}") for number, line in lines if line.strip()]
        parts = split_concatenated(text.encode("utf-8", "surrogatepass"))
        if len(parts) > 1:
            return list(_parse_parts([part.decode("utf-8", "surrogatepass") for part in parts]))
        return _parse_loosely(text, "", error)


def _parse_parts(parts: Sequence[str]) -> Iterator[Any]:
    """The values of documents that stand one after the other."""
    line = 1
    for part in parts:
        begin = line + part[: len(part) - len(part.lstrip())].count("\n")
        yield _parse_line(part, f"line {begin}")
        line += part.count("\n")


def _parse_line(text: str, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise too_deep() from None
    except msgspec.DecodeError as error:
        return _parse_loosely(text, where, error)


def _parse_loosely(text: str, where: str, error: msgspec.DecodeError) -> Any:
    """JSON that may hold 1e9999 or NaN, as Find a Tender's does: it is read, so that the check can name the place."""
    try:
        if _SURROGATE.search(text):
            raise ValueError("half a character")
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise DataError.at(where, f"not JSON: {error}", "Check that it is whole") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else float(digits)


def too_deep() -> DataError:
    """The refusal of JSON or YAML in which too much is within each other."""
    return DataError.at("", "nested too deeply", "A tender needs no more than a dozen levels")


def as_utf8(data: bytes) -> str:
    """The text in some bytes, without a byte order mark. Raises DataError that names the first wrong byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "Save the file as UTF-8; old exports are often ISO-8859-1"
        raise DataError.at("", f"byte {error.start} is not UTF-8", remedy) from None


class _TextLoader(yaml.CSafeLoader):
    """Safe YAML in which a date stays the text it is, so that a wrong one is refused at its own place, and so does a
    key: `no` and `2024` are names, as in JSON."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                key.tag = _TEXT
        return super().construct_mapping(node, deep)


_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"

_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """The value of one YAML document. Raises DataError that names the line; aliases and tags are refused."""
    try:
        _check_yaml(text)
        return yaml.load(text, Loader=_TextLoader)  # noqa: S506 - it is a safe loader
    except DataError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise DataError.at("", f"not YAML: {str(error).splitlines()[0]}") from None


def _check_yaml(text: str) -> None:
    """Refuses what can grow when it is built: aliases (a few lines can mean billions of nodes), depth and tags."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = f"line {event.start_mark.line + 1}" if event.start_mark else ""
        if isinstance(event, yaml.AliasEvent):
            raise DataError.at(line, "an alias", "Write the value out where it is meant")
        if tag := getattr(event, "tag", None):
            raise DataError.at(line, f"the tag {tag!r:.60}", "Give plain values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise too_deep()


def csv_rows(lines: Iterable[str]) -> Iterator[list[str] | str]:
    """The rows of a CSV, the column names first. A text in place of a row says what is wrong with it.

    A blank line is a row without cells, so that rows keep their numbers.
    """
    reader = csv.reader(lines)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"not CSV: {error}"


def flat_table(lines: Iterable[str], name: str) -> FlatTable | None:
    """A CSV as a table of flattened releases; None if it is something else. `name` is that of its file."""
    rows = csv_rows(lines)
    header = next(rows, [])
    names = [] if isinstance(header, str) else [column.strip() for column in header]
    if table_kind(names, form.BY_KEY.keys()) != "releases":
        return None
    unescaped = (row if isinstance(row, str) else [*map(unescape_formula, row)] for row in rows)
    return FlatTable(name.rpartition("/")[2].partition(".")[0], names, enumerate(unescaped, start=2))


def parse_csv(text: str) -> dict[int, dict[str, str]]:
    """The rows of a CSV of forms, each by column name, under their row numbers; the first below the names is row 2.

    Blank lines are left out. Raises DataError that names the row, also where no column is a key of the form.
    """
    rows = csv_rows(io.StringIO(text, newline=""))
    names = next(rows, [])
    if isinstance(names, str):
        raise DataError.at("row 1", names)
    names = [name.strip() for name in names]
    form.known_columns(names)
    forms: dict[int, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if isinstance(row, str):
            raise DataError.at(f"row {number}", row)
        if any(row[len(names) :]):
            problem = f"{len(row)} cells where there are {len(names)} columns"
            raise DataError.at(f"row {number}", problem, "Quote the cells that hold commas")
        if row:
            forms[number] = dict(zip(names, map(unescape_formula, row), strict=False))
    if not forms:
        raise DataError.at("row 2", "no row below the column names", "Give one row a tender")
    return forms


def to_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV below the names of the columns, formulas escaped."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: escape_formula(row.get(name, "")) for name in columns} for row in rows)
    return out.getvalue()


def escape_formula(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula, with an apostrophe before it that makes it plain text."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unescape_formula(text: str) -> str:
    """The text that `escape_formula` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
