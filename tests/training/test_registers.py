"""Registers: what was planted is found, what was not is not, and twice is the same to the last byte."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from features.catalogue import catalogue
from features.table_builder import one_row
from models import bundle as bundles
from models.bundle import ANY, Bundle
from models.predict import predict
from tenders.errors import BundleError, DataError, UnreachableError
from tenders.facts import STAGES
from tenders.tender import Procedure
from tests.training import made
from tests.training.conftest import QUICK
from training import registers
from training.datasets import register_dataset
from training.fit import booster_margin
from training.metrics import auc
from training.pooling import travels
from training.recipe import BoosterParams
from training.registers import (
    FEWEST,
    RegistersResult,
    available_outcomes,
    evidence,
    manifest_metrics,
    register_profile,
)
from training.results import TrainingResult
from training.rolling import FEWEST_OF_YEAR, fit_register, interval_coverage

PARAMS = BoosterParams(trees=30, depth=3)


def test_what_was_planted_is_found(registers_result: RegistersResult) -> None:
    for figures in registers_result.metrics:
        assert figures.auc > 0.7
        assert figures.auc_ci[0] <= figures.auc <= figures.auc_ci[1]
        assert 0 <= figures.coverage <= 1 and figures.ece < 0.2
        assert figures.lift_at_10 > 1


def test_where_nothing_was_planted_nothing_is_found() -> None:
    cases = made.register(1200, seed=3, signal=0)
    fit = fit_register(register_dataset(made.source(), cases, "no_award", "draft"), PARAMS, 7, 20)
    forecasts = fit.forecasts
    assert auc(forecasts.y, forecasts.p, np.ones(len(forecasts.p))) == pytest.approx(0.5, abs=0.07)
    assert forecasts.p.std() < 0.08
    assert 0 <= interval_coverage(forecasts) <= 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_calibrated_probabilities_are_the_base_rate_on_the_mean(level: float) -> None:
    table = register_dataset(made.source(), made.register(800), "no_award", "draft")
    fit = fit_register(table, msgspec.structs.replace(PARAMS, level=level), 7, 20)
    assert fit.part.level == level
    line = fit.calibration
    assert line.slope >= 0
    assert line.cases >= len(fit.forecasts.y)
    assert fit.forecasts.p.mean() == pytest.approx(fit.forecasts.y.mean(), abs=0.08)
    assert line.base_rate == pytest.approx(line.positives / line.cases, abs=1e-6)


def test_an_outcome_too_rare_to_learn_is_not_learnt() -> None:
    cases = made.register(400)
    rare = [replace(c, outcomes={"no_award": c.row < FEWEST - 1}) for c in cases]
    enough = [replace(c, outcomes={"no_award": c.row < FEWEST}) for c in cases]
    assert list(available_outcomes(made.source(), rare)) == []
    assert list(available_outcomes(made.source(), enough)) == [("no_award", "draft")]


def _trained(
    directory: Path, given: list[tuple[str, list[made.LabelledTender]]], monkeypatch: pytest.MonkeyPatch
) -> RegistersResult:
    directory.mkdir(exist_ok=True)
    files = []
    for name, cases in given:
        (directory / f"{name}.csv").write_text(name)
        files.append((made.source(cases, name=name), directory / f"{name}.csv"))
    monkeypatch.setattr(registers, "register_files", lambda _: files)
    recipe = msgspec.structs.replace(QUICK, registers={name: BoosterParams(trees=10, depth=2) for name, _ in given})
    return registers.train_registers(directory, recipe, lambda _: None)


def test_trained_twice_every_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for turn in ("one", "two"):
        result = _trained(tmp_path / "data", [("made", made.register(500))], monkeypatch)
        bundles.save(result.bundles["made"], tmp_path / turn)
        digests.append(bundles.load(tmp_path / turn).manifest.digests)
    assert digests[0] == digests[1]
    assert any(name.endswith(".words.parquet") for name in digests[0])


def test_a_register_that_tells_too_little_has_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _trained(tmp_path / "data", [("made", made.register(60))], monkeypatch)
    assert not result.bundles and len(result.data) == 1


def test_a_directory_without_a_register_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no such directory"):
        registers.register_files(tmp_path / "none")
    (tmp_path / "notes.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match=r"Name files after their register: .*sicoes_bo\.parquet"):
        registers.register_files(tmp_path)


def test_files_are_found_by_the_names_of_their_registers(tmp_path: Path) -> None:
    for name in ("ted_de.parquet", "sicoes_bo.csv", "sicoes_bo.txt", "other.csv", "uk_notices.csv"):
        (tmp_path / name).touch()
    assert [(s.name, f.name) for s, f in registers.register_files(tmp_path)] == [
        ("sicoes_bo", "sicoes_bo.csv"), ("ted_de", "ted_de.parquet"),
    ]  # fmt: skip
    assert [s.name for s, _ in registers.history_files(tmp_path)] == ["sicoes_bo", "ted_de", "uk_notices"]


def test_figures_and_fingerprints_stand_in_the_manifest(registers_result: RegistersResult) -> None:
    metrics = manifest_metrics(registers_result)
    assert set(metrics) == {"made/no_award/draft", "other/no_award/draft"}
    assert all(value is not None and np.isfinite(value) for figures in metrics.values() for value in figures.values())
    assert [source.name for source in registers_result.data] == ["made", "other"]
    assert all(source.rows == 1200 for source in registers_result.data)
    assert "AUC of" in evidence("made", registers_result.forecasts[0])


@pytest.fixture(scope="module")
def once(registers_result: RegistersResult, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served bundle with the made-up registers in it, on disk."""
    directory = tmp_path_factory.mktemp("once") / "whole"
    bundles.save(replace(bundle, registers=registers_result.bundles), directory)
    return directory


@pytest.fixture
def saved(once: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return shutil.copytree(once, tmp_path / "whole")


def test_a_bundle_comes_back_with_its_registers(registers_result: RegistersResult, saved: Path) -> None:
    loaded = bundles.load(saved)
    assert set(loaded.registers) == {"made", "other", ANY}
    assert sum(file.stat().st_size for file in saved.rglob("*") if file.is_file()) < 8_000_000
    off = []
    for case in made.register(20, seed=5):
        own = loaded.for_ocid(case.tender.ocid)
        assert own.manifest.register == "made"
        one, other = (
            predict(bundle, one_row(case.tender, "draft")).of("no_award")[0]
            for bundle in (registers_result.bundles["made"], own)
        )
        off.append(abs(one - other))
    # Keys that were seen once may be forgotten, which moves a small register more than a large one.
    assert np.mean(off) < 0.02 and max(off) < 0.1


def test_a_prefix_of_ocds_names_a_register_too(registers_result: RegistersResult, saved: Path) -> None:
    past = [replace(case, tender=replace(case.tender, ocid=f"ocds-abc123-{case.row}")) for case in made.register(20)]
    stray = replace(past[0], tender=replace(past[0].tender, ocid="ocds-zzz999-1"))
    assert registers._prefixes([*past * 10, stray]) == ("ocds-abc123",)
    own = registers_result.bundles["made"]
    whole = replace(
        bundles.load(saved), registers={"made": replace(own, manifest=replace(own.manifest, prefixes=("ocds-abc123",)))}
    )
    named = [
        whole.for_ocid(ocid).manifest.register for ocid in ("ocds-abc123-7", "made-7", "ocds-abc1234-7", "ocds", None)
    ]
    assert named == ["made", "made", "uk", "uk", "uk"]


@pytest.mark.parametrize("name", ["made/no_award.words.parquet", "other/no_award-draft.ubj", f"{ANY}/manifest.json"])
def test_a_changed_file_of_a_register_is_refused_and_named(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} is not the file that was released"):
        bundles.load(saved)


def test_a_pool_says_what_a_register_gains_from_the_others(registers_result: RegistersResult) -> None:
    (pooled,) = registers_result.pooled
    kinds = {
        f"{kind}, {columns}" for kind in ("pooled", "by the others") for columns in ("all features", "what travels")
    }
    stranger = {("casebook_uk", kind) for kind in kinds if kind.startswith("by")}
    assert {(score.register, score.kind) for score in pooled.scores} == stranger | {
        (n, k) for n in ("made", "other") for k in kinds
    }
    assert all(score.auc > 0.55 for score in pooled.scores if (score.register, score.kind) not in stranger)
    assert len(pooled.left_out_lines) == 2 and all(slope >= 0 for _, slope in pooled.left_out_lines)
    line = registers_result.bundles[ANY].calibration["no_award", "draft"]
    assert 0 < line.positives < line.cases == sum(t.n for t in pooled.scores if t.kind == "pooled, all features")
    part = registers_result.bundles[ANY].part("no_award", "draft")
    assert part.level == 1 and part.drift == 0


def test_no_pool_works_against_what_a_registers_own_records_say(registers_result: RegistersResult) -> None:
    (pooled,) = registers_result.pooled
    names = pooled.booster.feature_names or []
    for column, name in enumerate(names):
        raised = np.zeros((50, len(names)), dtype=np.float32)
        raised[:, column] = np.linspace(-0.5, 0.5, 50)
        assert not travels(name) or (np.diff(booster_margin(pooled.booster, raised, names)) >= 0).all()


def test_what_each_theme_adds_is_told_of_every_register(registers_result: RegistersResult) -> None:
    for ablation in registers_result.ablations:
        assert set(ablation.auc_loss) <= {"buyer", "wording", "value", "procedure", "timing", "competition", "lots"}
        assert 0.5 < ablation.auc <= 1


def test_every_model_has_its_columns_and_scores_in_the_reference(
    registers_result: RegistersResult, result: TrainingResult
) -> None:
    for bundle in (result.bundle, registers_result.bundles["made"], registers_result.bundles["other"]):
        assert bundle.training_profile is not None
        for part in bundle.manifest.parts:
            known = STAGES[: STAGES.index(part.stage) + 1]
            weighed = part.features or tuple(f.name for f in bundle.weighed if f.stage in known)
            assert tuple(bundle.training_profile.features[part.name]) == weighed
            assert len(bundle.training_profile.scores[part.name]) == 21
            assert (
                0 <= bundle.training_profile.scores[part.name][0] <= bundle.training_profile.scores[part.name][-1] <= 1
            )
        assert bundle.training_profile.features.keys() == bundle.training_profile.scores.keys()
        assert sum(bundle.training_profile.codes["cpv_division"].values()) == pytest.approx(1, abs=1e-4)
    assert registers_result.bundles[ANY].training_profile is None


def test_a_fact_of_a_later_stage_is_in_no_earlier_reference(result: TrainingResult) -> None:
    assert result.bundle.training_profile is not None
    for name, columns in result.bundle.training_profile.features.items():
        stage = STAGES.index(next(stage for stage in STAGES if name.endswith(f"-{stage}")))
        assert all(STAGES.index(catalogue()[column].stage) <= stage for column in columns)


def test_rows_and_days_are_those_of_the_cases_that_tell(registers_result: RegistersResult) -> None:
    profile = registers_result.bundles["made"].training_profile
    assert profile is not None
    days = [case.published for case in made.register(1200)]
    assert (profile.rows, profile.first, profile.last) == (1200, min(days).isoformat(), max(days).isoformat())


def test_what_is_censored_or_of_no_known_day_does_not_count() -> None:
    cases = made.register(30)
    censored = [replace(case, outcomes={"no_award": None}) for case in cases[10:20]]
    unclocked = [replace(case, known_on=None) for case in cases[20:]]
    profile = register_profile([*cases[:10], *censored, *unclocked], [])
    assert profile.rows == 10 and profile.last == cases[9].published.isoformat()


def test_codes_are_those_of_the_last_year() -> None:
    cases = made.register(FEWEST_OF_YEAR + 10)
    near = [replace(c, published=date(2024, 1, 1) + timedelta(days=n % 300)) for n, c in enumerate(cases)]
    old = [
        replace(c, published=date(2019, 1, 1), tender=replace(c.tender, tender=Procedure(procurement_method="old")))
        for c in made.register(5)
    ]
    profile = register_profile([*old, *near], [])
    assert profile.first == "2024-01-01"
    assert set(profile.codes["procurement_method"]) == {"open", "limited"}


def test_a_history_of_ones_own_may_be_compressed_or_an_archive(tmp_path: Path) -> None:
    for name in ("own.jsonl.gz", "own.zip", "own.tar.gz", "own.pdf", "own.csv.gz", "sicoes_bo.csv.gz"):
        (tmp_path / name).touch()
    assert [file.name for _, file in registers.history_files(tmp_path)] == ["own.jsonl.gz", "own.tar.gz", "own.zip"]


def test_kept_models_of_registers_are_not_fitted_again_and_still_tell_of_factors(
    result: TrainingResult, registers_result: RegistersResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = replace(
        result.bundle,
        registers=registers_result.bundles,
        manifest=replace(result.bundle.manifest, version="before", data=registers_result.data),
    )
    monkeypatch.setattr(registers, "register_files", lambda _: [(made.source(made.register(900)), tmp_path)])
    monkeypatch.setattr(registers, "fit_register", lambda *_: pytest.fail("a model was fitted"))
    kept = registers.kept_registers(tmp_path, before, lambda _: None)
    assert kept.bundles is before.registers and kept.kept == "before"
    assert {source.name for source in kept.data} == {source.name for source in registers_result.data}
    assert "buyer_record" in {estimate.feature for estimate in kept.estimates}
