"""The ledger: decayed counts by key, as they stood on any day, however the walk was cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.track_records.counts import FOREVER, Ledger, Seen

HALF_LIVES = (FOREVER, 30, 365)
KEYS = np.array([7, 11, 13, 0], dtype=np.uint64)
DAY = 730_000

rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from(KEYS.tolist()), min_size=2, max_size=2),
        st.integers(DAY, DAY + 2000),
        st.sampled_from([0.0, 1.0]),
        st.floats(0.1, 2),
    ),
    max_size=30,
)


def ledger(origin: int = DAY + 1000) -> Ledger:
    return Ledger.empty(KEYS, HALF_LIVES, 1, origin)


def written(into: Ledger, given_rows: list[tuple[list[int], int, float, float]]) -> Ledger:
    """The ledger with the rows in it; what they also showed is twice the outcome."""
    if given_rows:
        keys, days, y, weight = (np.array(part) for part in zip(*given_rows, strict=True))
        shown = np.array([y, 2 * y], dtype=np.float64)
        into.write(into.places(keys.astype(np.uint64).T), days.astype(np.int64), shown, weight.astype(np.float64))
    return into


def read(of: Ledger, day: int, *keys: int) -> Seen:
    """What one row with these keys reads on a day."""
    asked = np.array([keys or KEYS.tolist()], dtype=np.uint64).T
    into = of.blank(*asked.shape)
    of.read(of.places(asked), day, into, np.array([0]))
    return into


def close(one: Seen, other: Seen) -> bool:
    return all(
        np.allclose(getattr(one, part), getattr(other, part), rtol=1e-5, atol=1e-7, equal_nan=True)
        for part in ("count", "total", "also", "last")
    )


@pytest.mark.parametrize(("half_life", "place"), [(30, 1), (365, 2)])
def test_a_case_one_half_life_old_counts_half_and_forever_counts_one(half_life: int, place: int) -> None:
    found = read(written(ledger(), [([7, 0], DAY, 1.0, 1.0)]), DAY + half_life, 7)
    assert found.count[place, 0, 0] == pytest.approx(0.5)
    assert found.total[place, 0, 0] == pytest.approx(0.5)
    assert found.count[0, 0, 0] == found.total[0, 0, 0] == 1
    assert found.last[0, 0] == half_life


def test_other_measures_fade_with_the_last_half_life() -> None:
    found = read(written(ledger(), [([7, 0], DAY, 1.0, 1.0)]), DAY + 365, 7)
    assert found.also[0, 0, 0] == pytest.approx(2 * 0.5)


def test_a_row_counts_by_its_weight() -> None:
    found = read(written(ledger(), [([7, 0], DAY, 1.0, 0.25), ([7, 0], DAY, 0.0, 1.0)]), DAY, 7)
    assert (found.count[0, 0, 0], found.total[0, 0, 0]) == (1.25, 0.25)


@given(given_rows=rows)
def test_a_key_that_is_unknown_or_not_in_the_ledger_is_never_written_and_reads_zero(given_rows: list[object]) -> None:
    found = written(ledger(), given_rows)  # type: ignore[arg-type]
    assert 0 not in found.keys
    seen = read(found, DAY + 2001, 0, 999)
    assert not seen.count.any() and not seen.total.any() and not seen.also.any()
    assert np.isnan(seen.last).all()


def test_a_ledger_without_keys_reads_zero() -> None:
    empty = Ledger.empty(np.zeros(3, dtype=np.uint64), HALF_LIVES, 1, DAY)
    seen = read(empty, DAY + 5, 7, 0)
    assert not seen.count.any() and np.isnan(seen.last).all()


@given(given_rows=rows, cut=st.integers(0, 30))
def test_written_in_two_halves_it_is_what_one_walk_gives(given_rows: list[object], cut: int) -> None:
    whole = written(ledger(), given_rows)  # type: ignore[arg-type]
    halves = written(written(ledger(), given_rows[:cut]), given_rows[cut:])  # type: ignore[arg-type]
    assert close(read(whole, DAY + 2001), read(halves, DAY + 2001))


@given(given_rows=rows, order=st.randoms(use_true_random=False))
def test_the_order_of_writing_changes_nothing(given_rows: list[object], order: object) -> None:
    shuffled = list(given_rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (written(ledger(), each) for each in (given_rows, shuffled))  # type: ignore[arg-type]
    assert close(read(one, DAY + 2001), read(other, DAY + 2001))


@given(given_rows=rows, moved=st.integers(-3000, 3000))
def test_the_day_from_which_it_counts_changes_nothing(given_rows: list[object], moved: int) -> None:
    one = written(ledger(), given_rows)  # type: ignore[arg-type]
    other = written(ledger(DAY + 1000 + moved), given_rows)  # type: ignore[arg-type]
    assert close(read(one, DAY + 2001), read(other, DAY + 2001))


@settings(max_examples=50)
@given(given_rows=rows, later=st.integers(0, 4000))
def test_counts_only_fade_and_what_happened_never_exceeds_what_was_seen(given_rows: list[object], later: int) -> None:
    found = written(ledger(), given_rows)  # type: ignore[arg-type]
    now, then = read(found, DAY + 2001), read(found, DAY + 2001 + later)
    assert (then.count <= now.count * (1 + 1e-6)).all()
    assert np.array_equal(then.count[0], now.count[0])
    assert (now.total <= now.count * (1 + 1e-6)).all()


def test_a_key_that_several_rows_of_one_day_share_takes_them_one_by_one() -> None:
    weights = (0.1, 0.2, 0.7, 1e-9, 3.3)
    together = written(ledger(), [([7, 11], DAY, 1.0, weight) for weight in weights])
    singly = ledger()
    for weight in weights:
        written(singly, [([7, 11], DAY, 1.0, weight)])
    assert np.array_equal(together.held, singly.held)
    assert together.count[0].tolist() == [sum(weights), sum(weights), 0]
    assert together.last.tolist() == [-1000, -1000, -np.inf]


def test_rows_read_the_places_that_are_theirs_and_leave_the_others_alone() -> None:
    found = written(ledger(), [([7, 0], DAY, 1.0, 1.0), ([11, 0], DAY, 0.0, 2.0)])
    asked = np.array([[7, 11, 13], [11, 0, 7]], dtype=np.uint64)
    into = found.blank(*asked.shape)
    found.read(found.places(asked[:, [2, 0]]), DAY + 3, into, np.array([2, 0]))
    assert into.count[0].tolist() == [[1, 0, 0], [2, 0, 1]]
    assert into.total[0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert into.also[0].tolist() == pytest.approx(np.exp2(-3 / 365) * np.array([[2, 0, 0], [0, 0, 2]]), rel=1e-6)
    assert np.array_equal(into.last, [[3, np.nan, np.nan], [3, np.nan, 3]], equal_nan=True)


def test_a_day_beyond_all_reason_is_counted_as_the_furthest() -> None:
    found = read(written(ledger(), [([7, 0], DAY + 10**6, 1.0, 1.0)]), DAY + 10**6, 7)
    assert np.isfinite(found.count).all() and np.isfinite(found.total).all()


def test_a_day_long_before_the_register_reads_nothing_rather_than_no_number() -> None:
    """A case without a date stands at the year 1, before anything was written."""
    found = read(ledger(), 1, 7, 13)
    assert not found.count.any() and not found.total.any() and not found.also.any()
