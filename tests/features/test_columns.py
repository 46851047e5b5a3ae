"""Columns hold what every stage knows, and features made of them agree with the tender as of the stage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from features.catalogue import catalogue
from features.columns import Columns, joined
from features.track_records import TrackRecord
from tenders.facts import STAGES
from tenders.reading import one
from tests.features import made

RECORD = made.record()
whole = made.known_at("awarded")


def told(columns: Columns) -> dict[str, object]:
    """Everything that columns hold, to be compared; NaN equals itself."""
    return {
        name: told(held) if hasattr(held, "__dict__") and name != "records" else repr(held)  # type: ignore[arg-type]
        for name, held in vars(columns).items()
    }


@settings(max_examples=60, deadline=None)
@given(document=whole)
def test_no_stage_takes_anything_from_columns(document: made.Json) -> None:
    process = one(document)
    whole = told(Columns([process.compiled()], [RECORD]))
    for stage in STAGES:
        assert told(Columns([process.as_of(stage)], [RECORD])) == whole


def test_parts_are_joined_one_below_the_other() -> None:
    tenders = [one({"lots": n, "value": 10 * n, "published": f"2024-01-0{n}"}).compiled() for n in (1, 2, 3)]
    records = [TrackRecord()] * 3
    parts = [Columns(tenders[:1], records[:1]), Columns(), Columns(tenders[1:], records[1:])]
    assert told(joined(parts, Columns)) == told(Columns(tenders, records))


def test_features_that_are_arithmetic_are_draft_features() -> None:
    by_column = [each for each in catalogue().values() if each.column]
    assert {each.stage for each in by_column} == {"draft"}
    assert len(by_column) > 10


@pytest.mark.parametrize("name", [name for name, each in catalogue().items() if each.column])
def test_a_column_has_a_number_a_tender(name: str) -> None:
    column = catalogue()[name].column
    assert column is not None
    for count in (0, 1, 3):
        found = column(Columns([one({"title": "x"}).compiled()] * count, [TrackRecord()] * count))
        assert found.shape == (count,) and found.dtype == np.float64
