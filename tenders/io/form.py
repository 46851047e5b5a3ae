"""The flat form: one short key a fact, as in the web form, in JSON, YAML and tables.

Its fields are columns (`tenders.columns`), which say where each fact lives in a release. So a form goes through the
same door as OCDS, and a reason can name the key that the user filled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tenders import cpv, dates
from tenders.codelists import CURRENCIES
from tenders.column_readers import DEFAULT_CURRENCY
from tenders.columns import FORM, Column
from tenders.errors import DataError, Problem
from tenders.io.amounts import parse_amount, parse_date, parse_length
from tenders.io.ocds import json_type
from tenders.memo import Memo
from tenders.own_columns import is_of_own_history
from tenders.tender import LARGEST

FIELDS = FORM
"""The fields of the form, in its order."""
BY_KEY = {field.name: field for field in FIELDS}

YES = frozenset({"yes", "y", "true", "1"})
NO = frozenset({"no", "n", "false", "0"})
_YES_OR_NO = YES | NO
UNKNOWN = frozenset({"", "unknown", "?", "null", "none given"})
LONGEST_UNKNOWN = max(map(len, UNKNOWN))
# Above the lots, bidders or services of any tender read so far.
MAX_COUNT = 10_000
UNREADABLE = object()
"""Stands for the value of a cell that cannot be parsed."""

# Made once: a table asks for every cell.
_PLAIN = (str, int, float)
# "1.234,50" is 1234.5 to half of Europe: a comma is read only where it can be nothing but a thousands mark.
_ISO_DATE = re.compile(r"\d{4}")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?$")


def to_release(form: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The form as an OCDS release, and the paths of the keys that it does not know.

    Beside its keys it may hold the ocid of a history of one's own, whose models then score it, and the cells of columns
    that this history declares (`tenders.own_columns`), such as `tenderRisk/own/urgency`.

    Raises DataError with one problem for each key whose value cannot be read.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for field in [field for field in FIELDS if field.name in form]:
        try:
            value = parse_field(field, form[field.name])
        except ValueError as error:
            problems.append(Problem(path=f"/{field.name}", problem=str(error), remedy=field.help))
            continue
        if value is not None and (wrong := _invalid(field, value)):
            problems.append(Problem(path=f"/{field.name}", problem=wrong))
        elif value is not None:
            values[field.name] = value
    if mismatch := _lots_mismatch(values):
        problems.append(mismatch)
    if problems:
        raise DataError(problems)
    release = _place(values)
    own = {str(key): value for key, value in form.items() if is_of_own_history(f"/{key}", value)}
    for key, value in own.items():
        if key == "ocid":
            release["ocid"] = value
        else:
            put(release, f"/{key}", value)
    return release, [f"/{str(key)[:80]}" for key in form if key not in BY_KEY and key not in own]


def release_of_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The OCDS release of parsed values by key, none of them None. Raises DataError as `to_release` does."""
    if mismatch := _lots_mismatch(values):
        raise DataError(mismatch)
    return _place(values)


def _invalid(field: Column, value: Any) -> str | None:
    """What makes a parsed value one that no release may hold: so that all that is wrong is said at once."""
    if field.kind == "date":
        return dates.problem(value)
    if field.name == "currency" and value not in CURRENCIES:
        return f"{value!r:.40} is no currency code of ISO 4217, such as GBP"
    return "expected at least 1 service" if field.name == "service_lines" and value < 1 else None


def _lots_mismatch(values: Mapping[str, Any]) -> Problem | None:
    lots, lot_values = values.get("lots"), values.get("lot_values")
    if lots and lot_values and lots != len(lot_values):
        return Problem(path="/lot_values", problem=f"{len(lot_values)} values for {lots} lots")
    return None


def _place(values: Mapping[str, Any]) -> dict[str, Any]:
    release: dict[str, Any] = {"tender": {}}
    for field in [field for field in FIELDS if field.name in values]:
        put(release, field.path, field.write(values[field.name]))
    for part in (release["tender"], *release["tender"].get("lots", ()), *release.get("awards", ())):
        if "amount" in part.get("value", ()):
            part["value"].setdefault("currency", values.get("currency", DEFAULT_CURRENCY))
    return release


def parse_field(field: Column, raw: Any) -> Any:
    """The value of one field, None if left unknown. Raises ValueError that says what was expected."""
    if raw is None or (isinstance(raw, str) and clean_text(raw) is None):
        return None
    if field.kind == "list":
        return _parse_list(field, raw)
    if not isinstance(raw, _PLAIN):
        raise _unexpected(f"expected {field.kind}", raw)
    if field.kind == "yes_no":
        word = str(raw).strip().lower()
        if word not in _YES_OR_NO:
            raise _unexpected("expected yes or no", raw)
        return word in YES
    if field.kind in ("number", "count"):
        return _parse_number(field, raw)
    return _parse_text(field, str(raw).strip())


def _parse_text(field: Column, text: str) -> str:
    """A text, a choice, or a date; of what is bought the code, if it is given by its name."""
    if field.kind == "date":
        return text if _ISO_DATE.match(text) else parse_date(text) or text
    if field.name == "cpv":
        return text if cpv.is_code(text) else cpv.code_named(text) or text
    return _check_choice(field, text)


def clean_text(raw: str) -> str | None:
    """A text without the blanks around it; None if it is one of the words for unknown."""
    text = raw.strip()
    return None if len(text) <= LONGEST_UNKNOWN and text.lower() in UNKNOWN else text


def _parse_list(field: Column, raw: Any) -> list[Any] | None:
    parts = raw if isinstance(raw, list | tuple) else [raw] if isinstance(raw, int | float) else str(raw).split(";")
    if nested := [part for part in parts if not isinstance(part, _PLAIN)]:
        raise _unexpected("expected a list of plain values", nested[0])
    stated = [part for part in parts if str(part).strip()]
    if not stated:
        return None
    if field.unit == "money":
        return [_parse_number(field, part) for part in stated]
    return [_check_choice(field, str(part).strip()) for part in stated]


def _parse_number(field: Column, raw: Any) -> float | int:
    if isinstance(raw, bool):
        raise _unexpected("expected a number", raw)
    text = str(raw).replace("£", "").strip()
    if "," in text and not _THOUSANDS.match(text):
        number = _number_in_words(field, text, raw)
    else:
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            number = _number_in_words(field, text, raw)
    if not 0 <= number <= LARGEST:
        raise _unexpected("expected a number of at least 0" if number < 0 else "this is more than any tender has", raw)
    if field.kind == "count":
        if number != int(number) or number > MAX_COUNT:
            raise _unexpected(f"expected a whole number up to {MAX_COUNT}", raw)
        return int(number)
    return number


def _number_in_words(field: Column, text: str, raw: Any) -> float:
    """A number as people write it: `120m` of money, `8 years` of a term."""
    number = parse_amount(text) if field.unit == "money" else None
    if field.unit in ("days", "years"):
        number = parse_length(text, field.unit)
    if number is None:
        raise _unexpected(f"expected {EXPECTED.get(field.unit, 'a number')}", raw)
    return number


EXPECTED = {
    "money": "an amount in pounds, such as 1,200,000 or £1.2m",
    "days": "a number of days, such as 30 or 6 weeks",
    "years": "a number of years, such as 5 or 18 months",
    "ratio": "a number, such as 0.95",
}
"""What a number may look like, by its unit."""


def _check_choice(field: Column, text: str) -> str:
    if field.choices and text not in field.choices:
        raise ValueError(f"{text!r:.40} is none of {', '.join(field.choices)}")
    return text


def _unexpected(expected: str, raw: Any) -> ValueError:
    got = repr(raw)[:40] if isinstance(raw, str | int | float) else json_type(raw)
    return ValueError(f"{expected}, got {got}")


class CellReader(Memo[Any, Any]):
    """The parsed values of the cells of one column, by the cell: equal cells are parsed once.

    UNREADABLE stands for a cell that cannot be parsed, or whose value is not `valid`.

    The cells must be of one type, because 1, 1.0 and True are one key.
    """

    def __init__(self, field: Column, valid: Callable[[Column, Any], bool] | None = None) -> None:
        super().__init__(self.parse)
        self.field, self._valid = field, valid

    def parse(self, raw: Any) -> Any:
        """The value of a cell that may be no key of a dictionary."""
        try:
            value = parse_field(self.field, raw)
        except ValueError:
            return UNREADABLE
        return value if value is None or self._valid is None or self._valid(self.field, value) else UNREADABLE


class RowReader:
    """Parses the rows of a table whose columns are these fields.

    Rows share the lists that are parsed, so no release may be changed.
    """

    def __init__(self, fields: Sequence[Column]) -> None:
        self._columns = [CellReader(field) for field in fields]

    def __call__(self, row: Sequence[Any]) -> dict[str, Any] | None:
        """The values of one row by key, without those left unknown; None if one of them cannot be parsed."""
        values = {}
        for column, raw in zip(self._columns, row, strict=False):
            try:
                value = column[raw]
            except TypeError:
                value = column.parse(raw)
            if value is UNREADABLE:
                return None
            if value is not None:
                values[column.field.name] = value
        return values


REMEDY = "See docs/form.md for the keys of the form, or give OCDS with headings such as tender/value/amount"
NAMES_ONLY = frozenset({"title", "description", "region", "currency", "category", "procurement_method_details"})
"""Keys that many tables have which are not of tenders, such as documentation and code lists."""


def known_columns(names: Sequence[str], remedy: str = REMEDY) -> list[str]:
    """The columns of a table that are keys of the form.

    Raises DataError if there are none, if they are only such as any table has, or if one occurs twice.

    `remedy` is what to do if there are none.
    """
    known = [name for name in names if name in BY_KEY]
    if not known:
        raise DataError.at("row 1", "no column is a key of the form", remedy)
    if not are_of_form(known, len([name for name in names if name])):
        problem = f"of {len(names)} columns only {' and '.join(known)} {'is a key' if len(known) == 1 else 'are keys'}"
        raise DataError.at("row 1", f"{problem} of the form, which say nothing that a model weighs", remedy)
    if repeated := [name for name in known if known.count(name) > 1]:
        raise DataError.at("row 1", f"two columns are called {repeated[0]}", "Keep the one that is meant")
    return known


def are_of_form(known: Collection[str], count: int) -> bool:
    """Whether keys of the form, among `count` names, show that it is a form: one is a fact, or half are keys."""
    return 2 * len(known) >= count or not NAMES_ONLY.issuperset(known)


def key_of(path: str, filled: Collection[str] = ()) -> str:
    """The form's key for an OCDS path, as a JSON path into the form; the path itself if there is none.

    What several keys fill is named by one of them that is among the `filled` ones: an object such as a period by its
    number, which stands over its days.
    """
    filling = [f for f in FIELDS if f.name in filled and f"{f.path}/".startswith(f"{path}/")]
    if filling:
        return f"/{min(filling, key=lambda f: f.kind != 'number').name}"
    if path.startswith("/tender/lots/"):
        return "/lot_values"
    above = [f for f in FIELDS if path == f.path or path.startswith(f"{f.path}/")]
    return f"/{max(above, key=lambda f: len(f.path)).name}" if above else path


def put(target: Any, path: str, value: Any) -> None:
    """Sets `value` at a JSON path of names and 0, making the objects and arrays on the way."""
    parents, last = _steps(path)
    for name, empty in parents:
        if name == "0":
            target[:] = target or [empty()]
            target = target[0]
        else:
            target = target.setdefault(name, empty())
    target[last] = value


def value_at(document: Any, path: str) -> Any:
    """The value at a JSON path of names and 0; None if there is none."""
    for step in path.strip("/").split("/"):
        if step == "0":
            document = document[0] if isinstance(document, list | tuple) and document else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[tuple[str, type], ...], str]:
    """The names on the way to a place, each with the type to make there if there is nothing, and the last name."""
    *parents, last = path.strip("/").split("/")
    types = tuple(list if name == "0" else dict for name in [*parents[1:], last])
    return tuple(zip(parents, types, strict=True)), last
