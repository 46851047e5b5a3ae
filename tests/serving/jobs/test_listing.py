"""A page of a worklist: sorted by any column, filtered, cut; nothing that a query says breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.jobs import listing
from serving.jobs.listing import ON_A_PAGE, listed, row, view
from serving.jobs.ranking import RANKED
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
    pq.write_table(pa.Table.from_pylist(rows, RANKED), path, row_group_size=20)
    return path


def ranks(worklist: Path, **query: str) -> list[int]:
    return [each["rank"] for each in listed(worklist, view(query)).rows]


def test_it_begins_with_the_first_ranks(worklist: Path) -> None:
    found = listed(worklist, view({}))
    assert [each["rank"] for each in found.rows] == [*range(1, ON_A_PAGE + 1)]
    assert (found.count, found.of, found.page, found.last) == (COUNT, COUNT, 1, 3)


def test_its_pages_hold_every_row_once(worklist: Path) -> None:
    found = [rank for page in "123" for rank in ranks(worklist, page=page, sort="buyer")]
    assert sorted(found) == [*range(1, COUNT + 1)]


@pytest.mark.parametrize("name", RANKED.names)
@pytest.mark.parametrize("down", ["0", "1"])
def test_it_is_sorted_by_any_column_with_the_unknown_last(worklist: Path, name: str, down: str) -> None:
    rows = [each for page in "123" for each in listed(worklist, view({"sort": name, "down": down, "page": page})).rows]
    known = [each[name] for each in rows if each[name] is not None]
    assert known == sorted(known, reverse=down == "1")
    assert [each[name] for each in rows][: len(known)] == known


def test_what_is_equal_stays_by_rank(worklist: Path) -> None:
    found = ranks(worklist, sort="chosen", down="1")
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"band": "very high"}, lambda each: each["band"] == "very high"),
        ({"region": "UKC"}, lambda each: each["region"] == "UKC"),
        ({"buyer": "cOUNCIL 3"}, lambda each: each["buyer"] == "Council 3"),
        ({"value": "unknown"}, lambda each: each["value_gbp"] is None),
        ({"value": "-100k"}, lambda each: each["value_gbp"] == 5e4),
        ({"value": "100k-1m"}, lambda each: each["value_gbp"] == 1e5),
        ({"value": "100m-"}, lambda each: each["value_gbp"] == 1e8),
        ({"chosen": "1"}, lambda each: each["chosen"]),
        ({"chosen": "random"}, lambda each: each["drawn"]),
        ({"change": "up"}, lambda each: each["moved"] == 0.1),
        ({"band": "low", "region": "UKC", "value": "1m-10m"}, lambda each: each["value_gbp"] == 5e6),
    ],
)
def test_it_is_filtered(worklist: Path, query: dict[str, str], holds: Any) -> None:
    found = listed(worklist, view(query))
    assert 0 < found.count < COUNT
    assert all(map(holds, found.rows))


@pytest.mark.parametrize("value", [HOSTILE, "-1", "0", "9999999", "x" * 5000, "%", ".*", "(", "\0", "\ud800"])
@pytest.mark.parametrize("name", ["sort", "down", "page", *listing.FILTERS])
def test_nothing_that_a_query_says_breaks_it(worklist: Path, name: str, value: str) -> None:
    if value == "\ud800":
        # As Starlette decodes a query.
        value = "\ufffd"
    assert listed(worklist, view({name: value})).of == COUNT


def test_a_worklist_of_an_earlier_version_is_shown_without_what_it_does_not_have(
    worklist: Path, tmp_path: Path
) -> None:
    path = tmp_path / "worklist.parquet"
    pq.write_table(pq.read_table(worklist).drop_columns(["drawn", "change", "earlier_failure", "moved"]), path)
    assert ranks(path, sort="moved", down="1", change="up") == [*range(1, ON_A_PAGE + 1)]
    assert listed(path, view({"chosen": "random"})).count == 10


def test_the_first_rows_are_told_with_how_many_there_are(worklist: Path) -> None:
    rows, count = listing.first(worklist, 3)
    assert ([each["rank"] for each in rows], count) == ([1, 2, 3], COUNT)
    pq.write_table(pq.read_table(worklist).slice(0, 0), worklist.with_name("none.parquet"))
    assert listing.first(worklist.with_name("none.parquet"), 3) == ([], 0)


def test_a_row_is_found_by_its_rank(worklist: Path) -> None:
    assert row(worklist, 77)["title"] == "Number 076"
    assert row(worklist, 0) is None
    assert row(worklist, COUNT + 1) is None


def test_a_view_is_its_query_and_back() -> None:
    given = view({"sort": "failure", "down": "1", "page": "3", "buyer": "a & b", "band": "high"})
    assert given.query(page=1) == "band=high&buyer=a+%26+b&sort=failure&down=1"
    assert view({}).query() == ""
