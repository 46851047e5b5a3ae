"""Datasets: the casebook's labels by the rules, kinds apart; no row of either knows what became known on its day or later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from features.catalogue import catalogue, trained_at
from features.categorical import Categorical
from features.matrix import feature_values
from features.table import TrackRecords
from features.table_builder import one_row
from features.track_records.case_records import ResolvedCase
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.facts import STAGES, Facts
from tenders.history import UNDATED, LabelledTender
from tenders.registers import find_register as register
from tests.tenders.registers.test_real import HISTORY
from tests.training import made
from training.datasets import (
    STAGES_OF,
    Casebook,
    RegisterDataset,
    casebook_source,
    early_end_horizon,
    load_casebook,
    register_dataset,
    replay_cases,
)

BLANK = dict.fromkeys(CasebookCase.__struct_fields__, "")


def case(**columns: str) -> CasebookCase:
    """A cohort case of 2015 that held, unless `columns` say otherwise."""
    held = {
        "case_id": "X1", "sector": casebook.case("NHS001").sector, "cohort": "somewhere", "buyer": "A", "provider": "P",
        "award_date": "2016", "published": "2015-01-01", "outcome": "completed", "outcome_date": "2018-01-01", "fail": "0",
    }  # fmt: skip
    return msgspec.convert({**BLANK, **held, **columns}, CasebookCase)


def outcomes_in_records(cases: Sequence[CasebookCase]) -> tuple[ResolvedCase, ...]:
    """What the track records learn of these cases alone."""
    return load_casebook(cases).case_history.resolved


FAILED = {"fail": "1", "outcome": "collapsed"}


@pytest.mark.parametrize(
    ("columns", "no_award", "early_end", "failure"),
    [
        ({}, 0, 0, 0),
        (FAILED, 0, 1, 1),
        ({"fail": "1", "outcome": "terminated early"}, 0, 1, 1),
        ({"fail": "1", "outcome": "not renewed after failure"}, 0, 1, 1),
        ({"fail": "1", "outcome": "abandoned procurement"}, 1, None, 1),
        ({"outcome": "running", "censored": "yes"}, 0, None, None),
        ({**FAILED, "censored": "yes"}, 0, None, 1),
        ({"fail": "", "outcome": "ambiguous"}, None, None, None),
    ],
)
def test_labels(
    columns: dict[str, str], no_award: float | None, early_end: float | None, failure: float | None
) -> None:
    loaded = load_casebook([case(**columns)])
    for outcome, expected in (("no_award", no_award), ("early_end", early_end), ("failure", failure)):
        value = loaded.labels(outcome)[0]
        assert (None if np.isnan(value) else value) == expected, outcome


@pytest.mark.parametrize(
    ("columns", "single"),
    [
        ({"bidders_final": "1"}, 1),
        ({"bidders_final": "3"}, 0),
        ({"bidders_final": ""}, None),
        ({"bidders_final": "1", "route": "direct"}, None),
    ],
)
def test_a_single_bid_is_one_bidder_in_a_competition(columns: dict[str, str], single: float | None) -> None:
    value = load_casebook([case(**columns)]).labels("single_bid")[0]
    assert (None if np.isnan(value) else value) == single


def test_a_case_without_any_date_is_left_out(book: Casebook) -> None:
    undated = case(case_id="X2", published="", award_date="", start_date="")
    assert [entry.case_id for entry in load_casebook([case(), undated]).cases] == ["X1"]
    assert len(book.cases) < len(casebook.cases())
    assert all(entry.process().published_on() for entry in book.cases)


def test_picked_and_cohort_cases_are_told_apart(book: Casebook) -> None:
    assert list(book.picked) == [entry.cohort == "picked" for entry in book.cases]
    assert 0 < book.picked.sum() < len(book.cases)


def test_what_shares_fate_is_in_one_group(book: Casebook) -> None:
    """Cases of one buyer, and cohort cases of one programme, are never split; picked cases are no programme."""
    for key in ("buyer", "cohort"):
        groups: dict[str, set[int]] = {}
        for entry, group in zip(book.cases, book.group, strict=True):
            if key == "buyer" or not entry.picked:
                groups.setdefault(getattr(entry, key), set()).add(int(group))
        assert all(len(numbers) == 1 for numbers in groups.values())
    assert len(set(book.group)) > 20


def test_probation_contracts_that_ended_by_one_decision_are_learnt_once(book: Casebook) -> None:
    failed = [entry for entry in book.cases if entry.cohort == "TR_CRC_21" and entry.fail == "1"]
    decisions = {(entry.cohort, entry.buyer, entry.outcome_date) for entry in failed}
    assert len(failed) > 15 and len(decisions) < 5
    assert len(outcomes_in_records(failed)) == len(decisions)
    fates = Counter(fate for fate, entry in zip(book.decision, book.cases, strict=True) if entry in failed)
    assert len(fates) == len(decisions)


def test_survivors_survive_one_by_one() -> None:
    three = [case(case_id=f"X{i}") for i in range(3)]
    assert len(outcomes_in_records(three)) == 3
    assert len(outcomes_in_records([case(case_id=f"X{i}", **FAILED) for i in range(3)])) == 1


def test_what_is_learnt_has_a_day_a_kind_and_an_outcome(book: Casebook) -> None:
    resolved = book.case_history.resolved
    assert [entry.on for entry in resolved] == sorted(entry.on for entry in resolved)
    assert {entry.kind for entry in resolved} == {"picked", "cohort"}
    assert sum(entry.failed for entry in resolved) < len(resolved)
    assert not outcomes_in_records([case(outcome_date=""), case(case_id="X2", fail="")])


def test_a_case_that_is_too_recent_to_have_failed_is_not_learnt_as_one_that_held(book: Casebook) -> None:
    recent = [entry for entry in book.cases if entry.censored and entry.fail == "0"]
    assert recent and not outcomes_in_records(recent)


def test_rows_are_what_serving_would_have_read_on_the_day(book: Casebook) -> None:
    for index in range(0, len(book.cases), 37):
        process = book.cases[index].process()
        for stage in STAGES:
            records = TrackRecords(cases=Categorical.single(book.case_history.as_of(process.published_on())))
            again = feature_values(trained_at(stage), one_row(process.as_of(stage), stage, records=records))
            assert book.x[stage][index] == pytest.approx(again[0].astype(np.float32), nan_ok=True)


def test_an_outcome_on_or_after_publication_does_not_reach_a_row() -> None:
    early = case(case_id="X1", outcome_date="2015-01-01", published="2010-01-01", **FAILED)
    late = case(case_id="X2", published="2015-01-01")
    later = case(case_id="X3", published="2015-01-02")
    loaded = load_casebook([early, late, later])
    column = loaded.features["draft"].index("buyer_record")
    assert np.isnan(loaded.x["draft"][1, column])
    assert loaded.x["draft"][2, column] > 1


def test_the_order_of_cases_changes_no_row(book: Casebook) -> None:
    turned = load_casebook(book.cases[::-1][:60])
    straight = load_casebook(book.cases[-60:])
    for stage in STAGES:
        assert turned.x[stage][::-1] == pytest.approx(straight.x[stage], rel=1e-5, nan_ok=True)


def test_columns_are_those_that_training_offers_at_the_stage(book: Casebook) -> None:
    for stage in STAGES:
        assert book.features[stage] == tuple(feature.name for feature in trained_at(stage))
        assert book.x[stage].shape == (len(book.cases), len(book.features[stage]))


def test_the_fingerprint_is_of_the_data(book: Casebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2015, 1, 1), date(2016, 1, 1)]
    before = casebook_source(book.cases, days)
    assert before.sha256 == book.source.sha256
    assert (before.rows, before.first, before.last) == (len(book.cases), "2015-01-01", "2016-01-01")
    changed = tmp_path / "cases.csv"
    changed.write_bytes(casebook.CASES.read_bytes() + b"\n")
    monkeypatch.setattr(casebook, "CASES", changed)
    assert casebook_source(book.cases, days).sha256 != before.sha256


def test_every_outcome_is_trained_only_at_stages_where_it_is_open() -> None:
    assert set(STAGES_OF) == {"no_award", "early_end", "single_bid"}
    assert "awarded" not in STAGES_OF["no_award"]
    assert STAGES_OF["single_bid"] == ("draft",)


CASES = made.register(450)


def dataset(cases: list[LabelledTender], snapshot: bool = False) -> RegisterDataset:
    return register_dataset(made.source(cases, snapshot=snapshot), cases, "no_award", "draft")


@pytest.fixture(scope="module")
def whole() -> RegisterDataset:
    """The made-up register as a table."""
    return dataset(CASES)


@pytest.fixture(scope="module")
def snapshot() -> RegisterDataset:
    """The same as a snapshot."""
    return dataset(CASES, snapshot=True)


def turned(case: LabelledTender, how: str) -> LabelledTender:
    """A case that ended otherwise, or of which the end is not known."""
    failed = case.outcomes["no_award"]
    return replace(case, outcomes={"no_award": None if how == "deleted" else not failed}, kind="cancelled")


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(0, len(CASES) - 1), how=st.sampled_from(["turned", "deleted"]))
def test_what_became_known_on_or_after_its_day_changes_no_number_of_a_row(
    whole: RegisterDataset, row: int, how: str
) -> None:
    day = CASES[row].published
    changed = dataset([turned(c, how) if c.known_on and c.known_on >= day else c for c in CASES])
    upto = np.flatnonzero(whole.published <= day.toordinal())
    assert changed.names == whole.names
    assert np.array_equal(changed.x[upto], whole.x[upto], equal_nan=True)
    assert np.array_equal(changed.level[upto], whole.level[upto])
    assert np.array_equal(changed.drift[upto], whole.drift[upto])


@settings(max_examples=3, phases=[Phase.generate])
@given(row=st.integers(200, len(CASES) - 2))
def test_no_later_publication_changes_a_number(whole: RegisterDataset, row: int) -> None:
    day = CASES[row].published
    swapped = [
        replace(c, tender=CASES[0].tender, outcomes={"no_award": True}) if c.published > day else c for c in CASES
    ]
    upto = np.flatnonzero(whole.published <= day.toordinal())
    changed = dataset(swapped)
    for column, name in enumerate(whole.names):
        if name in changed.names:
            other = changed.x[upto, changed.names.index(name)]
            assert np.array_equal(other, whole.x[upto, column], equal_nan=True), name


@settings(max_examples=3, phases=[Phase.generate])
@given(
    buyer=st.sampled_from(sorted({str(c.tender.buyer.id) for c in CASES if c.tender.buyer})),
    how=st.sampled_from(["turned", "deleted"]),
)
def test_in_a_snapshot_no_number_knows_an_end_of_the_row_s_own_buyer(
    snapshot: RegisterDataset, buyer: str, how: str
) -> None:
    own = [c.tender.buyer is not None and c.tender.buyer.id == buyer for c in CASES]
    changed = dataset([turned(c, how) if mine else c for c, mine in zip(CASES, own, strict=True)], snapshot=True)
    rows = np.flatnonzero(own)
    assert changed.names == snapshot.names
    assert np.array_equal(changed.x[rows], snapshot.x[rows], equal_nan=True)
    assert not np.array_equal(changed.x, snapshot.x, equal_nan=True)


def test_a_snapshot_does_not_know_time(snapshot: RegisterDataset) -> None:
    later = [replace(c, known_on=c.known_on + timedelta(days=400) if c.known_on else None) for c in CASES]
    moved = dataset(later, snapshot=True)
    own = [column for column, name in enumerate(snapshot.names) if not name.startswith("lag")]
    assert np.array_equal(moved.x[:, own], snapshot.x[:, own], equal_nan=True)
    assert not snapshot.drift.any()
    assert snapshot.history.timeless


@pytest.mark.parametrize("snapshot_", [False, True])
def test_the_order_of_the_file_changes_no_number(
    snapshot_: bool, whole: RegisterDataset, snapshot: RegisterDataset
) -> None:
    order = np.random.default_rng(0).permutation(len(CASES))
    expected = snapshot if snapshot_ else whole
    table = dataset([CASES[place] for place in order], snapshot_)
    assert table.names == expected.names
    assert np.allclose(table.x, expected.x[order], rtol=1e-5, atol=1e-5, equal_nan=True)


def test_rows_are_cases_and_columns_features(whole: RegisterDataset) -> None:
    assert whole.x.shape == (len(CASES), len(whole.names)) and whole.x.dtype == np.float32
    assert set(whole.names) <= set(catalogue()) and len(set(whole.names)) == len(whole.names)
    assert list(whole.y) == [float(bool(c.outcomes["no_award"])) for c in CASES]
    assert list(whole.published) == [c.published.toordinal() for c in CASES]
    assert len(set(whole.key)) == len(CASES)
    assert not np.isinf(whole.x).any()
    assert all(len(labels) == len(CASES) for labels in whole.subgroups.values())


def test_a_feature_that_tells_no_tender_from_another_is_no_column(whole: RegisterDataset) -> None:
    assert "lot_count" not in whole.names and "single_block" not in whole.names
    assert {"value_gbp", "open_procedure", "title_words"} <= set(whole.names)


def test_a_censored_row_is_published_and_tells_nothing() -> None:
    censored = [replace(c, known_on=None) if i % 5 == 0 else c for i, c in enumerate(CASES[:100])]
    table = dataset(censored)
    assert list(np.flatnonzero(~table.labelled)) == list(range(0, 100, 5))


def test_cases_that_share_fate_or_buyer_have_one_number() -> None:
    alike = [replace(CASES[i], cluster_id="one") for i in range(3)]
    nobody = [replace(c, tender=replace(c.tender, buyer=None)) for c in CASES[3:5]]
    table = dataset([*alike, *nobody])
    assert len(set(table.cluster[:3])) == 1 and len(set(table.cluster)) == 3
    assert len(set(table.buyer[3:])) == 2


def test_what_else_an_end_showed() -> None:
    counted = Facts()
    day = CASES[0].published
    cases = [
        replace(made.case(0, day, day + timedelta(days=7), True, facts=counted), kind="Cancelled by the buyer"),
        replace(made.case(1, day, day + timedelta(days=999), True), kind="no bids"),
        made.case(2, day, None, None),
    ]
    assert replay_cases(cases, "no_award", ("cancel",)).others.tolist() == [[7, 200, 0], [1, 0, 0]]


@pytest.mark.slow
def test_a_slice_of_the_real_register_of_bolivia_gives_the_same_table_twice(tmp_path: Path) -> None:
    path = HISTORY / "sicoes_bo.parquet"
    if not path.exists():
        pytest.skip("the register sicoes_bo is not beside the project")
    pq.write_table(pq.read_table(path).slice(0, 6_000), tmp_path / path.name)
    read = register("sicoes_bo")
    cases = read.read(tmp_path / path.name).cases
    assert len(cases) == 6_000
    first, again = (register_dataset(read, ordered, "no_award", "draft") for ordered in (cases, cases[::-1]))
    assert first.names == again.names
    assert np.allclose(first.x, again.x[::-1], rtol=1e-4, atol=1e-4, equal_nan=True)


def test_no_outcome_becomes_known_after_the_register_was_copied() -> None:
    copied = CASES[-1].known_on
    assert copied is not None
    far = replace(CASES[3], known_on=copied + timedelta(days=365 * 28))
    days = replay_cases([*CASES[:3], far, *CASES[4:]], "no_award").known
    assert days[3] == days.max() == replay_cases(CASES, "no_award").known.max()
    assert np.array_equal(np.delete(days, 3), np.delete(replay_cases(CASES, "no_award").known, 3))


def test_nor_is_it_brought_before_any_publication() -> None:
    # Two contracts that ended years after all others: too few to show that the register was still kept.
    last = CASES[-1].published
    late = [replace(CASES[row], known_on=last + timedelta(days=900 + 50 * row)) for row in range(2)]
    published = np.array([case.published.toordinal() for case in CASES])
    days = replay_cases([*late, *CASES[2:]], "no_award").known
    assert (days[:2] >= published.max()).all()
    new = replace(CASES[0], published=last + timedelta(days=920), known_on=None, row=9999)
    days = replay_cases([*late, *CASES[2:], new], "no_award").known
    assert list(days[:2]) == [last.toordinal() + 900, last.toordinal() + 920]


def test_where_nothing_is_known_no_day_is() -> None:
    assert not replay_cases([replace(case, known_on=None) for case in CASES[:5]], "no_award").known.any()


def test_an_early_end_says_its_horizon() -> None:
    day = date(2015, 1, 1)
    cases = [
        made.case(n, day, day + timedelta(round(365.25 * years)), n == 0, outcome="early_end")
        for n, years in enumerate([1, 4, 4, 4, 12])
    ]
    horizon = early_end_horizon(cases)
    assert "before the planned end" in horizon and "followed for 4 years or more after the call" in horizon
    assert "followed for 10 years or more" in early_end_horizon(cases, date(2025, 1, 1))
    assert early_end_horizon([replace(case, cohort="picked") for case in cases]) == ""
    assert early_end_horizon([replace(case, published=UNDATED) for case in cases]) == ""
