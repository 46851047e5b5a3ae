"""The worklist: everything by rank, and what there are people for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from portfolio import worklist as portfolio_worklist
from portfolio.table import SCHEMA
from portfolio.worklist import WorklistOptions
from serving.jobs.ranking import RANKED, ranked

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


def worklist(folder: Path, rows: list[dict[str, Any]] = ROWS, **wish: Any) -> list[dict[str, Any]]:
    made, out = made_by(folder, rows, **wish), folder / "worklist.parquet"
    ranked(*made, out)
    found = pq.read_table(out)
    assert found.schema.equals(RANKED)
    assert found["rank"].to_pylist() == [*range(1, len(rows) + 1)]
    return list(found.to_pylist())


def made_by(folder: Path, rows: list[dict[str, Any]], **wish: Any) -> tuple[Path, Path, WorklistOptions]:
    """What a run leaves: the scored rows, and the worklist with reasons."""
    given, listed, asked = scored(folder, rows), folder / "listed.parquet", WorklistOptions(**{"capacity": 9, **wish})
    found = portfolio_worklist.build_worklist(ds.dataset(given), asked).rows
    reasons = pa.array([f"because of {line}" for line in found["line"].to_pylist()], pa.string())
    pq.write_table(found.set_column(found.column_names.index("reasons"), "reasons", reasons), listed)
    return given, listed, asked


def lines(rows: list[dict[str, Any]]) -> list[int]:
    return [row["line"] for row in rows if row["chosen"]]


def test_the_likeliest_to_fail_come_first(tmp_path: Path) -> None:
    assert lines(worklist(tmp_path)) == [2, 3, 4, 1, 5]


def test_by_expected_loss_what_has_no_value_comes_last(tmp_path: Path) -> None:
    rows = worklist(tmp_path, rank_by="expected_loss")
    assert lines(rows) == [4, 5, 1, 3, 2]
    assert [row["expected_loss_gbp"] for row in rows] == pytest.approx([300, 100, 20, 4, None])


def test_within_the_capacity_and_with_so_many_of_one_buyer(tmp_path: Path) -> None:
    assert lines(worklist(tmp_path, capacity=2)) == [2, 3]
    assert lines(worklist(tmp_path, capacity=3, most_per_buyer=1)) == [2, 4, 5]


def test_nothing_scored_is_an_empty_worklist(tmp_path: Path) -> None:
    assert worklist(tmp_path, []) == []


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    worklist(tmp_path)
    first = (tmp_path / "worklist.parquet").read_bytes()
    worklist(tmp_path)
    assert (tmp_path / "worklist.parquet").read_bytes() == first


def test_what_is_on_the_worklist_has_its_reasons(tmp_path: Path) -> None:
    rows = worklist(tmp_path, capacity=2)
    assert [row["reasons"] for row in rows] == ["because of 2", "because of 3", None, None, None]


def test_what_the_draw_chose_is_marked(tmp_path: Path) -> None:
    rows = worklist(tmp_path, capacity=2, sample=0.5, seed=3)
    (drawn,) = (row for row in rows if row["drawn"])
    assert drawn["chosen"] and drawn["reasons"] == f"because of {drawn['line']}"
    assert len(lines(rows)) == 2
    assert not any(row["drawn"] for row in worklist(tmp_path))


def test_every_tender_tells_what_has_changed_by_the_row_that_stands_for_it(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    before = scored(
        tmp_path / "before",
        [
            {"line": n, "ocid": name, "failure": p}
            for n, (name, p) in enumerate([("a", 0.3), ("b", 0.4), ("gone", 0.9)])
        ],
    )
    now = [("a", 0.5), ("a", 0.1), ("b", 0.35), ("came", 0.2)]
    made = made_by(tmp_path, [{"line": n, "ocid": name, "failure": p} for n, (name, p) in enumerate(now)])
    ranked(*made, tmp_path / "worklist.parquet", before)
    rows = pq.read_table(tmp_path / "worklist.parquet").to_pylist()
    assert [tuple(row[name] for name in ("ocid", "change", "earlier_failure", "moved")) for row in rows] == [
        ("a", "up", 0.3, 0.2),
        ("b", "down", 0.4, -0.05),
        ("came", "new", None, None),
        ("a", None, None, None),
    ]


def test_with_nothing_earlier_nothing_is_said_of_changes(tmp_path: Path) -> None:
    assert {row["change"] for row in worklist(tmp_path)} == {None}


def test_it_tells_what_it_can_be_filtered_by(tmp_path: Path) -> None:
    found = ranked(*made_by(tmp_path, ROWS), tmp_path / "worklist.parquet")
    assert found == {"category": [], "region": ["UKD", "UKC"], "register": ["uk"]}
