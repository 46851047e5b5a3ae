"""The queries of docs/queries.md run as they stand, and each tool gives the same rows; a tool that is not installed is skipped."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio.columns import OUTPUT_COLUMNS

PAGE = (Path(__file__).parent.parent / "docs" / "queries.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python (duckdb|polars|pandas)\n(.*?)^```", PAGE, re.M | re.S)
TOOLS = ("duckdb", "polars", "pandas")
ROWS = [
    {"ocid": "a", "buyer": "North", "value_gbp": 1e6, "failure": 0.30, "low": 0.25, "base_rate": 0.2, "reference_class": "large", "stage": "draft"},
    {"ocid": "b", "buyer": "North", "value_gbp": None, "failure": 0.50, "low": 0.10, "base_rate": 0.2, "reference_class": "large", "stage": "draft"},
    {"ocid": "c", "buyer": "South", "value_gbp": 4e6, "failure": 0.10, "low": 0.05, "base_rate": 0.1, "reference_class": "other", "stage": "bids_in"},
    {"ocid": "d", "buyer": "East", "value_gbp": 2e6, "failure": 0.40, "low": 0.35, "base_rate": 0.1, "reference_class": "other", "stage": "draft"},
    {"ocid": "e", "buyer": "East", "value_gbp": 5e6, "failure": None, "low": None, "base_rate": None, "reference_class": None, "stage": None},
]  # fmt: skip
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "at_risk": [("East", 1, 8e5, 0), ("South", 1, 4e5, 0), ("North", 2, 3e5, 1)],
    "expected": [("large", "draft", 2, 0.8, 0.4), ("other", "bids_in", 1, 0.1, 0.1), ("other", "draft", 1, 0.4, 0.1)],
    "above": [("d", 0.4, 0.35, 0.1), ("a", 0.3, 0.25, 0.2)],
}


def test_every_question_is_answered_with_every_tool() -> None:
    assert [tool for tool, _ in BLOCKS] == list(TOOLS) * len(EXPECTED)
    assert set(ROWS[0]) <= {column.name for column in OUTPUT_COLUMNS}


@pytest.mark.parametrize(
    ("tool", "code"), BLOCKS, ids=[f"{tool}-{i // len(TOOLS)}" for i, (tool, _) in enumerate(BLOCKS)]
)
def test_a_query_gives_what_it_says(tool: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not importlib.util.find_spec(tool):
        pytest.skip(f"{tool} is not installed")
    types = {column.name: column.type for column in OUTPUT_COLUMNS}
    pq.write_table(
        pa.Table.from_pylist(ROWS, pa.schema([(name, types[name]) for name in ROWS[0]])), tmp_path / "scored.parquet"
    )
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    (name,) = namespace.keys() & EXPECTED.keys()
    assert len(namespace[name]) == len(EXPECTED[name])
    for row, expected in zip(namespace[name], EXPECTED[name], strict=True):
        for cell, of in zip(row, expected, strict=True):
            assert math.isclose(cell, of) if isinstance(of, float) else cell == of
