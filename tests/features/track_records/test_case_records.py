"""Case records count what was resolved strictly before a day, compare like with like, and depend on no order. Spellings
of a name agree, and a tender counts under all that it names."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.categorical import Categorical
from features.track_records.case_records import (
    BUYERS,
    PRIOR_CASES,
    PRIOR_RATE,
    CaseHistory,
    CaseRecord,
    CaseRecords,
    ResolvedCase,
    in_order,
    longest_records,
)

DAY = date(2020, 1, 1)
days = st.integers(-9, 9).map(lambda n: DAY + timedelta(days=n))


def days_on(later: int) -> date:
    """A day so many days after DAY."""
    return DAY + timedelta(days=later)


keys = st.lists(st.sampled_from(["buyer:a", "buyer:b", "market:851", "adviser:c"]), min_size=1, max_size=3, unique=True)
outcomes = st.builds(
    ResolvedCase,
    on=days,
    keys=keys.map(tuple),
    failed=st.booleans(),
    kind=st.sampled_from(["cohort", "picked"]),
    bidders=st.one_of(st.none(), st.integers(0, 9).map(float)),
    value_gbp=st.one_of(st.none(), st.floats(1, 1e9)),
)


def learnt(resolved: list[ResolvedCase]) -> dict[str, CaseRecord]:
    """The records after outcomes in the order given, reckoned as the docstring of `CaseRecord` says."""
    kinds: dict[str, list[bool]] = {}
    records: dict[str, CaseRecord] = {}
    for case in resolved:
        before = kinds.setdefault(case.kind, [])
        rate = (sum(before) + PRIOR_CASES * PRIOR_RATE) / (len(before) + PRIOR_CASES)
        before.append(case.failed)
        for key in case.keys:
            record = records.setdefault(key, CaseRecord())
            record.cases += 1
            record.failed += case.failed
            record.expected += rate
            if case.bidders is not None:
                record.counted += 1
                record.bidders += case.bidders
            if case.value_gbp:
                record.valued += 1
                record.log_value += math.log(case.value_gbp)
    return records


def same(state: CaseRecords, expected: dict[str, CaseRecord]) -> bool:
    """Whether a state holds these records and no other, up to the last digit of a sum."""
    return _numbers(dict(state)) == {key: pytest.approx(value) for key, value in _numbers(expected).items()}


def _numbers(records: dict[str, CaseRecord]) -> dict[str, list[float]]:
    return {key: [getattr(record, name) for name in CaseRecord.__struct_fields__] for key, record in records.items()}


@settings(max_examples=200)
@given(earlier=st.lists(outcomes, max_size=12), later=st.lists(outcomes, max_size=12), seed=st.randoms())
def test_nothing_resolved_on_or_after_publication_is_known(
    earlier: list[ResolvedCase], later: list[ResolvedCase], seed: Any
) -> None:
    before = [case for case in earlier if case.on < DAY]
    after = [case for case in later if case.on >= DAY]
    mixed = [*before, *after]
    seed.shuffle(mixed)
    assert same(CaseHistory.of(mixed).as_of(DAY), learnt(in_order(before)))


def test_what_is_resolved_on_the_day_of_publication_itself_is_not_known() -> None:
    history = CaseHistory.of([ResolvedCase(on=DAY, keys=("buyer:a",), failed=True)])
    assert history.as_of(DAY).longest(["buyer:a"]) is None
    assert history.as_of(DAY + timedelta(days=1)).longest(["buyer:a"]) is not None


@settings(max_examples=100)
@given(resolved=st.lists(outcomes, max_size=12), published=st.lists(days, min_size=1, max_size=6), seed=st.randoms())
def test_neither_the_order_of_cases_nor_that_of_questions_matters(
    resolved: list[ResolvedCase], published: list[date], seed: Any
) -> None:
    shuffled = list(resolved)
    seed.shuffle(shuffled)
    history, other = CaseHistory.of(shuffled), CaseHistory.of(resolved)
    states = {day: other.as_of(day) for day in sorted(published)}
    assert all(history.as_of(day) == states[day] for day in published)
    assert all(history.as_of(day) is history.as_of(day) for day in (*published, None))


def test_a_state_holds_what_is_known_and_nothing_else() -> None:
    history = CaseHistory.of(
        [ResolvedCase(on=DAY, keys=("buyer:a",), failed=True), ResolvedCase(on=days_on(2), keys=("c",), failed=True)]
    )
    state = history.as_of(days_on(1))
    assert list(state) == ["buyer:a"] and len(state) == 1 and "c" not in state
    with pytest.raises(KeyError):
        state["c"]


def test_without_a_day_all_is_known() -> None:
    history = CaseHistory.of([ResolvedCase(on=DAY, keys=("buyer:a",), failed=True)])
    assert history.as_of(None)["buyer:a"].cases == 1


def test_what_is_expected_of_a_case_is_the_rate_of_its_kind_so_far() -> None:
    ends = enumerate((True, False, True))
    cases = [ResolvedCase(on=days_on(n), keys=("buyer:a",), failed=failed) for n, failed in ends]
    # 0.2 before any case; then (1 + 5 * 0.2) / (1 + 5), and (1 + 5 * 0.2) / (2 + 5).
    assert CaseHistory.of(cases).as_of(None)["buyer:a"].expected == pytest.approx(PRIOR_RATE + 2 / 6 + 2 / 7)


def test_kinds_are_compared_with_their_own_only() -> None:
    picked = [ResolvedCase(on=DAY, keys=("market:1",), failed=True, kind="picked")] * 50
    cohort = ResolvedCase(on=DAY, keys=("buyer:a",), failed=False, kind="cohort")
    assert CaseHistory.of([*picked, cohort]).as_of(None)["buyer:a"].expected == pytest.approx(PRIOR_RATE)


def test_picked_cases_that_fail_as_picked_cases_do_inflate_nothing() -> None:
    """Three in four picked cases fail; a buyer of whom three in four did is as the rest."""
    rest = [ResolvedCase(on=days_on(i), keys=("buyer:other",), failed=i % 4 > 0, kind="picked") for i in range(200)]
    own = [ResolvedCase(on=days_on(200 + i), keys=("buyer:a",), failed=i % 4 > 0, kind="picked") for i in range(40)]
    state = CaseHistory.of([*rest, *own]).as_of(None)
    assert state["buyer:a"].rate > 0.6
    assert state["buyer:a"].ratio == pytest.approx(1, abs=0.05)


def test_a_ratio_is_shrunk_to_one_by_how_little_is_known() -> None:
    assert CaseRecord().ratio == 1
    assert CaseRecord(cases=1, failed=1, expected=0.2).ratio == pytest.approx(2 / 1.2)
    assert CaseRecord(cases=100, failed=100, expected=20).ratio == pytest.approx(101 / 21)


@given(failed=st.integers(0, 50), held=st.integers(0, 50))
def test_one_failure_more_raises_the_ratio_and_one_survival_more_lowers_it(failed: int, held: int) -> None:
    known = CaseRecord(cases=failed + held, failed=failed, expected=0.2 * (failed + held))
    expected = known.expected + 0.2
    assert (
        CaseRecord(cases=known.cases + 1, failed=failed + 1, expected=expected).ratio > known.ratio or known.ratio > 5
    )
    assert CaseRecord(cases=known.cases + 1, failed=failed, expected=expected).ratio < known.ratio


def test_the_words_give_the_record_and_its_size() -> None:
    assert (
        CaseRecord(cases=3, failed=2, expected=0.61).summary
        == "3 earlier cases that had ended by then; 2 failed, where 0.6 of cases picked alike would have"
    )


def test_of_several_keys_the_longest_record_is_read_so_that_no_case_counts_twice() -> None:
    first = ResolvedCase(on=DAY, keys=("adviser:a", "adviser:b"), failed=True)
    state = CaseHistory.of([first, ResolvedCase(on=DAY, keys=("adviser:b",), failed=False)]).as_of(None)
    both = state.longest(["adviser:a", "adviser:b", "adviser:nobody"])
    assert both is not None
    assert (both.cases, both.failed) == (2, 1)
    assert state.longest(["buyer:nobody"]) is None and state.longest(["buyer:nobody", "adviser:nobody"]) is None
    assert state.longest([]) is None


@given(
    questions=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=5),
    resolved=st.lists(outcomes, max_size=8),
)
def test_many_are_told_what_each_is_told_alone(questions: list[tuple[int, int]], resolved: list[ResolvedCase]) -> None:
    """Also where kinds are of other rows than those asked: of some that were left out."""
    history = CaseHistory.of(resolved)
    states = [history.as_of(day) for day in (DAY - timedelta(days=5), DAY, None)]
    names: list[tuple[str, ...]] = [(), ("buyer:a",), ("nobody", "buyer:b"), ("buyer:a", "market:851")]
    records, keys = (np.array(column, dtype=np.int32) for column in zip(*questions, strict=True))
    longest = longest_records(Categorical(states, records), Categorical(names, keys)).rows()
    assert longest == [states[record].longest(names[key]) for record, key in questions]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Cambridgeshire & Peterborough CCG", "cambridgeshire and peterborough ccg"),
        ("The Example Council", "Example"),
        ("ACME (UK) Ltd.", "Acme UK Limited"),
        ("NHS Shared Business Services", "Shared Business Services"),
    ],
)
def test_spellings_of_a_name_meet(name: str, other: str) -> None:
    assert BUYERS[name, None] == BUYERS[other, None] != ()


def test_a_name_of_nothing_but_legal_form_is_no_key() -> None:
    assert BUYERS["The Council", None] == ()
