"""One key of the flat form: what it is called, where its fact goes, and how an answer to it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tenders.columns import Column
from tenders.io.ocds import json_type
from tenders.memo import Memo
from tenders.tender import LARGEST

YES = frozenset({"yes", "y", "true", "1"})
NO = frozenset({"no", "n", "false", "0"})
_YES_OR_NO = YES | NO
UNKNOWN = frozenset({"", "unknown", "?", "null", "none given"})
LONGEST_UNKNOWN = max(map(len, UNKNOWN))
# Above the lots, bidders or services of any tender read so far.
MAX_COUNT = 10_000
# Made once: a table asks for every cell.
_PLAIN = (str, int, float)
# "1.234,50" is 1234.5 to half of Europe: a comma is read only where it can be nothing but a thousands mark.
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?$")


def parsed(field: Column, raw: Any) -> Any:
    """The value of one field, None if left unknown. Raises ValueError that says what was expected."""
    if raw is None or (isinstance(raw, str) and texted(raw) is None):
        return None
    if field.kind == "list":
        return _list(field, raw)
    if not isinstance(raw, _PLAIN):
        raise _wrong(f"expected {field.kind}", raw)
    if field.kind == "yes_no":
        word = str(raw).strip().lower()
        if word not in _YES_OR_NO:
            raise _wrong("expected yes or no", raw)
        return word in YES
    if field.kind in ("number", "count"):
        return _number(field, raw)
    return _chosen(field, str(raw).strip())


def texted(raw: str) -> str | None:
    """A text without the blanks around it; None if it is one of those that say nothing."""
    text = raw.strip()
    return None if len(text) <= LONGEST_UNKNOWN and text.lower() in UNKNOWN else text


WRONG = object()
"""What stands for a value that cannot be read."""


class CellReader(Memo[Any, Any]):
    """What the cells of one column say, by the cell: what repeats is read once. WRONG for a cell that is not `fine`.

    The cells are of one type, for 1, 1.0 and True are one key.
    """

    def __init__(self, field: Column, fine: Callable[[Column, Any], bool] | None = None) -> None:
        super().__init__(self.read)
        self.field, self._fine = field, fine

    def read(self, raw: Any) -> Any:
        """What a cell says, which may be none that can be a key."""
        try:
            value = parsed(self.field, raw)
        except ValueError:
            return WRONG
        return value if value is None or self._fine is None or self._fine(self.field, value) else WRONG


class Remembered:
    """Reads the rows of a table whose columns are these fields.

    Rows share the lists that are read, so no release may be changed.
    """

    def __init__(self, fields: Sequence[Column]) -> None:
        self._columns = [CellReader(field) for field in fields]

    def __call__(self, row: Sequence[Any]) -> dict[str, Any] | None:
        """The values of one row by key, without those left unknown; None if one of them cannot be read."""
        given = {}
        for column, raw in zip(self._columns, row, strict=False):
            try:
                value = column[raw]
            except TypeError:
                value = column.read(raw)
            if value is WRONG:
                return None
            if value is not None:
                given[column.field.name] = value
        return given


def _wrong(expected: str, raw: Any) -> ValueError:
    got = repr(raw)[:40] if isinstance(raw, str | int | float) else json_type(raw)
    return ValueError(f"{expected}, got {got}")


def _chosen(field: Column, text: str) -> str:
    if field.choices and text not in field.choices:
        raise ValueError(f"{text!r:.40} is none of {', '.join(field.choices)}")
    return text


def _list(field: Column, raw: Any) -> list[Any] | None:
    parts = raw if isinstance(raw, list | tuple) else [raw] if isinstance(raw, int | float) else str(raw).split(";")
    if nested := [part for part in parts if not isinstance(part, _PLAIN)]:
        raise _wrong("expected a list of plain values", nested[0])
    given = [part for part in parts if str(part).strip()]
    if not given:
        return None
    if field.unit == "money":
        return [_number(field, part) for part in given]
    return [_chosen(field, str(part).strip()) for part in given]


def _number(field: Column, raw: Any) -> float | int:
    if isinstance(raw, bool):
        raise _wrong("expected a number", raw)
    text = str(raw).replace("£", "").strip()
    if "," in text and not _THOUSANDS.match(text):
        raise _wrong("expected a number such as 1234.50 or 1,234.50", raw)
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        raise _wrong("expected a number", raw) from None
    if not 0 <= number <= LARGEST:
        raise _wrong("expected a number of at least 0", raw)
    if field.kind == "count":
        if number != int(number) or number > MAX_COUNT:
            raise _wrong(f"expected a whole number up to {MAX_COUNT}", raw)
        return int(number)
    return number
