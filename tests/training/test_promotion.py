"""A challenger is worse where it is worse on the same cases by more than chance would do, and then it is not served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from models import bundle as bundles
from tenders.errors import BundleError, DataError, UnreachableError, UsageError
from training import promotion, tracking
from training.promotion import compare
from training.results import FORECASTS, TrainingResult, forecasts_table
from training.rolling import Forecasts

NOVEMBER = datetime(2026, 11, 3, tzinfo=UTC)
Run = Callable[..., str]


def made(seed: int = 0, n: int = 1500, register: str = "made", clustered: int = 1) -> Forecasts:
    """Forecasts that are right: outcomes are drawn with their probabilities."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-1, 1.2, n)))
    return Forecasts(
        register=register,
        outcome="no_award",
        stage="draft",
        key=np.arange(1, n + 1, dtype=np.uint64),
        y=(rng.random(n) < p).astype(float),
        p=p,
        cluster=np.arange(n) // clustered,
        groups={
            "year": np.where(np.arange(n) < n // 2, "2018", "2019"),
            "buyer": np.where(np.arange(n) < 100, "small", "large"),
            "ending": np.where(rng.random(n) < 0.5, "one", "other"),
        },
    )


def changed(forecasts: Forecasts, **parts: object) -> Forecasts:
    return msgspec.structs.replace(forecasts, **parts)


def by_name(*parts: Forecasts) -> dict[str, Forecasts]:
    return {part.name: part for part in parts}


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), n=st.integers(300, 1500), clustered=st.integers(1, 5))
def test_an_equal_challenger_is_never_worse(seed: int, n: int, clustered: int) -> None:
    forecasts = made(seed, n, clustered=clustered)
    comparison = compare(by_name(forecasts), by_name(forecasts))
    assert comparison.compared and not comparison.worse and not comparison.not_compared
    assert all(difference.difference == 0 for difference in comparison.compared)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6))
def test_shuffled_probabilities_are_always_worse(seed: int) -> None:
    forecasts = made(seed)
    shuffled = changed(forecasts, p=np.random.default_rng(seed + 1).permutation(forecasts.p))
    comparison = compare(by_name(forecasts), by_name(shuffled))
    assert {"auc", "brier"} <= {worse.measure for worse in comparison.worse if worse.group == "all"}
    assert not compare(by_name(shuffled), by_name(forecasts)).worse


def test_what_is_off_in_level_alone_is_worse_in_calibration_and_not_in_order() -> None:
    forecasts = made(n=4000)
    comparison = compare(by_name(forecasts), by_name(changed(forecasts, p=forecasts.p * 0.5)))
    assert {worse.measure for worse in comparison.worse} == {"brier", "ece"}


def test_a_large_group_that_loses_is_named_though_the_whole_gains() -> None:
    forecasts = made(n=6000)
    old = forecasts.groups["year"] == "2018"
    rng = np.random.default_rng(1)
    before = forecasts.p.copy()
    before[~old] = rng.permutation(before[~old])
    after = forecasts.p.copy()
    after[old] = np.where(rng.random(old.sum()) < 0.5, rng.permutation(after[old]), after[old])
    comparison = compare(by_name(changed(forecasts, p=before)), by_name(changed(forecasts, p=after)))
    assert "all" not in {worse.group for worse in comparison.worse}
    assert {worse.group for worse in comparison.worse} >= {"year 2018"}
    assert "year 2019" not in {worse.group for worse in comparison.worse}


def test_small_groups_and_endings_are_not_compared() -> None:
    comparison = compare(by_name(made()), by_name(made()))
    assert {difference.group for difference in comparison.compared} == {"all", "year 2018", "year 2019", "buyer large"}


def test_only_common_cases_count() -> None:
    forecasts = made(n=2000)
    late = changed(forecasts, key=forecasts.key + np.uint64(1000), y=np.roll(forecasts.y, -1000), p=np.roll(forecasts.p, -1000))
    comparison = compare(by_name(forecasts), by_name(late))
    assert {whole.n for whole in comparison.compared if whole.group == "all"} == {1000}
    assert all(whole.difference == 0 for whole in comparison.compared if whole.group == "all")


def test_cases_that_share_fate_are_drawn_together() -> None:
    one, many = made(n=2000), changed(made(n=2000), cluster=np.arange(2000) // 100)
    noisy = np.clip(one.p + np.repeat(np.random.default_rng(0).normal(0, 0.2, 20), 100), 0, 1)
    width = {}
    for name, forecasts in (("alone", one), ("together", many)):
        comparison = compare(by_name(forecasts), by_name(changed(forecasts, p=noisy)))
        low, high = next(w.interval for w in comparison.compared if (w.group, w.measure) == ("all", "brier"))
        width[name] = high - low
    assert width["together"] > 1.5 * width["alone"]


def test_what_cannot_be_compared_is_said() -> None:
    missing = compare(by_name(made()), {})
    assert not missing.compared and "the challenger has no forecasts" in missing.not_compared[0]
    forecasts = made()
    apart = compare(by_name(forecasts), by_name(changed(forecasts, key=forecasts.key + np.uint64(10**6))))
    assert not apart.compared and "0 cases in common" in apart.not_compared[0]
    few = made(n=30)
    assert compare(by_name(few), by_name(few)).too_few == (
        "made/no_award/draft: 30 cases, too few to tell models apart",
    )


def test_what_the_challenger_forecasts_besides_does_not_matter() -> None:
    forecasts = made()
    assert not compare(by_name(forecasts), by_name(forecasts, made(register="other"))).not_compared


@pytest.mark.parametrize("seed", range(4))
def test_another_draw_of_noise_is_not_worse(seed: int) -> None:
    forecasts = made(seed, n=3000)
    rng = np.random.default_rng(seed + 100)
    first, second = (np.clip(forecasts.p + rng.normal(0, 0.05, len(forecasts.p)), 0.001, 0.999) for _ in range(2))
    assert not compare(by_name(changed(forecasts, p=first)), by_name(changed(forecasts, p=second))).worse


def test_a_difference_tells_where_and_by_how_much() -> None:
    forecasts = made()
    worse = compare(by_name(forecasts), by_name(changed(forecasts, p=1 - forecasts.p))).worse[0]
    assert worse.where == "made/no_award/draft, all"
    assert f"{worse.challenger:.4f} against {worse.champion:.4f}" in str(worse)
    assert promotion.BETTER.keys() == promotion.MEASURES.keys()


@pytest.fixture
def home(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for releases that is not the project's own, and a store that knows no release."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(bundles, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "released" / "current")
    (tmp_path / "released").mkdir()
    forget()
    return tmp_path / "released"


def forget() -> None:
    """Takes every release out of the store."""
    if MlflowClient().search_registered_models(f"name = '{tracking.MODEL}'"):
        MlflowClient().delete_registered_model(tracking.MODEL)


@pytest.fixture
def made_run(home: Path, result: TrainingResult, tmp_path: Path) -> Run:
    """Writes a run with a bundle and what it is said to have forecast."""

    def write(*parts: Forecasts) -> str:
        bundles.save(result.bundle, tmp_path / "bundle")
        mlflow.set_experiment(tracking.EXPERIMENT)
        with mlflow.start_run() as run:
            mlflow.log_artifacts(str(tmp_path / "bundle"), tracking.BUNDLE)
            if parts:
                pq.write_table(forecasts_table(parts), tmp_path / FORECASTS)
                mlflow.log_artifact(str(tmp_path / FORECASTS))
            return str(run.info.run_id)

    return write


def aliases() -> dict[str, str]:
    """The version of the bundle behind each alias."""
    names = ("champion", "challenger", "former")
    models = {name: tracking.model_of(name) for name in names}
    versions = {name: model.version for name, model in models.items() if model}
    pointed = bundles.challenger()
    # The file beside the pointer says the same.
    assert (pointed.name if pointed else None) == versions.get("challenger")
    return versions


def shuffled(forecasts: Forecasts) -> Forecasts:
    return msgspec.structs.replace(forecasts, p=np.random.default_rng(0).permutation(forecasts.p))


def test_a_release_by_a_key_that_this_machine_does_not_trust_leaves_nothing(
    run_id: str, home: Path, tmp_path: Path
) -> None:
    key = tmp_path / "office.key"
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key.write_bytes(pem)
    key.chmod(0o600)
    with pytest.raises(BundleError, match="by none of the trusted keys"):
        promotion.release(run_id, NOVEMBER, key)
    assert list(home.iterdir()) == []


def test_the_first_release_is_the_run_s_bundle_and_is_served(run_id: str, home: Path, result: TrainingResult) -> None:
    assert promotion.release(run_id, NOVEMBER).served
    assert home / "2026.11.1" == bundles.released()
    loaded = bundles.load(bundles.released())
    assert loaded.manifest.version == "2026.11.1"
    assert loaded.case_history.resolved == result.bundle.case_history.resolved
    for key, booster in result.bundle.boosters.items():
        assert loaded.boosters[key].save_raw("ubj") == booster.save_raw("ubj")
    assert aliases() == {"champion": "2026.11.1"}


def test_later_releases_are_challengers_are_counted_and_none_is_overwritten(run_id: str, home: Path) -> None:
    releases = [promotion.release(run_id, NOVEMBER) for _ in range(2)]
    releases.append(promotion.release(run_id, datetime(2026, 12, 1, tzinfo=UTC)))
    assert [release.version for release in releases] == ["2026.11.1", "2026.11.2", "2026.12.1"]
    assert [release.served for release in releases] == [True, False, False]
    assert bundles.released() == home / "2026.11.1"
    assert aliases() == {"champion": "2026.11.1", "challenger": "2026.12.1"}


def test_registers_bundles_are_of_the_release_s_version_day_and_commit(result: TrainingResult) -> None:
    bundle = result.bundle
    other = msgspec.structs.replace(bundle.manifest, version=bundles.UNRELEASED, created="", commit="", register="made")
    both = msgspec.structs.replace(bundle, registers={"made": msgspec.structs.replace(bundle, manifest=other)})
    named = promotion.with_version(both, "2030.1.1")
    inner = named.registers["made"].manifest
    assert (inner.version, inner.created, inner.commit) == ("2030.1.1", bundle.manifest.created, bundle.manifest.commit)
    assert named.manifest.version == "2030.1.1" and inner.register == "made"


def test_a_challenger_that_is_as_good_is_promoted_and_the_champion_remembered(made_run: Run, home: Path) -> None:
    for _ in range(2):
        promotion.release(made_run(made()), NOVEMBER)
    answer = promotion.promote()
    assert answer.promoted and answer.comparison.compared
    assert bundles.released() == home / "2026.11.2"
    assert aliases() == {"champion": "2026.11.2", "former": "2026.11.1"}
    assert sorted(file.name for file in home.iterdir()) == ["2026.11.1", "2026.11.2", "current", "former"]


@pytest.mark.parametrize("uncompared", [False, True])
def test_a_challenger_that_is_worse_is_refused_and_why(made_run: Run, home: Path, uncompared: bool) -> None:
    promotion.release(made_run(made(), made(1, register="other")), NOVEMBER)
    promotion.release(made_run(made(), shuffled(made(1, register="other"))), NOVEMBER)
    answer = promotion.promote(uncompared)
    assert not answer.promoted
    assert bundles.released() == home / "2026.11.1"
    assert aliases() == {"champion": "2026.11.1", "challenger": "2026.11.2"}
    reasons = str(answer.refusal())
    assert isinstance(answer.refusal(), DataError)
    assert "other/no_award/draft, all: worse: auc" in reasons and "made/no_award" not in reasons


def test_without_forecasts_or_common_cases_promotion_says_what_to_do(made_run: Run, home: Path) -> None:
    apart = msgspec.structs.replace(made(), key=made().key + np.uint64(10**6))
    for first, second, why in (
        ((), (made(),), "no forecasts"),
        ((made(),), (apart,), "in common"),
        ((made(),), (), "no forecasts"),
    ):
        forget()
        (home / "current").unlink(missing_ok=True)
        promotion.release(made_run(*first), NOVEMBER)
        promotion.release(made_run(*second), NOVEMBER)
        answer = promotion.promote()
        assert not answer.promoted and why in str(answer.refusal()) and "--uncompared" in str(answer.refusal())
        assert promotion.promote(uncompared=True).promoted


def test_a_register_that_the_challenger_has_not_learnt_is_missed(made_run: Run) -> None:
    promotion.release(made_run(made(), made(1, register="other")), NOVEMBER)
    promotion.release(made_run(made()), NOVEMBER)
    answer = promotion.promote()
    assert not answer.promoted and "other/no_award/draft: the challenger has no forecasts" in str(answer.refusal())


def test_there_is_nothing_to_promote_or_go_back_to_at_first(made_run: Run, home: Path) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="no challenger"):
            promotion.promote()
        with pytest.raises(UsageError, match="no former champion"):
            promotion.rollback()
        if not (home / "current").exists():
            promotion.release(made_run(made()), NOVEMBER)


def test_rollback_serves_the_former_champion_and_can_be_undone(made_run: Run, home: Path) -> None:
    for _ in range(2):
        promotion.release(made_run(made()), NOVEMBER)
    promotion.promote()
    assert promotion.rollback() == promotion.RollbackResult(champion="2026.11.1", withdrawn="2026.11.2")
    assert bundles.released() == home / "2026.11.1"
    assert aliases() == {"champion": "2026.11.1", "challenger": "2026.11.2"}
    with pytest.raises(UsageError, match="no former champion"):
        promotion.rollback()
    assert promotion.promote().promoted and bundles.released() == home / "2026.11.2"


def test_rollback_leaves_a_later_challenger(made_run: Run) -> None:
    for _ in range(2):
        promotion.release(made_run(made()), NOVEMBER)
    promotion.promote()
    promotion.release(made_run(made()), NOVEMBER)
    promotion.rollback()
    assert aliases() == {"champion": "2026.11.1", "challenger": "2026.11.3"}


def test_a_store_that_knows_nothing_learns_of_the_bundle_that_is_served(made_run: Run, home: Path) -> None:
    promotion.release(made_run(made()), NOVEMBER)
    forget()
    assert not promotion.release(made_run(made()), NOVEMBER).served
    assert aliases() == {"champion": "2026.11.1", "challenger": "2026.11.2"}
    adopted = tracking.registered("2026.11.1")
    assert adopted and bundles.load(tracking.fetch(adopted.run_id, home.parent)).manifest.version == "2026.11.1"
    assert "2026.11.1: its run has no forecasts" in str(promotion.promote().refusal())


def test_rollback_serves_even_where_the_store_is_lost(
    made_run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        promotion.release(made_run(made()), NOVEMBER)
    promotion.promote()

    def lost() -> None:
        raise MlflowException("lost")

    monkeypatch.setattr(tracking, "_connect", lost)
    with pytest.raises(UnreachableError, match=r"2026\.11\.1 is served again"):
        promotion.rollback()
    assert bundles.released() == home / "2026.11.1"


def test_a_damaged_challenger_is_not_promoted(made_run: Run, home: Path) -> None:
    for _ in range(2):
        promotion.release(made_run(made()), NOVEMBER)
    (home / "2026.11.2" / bundles.CARD).write_text("another")
    with pytest.raises(BundleError, match="not the file that was released"):
        promotion.promote(uncompared=True)
    assert bundles.released() == home / "2026.11.1"


@pytest.mark.parametrize(
    ("taken", "version"),
    [
        ([], "2026.11.1"),
        (["2026.11.9"], "2026.11.10"),
        (["2026.11.9", "2026.11.10"], "2026.11.11"),
        (["2026.1.5", "2026.11.x"], "2026.11.1"),
    ],
)
def test_the_next_version_counts_on(home: Path, taken: list[str], version: str) -> None:
    for name in taken:
        (home / name).mkdir()
    assert promotion.next_version(NOVEMBER) == version


@pytest.mark.parametrize("run_id", ["none", "", "../../etc", "0" * 32])
def test_a_run_that_is_not_there_cannot_be_released(home: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="has no bundle"):
        promotion.release(run_id, NOVEMBER)
    assert not list(home.iterdir())


def test_a_release_that_the_store_refuses_leaves_nothing(
    made_run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_run(made())

    def refuse(*_: object) -> None:
        raise UnreachableError("lost")

    monkeypatch.setattr(tracking, "register", refuse)
    with pytest.raises(UnreachableError):
        promotion.release(run, NOVEMBER)
    assert not list(home.iterdir())


def test_a_pointer_is_written_whole(tmp_path: Path) -> None:
    promotion.write_pointer(tmp_path / "new" / "current", "2026.11.1")
    assert (tmp_path / "new" / "current").read_text() == "2026.11.1\n"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["current"]
