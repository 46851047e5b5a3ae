"""A portfolio against what its models learnt from, register by register and stage by stage, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks import made_tenders
from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.score import Case, predict_cases
from models.training_profile import TrainingProfile, code_shares, feature_quantiles, quantiles
from portfolio import drift as drifting
from portfolio.drift import DriftReport, feature_weights, measure_drift, read_cases
from tenders.errors import BundleError
from tenders.io.read import to_processes

MADE = list(made_tenders.releases(500, seed=3))


def training_profile(bundle: Bundle, cases: Sequence[Case]) -> TrainingProfile:
    """What a bundle would hold if it had learnt from these tenders, all at draft."""
    tenders = [case.tender for case in cases]
    ((_, predicted),) = predict_cases(cases)
    parts = [part for part in bundle.manifest.parts if part.stage == "draft" and part.outcome in FAILURE_OUTCOMES]
    return TrainingProfile(
        rows=len(tenders),
        first="2022-01-01",
        last="2025-12-31",
        features={
            part.name: {
                feature.name: feature_quantiles(predicted.feature_values[:, at].astype(np.float32))
                for at, feature in enumerate(bundle.weighed)
            }
            for part in parts
        },
        scores={part.name: quantiles(predicted.probability[part.outcome]) for part in parts},
        codes=code_shares(tenders),
    )


def drafts(bundle: Bundle, releases: Iterable[Any]) -> list[Case]:
    return [scoring.case(bundle, process, "draft") for release in releases for process in to_processes(release)]


@pytest.fixture(scope="module")
def learnt(bundle: Bundle) -> Bundle:
    """A bundle with a training_profile: half of the made tenders, at draft."""
    return msgspec.structs.replace(bundle, training_profile=training_profile(bundle, drafts(bundle, MADE[:250])))


def words(report: DriftReport) -> str:
    return " ".join(line for part in report.compared for line in part.sentences)


def test_similar_tenders_have_not_drifted(learnt: Bundle) -> None:
    report = measure_drift(learnt, drafts(learnt, MADE[250:]))
    assert (report.same, report.rows, report.answer) == (True, 250, "Yes: scores still mean what they meant.")
    (only,) = report.compared
    assert (only.register, only.stage, only.rows) == ("uk", "draft", 250)
    assert "250 tenders that the model learnt from, published 2022-01-01 to 2025-12-31" in words(report)
    assert "cannot be seen" in words(report)


def test_different_tenders_have_drifted_and_the_report_says_why(learnt: Bundle) -> None:
    odd = [{**release, "tender": {"id": "1", "title": "Works", "mainProcurementCategory": "vessels"}} for release in MADE]
    report = measure_drift(learnt, drafts(learnt, odd))
    assert report.same is False
    text = words(report)
    assert "Why not: " in text
    assert "of the tenders that state a category, 100% state one that the model never saw" in text
    assert re.search(r": unknown for 100% of tenders", text)


def test_too_few_tenders_give_no_answer(learnt: Bundle) -> None:
    report = measure_drift(learnt, drafts(learnt, MADE[:49]))
    assert (report.same, report.answer) == (None, "It is not known whether scores still mean what they meant.")
    assert "49 tenders are too few to compare: at least 50 are needed" in words(report)


def test_each_register_and_stage_is_compared_with_its_own_model(learnt: Bundle) -> None:
    foreign = [{**release, "ocid": f"sicoes_bo-{at}"} for at, release in enumerate(MADE[250:320])]
    report = measure_drift(learnt, drafts(learnt, [*foreign, *MADE[250:]]))
    assert [(part.register, part.rows, part.drift is None) for part in report.compared] == [
        ("sicoes_bo", 70, False),
        ("uk", 250, False),
    ]
    own = learnt.registers["sicoes_bo"].training_profile
    assert own and f"{own.rows:,} tenders that the model learnt from" in report.compared[0].sentences[0]
    # British notices are nothing like those that Bolivia's model learnt from, and one model that is lost is a no.
    assert [part.drift and part.drift.same for part in report.compared] == [False, True]
    assert report.same is False


def test_a_bundle_without_a_training_profile_is_refused_with_a_remedy(bundle: Bundle) -> None:
    bare = msgspec.structs.replace(bundle, training_profile=None)
    with pytest.raises(BundleError, match=r"does not hold what its models learnt from.*tender-risk train") as refused:
        measure_drift(bare, drafts(bare, MADE[:60]))
    assert refused.value.exit_code == 3


def test_the_releases_of_one_tender_count_once(learnt: Bundle) -> None:
    some = drafts(learnt, MADE[250:300])
    assert measure_drift(learnt, [*some, *some]) == measure_drift(learnt, some)


def test_the_batch_size_changes_nothing(learnt: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure_drift(learnt, drafts(learnt, MADE[250:]))
    monkeypatch.setattr(drifting, "BATCH", 33)
    assert measure_drift(learnt, drafts(learnt, MADE[250:])) == whole


def test_tenders_come_from_a_file_at_the_latest_stage_of_each(learnt: Bundle, tmp_path: Path) -> None:
    made_tenders.write(tmp_path / "made.jsonl", 60)
    cases = list(read_cases(tmp_path / "made.jsonl", learnt))
    assert len(cases) == 60
    assert {case.stage for case in cases} <= {"draft", "bids_in", "awarded"}


def test_weights_are_shares_of_the_models_gain(bundle: Bundle) -> None:
    weights = feature_weights(bundle, "draft")
    assert sum(weights.values()) == pytest.approx(1)
    assert np.all(np.array(list(weights.values())) >= 0)
    assert weights.keys() <= {feature.name for feature in bundle.weighed}


def test_a_level_that_was_set_long_before_the_tenders_is_said_to_be_stale(learnt: Bundle) -> None:
    cases = drafts(learnt, MADE[250:])
    middle = sorted(case.published for case in cases if case.published)[len(cases) // 2]

    def level_of(months: int) -> drifting.StageDrift:
        source = learnt.manifest.data[0]
        last = (middle - timedelta(30 * months)).isoformat()
        manifest = msgspec.structs.replace(learnt.manifest, data=(msgspec.structs.replace(source, last=last),))
        older = msgspec.structs.replace(learnt, manifest=manifest)
        (only,) = measure_drift(older, [msgspec.structs.replace(case, bundle=older) for case in cases]).compared
        return only

    fresh, old = level_of(3), level_of(20)
    assert not fresh.level_stale and fresh.level_months == pytest.approx(3, abs=0.2)
    assert old.level_stale and "20 months before these" in old.sentences[-1] and "--outcomes" in old.sentences[-1]
