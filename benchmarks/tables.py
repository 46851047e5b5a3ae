"""Tables of figures: printed, written as JSON, and kept in `benchmarks/results/`, one file a benchmark."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=140, highlight=False)
RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


class ResultTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table of figures, one dict a row, with notes below it. All rows have the same keys."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--json FILE` and `--save`, which every benchmark has."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", nargs="?", const=RESULTS, help="keep the tables in benchmarks/results/"
    )


def show(table: ResultTable) -> None:
    """Prints a table and its notes."""
    if table.rows:
        printed = Table(title=table.title, title_justify="left")
        for name, value in table.rows[0].items():
            printed.add_column(name, justify="left" if isinstance(value, str) else "right")
        for row in table.rows:
            printed.add_row(*map(formatted, row.values()))
        CONSOLE.print(printed)
    for note in table.notes:
        CONSOLE.print(note, soft_wrap=True)


def formatted(value: object) -> str:
    """A figure as a table shows it: three digits after the point below 10, pairs as a range."""
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return " to ".join(map(formatted, value))
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(name: str, tables: Sequence[ResultTable], options: argparse.Namespace) -> None:
    """Writes the tables of the benchmark `name` where `--json` and `--save` ask for them."""
    if options.json:
        plain = [msgspec.structs.asdict(table) for table in tables]
        options.json.write_text(json.dumps(plain, indent=2, default=float) + "\n", encoding="utf-8")
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        text = "\n\n".join([f"# {name}", provenance(), *map(markdown, tables)])
        (options.save / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def provenance() -> str:
    """When, on which commit and on what machine figures were measured, as one line."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    commit = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {commit or 'unknown'}, on {machine}."


def markdown(table: ResultTable) -> str:
    """The table in Markdown below its title."""
    parts = [f"**{table.title}**"]
    if table.rows:
        header, rule = list(table.rows[0]), ["---"] * len(table.rows[0])
        lines = [header, rule, *([*map(formatted, row.values())] for row in table.rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, *table.notes])
