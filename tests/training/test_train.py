"""Training from end to end, with few trees: a bundle that loads and scores, figures of both kinds of rows, and a card."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from features.catalogue import catalogue
from models import bundle as bundles
from models.score import case, explained
from tenders import casebook
from tenders.facts import STAGES
from tests.training.conftest import QUICK
from training import train as training
from training.datasets import STAGES_OF, Casebook
from training.results import TrainingResult


def test_the_bundle_loads_and_scores(result: TrainingResult, tmp_path: Path) -> None:
    bundles.save(result.bundle, tmp_path / "bundle")
    loaded = bundles.load(tmp_path / "bundle")
    for stage in STAGES:
        found = explained(case(loaded, casebook.case("NHS002").process(), stage, check_stage=False))
        assert 0 < found.failure < 1
        assert found.bundle == training.UNRELEASED
        assert found.evidence == result.bundle.manifest.evidence


def test_there_is_a_model_of_every_outcome_at_every_stage_where_it_is_open(result: TrainingResult) -> None:
    pairs = {(outcome, stage) for outcome, stages in STAGES_OF.items() for stage in stages}
    assert set(result.fits) == set(result.bundle.boosters) == set(result.bundle.calibration) == pairs
    assert set(result.headline) == set(STAGES)


def test_the_same_seed_gives_the_same_files(book: Casebook, result: TrainingResult, tmp_path: Path) -> None:
    again = training.train(book, QUICK)
    digests = []
    for name, each in (("one", result), ("two", again)):
        bundles.save(each.bundle, tmp_path / name)
        digests.append(bundles.load(tmp_path / name).manifest.digests)
    assert digests[0] == digests[1]


def test_another_seed_gives_other_boosters(book: Casebook, result: TrainingResult) -> None:
    other = training.train(book, msgspec.structs.replace(QUICK, seed=QUICK.seed + 1))
    first, second = (each.bundle.boosters["early_end", "draft"].save_raw("ubj") for each in (result, other))
    assert first != second


def test_every_column_has_a_direction_and_is_known_at_its_stage(result: TrainingResult) -> None:
    for part in result.bundle.manifest.parts:
        for name in part.features:
            each = catalogue()[name]
            assert each.direction
            assert STAGES.index(each.stage) <= STAGES.index(part.stage)


def test_figures_of_cohort_and_picked_rows_stand_apart(book: Casebook, result: TrainingResult) -> None:
    for (outcome, _), each in result.fits.items():
        known = ~(book.labels(outcome) != book.labels(outcome))
        assert each.metrics["cohort"].n == int((known & ~book.picked).sum())
        assert each.metrics["picked"].n == int((known & book.picked).sum())
        assert each.metrics["picked"].brier is None
        low, high = each.metrics["cohort"].auc_ci
        assert 0 <= low <= each.metrics["cohort"].auc <= high <= 1


def test_baselines_stand_beside_every_model(result: TrainingResult) -> None:
    for (outcome, _), each in result.fits.items():
        learnt = set() if outcome == "single_bid" else {"XGBoost_on_outcomes"}
        assert set(each.baselines) == {"logistic_regression", "red_flags", "base_rate"} | learnt
        assert all(set(kinds) == {"cohort", "picked"} for kinds in each.baselines.values())
        assert each.baselines["base_rate"]["cohort"].auc == 0.5


def test_the_manifest_holds_the_fingerprint_and_the_figures(book: Casebook, result: TrainingResult) -> None:
    manifest = result.bundle.manifest
    assert manifest.data == (book.source,)
    for stage in STAGES:
        assert manifest.metrics[f"failure/{stage}/cohort"]["auc"] == result.headline[stage].metrics["cohort"].auc
    assert manifest.metrics["no_award/draft/picked"]["brier"] is None
    low, high = result.headline["draft"].metrics["cohort"].auc_ci
    assert f"{low:.0%} to {high:.0%}" in manifest.evidence


def test_no_section_of_the_card_is_empty(result: TrainingResult) -> None:
    headings = re.split(r"^## (.+)$", result.bundle.card, flags=re.MULTILINE)[1:]
    sections = dict(zip(headings[::2], headings[1::2], strict=True))
    assert list(sections) == [
        "What it is", "What it saw", "How it was judged", "Figures", "What the models read", "What it is for, and what not",
    ]  # fmt: skip
    assert all(len(text.split()) > 20 for text in sections.values())


def test_the_card_has_every_figure_with_its_interval_and_what_the_model_must_not_be_used_for(
    result: TrainingResult,
) -> None:
    text = result.bundle.card
    for (outcome, stage), each in result.fits.items():
        for kind, figures in each.metrics.items():
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


def test_progress_names_every_model(book: Casebook) -> None:
    messages: list[str] = []
    training.train(book, msgspec.structs.replace(QUICK, trees=1, folds=2, resamples=2), messages.append)
    assert messages == [f"{outcome} at {stage}" for outcome, stages in STAGES_OF.items() for stage in stages]
