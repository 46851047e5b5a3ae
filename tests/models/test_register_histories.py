"""States: what a register's records say, frozen into files and read as it was, but for the last bits."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from features.table_builder import TableBuilder, one_row
from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.register_features import history_values, register_features, telling_phrases
from features.track_records.register_history import HistoryCases, RegisterHistory, read_history
from features.track_records.text_model import MOST_PHRASES, Phrases
from models import register_histories
from models.bundle import Bundle
from models.predict import track_record_lookup
from tenders.tender import Tender
from tests.training import made
from training.datasets import empty_history, register_dataset, replay_cases

CASES = made.register(700)
NEW = [case.tender for case in (*made.register(30, seed=9), *CASES[-10:])]
"""Tenders of their own, and some that were called for before."""


def walked(cases: list[made.LabelledTender]) -> RegisterHistory:
    known = replay_cases(cases, "no_award")
    state = empty_history(known)
    histories.replay(state, known)
    return state


def numbers(history: RegisterHistory, tender: Tender, published: date | None = None) -> dict[str, float]:
    """What a history says of a tender published on a day, where it says something."""
    days = np.array([history.day if published is None else published.toordinal()])
    values = history_values(history, HistoryCases.unlabelled(hash_attributes([tender]), days))
    return {name: float(value) for name, (value,) in values.items() if value == value}


def phrases(history: RegisterHistory, tender: Tender) -> Phrases:
    return telling_phrases(history, tender)


@pytest.fixture(scope="module")
def state() -> RegisterHistory:
    """What the made-up register told."""
    return walked(CASES)


@pytest.fixture(scope="module")
def saved(state: RegisterHistory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state as files."""
    folder = tmp_path_factory.mktemp("state")
    register_histories.save(state, "no_award", folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def read(folder: Path) -> RegisterHistory:
    return register_histories.load("no_award", contents(folder))


def test_a_bundle_s_states_are_made_once_when_they_are_asked_for(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"other/single_bid.outcomes.parquet": b"", "calibration.json": b""}
    held = register_histories.LazyHistories(contents(saved) | others)
    made_of = []
    monkeypatch.setattr(register_histories, "load", lambda outcome, given: made_of.append((outcome, sorted(given))))
    assert list(held) == ["no_award"] and len(held) == 1 and not made_of
    assert held["no_award"] is held["no_award"]
    assert made_of == [("no_award", sorted(register_histories.files("no_award")))]
    assert held.get("single_bid") is None


@pytest.mark.parametrize("later", [0, 1, 30, 1000])
def test_what_is_saved_and_loaded_reads_the_same_on_any_later_day(
    state: RegisterHistory, saved: Path, later: int
) -> None:
    loaded = read(saved)
    days = np.full(len(NEW), state.day + later)
    one, other = (
        register_features(read_history(history, HistoryCases.unlabelled(hash_attributes(NEW), days)))
        for history in (state, loaded)
    )
    assert one.keys() == other.keys()
    # A key that was seen once may have been forgotten.
    often = one["cases_buyer"] > np.log(5)
    for name in (
        "cases_buyer",
        "load_buyer",
        "open_buyer",
        "words_score",
        "profile_score",
        "rate_buyer_year",
        "trend_unit",
    ):
        assert np.allclose(one[name][often], other[name][often], rtol=0.02, atol=0.02, equal_nan=True), name
    for name in one:
        if name.startswith("rate"):
            # A key of one case long ago is forgotten, and its rate is then the one above it.
            assert np.median(np.abs(one[name] - other[name])) < 0.02, name
            assert np.abs(one[name] - other[name]).max() < 0.15, name


def test_comparisons_with_peers_survive_the_rounding(state: RegisterHistory, saved: Path) -> None:
    loaded = read(saved)
    days = np.full(len(NEW), state.day)
    one, other = (
        register_features(read_history(history, HistoryCases.unlabelled(hash_attributes(NEW), days)))
        for history in (state, loaded)
    )
    for name in ("value_to_buyer", "window_to_buyer", "value_to_market", "window_to_market"):
        known = ~np.isnan(other[name])
        assert known.mean() > 0.5, name
        assert np.allclose(one[name][known], other[name][known], atol=0.02), name


def test_a_day_before_the_last_reads_as_the_last(state: RegisterHistory) -> None:
    early, last = (
        register_features(
            read_history(state, HistoryCases.unlabelled(hash_attributes(NEW), np.full(len(NEW), state.day - back)))
        )
        for back in (500, 0)
    )
    assert all(np.array_equal(early[name], last[name], equal_nan=True) for name in last)


def test_saving_what_was_loaded_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    register_histories.save(read(saved), "no_award", tmp_path)
    for name in register_histories.files("no_award"):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_the_files_are_small_and_say_what_they_are(state: RegisterHistory, saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == set(register_histories.files("no_award"))
    assert sum(path.stat().st_size for path in saved.iterdir()) < 1_000_000
    loaded = read(saved)
    assert (loaded.day, loaded.rate, loaded.passes, loaded.timeless) == (state.day, state.rate, state.passes, False)


def test_a_state_that_has_learnt_nothing_is_saved_too(tmp_path: Path) -> None:
    register_histories.save(walked([made.case(0, made.FIRST, None, None)]), "no_award", tmp_path)
    assert read(tmp_path).rate is None


def test_a_snapshot_reads_the_same_on_every_day() -> None:
    state = register_dataset(made.source(snapshot=True), CASES, "no_award", "draft").history
    day = CASES[0].published
    one, other = (numbers(state, NEW[0], day + timedelta(days=days)) for days in (0, 4000))
    assert one == other


def test_the_phrases_name_the_planted_word_and_nothing_that_is_not_said(state: RegisterHistory) -> None:
    tender = made.case(0, made.FIRST, None, None, title=f"{made.PLANTED} wall").tender
    counted = phrases(state, tender).counted
    assert counted[0][0].startswith(made.PLANTED) and counted[0][1] > 0
    assert {word for phrase, _ in counted for word in phrase.split()} <= {made.PLANTED, "wall"}
    assert len(counted) <= 2 * MOST_PHRASES
    assert phrases(state, made.case(0, made.FIRST, None, None, title="").tender).counted == ()


def test_a_buyer_that_fails_often_reads_so(state: RegisterHistory) -> None:
    shares: dict[str, list[bool]] = {}
    for case in CASES:
        shares.setdefault(str(case.tender.buyer and case.tender.buyer.id), []).append(bool(case.outcomes["no_award"]))
    ordered = sorted(shares, key=lambda buyer: sum(shares[buyer]) / len(shares[buyer]))
    rates = [
        numbers(state, made.case(0, made.FIRST, None, None, buyer=b).tender)["rate_buyer_ever"]
        for b in (ordered[0], ordered[-1])
    ]
    assert rates[0] < -0.1 and rates[1] > 0.1


def test_several_outcomes_are_predicted_by_their_own_histories(bundle: Bundle, state: RegisterHistory) -> None:
    both = replace(bundle, histories={"no_award": state, "single_bid": walked(CASES[:200])})
    for tender, day in ((NEW[0], None), (NEW[1], CASES[-1].published + timedelta(days=9))):
        table = one_row(tender, "draft", day)
        records = track_record_lookup(both, table)
        for outcome, history in both.histories.items():
            own = table.with_records(records).about(outcome).records
            assert own is not None
            values = {name: float(value) for name, (value,) in own.register.items() if value == value}
            assert values == numbers(history, tender, day)
        assert records.phrases is not None and records.phrases(table).rows() == [phrases(state, tender)]
    with pytest.raises(ValueError, match="have to be held"):
        track_record_lookup(both, TableBuilder([], "draft").table())


def test_an_outcome_without_history_is_none_and_no_damage() -> None:
    assert register_histories.LazyHistories({}).get("no_award") is None
