"""Registers: what was planted is found, what was not is not, and twice is the same to the last byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from models import bundle as bundles
from models.bundle import ANY, Bundle
from models.knowing import record_of
from models.predict import measured, predictions
from tenders.errors import BundleError, DataError, UnreachableError
from tests.training import made
from tests.training.conftest import QUICK
from training import registers
from training.boosting import margins
from training.frames import frame
from training.metrics import auc
from training.pooling import travels
from training.recipe import Boost
from training.register import coverage, learn
from training.registers import FEWEST, Registers, evidence, metrics_of, told

BOOST = Boost(trees=30, depth=3)


def test_what_was_planted_is_found(learnt: Registers) -> None:
    for each in learnt.figures:
        assert each.auc > 0.7
        assert each.auc_ci[0] <= each.auc <= each.auc_ci[1]
        assert 0 <= each.coverage <= 1 and each.ece < 0.2
        assert each.lift_at_10 > 1


def test_where_nothing_was_planted_nothing_is_found() -> None:
    cases = made.register(1200, seed=3, signal=0)
    found = learn(frame(made.source(), cases, "no_award", "draft"), BOOST, 7, 20)
    each = found.judged
    assert auc(each.y, each.p, np.ones(len(each.p))) == pytest.approx(0.5, abs=0.07)
    assert each.p.std() < 0.08
    assert 0 <= coverage(each) <= 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_calibrated_probabilities_are_the_base_rate_on_the_mean(level: float) -> None:
    table = frame(made.source(), made.register(800), "no_award", "draft")
    found = learn(table, msgspec.structs.replace(BOOST, level=level), 7, 20)
    assert found.part.level == level
    line = found.calibration
    assert line.slope >= 0
    assert line.cases >= len(found.judged.y)
    assert found.judged.p.mean() == pytest.approx(found.judged.y.mean(), abs=0.08)
    assert line.base_rate == pytest.approx(line.positives / line.cases, abs=1e-6)


def test_an_outcome_too_rare_to_learn_is_not_learnt() -> None:
    cases = made.register(400)
    rare = [replace(c, outcomes={"no_award": c.row < FEWEST - 1}) for c in cases]
    enough = [replace(c, outcomes={"no_award": c.row < FEWEST}) for c in cases]
    assert list(told(made.source(), rare)) == []
    assert list(told(made.source(), enough)) == [("no_award", "draft")]


def _trained(
    directory: Path, given: list[tuple[str, list[made.LabelledTender]]], monkeypatch: pytest.MonkeyPatch
) -> Registers:
    directory.mkdir(exist_ok=True)
    files = []
    for name, cases in given:
        (directory / f"{name}.csv").write_text(name)
        files.append((made.source(cases, name=name), directory / f"{name}.csv"))
    monkeypatch.setattr(registers, "found", lambda _: files)
    recipe = msgspec.structs.replace(QUICK, registers={name: Boost(trees=10, depth=2) for name, _ in given})
    return registers.train(directory, recipe, lambda _: None)


def test_trained_twice_every_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for turn in ("one", "two"):
        found = _trained(tmp_path / "data", [("made", made.register(500))], monkeypatch)
        bundles.save(found.bundles["made"], tmp_path / turn)
        digests.append(bundles.load(tmp_path / turn).manifest.digests)
    assert digests[0] == digests[1]
    assert any(name.endswith(".words.parquet") for name in digests[0])


def test_a_register_that_tells_too_little_has_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _trained(tmp_path / "data", [("made", made.register(60))], monkeypatch)
    assert not found.bundles and len(found.data) == 1


def test_a_directory_without_a_register_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no such directory"):
        registers.found(tmp_path / "none")
    (tmp_path / "notes.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match=r"Name files after their register: .*sicoes_bo\.parquet"):
        registers.found(tmp_path)


def test_files_are_found_by_the_names_of_their_registers(tmp_path: Path) -> None:
    for name in ("ted_de.parquet", "sicoes_bo.csv", "sicoes_bo.txt", "other.csv"):
        (tmp_path / name).touch()
    assert [(s.name, f.name) for s, f in registers.found(tmp_path)] == [
        ("sicoes_bo", "sicoes_bo.csv"), ("ted_de", "ted_de.parquet"),
    ]  # fmt: skip


def test_figures_and_fingerprints_stand_in_the_manifest(learnt: Registers) -> None:
    metrics = metrics_of(learnt)
    assert set(metrics) == {"made/no_award/draft", "other/no_award/draft"}
    assert all(value is not None and np.isfinite(value) for each in metrics.values() for value in each.values())
    assert [each.name for each in learnt.data] == ["made", "other"]
    assert all(each.rows == 1200 for each in learnt.data)
    assert "AUC of" in evidence("made", learnt.judged[:1])


@pytest.fixture(scope="module")
def once(learnt: Registers, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served bundle with the made-up registers in it, on disk."""
    directory = tmp_path_factory.mktemp("once") / "whole"
    bundles.save(replace(bundle, registers=learnt.bundles), directory)
    return directory


@pytest.fixture
def saved(once: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return shutil.copytree(once, tmp_path / "whole")


def test_a_bundle_comes_back_with_its_registers(learnt: Registers, saved: Path) -> None:
    loaded = bundles.load(saved)
    assert set(loaded.registers) == {"made", "other", ANY}
    assert sum(file.stat().st_size for file in saved.rglob("*") if file.is_file()) < 8_000_000
    off = []
    for case in made.register(20, seed=5):
        own = loaded.for_ocid(case.tender.ocid)
        assert own.manifest.register == "made"
        one, other = (
            predictions(measured(each, "draft", [case.tender], [record_of(each, case.tender, None)])).of("no_award")[0]
            for each in (learnt.bundles["made"], own)
        )
        off.append(abs(one - other))
    # Keys that were seen once may be forgotten, which moves a small register more than a large one.
    assert np.mean(off) < 0.02 and max(off) < 0.1


def test_a_prefix_of_ocds_names_a_register_too(learnt: Registers, saved: Path) -> None:
    past = [replace(case, tender=replace(case.tender, ocid=f"ocds-abc123-{case.row}")) for case in made.register(20)]
    stray = replace(past[0], tender=replace(past[0].tender, ocid="ocds-zzz999-1"))
    assert registers._prefixes([*past * 10, stray]) == ("ocds-abc123",)
    own = learnt.bundles["made"]
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


def test_a_pool_says_what_a_register_gains_from_the_others(learnt: Registers) -> None:
    (pooled,) = learnt.pooled
    kinds = {
        f"{kind}, {columns}" for kind in ("pooled", "by the others") for columns in ("all features", "what travels")
    }
    stranger = {("casebook_uk", kind) for kind in kinds if kind.startswith("by")}
    assert {(each.register, each.kind) for each in pooled.found} == stranger | {
        (n, k) for n in ("made", "other") for k in kinds
    }
    assert all(each.auc > 0.55 for each in pooled.found if (each.register, each.kind) not in stranger)
    assert len(pooled.unsure) == 2 and all(slope >= 0 for _, slope in pooled.unsure)
    line = learnt.bundles[ANY].calibration["no_award", "draft"]
    assert 0 < line.positives < line.cases == sum(t.n for t in pooled.found if t.kind == "pooled, all features")
    part = learnt.bundles[ANY].part("no_award", "draft")
    assert part.level == 1 and part.drift == 0


def test_no_pool_works_against_what_a_registers_own_records_say(learnt: Registers) -> None:
    (pooled,) = learnt.pooled
    names = pooled.booster.feature_names or []
    for column, name in enumerate(names):
        raised = np.zeros((50, len(names)), dtype=np.float32)
        raised[:, column] = np.linspace(-0.5, 0.5, 50)
        assert not travels(name) or (np.diff(margins(pooled.booster, raised, names)) >= 0).all()


def test_what_each_theme_adds_is_told_of_every_register(learnt: Registers) -> None:
    for each in learnt.ablated:
        assert set(each.lost) <= {"buyer", "wording", "value", "procedure", "timing", "competition", "lots"}
        assert 0.5 < each.auc <= 1
