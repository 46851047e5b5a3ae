"""Held cases are the cases that they were made of, and take a small part of the memory."""

from __future__ import annotations

import tracemalloc
from datetime import date
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tenders.held_cases import NO_TENDER, HeldCases, without_tenders
from tenders.history import LabelledTender
from tenders.process import to_json
from tenders.registers import own
from tenders.tender import Tender
from tests.training import declared_history, made, short_history

CASES = made.register(60)


def held(cases: list[LabelledTender], releases: list[dict[str, Any]] | None = None) -> HeldCases:
    made_of = HeldCases()
    for case, release in zip(cases, releases or [to_json(case.tender) for case in cases], strict=True):
        made_of.add(case, release)
    return made_of


def test_they_are_the_same_cases_by_place_by_slice_and_one_after_the_other():
    cases = held(CASES)
    assert len(cases) == len(CASES)
    assert list(cases) == [cases[place] for place in range(len(CASES))] == CASES
    assert cases[5:20:5] == CASES[5:20:5] and cases[-1] == CASES[-1]
    with pytest.raises(IndexError):
        cases[len(CASES)]


def test_what_needs_no_tender_gets_none():
    light = without_tenders(held(CASES))
    assert all(case.tender is NO_TENDER for case in light)
    assert [replace(case, tender=whole.tender) for case, whole in zip(light, CASES, strict=True)] == CASES
    assert without_tenders(CASES) is CASES


def test_the_days_on_which_outcomes_were_known_may_change():
    day = date(2030, 1, 2)
    changed = held(CASES).with_known_on({CASES[3].row: day})
    assert changed[3] == replace(CASES[3], known_on=day)
    assert list(changed)[4:] == CASES[4:]


def test_a_table_with_a_mapping_is_held(tmp_path):
    read = own.read_own(declared_history.write(tmp_path, calls=50) / "own.toml")
    assert isinstance(read.cases, HeldCases)
    first = read.cases[0]
    assert first.tender.tender_risk.own["urgency"] in declared_history.URGENCY
    # As strict as any release, once it is read.
    assert msgspec.convert(to_json(first.tender), Tender) == first.tender


def test_a_held_case_takes_less_than_half_the_memory(tmp_path):
    cases = own.read_own(short_history.write(tmp_path, calls=500) / "own.toml").cases
    rows, releases = list(cases), [without_empty(to_json(case.tender)) for case in cases]

    def memory(hold):
        tracemalloc.start()
        kept = hold()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert list(kept) == rows
        return used

    assert memory(lambda: held(rows, releases)) < 0.5 * memory(lambda: list(cases))


def without_empty(value):
    """A release as the row of a table states it: without what is empty."""
    if not isinstance(value, dict):
        return value
    parts = {key: without_empty(inner) for key, inner in value.items()}
    return {key: inner for key, inner in parts.items() if inner not in ({}, [], None)}
