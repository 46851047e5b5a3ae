"""A register's history is one walk in time order: a row reads what was known before its day, and nothing else. Counts
decay by half-lives, and stand as they stood on any day however the walk was cut."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import (
    EARLY,
    FOREVER,
    OUTCOME_KEYS,
    PUBLICATION_KEYS,
    Counts,
    DecayedCounts,
    RegisterHistory,
    keys_of,
)
from tenders.history import LabelledTender
from tests.training import made
from training.datasets import empty_history, replay_cases

CASES = made.register(330)
TURNED = {True: False, False: True}


def columns(cases: list[LabelledTender]) -> dict[str, np.ndarray]:
    """Every number that the rows read, by name; with the language models' scores and the register's level."""
    walked = replay_cases(cases, "no_award")
    read = histories.replay(empty_history(walked), walked)
    usual, drift = register_level(read)
    return {"usual": usual, "drift": drift, **register_features(read)}


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
            failed = case.outcomes["no_award"]
            case = {
                "turned": replace(case, outcomes={"no_award": TURNED[bool(failed)]}),
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
    tables = [columns([replace(before, outcomes={"no_award": y}), *CASES[1:]]) for y in (True, False)]
    failed, held = (table["rate_buyer_ever"][row] for table in tables)
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
    together = columns([*CASES, *alike])
    for name, column in together.items():
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
    walked = replay_cases([replace(case, outcomes={"no_award": None}) for case in CASES], "no_award")
    state = empty_history(walked)
    histories.replay(state, walked)
    assert not state.outcomes.count.any() and not state.words.weight.any() and state.rate is None
    assert state.publications.count.any()


def test_the_language_models_begin_at_the_share_of_the_first_that_are_known() -> None:
    walked = replay_cases(CASES, "no_award")
    state = empty_history(walked)
    read = histories.replay(state, walked)
    first = histories.learning_order(walked)
    begun = int(np.flatnonzero(read.text_margin[0] != read.text_bias[0])[0])
    known = int((walked.known < walked.published[begun]).sum())
    assert known >= EARLY
    assert state.rate == pytest.approx(walked.y[first[:known]].mean(), abs=0.05)
    assert not (read.text_margin[0] - read.text_bias[0])[walked.published < np.sort(walked.known)[EARLY - 1]].any()


def test_a_key_has_a_part_of_every_name_and_is_unknown_without_one() -> None:
    described = hash_attributes([CASES[0].tender, replace(CASES[0].tender, buyer=None)])
    for kinds in (OUTCOME_KEYS, PUBLICATION_KEYS):
        keyed = keys_of(described, kinds)
        assert keyed.kinds == tuple(key for key in kinds if set(key) <= set(described.hashes))
        keys = keyed.distinct[keyed.place]
        assert keys.shape == (1 + len(keyed.kinds), 2)
        assert (keys[0] == 1).all()
        for (one, without_buyer), key in zip(keys[1:], keyed.kinds, strict=True):
            assert one
            assert bool(without_buyer) == (not {"buyer", "name", "unit"} & set(key))
        assert len(set(keys[:, 0])) == len(keys)
        assert np.array_equal(keyed.distinct, np.unique(keys))


def test_keys_are_told_apart_alike_whether_they_are_few_or_many(monkeypatch: pytest.MonkeyPatch) -> None:
    described = hash_attributes([case.tender for case in CASES])
    few = keys_of(described, OUTCOME_KEYS)
    for many in (0, few.place.size + 1):
        monkeypatch.setattr(histories, "MANY", many)
        again = keys_of(described, OUTCOME_KEYS)
        assert again.kinds == few.kinds
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
    few = replay_cases(CASES[:50], "no_award")
    assert empty_history(few).passes >= RegisterHistory.empty(few).passes == 1


def test_a_state_is_of_the_last_day_on_which_anything_was_published_or_known() -> None:
    walked = replay_cases(CASES, "no_award")
    state = empty_history(walked)
    histories.replay(state, walked)
    assert state.day == walked.known.max() > walked.published.max()


HALF_LIVES = (FOREVER, 30, 365)
KEYS = np.array([7, 11, 13, 0], dtype=np.uint64)
DAY = 730_000

counted_rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from(KEYS.tolist()), min_size=2, max_size=2),
        st.integers(DAY, DAY + 2000),
        st.sampled_from([0.0, 1.0]),
        st.floats(0.1, 2),
    ),
    max_size=30,
)


def no_counts(origin: int = DAY + 1000) -> DecayedCounts:
    return DecayedCounts.empty(KEYS, HALF_LIVES, 1, origin)


def written(into: DecayedCounts, given_rows: list[tuple[list[int], int, float, float]]) -> DecayedCounts:
    """The counts with the rows in it; what they also showed is twice the outcome."""
    if given_rows:
        keys, days, y, weight = (np.array(part) for part in zip(*given_rows, strict=True))
        shown = np.array([y, 2 * y], dtype=np.float64)
        into.add(into.find(keys.astype(np.uint64).T), days.astype(np.int64), shown, weight.astype(np.float64))
    return into


def read_counts(of: DecayedCounts, day: int, *keys: int) -> Counts:
    """What one row with these keys reads on a day."""
    wanted = np.array([keys or KEYS.tolist()], dtype=np.uint64).T
    into = of.room(*wanted.shape)
    of.read(of.find(wanted), day, into, np.array([0]))
    return into


def close(one: Counts, other: Counts) -> bool:
    return all(
        np.allclose(getattr(one, part), getattr(other, part), rtol=1e-5, atol=1e-7, equal_nan=True)
        for part in ("count", "total", "others", "last")
    )


@pytest.mark.parametrize(("half_life", "place"), [(30, 1), (365, 2)])
def test_a_case_one_half_life_old_counts_half_and_forever_counts_one(half_life: int, place: int) -> None:
    counts = read_counts(written(no_counts(), [([7, 0], DAY, 1.0, 1.0)]), DAY + half_life, 7)
    assert counts.count[place, 0, 0] == pytest.approx(0.5)
    assert counts.total[place, 0, 0] == pytest.approx(0.5)
    assert counts.count[0, 0, 0] == counts.total[0, 0, 0] == 1
    assert counts.last[0, 0] == half_life


def test_other_measures_fade_with_the_last_half_life() -> None:
    counts = read_counts(written(no_counts(), [([7, 0], DAY, 1.0, 1.0)]), DAY + 365, 7)
    assert counts.others[0, 0, 0] == pytest.approx(2 * 0.5)


def test_a_row_counts_by_its_weight() -> None:
    counts = read_counts(written(no_counts(), [([7, 0], DAY, 1.0, 0.25), ([7, 0], DAY, 0.0, 1.0)]), DAY, 7)
    assert (counts.count[0, 0, 0], counts.total[0, 0, 0]) == (1.25, 0.25)


@given(given_rows=counted_rows)
def test_a_key_that_is_unknown_or_not_in_the_counts_is_never_written_and_reads_zero(given_rows: list[object]) -> None:
    counts = written(no_counts(), given_rows)  # type: ignore[arg-type]
    assert 0 not in counts.keys
    seen = read_counts(counts, DAY + 2001, 0, 999)
    assert not seen.count.any() and not seen.total.any() and not seen.others.any()
    assert np.isnan(seen.last).all()


def test_counts_without_keys_reads_zero() -> None:
    empty = DecayedCounts.empty(np.zeros(3, dtype=np.uint64), HALF_LIVES, 1, DAY)
    seen = read_counts(empty, DAY + 5, 7, 0)
    assert not seen.count.any() and np.isnan(seen.last).all()


@given(given_rows=counted_rows, cut=st.integers(0, 30))
def test_written_in_two_halves_it_is_what_one_walk_gives(given_rows: list[object], cut: int) -> None:
    whole = written(no_counts(), given_rows)  # type: ignore[arg-type]
    halves = written(written(no_counts(), given_rows[:cut]), given_rows[cut:])  # type: ignore[arg-type]
    assert close(read_counts(whole, DAY + 2001), read_counts(halves, DAY + 2001))


@given(given_rows=counted_rows, order=st.randoms(use_true_random=False))
def test_the_order_of_writing_changes_nothing(given_rows: list[object], order: object) -> None:
    shuffled = list(given_rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (written(no_counts(), rows) for rows in (given_rows, shuffled))  # type: ignore[arg-type]
    assert close(read_counts(one, DAY + 2001), read_counts(other, DAY + 2001))


@given(given_rows=counted_rows, moved=st.integers(-3000, 3000))
def test_the_day_from_which_it_counts_changes_nothing(given_rows: list[object], moved: int) -> None:
    one = written(no_counts(), given_rows)  # type: ignore[arg-type]
    other = written(no_counts(DAY + 1000 + moved), given_rows)  # type: ignore[arg-type]
    assert close(read_counts(one, DAY + 2001), read_counts(other, DAY + 2001))


@settings(max_examples=50)
@given(given_rows=counted_rows, later=st.integers(0, 4000))
def test_counts_only_fade_and_what_happened_never_exceeds_what_was_seen(given_rows: list[object], later: int) -> None:
    counts = written(no_counts(), given_rows)  # type: ignore[arg-type]
    now, then = read_counts(counts, DAY + 2001), read_counts(counts, DAY + 2001 + later)
    assert (then.count <= now.count * (1 + 1e-6)).all()
    assert np.array_equal(then.count[0], now.count[0])
    assert (now.total <= now.count * (1 + 1e-6)).all()


def test_a_key_that_several_rows_of_one_day_share_takes_them_one_by_one() -> None:
    weights = (0.1, 0.2, 0.7, 1e-9, 3.3)
    together = written(no_counts(), [([7, 11], DAY, 1.0, weight) for weight in weights])
    singly = no_counts()
    for weight in weights:
        written(singly, [([7, 11], DAY, 1.0, weight)])
    assert np.array_equal(together.values, singly.values)
    assert together.count[0].tolist() == [sum(weights), sum(weights), 0]
    assert together.last.tolist() == [-1000, -1000, -np.inf]


def test_rows_read_the_places_that_are_theirs_and_leave_the_others_alone() -> None:
    counts = written(no_counts(), [([7, 0], DAY, 1.0, 1.0), ([11, 0], DAY, 0.0, 2.0)])
    keys = np.array([[7, 11, 13], [11, 0, 7]], dtype=np.uint64)
    into = counts.room(*keys.shape)
    counts.read(counts.find(keys[:, [2, 0]]), DAY + 3, into, np.array([2, 0]))
    assert into.count[0].tolist() == [[1, 0, 0], [2, 0, 1]]
    assert into.total[0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert into.others[0].tolist() == pytest.approx(np.exp2(-3 / 365) * np.array([[2, 0, 0], [0, 0, 2]]), rel=1e-6)
    assert np.array_equal(into.last, [[3, np.nan, np.nan], [3, np.nan, 3]], equal_nan=True)


def test_a_day_beyond_all_reason_is_counted_as_the_furthest() -> None:
    counts = read_counts(written(no_counts(), [([7, 0], DAY + 10**6, 1.0, 1.0)]), DAY + 10**6, 7)
    assert np.isfinite(counts.count).all() and np.isfinite(counts.total).all()


def test_a_day_long_before_the_register_reads_nothing_rather_than_no_number() -> None:
    """A case without a date stands at the year 1, before anything was written."""
    counts = read_counts(no_counts(), 1, 7, 13)
    assert not counts.count.any() and not counts.total.any() and not counts.others.any()
