"""Case matrix: a distance that behaves as one, and facts that two tenders share in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from features.table_builder import of_tenders
from models import case_matrix as matrices
from models.case_matrix import FACTS, CaseComparison, CaseMatrix, Likeness, case_matrix
from tenders.io.read import to_process
from tests.features import made


def matrix(*documents: dict[str, Any]) -> CaseMatrix:
    return case_matrix(of_tenders([to_process(document).as_of("awarded") for document in documents]))


def tender(**facts: Any) -> CaseMatrix:
    return matrix({"title": "x", **facts})


def likeness(first: CaseMatrix, second: CaseMatrix) -> Likeness:
    return CaseComparison(first, second).likeness(0)


def test_facts_to_compare_by_are_features_of_the_tender_itself() -> None:
    for fact in FACTS:
        assert catalogue()[fact.feature].evidence is None


@settings(max_examples=60)
@given(data=st.data())
def test_the_distance_is_symmetric_and_nothing_is_nearer_to_a_tender_than_itself(data: Any) -> None:
    first, second = (matrix(data.draw(made.known_at("awarded"))) for _ in range(2))
    there, back, self = likeness(first, second), likeness(second, first), likeness(first, first)
    assert there.distance == back.distance and there.shared == back.shared
    assert 0 <= self.distance <= there.distance <= 1
    assert not self.unlike


@settings(max_examples=40)
@given(data=st.data())
def test_rows_are_compared_as_if_each_stood_alone(data: Any) -> None:
    first, *others = (data.draw(made.known_at("awarded")) for _ in range(4))
    together = CaseComparison(matrix(first), matrix(*others))
    for row, other in enumerate(others):
        assert together.likeness(row) == likeness(matrix(first), matrix(other))


def test_sharing_more_facts_is_nearer_and_a_fact_left_open_is_neither_alike_nor_different() -> None:
    full = tender(lots=1, term_years=10, value=5e8)
    assert likeness(full, full).distance < likeness(full, tender(lots=1)).distance
    assert likeness(full, tender(service_lines=3)).shared == 0
    assert likeness(full, tender(service_lines=3)).distance == pytest.approx(matrices.PRIOR_DISTANCE)


def test_numbers_are_compared_as_ratios() -> None:
    small, double = likeness(tender(value=5e6), tender(value=1e7)), likeness(tender(value=5e8), tender(value=1e9))
    assert small.distance == double.distance
    assert (
        likeness(tender(value=1e6), tender(value=1e9)).distance
        == likeness(tender(value=1e6), tender(value=1e8)).distance
    )


def test_what_is_shared_is_said_in_words() -> None:
    alike = likeness(
        tender(lots=1, value=6e8, bidders=1, cpv="85140000", term_years=10),
        tender(lots=1, value=9e8, bidders=1, cpv="85141000", term_years=3),
    )
    assert {"also one block", "also over £500m", "also one bidder", "also the same kind of service"} <= set(alike.also)
    assert alike.unlike == ("3 years, here 10 years",)
