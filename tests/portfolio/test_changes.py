"""Since the last run: who is new, likelier or less likely to fail, and gone."""

from __future__ import annotations

import pyarrow as pa

from portfolio.changes import ABSENT, BELOW
from portfolio.worklist import Wish, worklist
from tests.portfolio.scored import ocids, table

BEFORE = table(
    {"ocid": "rose", "failure": 0.3},
    {"ocid": "fell", "failure": 0.9},
    {"ocid": "stayed", "failure": 0.5},
    {"ocid": "sank", "failure": 0.8},
    {"ocid": "left", "failure": 0.7},
    {"ocid": "unlisted", "failure": 0.01},
)
NOW = table(
    {"ocid": "rose", "failure": 0.8},
    {"ocid": "fell", "failure": 0.6},
    {"ocid": "stayed", "failure": 0.5},
    {"ocid": "sank", "failure": 0.1},
    {"ocid": "came", "failure": 0.4},
)


def changed(rows: pa.Table) -> dict[str, tuple[str, float | None, int | None]]:
    names = ("change", "earlier_failure", "earlier_rank")
    return dict(zip(ocids(rows), zip(*(rows[name].to_pylist() for name in names), strict=True), strict=True))


def test_against_an_earlier_worklist() -> None:
    earlier = worklist(BEFORE, Wish(capacity=5)).rows
    found = worklist(NOW, Wish(capacity=4), earlier)
    assert changed(found.rows) == {
        "rose": ("up", 0.3, 5),
        "fell": ("down", 0.9, 1),
        "stayed": ("same", 0.5, 4),
        "came": ("new", None, None),
    }
    assert found.gone is not None
    assert dict(zip(ocids(found.gone), found.gone["why"].to_pylist(), strict=True)) == {"sank": BELOW, "left": ABSENT}
    assert found.summary.changes == {"up": 1, "down": 1, "same": 1, "new": 1, "gone": 2}


def test_against_a_whole_earlier_output_gone_is_what_the_portfolio_lacks() -> None:
    found = worklist(NOW, Wish(capacity=2), BEFORE)
    assert changed(found.rows) == {"rose": ("up", 0.3, None), "fell": ("down", 0.9, None)}
    assert found.gone is not None
    assert ocids(found.gone) == ["left", "unlisted"]
    assert set(found.gone["why"].to_pylist()) == {ABSENT}


def test_gone_from_a_whole_output_begins_with_the_likeliest_to_fail_and_has_a_tender_once() -> None:
    before = table(*({"ocid": name, "failure": p} for name, p in (("a", 0.1), ("b", 0.7), ("a", 0.9), ("c", 0.3))))
    found = worklist(NOW, Wish(capacity=2), before)
    assert found.gone is not None
    assert [*zip(ocids(found.gone), found.gone["failure"].to_pylist(), strict=True)] == [
        ("a", 0.9),
        ("b", 0.7),
        ("c", 0.3),
    ]


def test_the_seed_of_the_earlier_run_does_not_matter() -> None:
    earlier = worklist(BEFORE, Wish(capacity=5, seed=1)).rows
    assert changed(worklist(NOW, Wish(capacity=4, seed=2), earlier).rows)["rose"] == ("up", 0.3, 5)


def test_without_an_ocid_tenders_meet_by_file_and_line() -> None:
    before = table({"ocid": None, "line": 7, "failure": 0.2}, {"ocid": "a", "line": 8})
    now = table({"ocid": None, "line": 7, "failure": 0.3}, {"ocid": "b", "line": 8, "failure": 0.1})
    rows = worklist(now, Wish(capacity=2), before).rows
    assert rows["change"].to_pylist() == ["up", "new"]


def test_without_an_earlier_run_nothing_is_said() -> None:
    found = worklist(NOW, Wish(capacity=2))
    assert set(changed(found.rows).values()) == {(None, None, None)}
    assert (found.gone, found.summary.changes) == (None, None)
