"""Features that a history's own mapping declares (`tenders.own_columns`): one a column, read from the same table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from features.feature import Feature
from features.table import Floats, TenderTable
from tenders.facts import STAGES
from tenders.own_columns import PLACE, PREFIX, Cell, OwnColumn


def own_features(columns: Mapping[str, OwnColumn]) -> dict[str, Feature]:
    """The features of declared columns by name, in their order."""
    return {PREFIX + name: _feature(name, column) for name, column in columns.items()}


def texts_of(columns: Mapping[str, OwnColumn]) -> tuple[str, ...]:
    """The names of the columns that hold texts: each has a model of words of its own in the register's history."""
    return tuple(name for name, column in columns.items() if column.kind == "text")


def in_words(name: str) -> str:
    """The name of a declared feature as people read it, where its label is not at hand."""
    return name.removeprefix(PREFIX).replace("_", " ").capitalize()


def _feature(name: str, column: OwnColumn) -> Feature:
    label = column.label or in_words(name)
    plain = label.replace("{", "{{").replace("}", "}}")
    is_text = column.kind == "text"
    return Feature(
        name=PREFIX + name,
        measure=partial(_score, name) if is_text else partial(_values, name, column),
        stage=column.stage,
        theme="wording" if is_text else "procedure",
        unit="log-odds" if is_text else column.kind,
        label=label,
        path=f"{PLACE}/{name}",
        says=f"{plain}: its words count {{value}} in log-odds." if is_text else f"{plain}: {{value}}.",
        reads="register_history" if is_text else "tender",
        categories=column.categories,
        doc=f"The column {column.column} of the history's own table, as its mapping declares it.",
    )


def _values(name: str, column: OwnColumn, table: TenderTable) -> Floats:
    """The numbers of a declared column, or the places of its categories; NaN for unknown, and before its stage."""
    cells = table.text("own_cells")
    if STAGES.index(column.stage) > STAGES.index(table.stage):
        return table.unknown

    def number(own: tuple[tuple[str, Cell], ...]) -> float | None:
        return column.number(next((cell for key, cell in own if key == name), None))

    return cells.numbers(number)


def _score(name: str, table: TenderTable) -> Floats:
    """The forecast of a declared text's own model of words, over its mean; NaN where there is no word."""
    return table.register_feature(PREFIX + name)
