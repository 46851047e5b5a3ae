"""The worklist: everything by rank, and what there are people for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.bundle import Bundle
from serving.jobs.job import Options
from serving.jobs.ranking import RANKED, listed, ranked
from serving.portfolio.table import SCHEMA

ROWS = [
    {"line": 1, "buyer": "A", "failure": 0.2, "value_gbp": 100.0, "region": "UKC"},
    {"line": 2, "buyer": "A", "failure": 0.5, "value_gbp": None, "region": "UKD"},
    {"line": 3, "buyer": "a", "failure": 0.4, "value_gbp": 10.0, "region": "UKD"},
    {"line": 4, "buyer": None, "failure": 0.3, "value_gbp": 1000.0, "region": None},
    {"line": 5, "buyer": "B", "failure": 0.1, "value_gbp": 1000.0, "region": "UKD"},
]
SAID = {"file": "a.jsonl", "place": "", "low": 0.1, "high": 0.6, "band": "high", "register": "uk", "stage": "draft"}


def scored(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / "scored.parquet"
    pq.write_table(pa.Table.from_pylist([{**SAID, **row} for row in rows], SCHEMA), path)
    return path


def worklist(bundle: Bundle, folder: Path, rows: list[dict[str, Any]] = ROWS, **options: Any) -> list[dict[str, Any]]:
    given, out = scored(folder, rows), folder / "worklist.parquet"
    ranked(given, listed(given, Options(**options), bundle), out)
    made = pq.read_table(out)
    assert made.schema.equals(RANKED)
    assert made["rank"].to_pylist() == [*range(1, len(rows) + 1)]
    return list(made.to_pylist())


def lines(rows: list[dict[str, Any]]) -> list[int]:
    return [row["line"] for row in rows if row["chosen"]]


def test_the_likeliest_to_fail_come_first(bundle: Bundle, tmp_path: Path) -> None:
    assert lines(worklist(bundle, tmp_path)) == [2, 3, 4, 1, 5]


def test_by_expected_loss_what_has_no_value_comes_last(bundle: Bundle, tmp_path: Path) -> None:
    rows = worklist(bundle, tmp_path, rank_by="expected_loss")
    assert lines(rows) == [4, 5, 1, 3, 2]
    assert [row["expected_loss_gbp"] for row in rows] == pytest.approx([300, 100, 20, 4, None])


def test_within_the_capacity_and_with_so_many_of_one_buyer(bundle: Bundle, tmp_path: Path) -> None:
    assert lines(worklist(bundle, tmp_path, capacity=2)) == [2, 3]
    assert lines(worklist(bundle, tmp_path, capacity=3, most_per_buyer=1)) == [2, 4, 5]


def test_nothing_scored_is_an_empty_worklist(bundle: Bundle, tmp_path: Path) -> None:
    assert worklist(bundle, tmp_path, []) == []


def test_the_same_rows_are_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    worklist(bundle, tmp_path)
    first = (tmp_path / "worklist.parquet").read_bytes()
    worklist(bundle, tmp_path)
    assert (tmp_path / "worklist.parquet").read_bytes() == first


def test_beside_it_stands_how_it_was_chosen_and_what_it_can_be_filtered_by(bundle: Bundle, tmp_path: Path) -> None:
    given = scored(tmp_path)
    about = ranked(given, listed(given, Options(capacity=2), bundle), tmp_path / "worklist.parquet")
    assert about.choices == {"category": [], "region": ["UKD", "UKC"], "register": ["uk"]}
    assert about.said[0].startswith("2 of 5 tenders are listed")
