"""What lies under models/released: two bundles, the former of which can be served again, and figures as promised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from models import bundle as bundles
from models.bundle import Bundle
from models.score import score
from tenders.io.read import read_file
from training import promotion, tracking

EXAMPLE = Path(__file__).parents[2] / "examples" / "plymouth-integrated-care.json"


@pytest.fixture
def clone(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The released bundles as a fresh clone has them, and a store that knows none of them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    copy = tmp_path / "released"
    shutil.copytree(bundles.RELEASED, copy)
    monkeypatch.setattr(bundles, "RELEASED", copy)
    monkeypatch.setattr(bundles, "POINTER", copy / "current")
    if MlflowClient().search_registered_models(f"name = '{tracking.MODEL}'"):
        MlflowClient().delete_registered_model(tracking.MODEL)
    return copy


def test_there_are_two_bundles_and_the_two_pointers_name_them() -> None:
    pointers = {name: (bundles.RELEASED / name).read_text().strip() for name in ("current", promotion.FORMER)}
    there = {path.name for path in bundles.RELEASED.iterdir() if path.is_dir()}
    assert set(pointers.values()) == there and len(there) == 2


def test_a_fresh_clone_goes_back_to_the_former_bundle_and_scores_with_it(clone: Path) -> None:
    champion, former = promotion.served(), (clone / promotion.FORMER).read_text().strip()
    assert promotion.rollback() == promotion.RollbackResult(champion=former, withdrawn=champion or "")
    served = bundles.load(bundles.released())
    result = score(served, read_file(EXAMPLE)[0], "draft")
    assert result.bundle == former and result.failure and 0 < result.failure < 1


def test_no_outcome_of_the_casebook_is_forecast_worse_than_by_its_class_rate(bundle: Bundle) -> None:
    """Brier skill of cohort rows, forecast without their group, at most 0.02 below that rate's; the mean within 3 points."""
    rows = {name: row for name, row in bundle.manifest.metrics.items() if name.endswith("/cohort")}
    assert len(rows) >= 9
    for name, row in rows.items():
        assert (row["brier_skill"] or 0) >= -0.02, name
        assert row["mean"] == pytest.approx(row["base_rate"], abs=0.03), name
        assert row["auc_low"] is not None and row["auc_without_largest"] is not None, name
