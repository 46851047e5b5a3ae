"""Standing: one walk in time order. A row reads what was known before its day, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from features.track_records import register_features as records
from features.track_records import register_history as standing
from features.track_records.attributes import describe
from features.track_records.register_history import ACTIVITY, EARLY, TABLES, State, keys_of
from tenders.history import LabelledTender
from tests.training import made
from training.frames import cases_of, fresh

CASES = made.register(330)
TURNED = {True: False, False: True}


def columns(cases: list[LabelledTender]) -> dict[str, np.ndarray]:
    """Every number that the rows read, by name; with the language models' scores and the register's level."""
    walked = cases_of(cases, "no_award")
    read = standing.replay(fresh(walked), walked)
    usual, drift = records.level(read)
    return {"usual": usual, "drift": drift, **dict(records.columns(read))}


WHOLE = columns(CASES)


def same(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray], rows: np.ndarray, places: np.ndarray | None = None
) -> None:
    """Both read alike at these rows, bit for bit; `places` are where they stand in the other."""
    assert one.keys() == other.keys()
    at = rows if places is None else places
    for name, column in one.items():
        assert np.array_equal(column[rows], other[name][at], equal_nan=True), name


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(0, len(CASES) - 1), data=st.data())
def test_what_became_known_on_or_after_its_day_changes_nothing(row: int, data: st.DataObject) -> None:
    day = CASES[row].published
    turned = data.draw(st.sampled_from(["turned", "deleted", "later"]))
    changed = []
    for case in CASES:
        if case.known_on and case.known_on >= day:
            told = case.outcomes["no_award"]
            case = {
                "turned": replace(case, outcomes={"no_award": TURNED[bool(told)]}),
                "deleted": replace(case, outcomes={"no_award": None}),
                "later": replace(case, known_on=case.known_on + timedelta(days=9)),
            }[turned]
        changed.append(case)
    rows = np.flatnonzero([case.published <= day for case in CASES])
    same(WHOLE, columns(changed), rows)


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(100, len(CASES) - 1))
def test_no_later_publication_changes_anything(row: int) -> None:
    day = CASES[row].published
    kept = [case for case in CASES if case.published <= day]
    cut = columns(kept)
    for name, column in cut.items():
        # The walk counts from another day, which rounds otherwise.
        assert np.allclose(column, WHOLE[name][: len(kept)], rtol=1e-4, atol=1e-5, equal_nan=True), name


@settings(max_examples=1, phases=[Phase.generate])
@given(row=st.integers(200, len(CASES) - 1))
def test_what_became_known_the_day_before_is_read(row: int) -> None:
    case = CASES[row]
    before = replace(CASES[0], tender=case.tender, known_on=case.published - timedelta(days=1))
    told = [columns([replace(before, outcomes={"no_award": y}), *CASES[1:]]) for y in (True, False)]
    failed, held = (each["rate_buyer_ever"][row] for each in told)
    assert failed > held
    on_the_day = [
        columns([replace(before, outcomes={"no_award": y}, known_on=case.published), *CASES[1:]])["rate_buyer_ever"][
            row
        ]
        for y in (True, False)
    ]
    assert on_the_day[0] == on_the_day[1]


def test_rows_of_one_day_do_not_read_each_other() -> None:
    day = CASES[-1].published + timedelta(days=100)
    alike = [replace(CASES[i], published=day, known_on=day) for i in (1, 1, 1)]
    found = columns([*CASES, *alike])
    for name, column in found.items():
        assert np.array_equal(column[-3], column[-1], equal_nan=True), name


@settings(max_examples=3, phases=[Phase.generate])
@given(seed=st.integers(0, 99))
def test_the_order_of_the_file_changes_nothing(seed: int) -> None:
    places = np.random.default_rng(seed).permutation(len(CASES))
    shuffled = columns([CASES[place] for place in places])
    for name, column in WHOLE.items():
        # Sums in another order round otherwise.
        assert np.allclose(column[places], shuffled[name], rtol=1e-5, atol=1e-6, equal_nan=True), name


def test_nothing_is_learnt_from_a_case_that_is_censored() -> None:
    walked = cases_of([replace(case, outcomes={"no_award": None}) for case in CASES], "no_award")
    state = fresh(walked)
    standing.replay(state, walked)
    assert not state.outcomes.count.any() and not state.words.weight.any() and state.rate is None
    assert state.activity.count.any()


def test_the_language_models_begin_at_the_share_of_the_first_that_are_known() -> None:
    walked = cases_of(CASES, "no_award")
    state = fresh(walked)
    read = standing.replay(state, walked)
    first = standing.learning_order(walked)
    begun = int(np.flatnonzero(read.said[0] != read.bias[0])[0])
    known = int((walked.known < walked.published[begun]).sum())
    assert known >= EARLY
    assert state.rate == pytest.approx(walked.y[first[:known]].mean(), abs=0.05)
    assert not (read.said[0] - read.bias[0])[walked.published < np.sort(walked.known)[EARLY - 1]].any()


def test_a_key_has_a_part_of_every_name_and_is_unknown_without_one() -> None:
    described = describe([CASES[0].tender, replace(CASES[0].tender, buyer=None)])
    for tables in (TABLES, ACTIVITY):
        found = keys_of(described, tables)
        assert found.tables == tuple(table for table in tables if set(table) <= set(described.hashes))
        keys = found.distinct[found.place]
        assert keys.shape == (1 + len(found.tables), 2)
        assert (keys[0] == 1).all()
        for (one, without_buyer), table in zip(keys[1:], found.tables, strict=True):
            assert one
            assert bool(without_buyer) == (not {"buyer", "name", "unit"} & set(table))
        assert len(set(keys[:, 0])) == len(keys)
        assert np.array_equal(found.distinct, np.unique(keys))


def test_keys_are_told_apart_alike_whether_they_are_few_or_many(monkeypatch: pytest.MonkeyPatch) -> None:
    described = describe([case.tender for case in CASES])
    few = keys_of(described, TABLES)
    for many in (0, few.place.size + 1):
        monkeypatch.setattr(standing, "MANY", many)
        again = keys_of(described, TABLES)
        assert again.tables == few.tables
        assert np.array_equal(again.distinct, few.distinct) and np.array_equal(again.place, few.place)


def test_counts_are_those_that_one_would_count_by_hand() -> None:
    state_rows = [row for row in range(len(CASES)) if row % 97 == 96]
    for row in state_rows:
        case = CASES[row]
        peers = [
            c for c in CASES
            if c.tender.buyer == case.tender.buyer and c.known_on is not None and c.known_on < case.published
        ]  # fmt: skip
        assert np.expm1(WHOLE["cases_buyer"][row]) == pytest.approx(len(peers), abs=1e-3)
        waiting = [
            c for c in CASES
            if c.tender.buyer == case.tender.buyer and c.published < case.published and c not in peers
        ]  # fmt: skip
        assert np.expm1(WHOLE["open_buyer"][row]) == pytest.approx(len(waiting), abs=1e-3)
        days = [c.published for c in CASES if c.tender.buyer == case.tender.buyer and c.published < case.published]
        assert WHOLE["since_buyer"][row] == (case.published - max(days)).days


def test_a_state_takes_no_more_passes_than_a_history_of_its_size_needs() -> None:
    few = cases_of(CASES[:50], "no_award")
    assert fresh(few).passes >= State.empty(few).passes == 1


def test_a_state_is_of_the_last_day_on_which_anything_was_published_or_known() -> None:
    walked = cases_of(CASES, "no_award")
    state = fresh(walked)
    standing.replay(state, walked)
    assert state.day == walked.known.max() > walked.published.max()
