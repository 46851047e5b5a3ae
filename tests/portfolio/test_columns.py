"""A row of the table has the tender as it was read, and says nothing where nothing is known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from models import score as scoring
from models.bundle import Bundle
from portfolio.columns import LONGEST, OUTPUT_COLUMNS, OUTPUT_SCHEMA, ScoredRows, region
from portfolio.worklist import WORKLIST_COLUMNS
from tenders.facts import Stage
from tenders.io.read import to_process
from tenders.process import Process
from tests import samples

PLACE = ("a.jsonl", 3, "/releases/1")


def row_of(bundle: Bundle, process: Process, reasons: str | None = None) -> dict[str, Any]:
    """The row of one process, by column."""
    case = scoring.case(bundle, process, "draft")
    lines = ScoredRows(PLACE[0])
    lines.add_cases([PLACE[1:]], [case], [reasons])
    (row,) = lines.table().to_pylist()
    return row


def test_a_row_says_where_it_stood_and_what_it_is(bundle: Bundle) -> None:
    release = samples.draft()
    release["tender"]["items"][0]["deliveryAddresses"] = [{"region": "UKD"}]
    row = row_of(bundle, to_process(release), "Why not")
    assert (row["file"], row["line"], row["place"]) == PLACE
    assert row["ocid"] == samples.OCID
    assert row["title"] == "Community nursing"
    assert row["buyer"] == "Example Integrated Care Board"
    assert (row["category"], row["region"], row["published"]) == ("services", "UKD", date(2024, 3, 1))
    assert (row["value_gbp"], row["stage"], row["reasons"]) == (900_000, "draft", "Why not")
    assert 0 < row["low"] <= row["failure"] <= row["high"] < 1


def test_what_is_unknown_is_null(bundle: Bundle) -> None:
    row = row_of(bundle, to_process({"tender": {"title": "x"}}))
    assert {name for name, value in row.items() if value is None} >= {
        "buyer", "category", "region", "published", "value_gbp", "reasons"
    }  # fmt: skip


def test_long_names_are_cut_and_odd_characters_stay(bundle: Bundle) -> None:
    release = samples.draft(buyer={"name": "𝔘\u202e✓" + "x" * 1000})
    release["tender"]["title"] = "y" * 1000
    row = row_of(bundle, to_process(release))
    assert row["title"] == "y" * LONGEST
    assert row["buyer"].startswith("𝔘\u202e✓x") and len(row["buyer"]) == LONGEST


def test_a_value_in_another_currency_is_in_pounds(bundle: Bundle) -> None:
    release = samples.plain(value={"amount": 1_000_000, "currency": "EUR"})
    assert 500_000 < row_of(bundle, to_process(release))["value_gbp"] < 1_000_000


@pytest.mark.parametrize(
    ("parties", "expected"),
    [
        ([{"id": "b", "roles": ["buyer"], "address": {"region": "UKC"}}], "UKC"),
        ([{"id": "r", "roles": ["reviewBody"], "address": {"region": "UKI"}}], None),
        ([], None),
    ],
)
def test_where_nothing_is_delivered_the_buyers_region_stands(parties: list[samples.Json], expected: str | None) -> None:
    assert region(to_process({"tender": {"title": "x"}, "parties": parties}).compiled()) == expected


def test_every_column_says_what_it_holds() -> None:
    names = [column.name for column in (*WORKLIST_COLUMNS, *OUTPUT_COLUMNS)]
    assert len(set(names)) == len(names)
    assert all(column.description for column in (*WORKLIST_COLUMNS, *OUTPUT_COLUMNS))


def test_no_rows_are_a_table_of_the_same_columns() -> None:
    empty = ScoredRows("a").table()
    assert empty.num_rows == 0 and empty.schema.equals(OUTPUT_SCHEMA)


def test_rows_stay_in_their_order_whatever_model_scores_them(bundle: Bundle) -> None:
    stages: list[Stage] = ["draft", "bids_in", "draft", "awarded", "bids_in"]
    lines, alone = ScoredRows("a"), []
    for line, stage in enumerate(stages, start=1):
        case = scoring.case(bundle, to_process(samples.draft(ocid=f"ocds-h6vhtk-{line}")), stage, check_stage=False)
        lines.add_cases([(line, "")], [case], [None])
        single = ScoredRows("a")
        single.add_cases([(line, "")], [case], [None])
        alone.append(single.table())
    table = lines.table()
    assert table["stage"].to_pylist() == stages
    assert table.equals(pa.concat_tables(alone))
