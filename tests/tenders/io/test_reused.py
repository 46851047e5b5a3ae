"""An ocid that was used for the procurements of different buyers: they are told apart, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.io.read import read_file, to_processes
from tenders.io.reused import procurements
from tenders.outcomes import tender_outcomes
from tenders.registers import find_register

CASE = Path(__file__).parents[4] / "shared" / "cases" / "reused_ocid.json"


def release(number: int, buyer: str | None, tender: str, title: str | None = None, **more: Any) -> dict[str, Any]:
    """An award of one buyer's tender under the shared ocid."""
    named = {"buyer": {"id": buyer, "name": f"Example {buyer}"}} if buyer else {}
    made: dict[str, Any] = {
        "ocid": "ocds-h6vhtk-0aaaa6",
        "id": str(number),
        "date": f"2025-06-{number:02}T10:00:00Z",
        "tag": ["award"],
        "tender": {"id": tender, "title": title or f"Purchase {tender}"},
        "awards": [
            {"id": f"{buyer}-{number}", "status": "active", "suppliers": [{"id": f"S{number}", "name": "Supplier"}]}
        ],
    }
    return {**made, **named, **more}


def test_the_shared_reused_ocid_is_two_tenders_that_say_so() -> None:
    if not CASE.exists():
        pytest.skip(f"{CASE.name} is not here")
    outcomes = tender_outcomes(read_file(CASE))
    assert [outcome.no_award for outcome in outcomes] == [False, False]
    assert all("share it" in outcome.warnings[0] for outcome in outcomes)


def test_procurements_of_two_buyers_are_two() -> None:
    releases = [release(1, "Water", "T1"), release(2, "Power", "T2"), release(3, "Water", "T3")]
    assert procurements(releases) == [[0, 2], [1]]
    for document in (
        {"releases": releases},
        {"ocid": "x", "releases": releases},
        {"records": [{"releases": releases}]},
    ):
        processes = to_processes(document)
        assert [len(process.releases) for process in processes] == [2, 1]
        assert all("told apart" in process.warnings[-1] for process in processes)


@pytest.mark.parametrize(
    "second",
    [
        release(2, "Water", "T2"),
        release(2, "Power", "T1"),
        release(2, "Power", "T2", title="Purchase T1"),
        release(2, None, "T2"),
        release(2, "Power", "T2", parties=[{"id": "Water", "name": "Example Water", "roles": ["buyer"]}]),
        {**release(2, None, "T2"), "buyer": {"id": "W-9", "name": "EXAMPLE WATER"}},
    ],
)
def test_one_buyer_or_one_tender_is_one_procurement(second: dict[str, Any]) -> None:
    assert procurements([release(1, "Water", "T1"), second]) == [[0, 1]]


@given(st.lists(st.tuples(st.sampled_from(["Water", "Power", None]), st.integers(1, 3)), min_size=1, max_size=7))
def test_every_release_is_in_one_procurement_and_no_buyer_in_two(given: list[tuple[str | None, int]]) -> None:
    releases = [release(i + 1, buyer, f"T{number}") for i, (buyer, number) in enumerate(given)]
    groups = procurements(releases)
    assert sorted(i for group in groups for i in group) == list(range(len(releases)))
    homes = {
        buyer: {n for n, group in enumerate(groups) for i in group if given[i][0] == buyer}
        for buyer, _ in given
        if buyer
    }
    assert all(len(home) == 1 for home in homes.values())


def test_a_history_keeps_them_apart_over_lines(tmp_path: Path) -> None:
    lines = [release(1, "Water", "T1"), release(2, "Power", "T2")]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert len(find_register("own").cases(tmp_path / "own.jsonl")) == 2


def test_a_row_of_a_portfolio_that_holds_two_is_refused_in_words() -> None:
    from tenders.io.rows import _row

    row = _row(1, "/records/0", to_processes, {"releases": [release(1, "Water", "T1"), release(2, "Power", "T2")]})
    assert row.process is None
    assert "share the ocid" in str(DataError(list(row.problems)))
