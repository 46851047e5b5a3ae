"""The search tries numbers on windows before the judged ones, keeps to its bounds, and says all that it tried."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training import made
from training import recipe, search
from training.frames import Frame, frame
from training.recipe import Boost, Recipe
from training.register import STEPS
from training.rolling import slices

QUICK = Boost(trees=20, depth=2)


@pytest.fixture(scope="module")
def table() -> Frame:
    """A made-up register."""
    cases = made.register(1000)
    return frame(made.source(cases), cases, "no_award", "draft")


def test_no_window_reaches_into_a_judged_one(table: Frame) -> None:
    parts = search.before_judged(table)
    judged = list(slices(table, STEPS))[1:]
    assert 1 <= len(parts) <= search.WINDOWS
    first = min(table.published[part.test].min() for part in judged)
    for part in parts:
        assert table.published[part.test].max() < first
        assert table.known[part.train].max() < part.cut <= table.published[part.test].min()
    assert not set(np.concatenate([p.test for p in parts])) & set(np.concatenate([p.test for p in judged]))


def test_the_first_trial_is_what_is_there_and_the_best_is_kept(table: Frame) -> None:
    said: list[str] = []
    found = search.search(table, QUICK, 4, 60, 1, said.append)
    assert [each.number for each in found.trials] == [0, 1, 2, 3]
    assert found.trials[0].boost == QUICK
    best = max(found.trials, key=lambda each: each.auc)
    assert found.boost == (best.boost if best.auc >= found.trials[0].auc + search.WORTH else QUICK)
    assert found.name == "made/no_award"
    assert len(said) == 4 and "trial 4 of 4" in said[-1]


def test_the_same_seed_tries_the_same(table: Frame) -> None:
    one, two, other = ([t.boost for t in search.search(table, QUICK, 3, 3600, seed).trials] for seed in (1, 1, 2))
    assert one == two != other


def test_time_is_bounded_and_no_trial_is_no_search(table: Frame) -> None:
    assert search.search(table, QUICK, 50, 0.0, 1).boost == QUICK
    assert not search.search(table, QUICK, 0, 60, 1).trials


def test_a_snapshot_has_no_window_before_the_judged(table: Frame) -> None:
    assert not search.search(msgspec.structs.replace(table, snapshot=True), QUICK, 3, 60, 1).trials


def test_rows_are_bounded(table: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 50)
    whole = {part.cut: part for part in slices(table, STEPS + search.WINDOWS - 1)}
    for part in search.before_judged(table):
        assert len(part.train) <= 50 and len(part.test) <= 50
        left_out = np.setdiff1d(whole[part.cut].train, part.train)
        assert table.published[left_out].max() <= table.published[part.train].min()
        assert (table.y[part.train] == part.y).all()


def test_a_recipe_reads_back_as_it_was_written(tmp_path: Path) -> None:
    given = Recipe(trees=3).settled({"made/no_award": Boost(depth=7, learning_rate=0.0123)})
    (tmp_path / "recipe.toml").write_text(recipe.written(given))
    assert recipe.read(tmp_path / "recipe.toml") == given
    assert given.boost("made", "no_award").depth == 7
    assert given.boost("made", "single_bid") == Boost()
    assert given.boost("sicoes_bo", "no_award") == Recipe().boost("sicoes_bo")
