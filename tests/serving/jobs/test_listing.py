"""Every row by rank, and the pages cut from it: sorted by any column, filtered; no query breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from portfolio import worklist as portfolio_worklist
from portfolio.columns import OUTPUT_SCHEMA
from portfolio.worklist import WorklistOptions
from serving.jobs import listing
from serving.jobs.listing import PAGE_ROWS, RANKED_SCHEMA, parse_view, read_page, read_row, write_ranked
from tests.serving.made import HOSTILE

COUNT = 130
VALUES = (None, 5e4, 1e5, 5e6, 1e8)


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "rank": n + 1,
            "failure": (COUNT - n) / 200,
            "buyer": f"Council {n % 7}" if n % 7 else None,
            "band": listing.BANDS[n % 4],
            "region": "UKC" if n % 2 else None,
            "value_gbp": VALUES[n % 5],
            "title": f"Number {n:03}",
            "chosen": n < 10,
            "drawn": n == 9,
            "change": ("new", "up", "down", "same")[n % 4],
            "moved": (None, 0.1, -0.2, 0.0)[n % 4],
        }
        for n in range(COUNT)
    ]
    path = tmp_path_factory.mktemp("listing") / "worklist.parquet"
    # Small groups, so that a page needs several.
    pq.write_table(pa.Table.from_pylist(rows, RANKED_SCHEMA), path, row_group_size=20)
    return path


def ranks(worklist: Path, **query: str) -> list[int]:
    return [row["rank"] for row in read_page(worklist, parse_view(query)).rows]


def test_it_begins_with_the_first_ranks(worklist: Path) -> None:
    shown = read_page(worklist, parse_view({}))
    assert [row["rank"] for row in shown.rows] == [*range(1, PAGE_ROWS + 1)]
    assert (shown.count, shown.total, shown.page, shown.last) == (COUNT, COUNT, 1, 3)


def test_its_pages_hold_every_row_once(worklist: Path) -> None:
    all_ranks = [rank for page in "123" for rank in ranks(worklist, page=page, sort="buyer")]
    assert sorted(all_ranks) == [*range(1, COUNT + 1)]


@pytest.mark.parametrize("name", RANKED_SCHEMA.names)
@pytest.mark.parametrize("down", ["0", "1"])
def test_it_is_sorted_by_any_column_with_the_unknown_last(worklist: Path, name: str, down: str) -> None:
    rows = [
        row
        for page in "123"
        for row in read_page(worklist, parse_view({"sort": name, "down": down, "page": page})).rows
    ]
    known = [row[name] for row in rows if row[name] is not None]
    assert known == sorted(known, reverse=down == "1")
    assert [row[name] for row in rows][: len(known)] == known


def test_what_is_equal_stays_by_rank(worklist: Path) -> None:
    equal = ranks(worklist, sort="chosen", down="1")
    assert equal == sorted(equal)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"band": "very high"}, lambda row: row["band"] == "very high"),
        ({"region": "UKC"}, lambda row: row["region"] == "UKC"),
        ({"buyer": "cOUNCIL 3"}, lambda row: row["buyer"] == "Council 3"),
        ({"value": "unknown"}, lambda row: row["value_gbp"] is None),
        ({"value": "-100k"}, lambda row: row["value_gbp"] == 5e4),
        ({"value": "100k-1m"}, lambda row: row["value_gbp"] == 1e5),
        ({"value": "100m-"}, lambda row: row["value_gbp"] == 1e8),
        ({"chosen": "1"}, lambda row: row["chosen"]),
        ({"chosen": "random"}, lambda row: row["drawn"]),
        ({"change": "up"}, lambda row: row["moved"] == 0.1),
        ({"band": "low", "region": "UKC", "value": "1m-10m"}, lambda row: row["value_gbp"] == 5e6),
    ],
)
def test_it_is_filtered(worklist: Path, query: dict[str, str], holds: Any) -> None:
    shown = read_page(worklist, parse_view(query))
    assert 0 < shown.count < COUNT
    assert all(map(holds, shown.rows))


@pytest.mark.parametrize("value", [HOSTILE, "-1", "0", "9999999", "x" * 5000, "%", ".*", "(", "\0", "\ud800"])
@pytest.mark.parametrize("name", ["sort", "down", "page", *listing.FILTERS])
def test_nothing_that_a_query_says_breaks_it(worklist: Path, name: str, value: str) -> None:
    if value == "\ud800":
        # As Starlette decodes a query.
        value = "\ufffd"
    assert read_page(worklist, parse_view({name: value})).total == COUNT


def test_a_worklist_of_an_earlier_version_is_shown_without_what_it_does_not_have(
    worklist: Path, tmp_path: Path
) -> None:
    path = tmp_path / "worklist.parquet"
    pq.write_table(pq.read_table(worklist).drop_columns(["drawn", "change", "earlier_failure", "moved"]), path)
    assert ranks(path, sort="moved", down="1", change="up") == [*range(1, PAGE_ROWS + 1)]
    assert read_page(path, parse_view({"chosen": "random"})).count == 10


def test_the_first_rows_are_told_with_how_many_there_are(worklist: Path) -> None:
    rows, count = listing.read_first(worklist, 3)
    assert ([row["rank"] for row in rows], count) == ([1, 2, 3], COUNT)
    pq.write_table(pq.read_table(worklist).slice(0, 0), worklist.with_name("none.parquet"))
    assert listing.read_first(worklist.with_name("none.parquet"), 3) == ([], 0)


def test_a_row_is_found_by_its_rank(worklist: Path) -> None:
    assert read_row(worklist, 77)["title"] == "Number 076"
    assert read_row(worklist, 0) is None
    assert read_row(worklist, COUNT + 1) is None


def test_a_view_is_its_query_and_back() -> None:
    view = parse_view({"sort": "failure", "down": "1", "page": "3", "buyer": "a & b", "band": "high"})
    assert view.query(page=1) == "band=high&buyer=a+%26+b&sort=failure&down=1"
    assert parse_view({}).query() == ""


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
    pq.write_table(pa.Table.from_pylist([{**SAID, **row} for row in rows], OUTPUT_SCHEMA), path)
    return path


def ranked_rows(folder: Path, rows: list[dict[str, Any]] = ROWS, **wish: Any) -> list[dict[str, Any]]:
    made, out = made_by(folder, rows, **wish), folder / "worklist.parquet"
    write_ranked(*made, out, folder)
    table = pq.read_table(out)
    assert table.schema.equals(RANKED_SCHEMA)
    assert table["rank"].to_pylist() == [*range(1, len(rows) + 1)]
    return list(table.to_pylist())


def made_by(folder: Path, rows: list[dict[str, Any]], **wish: Any) -> tuple[Path, Path, WorklistOptions]:
    """What a run leaves: the scored rows, and the worklist with reasons."""
    scored_file, worklist_file, options = (
        scored(folder, rows),
        folder / "listed.parquet",
        WorklistOptions(**{"capacity": 9, **wish}),
    )
    table = portfolio_worklist.build_worklist(ds.dataset(scored_file), options).rows
    reasons = pa.array([f"because of {line}" for line in table["line"].to_pylist()], pa.string())
    pq.write_table(table.set_column(table.column_names.index("reasons"), "reasons", reasons), worklist_file)
    return scored_file, worklist_file, options


def lines(rows: list[dict[str, Any]]) -> list[int]:
    return [row["line"] for row in rows if row["chosen"]]


def test_the_likeliest_to_fail_come_first(tmp_path: Path) -> None:
    assert lines(ranked_rows(tmp_path)) == [2, 3, 4, 1, 5]


def test_by_expected_loss_what_has_no_value_comes_last(tmp_path: Path) -> None:
    rows = ranked_rows(tmp_path, rank_by="expected_loss")
    assert lines(rows) == [4, 5, 1, 3, 2]
    assert [row["expected_loss_gbp"] for row in rows] == pytest.approx([300, 100, 20, 4, None])


def test_within_the_capacity_and_with_so_many_of_one_buyer(tmp_path: Path) -> None:
    assert lines(ranked_rows(tmp_path, capacity=2)) == [2, 3]
    assert lines(ranked_rows(tmp_path, capacity=3, most_per_buyer=1)) == [2, 4, 5]


def test_nothing_scored_is_an_empty_worklist(tmp_path: Path) -> None:
    assert ranked_rows(tmp_path, []) == []


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    ranked_rows(tmp_path)
    first = (tmp_path / "worklist.parquet").read_bytes()
    ranked_rows(tmp_path)
    assert (tmp_path / "worklist.parquet").read_bytes() == first


def test_what_is_on_the_worklist_has_its_reasons(tmp_path: Path) -> None:
    rows = ranked_rows(tmp_path, capacity=2)
    assert [row["reasons"] for row in rows] == ["because of 2", "because of 3", None, None, None]


def test_what_the_draw_chose_is_marked(tmp_path: Path) -> None:
    rows = ranked_rows(tmp_path, capacity=2, sample=0.5, seed=3)
    (drawn,) = (row for row in rows if row["drawn"])
    assert drawn["chosen"] and drawn["reasons"] == f"because of {drawn['line']}"
    assert len(lines(rows)) == 2
    assert not any(row["drawn"] for row in ranked_rows(tmp_path))


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
    write_ranked(*made, tmp_path / "worklist.parquet", tmp_path, before)
    rows = pq.read_table(tmp_path / "worklist.parquet").to_pylist()
    assert [tuple(row[name] for name in ("ocid", "change", "earlier_failure", "moved")) for row in rows] == [
        ("a", "up", 0.3, 0.2),
        ("b", "down", 0.4, -0.05),
        ("came", "new", None, None),
        ("a", None, None, None),
    ]


def test_with_nothing_earlier_nothing_is_said_of_changes(tmp_path: Path) -> None:
    assert {row["change"] for row in ranked_rows(tmp_path)} == {None}


def test_it_tells_what_it_can_be_filtered_by(tmp_path: Path) -> None:
    choices = write_ranked(*made_by(tmp_path, ROWS), tmp_path / "worklist.parquet", tmp_path)
    assert choices == {"category": [], "region": ["UKD", "UKC"], "register": ["uk"]}
