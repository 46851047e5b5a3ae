"""The worklist: the tenders most worth a review, fairly chosen, what to expect of them, and what changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.ranking import normalised_buyers
from portfolio.worklist import (
    NOT_IN_PORTFOLIO,
    NOT_SELECTED,
    WORKLIST_SCHEMA,
    WorklistOptions,
    build_worklist,
)
from tenders.errors import UsageError
from tests.portfolio.scored_rows import ocids, portfolio, table

# Few different numbers, so that ties are the rule.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "failure": st.sampled_from([0.0, 0.1, 0.2, 0.9]),
            "value_gbp": st.sampled_from([None, 100.0, 5000.0]),
            "buyer": st.sampled_from([None, "Leeds", "LEEDS!", "York", "Bath"]),
        }
    ),
    max_size=30,
)
OPTIONS = st.builds(
    WorklistOptions,
    capacity=st.integers(1, 12),
    rank_by=st.sampled_from(["failure", "expected_loss"]),
    most_per_buyer=st.none() | st.integers(1, 3),
    sample=st.sampled_from([0.0, 0.25, 1.0]),
    seed=st.integers(0, 9),
)


def by_chosen(rows: pa.Table, how: str) -> list[dict[str, Any]]:
    return [row for row in rows.to_pylist() if row["selected_by"] == how]


@given(ROWS, OPTIONS, st.randoms())
def test_the_order_of_the_input_changes_nothing(
    rows: list[dict[str, Any]], options: WorklistOptions, random: Any
) -> None:
    scored = table(*rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    one, other = build_worklist(scored, options), build_worklist(scored.take(pa.array(order, pa.int64())), options)
    assert one.rows.equals(other.rows)
    assert one.summary == other.summary


@given(ROWS, OPTIONS)
def test_the_list_is_as_long_as_the_capacity_unless_a_limit_shortens_it(
    rows: list[dict[str, Any]], options: WorklistOptions
) -> None:
    worklist = build_worklist(table(*rows), options)
    assert len(worklist.rows) <= options.capacity
    assert worklist.rows.schema == WORKLIST_SCHEMA
    assert worklist.rows["rank"].to_pylist() == list(range(1, len(worklist.rows) + 1))
    if options.most_per_buyer is None:
        assert len(worklist.rows) == min(options.capacity, len(rows))


@given(ROWS, OPTIONS)
def test_no_buyer_has_more_than_the_limit_unless_the_draw_gave_it(
    rows: list[dict[str, Any]], options: WorklistOptions
) -> None:
    listed = build_worklist(table(*rows), options).rows
    names = normalised_buyers(listed["buyer"].combine_chunks()).to_pylist()
    counted = Counter(name for name in names if name)
    drawn = Counter(n for n, how in zip(names, listed["selected_by"].to_pylist(), strict=True) if n and how == "random")
    if options.most_per_buyer:
        assert all(count <= max(options.most_per_buyer, drawn[name]) for name, count in counted.items())


@given(ROWS, OPTIONS)
def test_whoever_is_left_out_is_not_ahead_of_one_chosen_by_risk(
    rows: list[dict[str, Any]], options: WorklistOptions
) -> None:
    scored = table(*rows)
    listed = build_worklist(
        scored, WorklistOptions(capacity=options.capacity, rank_by=options.rank_by, sample=options.sample)
    ).rows
    chosen = set(ocids(listed))
    left = [row for row in scored.to_pylist() if row["ocid"] not in chosen]
    for taken in by_chosen(listed, "risk"):
        for row in left:
            assert not (row["failure"] > taken["failure"] and row["value_gbp"] == taken["value_gbp"])


def test_expected_loss_is_probability_times_pounds_and_unknown_values_come_after() -> None:
    scored = table(
        {"failure": 0.5, "value_gbp": 100.0},
        {"failure": 0.9, "value_gbp": None},
        {"failure": 0.1, "value_gbp": 10_000.0},
        {"failure": 0.95, "value_gbp": None},
    )
    worklist = build_worklist(scored, WorklistOptions(capacity=3, rank_by="expected_loss"))
    assert worklist.rows["expected_loss_gbp"].to_pylist() == [1000.0, 50.0, None]
    assert worklist.rows["failure"].to_pylist()[-1] == 0.95
    assert (worklist.summary.unvalued, worklist.summary.unvalued_listed) == (2, 1)
    assert (worklist.summary.money_at_risk_gbp, worklist.summary.money_listed_gbp) == (1050.0, 1050.0)


def test_ties_are_counted_and_broken_by_the_seed() -> None:
    scored = table({"failure": 0.9}, *[{"failure": 0.4}] * 10)
    lists = [build_worklist(scored, WorklistOptions(capacity=4, seed=seed)) for seed in range(20)]
    assert {(worklist.summary.tied, worklist.summary.tied_chosen) for worklist in lists} == {(10, 3)}
    assert all(ocids(worklist.rows)[0] == "ocds-made-1" for worklist in lists)
    assert len({tuple(ocids(worklist.rows)) for worklist in lists}) > 10


def test_a_tender_is_listed_once_by_the_row_that_ranks_first() -> None:
    scored = table({"ocid": "a", "failure": 0.3}, {"ocid": "a", "failure": 0.6}, {"ocid": "b", "failure": 0.5})
    worklist = build_worklist(scored, WorklistOptions(capacity=3))
    assert (ocids(worklist.rows), worklist.rows["failure"].to_pylist()) == (["a", "b"], [0.6, 0.5])
    assert (worklist.summary.rows, worklist.summary.tenders) == (3, 2)


def test_rows_without_an_ocid_are_tenders_of_their_own() -> None:
    worklist = build_worklist(table({"ocid": None}, {"ocid": None}), WorklistOptions(capacity=5))
    assert sorted(worklist.rows["line"].to_pylist()) == [1, 2]


def test_spellings_of_a_buyer_are_one_buyer_and_unknown_buyers_are_not() -> None:
    names = ["The Leeds Council", "LEEDS", None, None, "東京都", "東京都 "]
    scored = table(*({"buyer": name, "failure": 0.9 - at / 10} for at, name in enumerate(names)))
    worklist = build_worklist(scored, WorklistOptions(capacity=6, most_per_buyer=1))
    assert worklist.rows["buyer"].to_pylist() == ["The Leeds Council", None, None, "東京都"]
    assert worklist.summary.passed_over == 2


def test_the_random_sample_is_fair_and_has_its_inclusion_probability() -> None:
    scored = portfolio(400)
    whole = float(np.mean(scored["failure"].to_pylist()))
    means, seen = [], Counter[str]()
    for seed in range(300):
        rows = by_chosen(
            build_worklist(scored, WorklistOptions(capacity=40, sample=0.25, most_per_buyer=2, seed=seed)).rows,
            "random",
        )
        assert len(rows) == 10
        assert {row["inclusion_probability"] for row in rows} == {10 / 400}
        means.append(np.mean([row["failure"] for row in rows]))
        seen.update(row["ocid"] for row in rows)
    # Four standard errors of a mean of 3,000 draws.
    assert np.mean(means) == pytest.approx(whole, abs=4 * float(np.std(scored["failure"].to_pylist())) / 3000**0.5)
    assert max(seen.values()) < 300 * 10 / 400 * 3


def test_the_summary_says_what_to_expect_of_those_chosen_by_risk_and_what_validation_found() -> None:
    metrics = {"dncp_py/no_award/draft": {"n": 500.0, "base_rate": 0.1, "lift_at_5": 3.0}}
    scored = table(*[{"register": "dncp_py", "failure": 0.9}] * 4, *[{"register": "dncp_py", "failure": 0.1}] * 96)
    summary = build_worklist(scored, WorklistOptions(capacity=4), metrics=metrics).summary
    assert summary.precision is not None
    assert (summary.precision.expected, summary.mean_failure) == (0.9, pytest.approx(0.132))
    assert [validation.precision for validation in summary.validated] == [0.3]


def test_no_rows_have_an_empty_worklist() -> None:
    worklist = build_worklist(
        table(), WorklistOptions(capacity=10, sample=0.5, rank_by="expected_loss"), earlier=table({})
    )
    assert (len(worklist.rows), worklist.summary.precision, worklist.summary.changes) == (0, None, {"gone": 1})


def test_a_dataset_of_many_files_gives_what_a_table_gives(tmp_path: Path) -> None:
    scored = portfolio(3000)
    for at in range(3):
        pq.write_table(scored.slice(at * 1000, 1000), tmp_path / f"{at}.parquet", row_group_size=300)
    options = WorklistOptions(capacity=50, sample=0.2, most_per_buyer=3)
    assert build_worklist(ds.dataset(tmp_path), options).rows.equals(build_worklist(scored, options).rows)


@pytest.mark.parametrize(
    "wrong", [{"capacity": 0}, {"most_per_buyer": 0}, {"sample": -0.1}, {"sample": 1.5}, {"seed": -1}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        WorklistOptions(**{"capacity": 10, **wrong})


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


def test_compared_with_an_earlier_worklist() -> None:
    earlier = build_worklist(BEFORE, WorklistOptions(capacity=5)).rows
    worklist = build_worklist(NOW, WorklistOptions(capacity=4), earlier)
    assert changed(worklist.rows) == {
        "rose": ("up", 0.3, 5),
        "fell": ("down", 0.9, 1),
        "stayed": ("same", 0.5, 4),
        "came": ("new", None, None),
    }
    assert worklist.gone is not None
    assert dict(zip(ocids(worklist.gone), worklist.gone["why"].to_pylist(), strict=True)) == {
        "sank": NOT_SELECTED,
        "left": NOT_IN_PORTFOLIO,
    }
    assert worklist.summary.changes == {"up": 1, "down": 1, "same": 1, "new": 1, "gone": 2}


def test_compared_with_a_whole_output_gone_tenders_are_those_not_in_the_portfolio() -> None:
    worklist = build_worklist(NOW, WorklistOptions(capacity=2), BEFORE)
    assert changed(worklist.rows) == {"rose": ("up", 0.3, None), "fell": ("down", 0.9, None)}
    assert worklist.gone is not None
    assert ocids(worklist.gone) == ["left", "unlisted"]
    assert set(worklist.gone["why"].to_pylist()) == {NOT_IN_PORTFOLIO}


def test_gone_tenders_of_a_whole_output_are_distinct_and_the_likeliest_to_fail_first() -> None:
    before = table(*({"ocid": name, "failure": p} for name, p in (("a", 0.1), ("b", 0.7), ("a", 0.9), ("c", 0.3))))
    worklist = build_worklist(NOW, WorklistOptions(capacity=2), before)
    assert worklist.gone is not None
    assert [*zip(ocids(worklist.gone), worklist.gone["failure"].to_pylist(), strict=True)] == [
        ("a", 0.9),
        ("b", 0.7),
        ("c", 0.3),
    ]


def test_the_seed_of_the_earlier_run_does_not_matter() -> None:
    earlier = build_worklist(BEFORE, WorklistOptions(capacity=5, seed=1)).rows
    assert changed(build_worklist(NOW, WorklistOptions(capacity=4, seed=2), earlier).rows)["rose"] == ("up", 0.3, 5)


def test_without_an_ocid_tenders_are_matched_by_file_and_line() -> None:
    before = table({"ocid": None, "line": 7, "failure": 0.2}, {"ocid": "a", "line": 8})
    now = table({"ocid": None, "line": 7, "failure": 0.3}, {"ocid": "b", "line": 8, "failure": 0.1})
    rows = build_worklist(now, WorklistOptions(capacity=2), before).rows
    assert rows["change"].to_pylist() == ["up", "new"]


def test_without_an_earlier_run_changes_are_null() -> None:
    worklist = build_worklist(NOW, WorklistOptions(capacity=2))
    assert set(changed(worklist.rows).values()) == {(None, None, None)}
    assert (worklist.gone, worklist.summary.changes) == (None, None)
