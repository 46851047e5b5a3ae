"""Tables of figures: printed, and written as JSON or Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=140, highlight=False)
Row = dict[str, Any]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A table, a row a dict, and what is to be said under it. All rows have the same keys."""

    title: str
    rows: Sequence[Row]
    said: Sequence[str] = ()


def show(each: Shown) -> None:
    """Prints the table and what is said under it."""
    if each.rows:
        table = Table(title=each.title, title_justify="left")
        for name, value in each.rows[0].items():
            table.add_column(name, justify="left" if isinstance(value, str) else "right")
        for row in each.rows:
            table.add_row(*map(worded, row.values()))
        CONSOLE.print(table)
    for line in each.said:
        CONSOLE.print(line, soft_wrap=True)


def worded(value: object) -> str:
    """A figure as a table shows it: three digits after the point below 10, pairs as a range."""
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return " to ".join(map(worded, value))
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(tables: Sequence[Shown], as_json: Path | None, as_markdown: Path | None) -> None:
    """Writes all tables to the files that were asked for."""
    if as_json:
        plain = [msgspec.structs.asdict(table) for table in tables]
        as_json.write_text(json.dumps(plain, indent=2, default=float) + "\n", encoding="utf-8")
    if as_markdown:
        as_markdown.write_text("\n\n".join(map(markdown, tables)) + "\n", encoding="utf-8")


def markdown(each: Shown) -> str:
    """The table in Markdown under its title."""
    parts = [f"**{each.title}**"]
    if each.rows:
        lines = [list(each.rows[0]), ["---"] * len(each.rows[0]), *([*map(worded, row.values())] for row in each.rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, *each.said])
