"""Records of factors count what they say they count, and their intervals are Wilson's and Newcombe's on cases that share fate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import factor_features
from features.competition import bidders
from features.table_builder import one_row
from models.factor_records import FactorCase, effective_cases, factor_record, factor_records, newcombe, wilson
from tenders import casebook


def cases_of(shown: bool, failed: int, held: int, fate: str = "") -> list[FactorCase]:
    return [FactorCase(shown, i < failed, fate or f"{shown}{i}") for i in range(failed + held)]


def test_every_factor_has_a_record_and_those_no_field_tells_have_an_empty_one() -> None:
    assert list(factor_records()) == [feature.name for feature, _ in factor_features()]
    for declared, _ in factor_features():
        if not declared.path:
            assert (factor_records()[declared.name].with_, factor_records()[declared.name].without) == ((0, 0), (0, 0))


def test_a_record_is_what_a_count_by_hand_over_the_cohort_cases_gives() -> None:
    failures: dict[bool, list[bool]] = {True: [], False: []}
    for case in casebook.cases():
        too_recent = case.censored and case.fail == "0"
        tender = case.process().as_of("bids_in")
        if case.picked or not case.fail or too_recent or bidders(one_row(tender)) == 0:
            continue
        if case.lots or case.single_block:
            failures[case.lots == "1" if case.lots else case.single_block == "yes"].append(case.fail == "1")
    record = factor_records()["single_block"]
    assert record.with_ == (sum(failures[True]), len(failures[True])) and record.without == (sum(failures[False]), len(failures[False]))


def test_no_factor_counts_more_cases_or_events_than_there_are() -> None:
    cohort = [case for case in casebook.cases() if not case.picked and case.fail]
    for record in factor_records().values():
        assert record.with_[1] + record.without[1] <= len(cohort)
        assert record.with_[0] <= record.with_[1] and record.without[0] <= record.without[1]
        assert record.events[0] <= record.with_[1] and record.events[1] <= record.without[1]


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe 1998, two-sided intervals for the single proportion, table I, method 3.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_newcombe_gives_the_published_interval() -> None:
    # Newcombe 1998, interval estimation for the difference between independent proportions, table II, method 10.
    assert newcombe((56, 70), 70, (48, 80), 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe((9, 10), 10, (3, 10), 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 30), st.integers(1, 30))
def test_the_interval_holds_the_difference_and_is_no_wider_than_can_be(f: int, n: int, g: int, m: int) -> None:
    first, second = (min(f, n), n), (min(g, m), m)
    low, high = newcombe(first, n, second, m)
    difference = first[0] / n - second[0] / m
    assert -1 - 1e-9 <= low <= difference + 1e-9 and difference - 1e-9 <= high <= 1 + 1e-9


def test_cases_that_share_their_fate_are_one_event_more_than_many() -> None:
    alone, together = cases_of(True, 5, 5), cases_of(True, 5, 5, "one programme")
    assert effective_cases(alone) == pytest.approx(10) and effective_cases(together) == pytest.approx(1)
    rest = cases_of(False, 10, 90)
    narrow, wide = (factor_record("failure", [*cases, *rest]) for cases in (alone, together))
    assert narrow.interval and wide.interval
    assert wide.interval[0] < narrow.interval[0] and narrow.interval[1] < wide.interval[1]
    assert narrow.verdict == "supported" and wide.verdict == "could be chance"


def test_the_verdict_follows_what_the_source_saw_it_with() -> None:
    cases = [*cases_of(True, 10, 0), *cases_of(False, 0, 10)]
    assert factor_record("failure", cases).verdict == "supported"
    assert factor_record("survival", cases).verdict == "contradicted"


def test_without_cases_on_both_sides_nothing_is_compared() -> None:
    record = factor_record("failure", cases_of(True, 3, 1))
    assert (record.difference, record.interval, record.verdict) == (None, None, "not compared")
    assert "Of 4 past cases with it, 3 failed" in record.words and "nothing to compare" in record.words


def test_words_say_the_difference_in_points() -> None:
    record = factor_record("failure", [*cases_of(True, 10, 10), *cases_of(False, 5, 15)])
    assert record.difference is not None and math.isclose(record.difference, 0.25)
    assert "+25 points" in record.words
