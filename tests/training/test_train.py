"""Training from end to end, with few trees: a bundle that loads and scores, figures of both kinds of rows, and a card."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.special import expit

from features.catalogue import catalogue
from models import bundle as bundles
from models.predict import predict
from models.score import case, explained
from tenders import casebook
from tenders.facts import STAGES
from tests.training.conftest import QUICK
from training import train as training
from training.datasets import STAGES_OF, Casebook, casebook_dataset
from training.results import TrainingResult
from training.uk import UkEvidence, uk_bundle


def test_the_bundle_loads_and_scores(result: TrainingResult, tmp_path: Path) -> None:
    bundles.save(result.bundle, tmp_path / "bundle")
    loaded = bundles.load(tmp_path / "bundle")
    for stage in STAGES:
        scored = explained(case(loaded, casebook.case("NHS002").process(), stage, check_stage=False))
        assert 0 < scored.failure < 1
        assert scored.bundle == bundles.UNRELEASED
        assert scored.evidence == result.bundle.manifest.evidence


def test_there_is_a_model_of_every_outcome_at_every_stage_where_it_is_open(result: TrainingResult) -> None:
    pairs = {(outcome, stage) for outcome, stages in STAGES_OF.items() for stage in stages}
    assert set(result.fits) == set(result.bundle.predicted) == set(result.bundle.calibration) == pairs
    assert set(result.headline) == set(STAGES)


def test_the_same_seed_gives_the_same_files(book: Casebook, result: TrainingResult, tmp_path: Path) -> None:
    again = training.train(book, QUICK)
    digests = []
    for name, trained in (("one", result), ("two", again)):
        bundles.save(trained.bundle, tmp_path / name)
        digests.append(bundles.load(tmp_path / name).manifest.digests)
    assert digests[0] == digests[1]


def test_trees_are_grown_only_where_they_gain(result: TrainingResult) -> None:
    for key, fit in result.fits.items():
        assert (key in result.bundle.boosters) == bool(fit.beyond and fit.beyond.gain > fit.beyond.error)
        assert bool(result.bundle.part(*key).features) == (key in result.bundle.boosters)


class RelabelledBook:
    """The casebook with other outcomes of one kind."""

    def __init__(self, book: Casebook, outcome: str, y: np.ndarray) -> None:
        self._book, self._outcome, self._y = book, outcome, y

    def __getattr__(self, name: str) -> object:
        return getattr(self._book, name)

    def labels(self, outcome: str) -> np.ndarray:
        """The outcomes of a kind."""
        return self._y if outcome == self._outcome else self._book.labels(outcome)


def test_a_fold_sees_nothing_of_the_groups_that_it_judges(book: Casebook) -> None:
    """What is forecast of a group is the same whatever became of it."""
    data = casebook_dataset(book, "early_end", "draft", QUICK)
    rows = data.group == data.group[data.cohort[0]]
    flipped = np.where(rows & data.labelled, 1 - data.y, data.y)
    margins = []
    for y in (data.y, flipped):
        evidence = UkEvidence(book)
        evidence.book = RelabelledBook(book, "early_end", y)
        train, test = np.flatnonzero(~rows), np.flatnonzero(rows)
        bundle = uk_bundle(*evidence.model(train), book.case_history)
        margins.append(predict(bundle, book.tables["draft"]).margin["early_end"][test])
    assert np.array_equal(*margins)


def test_every_column_has_a_direction_and_is_known_at_its_stage(result: TrainingResult) -> None:
    for part in result.bundle.manifest.parts:
        for name in part.features:
            feature = catalogue()[name]
            assert feature.direction
            assert STAGES.index(feature.stage) <= STAGES.index(part.stage)


def test_figures_of_cohort_and_picked_rows_stand_apart(book: Casebook, result: TrainingResult) -> None:
    for (outcome, _), fit in result.fits.items():
        known = ~(book.labels(outcome) != book.labels(outcome))
        assert fit.metrics["cohort"].n == int((known & ~book.picked).sum())
        assert fit.metrics["picked"].n == int((known & book.picked).sum())
        assert fit.metrics["picked"].brier is None
        low, high = fit.metrics["cohort"].auc_ci
        assert 0 <= low <= fit.metrics["cohort"].auc <= high <= 1


def test_baselines_stand_beside_every_model(result: TrainingResult) -> None:
    for fit in result.fits.values():
        assert set(fit.baselines) == {"logistic_regression", "red_flags", "XGBoost_on_outcomes"}
        assert all(set(kinds) == {"cohort", "picked"} for kinds in fit.baselines.values())


def test_brier_skill_is_against_the_class_rate_of_the_same_folds(result: TrainingResult) -> None:
    for fit in result.fits.values():
        cohort = fit.metrics["cohort"]
        rows = fit.data.cohort
        of_class = np.average((expit(fit.level[rows]) - fit.data.y[rows]) ** 2, weights=fit.data.case_weight[rows])
        assert cohort.brier_of_base_rate == pytest.approx(of_class, abs=1e-4)
        assert cohort.brier_skill == pytest.approx(1 - cohort.brier / of_class, abs=2e-3)


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
        "What it is", "What it saw", "Reference classes", "Effects of factors", "How it was judged", "Figures",
        "What it is for, and what not",
    ]  # fmt: skip
    assert all(len(text.split()) > 20 for text in sections.values())


def test_the_card_has_every_figure_with_its_interval_and_what_the_model_must_not_be_used_for(
    result: TrainingResult,
) -> None:
    text = result.bundle.card
    for (outcome, stage), fit in result.fits.items():
        for kind, figures in fit.metrics.items():
            low, high = figures.auc_ci
            row = f"| {outcome} | {stage} | served, {kind} | {figures.n} | {figures.positives} |"
            assert row in text
            assert f"{figures.auc:.2f} ({low:.2f} to {high:.2f})" in text
    for stage in STAGES:
        assert f"| failure | {stage} | served, cohort |" in text
    for effect in result.bundle.manifest.effects:
        assert f"| {catalogue()[effect.feature].label} | " in text
    counts = result.counts
    assert f"{counts.researched} researched cases" in text and f"Of {counts.known} of these" in text
    assert result.bundle.manifest.data[0].sha256[:16] in text
    assert "must not be used to reject a bidder" in text
    assert "nan" not in text


def test_progress_names_every_model(book: Casebook) -> None:
    messages: list[str] = []
    training.train(book, msgspec.structs.replace(QUICK, trees=1, folds=2, resamples=2), messages.append)
    assert messages[0] == "pooling the evidence for factors"
    assert messages[1:] == [f"{outcome} at {stage}" for outcome, stages in STAGES_OF.items() for stage in stages]
