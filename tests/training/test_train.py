"""Training from end to end, with few trees: a bundle that loads and scores, figures of both kinds of rows, and a card."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from features.catalogue import catalogue
from models import bundle as bundles
from models.score import score
from tenders import casebook
from tenders.errors import DataError, UnreachableError
from tenders.facts import STAGES
from tests.training.conftest import QUICK
from training import dataset, recipe
from training import train as training
from training.dataset import History
from training.recipe import Recipe
from training.result import Result


def test_the_bundle_loads_and_scores(result: Result, tmp_path: Path) -> None:
    bundles.save(result.bundle, tmp_path / "bundle")
    loaded = bundles.load(tmp_path / "bundle")
    for stage in STAGES:
        found = score(loaded, casebook.case("NHS002").process(), stage)
        assert 0 < found.failure < 1
        assert found.bundle == training.UNRELEASED
        assert found.evidence == result.bundle.manifest.evidence


def test_there_is_a_model_of_every_outcome_at_every_stage_where_it_is_open(result: Result) -> None:
    pairs = {(outcome, stage) for outcome, stages in dataset.STAGES_OF.items() for stage in stages}
    assert set(result.trained) == set(result.bundle.boosters) == set(result.bundle.calibration) == pairs
    assert set(result.failure) == set(STAGES)


def test_the_same_seed_gives_the_same_files(history: History, result: Result, tmp_path: Path) -> None:
    again = training.train(history, QUICK)
    digests = []
    for name, each in (("one", result), ("two", again)):
        bundles.save(each.bundle, tmp_path / name)
        digests.append(bundles.load(tmp_path / name).manifest.digests)
    assert digests[0] == digests[1]


def test_another_seed_gives_other_boosters(history: History, result: Result) -> None:
    other = training.train(history, msgspec.structs.replace(QUICK, seed=QUICK.seed + 1))
    first, second = (each.bundle.boosters["early_end", "draft"].save_raw("ubj") for each in (result, other))
    assert first != second


def test_every_column_has_a_direction_and_is_known_at_its_stage(result: Result) -> None:
    for part in result.bundle.manifest.parts:
        for name in part.features:
            each = catalogue()[name]
            assert each.direction
            assert STAGES.index(each.stage) <= STAGES.index(part.stage)


def test_figures_of_cohort_and_picked_rows_stand_apart(history: History, result: Result) -> None:
    for (outcome, _), each in result.trained.items():
        known = ~(history.label(outcome) != history.label(outcome))
        assert each.model["cohort"].n == int((known & ~history.picked).sum())
        assert each.model["picked"].n == int((known & history.picked).sum())
        assert each.model["picked"].brier is None
        low, high = each.model["cohort"].auc_ci
        assert 0 <= low <= each.model["cohort"].auc <= high <= 1


def test_baselines_stand_beside_every_model(result: Result) -> None:
    for (outcome, _), each in result.trained.items():
        learnt = set() if outcome == "single_bid" else {"XGBoost_learnt"}
        assert set(each.baselines) == {"logistic_regression", "red_flags", "base_rate"} | learnt
        assert all(set(kinds) == {"cohort", "picked"} for kinds in each.baselines.values())
        assert each.baselines["base_rate"]["cohort"].auc == 0.5


def test_the_manifest_holds_the_fingerprint_and_the_figures(history: History, result: Result) -> None:
    manifest = result.bundle.manifest
    assert manifest.data == (history.source,)
    for stage in STAGES:
        assert manifest.metrics[f"failure/{stage}/cohort"]["auc"] == result.failure[stage]["cohort"].auc
    assert manifest.metrics["no_award/draft/picked"]["brier"] is None
    low, high = result.failure["draft"]["cohort"].auc_ci
    assert f"{low:.0%} to {high:.0%}" in manifest.evidence


def test_no_section_of_the_card_is_empty(result: Result) -> None:
    headings = re.split(r"^## (.+)$", result.bundle.card, flags=re.MULTILINE)[1:]
    sections = dict(zip(headings[::2], headings[1::2], strict=True))
    assert list(sections) == [
        "What it is", "What it saw", "How it was judged", "Figures", "What the models read", "What it is for, and what not",
    ]  # fmt: skip
    assert all(len(text.split()) > 20 for text in sections.values())


def test_the_card_has_every_figure_with_its_interval_and_what_the_model_must_not_be_used_for(result: Result) -> None:
    text = result.bundle.card
    for (outcome, stage), each in result.trained.items():
        for kind, figures in each.model.items():
            low, high = figures.auc_ci
            row = f"| {outcome} | {stage} | XGBoost, {kind} | {figures.n} | {figures.positives} |"
            assert row in text
            assert f"{figures.auc:.2f} ({low:.2f} to {high:.2f})" in text
    for stage in STAGES:
        assert f"| failure | {stage} | XGBoost, cohort |" in text
    for name in {name for part in result.bundle.manifest.parts for name in part.features}:
        assert f"`{name}`" in text
    assert result.bundle.manifest.data[0].sha256[:16] in text
    assert "must not be used to reject a bidder" in text
    assert "nan" not in text


def test_progress_names_every_model(history: History) -> None:
    told: list[str] = []
    training.train(history, msgspec.structs.replace(QUICK, trees=1, folds=2, resamples=2), told.append)
    assert told == [f"{outcome} at {stage}" for outcome, stages in dataset.STAGES_OF.items() for stage in stages]


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text("trees = 3\nhidden = 0.5\n")
    assert recipe.read(file) == Recipe(trees=3, hidden=0.5)
    assert recipe.read(None) == Recipe()


@pytest.mark.parametrize("text", ["tress = 3", 'trees = "many"', "trees =", "\x00", "[trees]\nx = 1"])
def test_a_recipe_that_is_wrong_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(DataError, match=r"recipe\.toml"):
        recipe.read(file)


def test_a_recipe_that_is_not_there_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Check the name"):
        recipe.read(tmp_path / "none.toml")
