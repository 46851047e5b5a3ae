"""A table holds what was known at its stage; a feature of many tenders is that of each alone, and asks for its columns."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue, known_at
from features.categorical import Categorical
from features.feature import Feature
from features.table import TenderTable, TrackRecords, cached, map_numbers, period_days, yes_no
from features.table_builder import TableBuilder, columns_asked, of_tenders, one_row
from features.track_records.case_records import CaseRecord, CaseRecords
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk
from tests.every import for_every
from tests.features import made

RECORDS = made.records()
NAN = float("nan")
releases = st.sampled_from(STAGES).flatmap(made.known_at)


def measured(table: TenderTable) -> dict[str, list[float]]:
    """All features that the stage of a table knows."""
    return {feature.name: feature.measure(table).tolist() for feature in known_at(table.stage)}


def same(some: dict[str, list[float]], others: dict[str, list[float]]) -> bool:
    """Whether features are equal to the bit, unknown being equal to unknown."""
    assert some.keys() == others.keys()
    return all(np.array_equal(values, others[name], equal_nan=True) for name, values in some.items())


@settings(max_examples=60, deadline=None)
@given(documents=st.lists(releases, min_size=1, max_size=5), stage=st.sampled_from(STAGES), size=st.integers(1, 3))
def test_a_tender_is_measured_in_company_as_alone(documents: list[made.Json], stage: Stage, size: int) -> None:
    """Read at once, some at a time, or one by one; of all that is known today, or as it was at the stage."""
    processes = [to_process(document) for document in documents]
    tenders = [process.compiled() for process in processes]
    alone = [measured(one_row(process.as_of(stage), stage, records=RECORDS)) for process in processes]
    expected = {name: [measures[name][0] for measures in alone] for name in alone[0]}
    records = made.records(len(tenders))
    builder = TableBuilder(columns_asked([feature.measure for feature in known_at(stage)], stage), stage)
    for at in range(0, len(tenders), size):
        builder.add(TenderChunk(tenders[at : at + size]))
    assert same(measured(of_tenders(tenders, stage, records=records)), expected)
    assert same(measured(builder.table().with_records(records)), expected)


@for_every(catalogue())
def test_a_feature_has_a_number_a_tender(feature: Feature) -> None:
    tender = to_process({"title": "x", "lots": 2}).compiled()
    for count in (0, 1, 3):
        values = feature.measure(of_tenders([tender] * count))
        assert values.shape == (count,) and values.dtype == np.float64


@settings(max_examples=100, deadline=None)
@given(document=made.known_at("awarded"), stage=st.sampled_from(STAGES))
def test_a_feature_asks_of_no_tender_for_more_columns_than_of_none(document: made.Json, stage: Stage) -> None:
    """Columns that a run reads are found on an empty table: whatever a tender holds, a feature asks for no other."""
    tender = to_process(document).compiled()
    for feature in known_at(stage):
        columns = columns_asked([feature.measure], stage)
        builder = TableBuilder(columns, stage)
        builder.add(TenderChunk([tender, Tender()]))
        feature.measure(builder.table())


def test_it_says_which_columns_a_feature_asks_for() -> None:
    known = catalogue()
    assert columns_asked([known["framework"].measure], "draft") == {"framework"}
    assert columns_asked([known["fewest_bids_on_a_lot"].measure], "draft") == {"lots"}
    assert columns_asked([known["fewest_bids_on_a_lot"].measure], "bids_in") == {"lots", "lot_bids"}


def test_what_a_later_stage_adds_is_unknown() -> None:
    tender = to_process({"lots": 2, "bidders": 3, "supplier": "S", "award_value": 5}).compiled()
    draft = one_row(tender, "draft")
    assert np.isnan(draft.number("bidders")).all() and np.isnan(draft.number("lot_bids")).tolist() == [True, True]
    assert draft.text("suppliers").rows() == [()] and draft.number("award_values").shape == (0,)
    assert one_row(tender, "bids_in").number("bidders") == 3
    assert one_row(tender).text("suppliers").rows() == [("S",)] and one_row(tender).number("award_values") == [5]


def test_values_of_lots_know_their_tender() -> None:
    table = of_tenders([to_process(form).compiled() for form in ({"lots": 2}, {"title": "a"}, {"lots": 1})])
    assert table.owner("lots").tolist() == [0, 0, 2]


def test_what_is_computed_of_a_table_is_computed_once() -> None:
    calls = []

    @cached
    def counted(table: TenderTable) -> int:
        calls.append(len(table))
        return len(table)

    table = one_row(Tender())
    assert counted(table) == counted(table) == 1 and calls == [1]
    assert counted(table.with_records(RECORDS)) == 1 and calls == [1, 1]


def test_records_are_those_of_the_outcome_where_it_has_its_own() -> None:
    register = {"cases_buyer": np.array([1.0])}
    own = {"cases_buyer": np.array([2.0])}
    records = TrackRecords(cases=RECORDS.cases, register=register, outcomes={"no_award": register, "single_bid": own})
    table, feature = one_row(Tender(), records=records), catalogue()["cases_buyer"]
    assert feature.measure(table) == feature.measure(table.about("no_award")) == feature.measure(table.about("x")) == 1
    assert feature.measure(table.about("single_bid")) == 2
    assert table.about("x") is table


def test_case_records_are_read_by_the_keys_of_a_tender() -> None:
    state = CaseRecords.fixed({"buyer:a": CaseRecord(cases=3, failed=1)})
    table = of_tenders([Tender(), Tender()], records=TrackRecords(cases=Categorical.single(state, 2)))
    records = table.case_records(Categorical.of([("buyer:a",), ("buyer:b",)])).rows()
    assert [record and record.cases for record in records] == [3, None]
    assert one_row(Tender()).case_records(Categorical.single(("buyer:a",))).rows() == [None]


def test_days_of_publication_stand_beside_the_columns() -> None:
    days = [date(2024, 1, 2), None]
    assert of_tenders([Tender(), Tender()], "draft", days).published_on.rows() == days
    assert one_row(Tender()).published_on.rows() == [None]


def test_numbers_are_mapped_once_for_each_distinct_one() -> None:
    seen: list[float] = []
    mapped = map_numbers(np.array([2.0, NAN, 1.0, 2.0]), lambda value: seen.append(value) or value * 10)  # type: ignore[func-returns-value]
    assert np.array_equal(mapped, [20, NAN, 10, 20], equal_nan=True) and seen == [1.0, 2.0]


def test_a_condition_on_what_is_unknown_is_unknown() -> None:
    facts = np.array([1.0, NAN, 3.0])
    assert np.array_equal(yes_no(facts > 2, facts), [0, NAN, 1], equal_nan=True)


@pytest.mark.parametrize(
    ("stated", "start", "end", "days"),
    [(5, 1, 3, 5), (NAN, 1, 3, 2), (NAN, 3, 1, NAN), (NAN, NAN, 1, NAN), (5, 3, 1, 5)],
)
def test_a_period_is_as_long_as_stated_or_as_between_its_days(stated: Any, start: Any, end: Any, days: Any) -> None:
    length = period_days(*(np.array([value], dtype=float) for value in (stated, start, end)))
    assert np.array_equal(length, [days], equal_nan=True)
