"""Columns of a history of one's own for which OCDS has no field, and which its mapping declares to be features.

Their cells stand in a release at `/tenderRisk/own/<name>`. A bundle that learnt from them holds the declarations.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from tenders.facts import Stage
from tenders.tender import Tender

PLACE = "/tenderRisk/own"
OCIDS = "own-"
"""How the ocids of such a history begin."""
THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
PREFIX = "own_"
"""How the names of features begin that come from declared columns."""
FEWEST_OF_A_CATEGORY = 20
"""Cases below which a category counts as unknown: a model could only learn their names."""
MOST_CATEGORIES = 200
TELLING, SPREADS = 0.10, 4.0
"""A column's filling tells the outcome if the shares filled with it and without differ by so much, and by so many
standard errors."""

Cell = str | float | bool
Cells = Mapping[str, Cell]


class OwnColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a mapping declares of a column: its kind, its heading in the table, what people call it, and the stage from
    which on its cells are known.

    `categories` are those of the kind `category`, in their order. Training fills them in where the mapping leaves them
    out. Any other is unknown.
    """

    kind: Literal["number", "category", "text"]
    column: str
    label: str = ""
    stage: Stage = "draft"
    categories: tuple[str, ...] = ()

    def number(self, cell: Cell | None) -> float | None:
        """A cell as a model reads it: a number, or the place of its category; None for unknown."""
        if cell is None:
            return None
        if self.kind == "category":
            text = own_text(cell)
            return float(self.categories.index(text)) if text in self.categories else None
        try:
            number = float(cell)
        except ValueError:
            return None
        return number if math.isfinite(number) else None


def is_of_own_history(path: str, value: object) -> bool:
    """Whether a member of a form that is no key of it is the ocid of a history of one's own, or a declared cell."""
    if path == "/ocid":
        return isinstance(value, str) and value.startswith(OCIDS)
    return path.startswith(f"{PLACE}/") and value is not None and value != ""


def parse_number(text: str) -> float:
    """A number in the cell of a table, also with commas at its thousands. Raises ValueError if it is none."""
    try:
        number = float(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected a number, got {text[:40]!r}")
    return number


def own_text(cell: Cell) -> str:
    """A cell as text: `yes` and `no` for true and false, a whole number without a point."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() else repr(cell)
    return " ".join(cell.split())


def with_categories(columns: Mapping[str, OwnColumn], tenders: Iterable[Tender]) -> dict[str, OwnColumn]:
    """The columns, those of categories with the ones that enough tenders state, in the order of their names.

    Blind to outcomes.
    """
    counts = {
        name: Counter[str]() for name, column in columns.items() if column.kind == "category" and not column.categories
    }
    for tender in tenders if counts else ():
        for name, counter in counts.items():
            if (cell := tender.tender_risk.own.get(name)) is not None:
                counter[own_text(cell)] += 1
    stated = {
        name: sorted(text for text, n in counter.most_common(MOST_CATEGORIES) if n >= FEWEST_OF_A_CATEGORY)
        for name, counter in counts.items()
    }
    return {
        name: msgspec.structs.replace(column, categories=tuple(stated[name])) if name in stated else column
        for name, column in columns.items()
    }


def filling_tells(filled: NDArray[np.bool_], y: NDArray[np.float64]) -> tuple[float, float] | None:
    """The shares of cases with and without an outcome in which a column is filled, if they tell it; else None.

    `filled` and `y` (1, 0 or NaN for unknown) have the shape (cases,). A model would learn from such a column that it
    is empty, which says how a record was kept.
    """
    with_it, without = filled[y == 1], filled[y == 0]
    if not len(with_it) or not len(without):
        return None
    shares = float(with_it.mean()), float(without.mean())
    whole = (with_it.sum() + without.sum()) / (len(with_it) + len(without))
    error = math.sqrt(whole * (1 - whole) * (1 / len(with_it) + 1 / len(without)))
    gap = abs(shares[0] - shares[1])
    return shares if gap >= TELLING and gap > SPREADS * error else None


def telling_words(name: str, column: OwnColumn, outcome: str, shares: tuple[float, float]) -> str:
    """That a column is left out because its filling tells an outcome, in words."""
    return (
        f"{name} (column {column.column}) is filled in {shares[0]:.0%} of the cases with {outcome} and in "
        f"{shares[1]:.0%} of the others. That it is filled tells the outcome, so no model of {outcome} reads it"
    )


def own_cells(tenders: Iterable[Tender], name: str) -> list[Any]:
    """The cell of each tender under a name, None for unknown."""
    return [tender.tender_risk.own.get(name) for tender in tenders]
