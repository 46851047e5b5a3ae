"""Frames: a register as a table. No number of a row knows what became known on its day or later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from features.catalogue import catalogue
from tenders.facts import Facts
from tenders.history import LabelledTender
from tenders.registers import find_register as register
from tests.tenders.registers.test_real import HISTORY
from tests.training import made
from training.frames import Frame, cases_of, frame

CASES = made.register(450)


def table(cases: list[LabelledTender], snapshot: bool = False) -> Frame:
    return frame(made.source(cases, snapshot=snapshot), cases, "no_award", "draft")


@pytest.fixture(scope="module")
def whole() -> Frame:
    """The made-up register as a table."""
    return table(CASES)


@pytest.fixture(scope="module")
def snapshot() -> Frame:
    """The same as a snapshot."""
    return table(CASES, snapshot=True)


def turned(case: LabelledTender, how: str) -> LabelledTender:
    """A case that ended otherwise, or of which the end is not known."""
    told = case.outcomes["no_award"]
    return replace(case, outcomes={"no_award": None if how == "deleted" else not told}, kind="cancelled")


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(0, len(CASES) - 1), how=st.sampled_from(["turned", "deleted"]))
def test_what_became_known_on_or_after_its_day_changes_no_number_of_a_row(whole: Frame, row: int, how: str) -> None:
    day = CASES[row].published
    changed = table([turned(c, how) if c.known_on and c.known_on >= day else c for c in CASES])
    upto = np.flatnonzero(whole.published <= day.toordinal())
    assert changed.names == whole.names
    assert np.array_equal(changed.x[upto], whole.x[upto], equal_nan=True)
    assert np.array_equal(changed.level[upto], whole.level[upto])
    assert np.array_equal(changed.drift[upto], whole.drift[upto])


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(200, len(CASES) - 2))
def test_no_later_publication_changes_a_number(whole: Frame, row: int) -> None:
    day = CASES[row].published
    swapped = [
        replace(c, tender=CASES[0].tender, outcomes={"no_award": True}) if c.published > day else c for c in CASES
    ]
    upto = np.flatnonzero(whole.published <= day.toordinal())
    changed = table(swapped)
    for column, name in enumerate(whole.names):
        if name in changed.names:
            other = changed.x[upto, changed.names.index(name)]
            assert np.array_equal(other, whole.x[upto, column], equal_nan=True), name


@settings(max_examples=3, phases=[Phase.generate])
@given(
    buyer=st.sampled_from(sorted({str(c.tender.buyer.id) for c in CASES if c.tender.buyer})),
    how=st.sampled_from(["turned", "deleted"]),
)
def test_in_a_snapshot_no_number_knows_an_end_of_the_row_s_own_buyer(snapshot: Frame, buyer: str, how: str) -> None:
    own = [c.tender.buyer is not None and c.tender.buyer.id == buyer for c in CASES]
    changed = table([turned(c, how) if mine else c for c, mine in zip(CASES, own, strict=True)], snapshot=True)
    rows = np.flatnonzero(own)
    assert changed.names == snapshot.names
    assert np.array_equal(changed.x[rows], snapshot.x[rows], equal_nan=True)
    assert not np.array_equal(changed.x, snapshot.x, equal_nan=True)


def test_a_snapshot_does_not_know_time(snapshot: Frame) -> None:
    later = [replace(c, known_on=c.known_on + timedelta(days=400) if c.known_on else None) for c in CASES]
    moved = table(later, snapshot=True)
    own = [column for column, name in enumerate(snapshot.names) if not name.startswith("lag")]
    assert np.array_equal(moved.x[:, own], snapshot.x[:, own], equal_nan=True)
    assert not snapshot.drift.any()
    assert snapshot.state.timeless


@pytest.mark.parametrize("snapshot_", [False, True])
def test_the_order_of_the_file_changes_no_number(snapshot_: bool, whole: Frame, snapshot: Frame) -> None:
    order = np.random.default_rng(0).permutation(len(CASES))
    expected = snapshot if snapshot_ else whole
    found = table([CASES[place] for place in order], snapshot_)
    assert found.names == expected.names
    assert np.allclose(found.x, expected.x[order], rtol=1e-5, atol=1e-5, equal_nan=True)


def test_rows_are_cases_and_columns_features(whole: Frame) -> None:
    assert whole.x.shape == (len(CASES), len(whole.names)) and whole.x.dtype == np.float32
    assert set(whole.names) <= set(catalogue()) and len(set(whole.names)) == len(whole.names)
    assert list(whole.y) == [float(bool(c.outcomes["no_award"])) for c in CASES]
    assert list(whole.published) == [c.published.toordinal() for c in CASES]
    assert len(set(whole.key)) == len(CASES)
    assert not np.isinf(whole.x).any()
    assert all(len(labels) == len(CASES) for labels in whole.groups.values())


def test_a_feature_that_tells_no_tender_from_another_is_no_column(whole: Frame) -> None:
    assert "lot_count" not in whole.names and "single_block" not in whole.names
    assert {"value_gbp", "open_procedure", "title_words"} <= set(whole.names)


def test_a_censored_row_is_published_and_tells_nothing() -> None:
    censored = [replace(c, known_on=None) if i % 5 == 0 else c for i, c in enumerate(CASES[:100])]
    found = table(censored)
    assert list(np.flatnonzero(~found.told)) == list(range(0, 100, 5))


def test_cases_that_share_fate_or_buyer_have_one_number() -> None:
    alike = [replace(CASES[i], cluster_id="one") for i in range(3)]
    nobody = [replace(c, tender=replace(c.tender, buyer=None)) for c in CASES[3:5]]
    found = table([*alike, *nobody])
    assert len(set(found.fate[:3])) == 1 and len(set(found.fate)) == 3
    assert len(set(found.buyer[3:])) == 2


def test_what_else_an_end_showed() -> None:
    counted = Facts()
    day = CASES[0].published
    cases = [
        replace(made.case(0, day, day + timedelta(days=7), True, facts=counted), kind="Cancelled by the buyer"),
        replace(made.case(1, day, day + timedelta(days=999), True), kind="no bids"),
        made.case(2, day, None, None),
    ]
    assert cases_of(cases, "no_award").others.tolist() == [[7, 200, 0], [1, 0, 0]]


@pytest.mark.slow
def test_a_slice_of_the_real_register_of_bolivia_gives_the_same_table_twice(tmp_path: Path) -> None:
    path = HISTORY / "sicoes_bo.parquet"
    if not path.exists():
        pytest.skip("the register sicoes_bo is not beside the project")
    pq.write_table(pq.read_table(path).slice(0, 6_000), tmp_path / path.name)
    read = register("sicoes_bo")
    cases = read.read(tmp_path / path.name).cases
    assert len(cases) == 6_000
    first, again = (frame(read, each, "no_award", "draft") for each in (cases, cases[::-1]))
    assert first.names == again.names
    assert np.allclose(first.x, again.x[::-1], rtol=1e-4, atol=1e-4, equal_nan=True)


def test_no_outcome_becomes_known_after_the_register_was_copied() -> None:
    copied = CASES[-1].known_on
    assert copied is not None
    far = replace(CASES[3], known_on=copied + timedelta(days=365 * 28))
    days = cases_of([*CASES[:3], far, *CASES[4:]], "no_award").known
    assert days[3] == days.max() == cases_of(CASES, "no_award").known.max()
    assert np.array_equal(np.delete(days, 3), np.delete(cases_of(CASES, "no_award").known, 3))


def test_nor_is_it_brought_before_any_publication() -> None:
    # Two contracts that ended years after all others: too few to show that the register was still kept.
    last = CASES[-1].published
    late = [replace(CASES[row], known_on=last + timedelta(days=900 + 50 * row)) for row in range(2)]
    published = np.array([case.published.toordinal() for case in CASES])
    days = cases_of([*late, *CASES[2:]], "no_award").known
    assert (days[:2] >= published.max()).all()
    new = replace(CASES[0], published=last + timedelta(days=920), known_on=None, row=9999)
    days = cases_of([*late, *CASES[2:], new], "no_award").known
    assert list(days[:2]) == [last.toordinal() + 900, last.toordinal() + 920]


def test_where_nothing_is_known_no_day_is() -> None:
    assert not cases_of([replace(case, known_on=None) for case in CASES[:5]], "no_award").known.any()
