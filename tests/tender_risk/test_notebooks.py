"""The notebooks run from their first cell to their last, in this process: a kernel each would take longer than they do.

They are kept without outputs, and read what they need from the checkout that they stand in.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
EXPECTED: dict[str, Callable[[SimpleNamespace], bool]] = {
    "audit": lambda v: bool((v.effects.low <= v.effects.high).all()) and v.report.rows == len(v.cases) and len(v.table),
    "portfolio": lambda v: v.scores.index.equals(v.tenders.index) and v.worklist.failure.is_monotonic_decreasing,
    "training": lambda v: 0 < v.brier < 1 and len(v.p) == v.later.sum() > 20,
}
"""What holds of the variables of each once it has run."""


def cells(book: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return listed


@pytest.mark.parametrize("book", NOTEBOOKS, ids=lambda book: book.stem)
def test_a_notebook_runs(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.chdir(book.parent)
    variables: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(book):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{book.name}, {cell['id']}", "exec"), variables)
    assert plt.get_fignums(), "no picture"
    plt.close("all")
    assert EXPECTED[book.stem](SimpleNamespace(**variables))


@pytest.mark.parametrize("book", NOTEBOOKS, ids=lambda book: book.stem)
def test_a_notebook_is_kept_as_it_was_written(book: Path) -> None:
    """In the format of Jupyter, 4.5, without what a run leaves in it; links point somewhere, and code is Python's own."""
    whole = json.loads(book.read_text(encoding="utf-8"))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert whole["metadata"]["kernelspec"]["name"] == "python3"
    assert len({cell["id"] for cell in cells(book)}) == len(cells(book))
    for cell in cells(book):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            ast.parse(source)
        for target in re.findall(r"\]\(([^)#]+)\)", source):
            assert (book.parent / target).exists(), target
        assert "/home/" not in source and "/work/" not in source
