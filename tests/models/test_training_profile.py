"""The training_profile: quantiles and shares of what a model learnt from, the same after a bundle was saved and read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from models import bundle as bundles
from models.bundle import Bundle
from models.training_profile import (
    CODES,
    LEVELS,
    MAX_CODES,
    FeatureQuantiles,
    TrainingProfile,
    code_shares,
    codes_of,
    feature_quantiles,
    quantiles,
)
from tenders.errors import BundleError
from tenders.io.read import to_process
from tenders.tender import OrganizationReference, Procedure, Tender
from tests import samples
from tests.training import made

PROFILE = TrainingProfile(
    rows=3000,
    first="2023-06-01",
    last="2024-05-30",
    features={"no_award-draft": {"lots": feature_quantiles(np.array([1, 2, np.nan, 8], dtype=np.float32))}},
    scores={"no_award-draft": quantiles(np.linspace(0.1, 0.5, 50))},
    codes=code_shares(case.tender for case in made.register(60)),
)


ENCODED = msgspec.json.encode


def test_a_bundle_comes_back_with_its_training_profile(bundle: Bundle, tmp_path: Path) -> None:
    register = replace(bundle, registers={}, training_profile=replace(PROFILE, rows=1))
    bundles.save(replace(bundle, training_profile=PROFILE, registers={"made": register}), tmp_path / "saved")
    loaded = bundles.load(tmp_path / "saved")
    assert loaded.training_profile == PROFILE
    assert loaded.registers["made"].training_profile == register.training_profile
    assert {bundles.TRAINING_PROFILE, f"made/{bundles.TRAINING_PROFILE}"} <= loaded.manifest.digests.keys()


def test_a_bundle_without_one_is_read_too(bundle: Bundle, tmp_path: Path) -> None:
    old = replace(
        bundle, training_profile=None, registers={}, manifest=replace(bundle.manifest, format=2, registers=())
    )
    bundles.save(old, tmp_path / "old")
    assert bundles.load(tmp_path / "old").training_profile is None


def test_a_training_profile_that_cannot_be_read_is_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msgspec.json, "encode", lambda given: b"{}" if given is PROFILE else ENCODED(given))
    bundles.save(replace(bundle, training_profile=PROFILE, registers={}), tmp_path / "saved")
    with pytest.raises(BundleError, match=r"reference\.json.*rows"):
        bundles.load(tmp_path / "saved")


def test_unknown_is_counted_and_stays_out_of_the_quantiles() -> None:
    profile = feature_quantiles(np.array([3, np.nan, 1, 2, np.nan], dtype=np.float32))
    assert profile.unknown == 0.4
    assert (profile.quantiles[0], profile.quantiles[10], profile.quantiles[-1]) == (1, 2, 3)
    assert feature_quantiles(np.full(4, np.nan)) == FeatureQuantiles(1.0, ())
    assert feature_quantiles(np.empty(0)) == FeatureQuantiles(1.0, ())


def test_quantiles_go_from_the_lowest_to_the_highest_in_steps_of_five_in_a_hundred() -> None:
    assert quantiles(np.arange(101.0)) == tuple(range(0, 101, 5))
    assert len(LEVELS) == 21 and (LEVELS[0], LEVELS[1], LEVELS[-1]) == (0, 0.05, 1)


def test_numbers_have_six_significant_digits() -> None:
    assert quantiles(np.array([1234567.891]))[0] == 1234570
    assert feature_quantiles(np.array([np.nan, 1.0, 1.0])).unknown == 0.333333


def test_the_shares_of_codes_add_up() -> None:
    shares = code_shares(case.tender for case in made.register(60))
    assert tuple(shares) == CODES
    assert {name: len(codes) for name, codes in shares.items()} == {
        "procurement_method": 2, "category": 2, "cpv_division": 3, "region": 0, "currency": 1,
    }  # fmt: skip
    for name, codes in shares.items():
        assert sum(codes.values()) == pytest.approx(1.0 if codes else 0.0, abs=1e-5), name
        assert list(codes.values()) == sorted(codes.values(), reverse=True)


def test_a_code_that_is_not_stated_counts_for_nothing() -> None:
    stated = [Tender(tender=Procedure(procurement_method=method)) for method in ("open", "open", "limited", None)]
    assert code_shares(stated)["procurement_method"] == {"open": 0.666667, "limited": 0.333333}
    assert code_shares([]) == {name: {} for name in CODES}


def test_the_order_of_the_tenders_changes_nothing() -> None:
    tenders = [case.tender for case in made.register(60)]
    assert msgspec.json.encode(code_shares(tenders)) == msgspec.json.encode(code_shares(tenders[::-1]))


def test_of_many_codes_the_commonest_are_kept() -> None:
    often = [Tender(tender=Procedure(procurement_method="open"))] * 2
    rare = [Tender(tender=Procedure(procurement_method=f"{n:04}")) for n in range(MAX_CODES)]
    kept = code_shares([*rare, *often])["procurement_method"]
    assert len(kept) == MAX_CODES and next(iter(kept)) == "open"
    assert f"{MAX_CODES - 1:04}" not in kept


def test_codes_are_those_of_the_lot_that_the_case_is_about() -> None:
    assert codes_of(to_process(samples.draft()).as_of("draft")) == {
        "procurement_method": "open", "category": "services", "cpv_division": "85", "region": None, "currency": "GBP",
    }  # fmt: skip
    assert codes_of(Tender(buyer=OrganizationReference(name="x"))) == dict.fromkeys(CODES)
