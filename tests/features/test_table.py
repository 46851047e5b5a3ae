"""Columns hold what no later stage takes away, and features made of them agree with the tender as of the stage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from features.catalogue import catalogue, known_at
from features.matrix import Rows
from features.table import Columns, joined
from features.table_builder import Reader, read
from features.track_records.case_records import TrackRecord
from tenders.facts import STAGES
from tenders.io.read import to_process
from tests.features import made

RECORD = made.record()
whole = made.known_at("awarded")


def told(columns: Columns) -> str:
    """Everything that columns hold, to be compared; NaN equals itself."""
    return repr(columns)


@settings(max_examples=60, deadline=None)
@given(document=whole)
def test_what_came_later_is_not_in_columns_as_of_a_stage(document: made.Json) -> None:
    process = to_process(document)
    for stage in STAGES:
        whole = read([process.compiled()], [RECORD], stage)
        assert told(read([process.as_of(stage)], [RECORD], stage)) == told(whole)


@settings(max_examples=60, deadline=None)
@given(document=whole)
def test_features_that_a_stage_knows_are_the_same_of_a_tender_alone(document: made.Json) -> None:
    process = to_process(document)
    for stage in STAGES:
        columns = read([process.compiled()] * 2, [RECORD] * 2, stage)
        tender = process.as_of(stage)
        for each in known_at(stage):
            if each.column:
                alone = each.measure(tender, RECORD)
                expected = math.nan if alone is None else alone
                assert each.column(columns).tolist() == pytest.approx([expected] * 2, nan_ok=True)


def test_parts_are_joined_one_below_the_other() -> None:
    tenders = [to_process({"lots": n, "value": 10 * n, "published": f"2024-01-0{n}"}).compiled() for n in (1, 2, 3)]
    records = [TrackRecord()] * 3
    parts = [read(tenders[:1], records[:1]), read([]), read(tenders[1:], records[1:])]
    assert told(joined(parts)) == told(read(tenders, records))


def test_what_is_read_bit_by_bit_is_what_is_read_at_once() -> None:
    forms = [{"value": 5, "contract_start": "2024-05-01"}, {"title": "x"}, {"tender_end": "2024-03-01", "cpv": "85"}]
    tenders = [to_process({**form, "buyer": f"Buyer {n}"}).compiled() for n, form in enumerate(forms)]
    reader = Reader()
    for tender in tenders:
        reader.add([tender], [RECORD])
    assert told(reader.columns()) == told(read(tenders, [RECORD] * len(tenders)))


def test_of_nothing_read_there_are_columns_without_a_row() -> None:
    assert told(Reader().columns()) == told(read([]))
    assert Rows([]).measured().shape == (0, 0)


def test_some_features_of_each_stage_are_arithmetic() -> None:
    by_column = [each for each in catalogue().values() if each.column]
    assert {each.stage for each in by_column} == set(STAGES)
    assert len(by_column) > 15


@pytest.mark.parametrize("name", [name for name, each in catalogue().items() if each.column])
def test_a_column_has_a_number_a_tender(name: str) -> None:
    column = catalogue()[name].column
    assert column is not None
    for count in (0, 1, 3):
        found = column(read([to_process({"title": "x"}).compiled()] * count, [TrackRecord()] * count))
        assert found.shape == (count,) and found.dtype == np.float64
