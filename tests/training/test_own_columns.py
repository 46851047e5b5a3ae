"""Columns that the mapping of a history declares are learnt, kept in the bundle, and weighed in every score."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from models import bundle as bundles
from models.bundle import Bundle
from models.score import score
from tenders.errors import BundleError
from tenders.history import LabelledTender
from tenders.io.read import to_process
from tenders.own_columns import OwnColumn, with_categories
from tenders.registers import find_register
from tests.training import declared_history
from training.datasets import register_dataset, replay_cases
from training.extend import extend
from training.fit import HIDDEN, hide_some_cells
from training.recipe import BoosterParams, Recipe
from training.registers import RegistersResult

OWN = find_register("own")
CELLS = {"urgency": "Muy alta", "estimated_days": 50, "terms": "entrega inmediata con multa"}
DECLARED = ["own_urgency", "own_estimated_days", "own_terms"]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return declared_history.write(tmp_path_factory.mktemp("history"), calls=1000)


@pytest.fixture(scope="module")
def cases(history: Path) -> list[LabelledTender]:
    return OWN.cases(history / "own.toml")


@pytest.fixture(scope="module")
def columns(history: Path, cases: list[LabelledTender]) -> dict[str, OwnColumn]:
    return with_categories(OWN.read(history / "own.toml").columns, (case.tender for case in cases))


@pytest.fixture(scope="module")
def trained(history: Path) -> tuple[Bundle, RegistersResult]:
    """The served bundle with models of the history."""
    recipe = Recipe(registers={"own": BoosterParams(trees=40)}, resamples=20)
    result = extend(bundles.load(bundles.released()), history, recipe)
    assert result.registers
    return result.bundle, result.registers


@pytest.fixture(scope="module")
def saved(trained: tuple[Bundle, RegistersResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "mine"
    bundles.save(trained[0], directory)
    return directory


@pytest.fixture(scope="module")
def bundle(saved: Path) -> Bundle:
    return bundles.load(saved, signed=False)


def call(**own: object) -> dict[str, object]:
    """A form of the history's own, with declared cells."""
    return {"ocid": "own-new", "title": "Servicio de aseo", "value": 9e6} | {
        f"tenderRisk/own/{name}": cell for name, cell in own.items()
    }


def failure(bundle: Bundle, **own: object) -> float:
    return score(bundle, to_process(call(**own)), "draft", explain=False).failure


def test_the_models_weigh_them_and_manifest_and_card_name_them(bundle: Bundle) -> None:
    own = bundle.registers["own"]
    assert [name for name in own.part("no_award", "draft").features if name.startswith("own_")] == DECLARED
    declared = own.manifest.own_columns or {}
    assert declared["urgency"].categories == ("Alta", "Muy alta", "Normal")
    assert "| Urgency | urgency | urgencia | category: Alta, Muy alta, Normal | draft | no_award at draft" in own.card


def test_what_is_filled_for_one_ending_alone_is_left_out_and_named(trained: tuple[Bundle, RegistersResult]) -> None:
    bundle, result = trained
    assert not any("own_reason" in part.features for part in bundle.registers["own"].manifest.parts)
    (text,) = result.left_out
    assert text.startswith("reason (column motivo) is filled in 100% of the cases with no_award and in ")
    assert text in bundle.registers["own"].card


def test_they_are_reasons_with_their_labels(bundle: Bundle) -> None:
    reasons = {reason.feature: reason for reason in score(bundle, to_process(call(**CELLS)), "draft").reasons}
    assert reasons["own_urgency"].text == "Urgency: Muy alta." and reasons["own_urgency"].effect > 0.05
    assert reasons["own_estimated_days"].text == "Estimated days: 50."
    assert reasons["own_terms"].text.startswith("Terms: its words count +")
    assert reasons["own_terms"].path == "/tenderRisk/own/terms"


def test_a_category_that_training_has_not_seen_is_unknown_as_a_missing_one_is(bundle: Bundle) -> None:
    unseen = score(bundle, to_process(call(**CELLS | {"urgency": "Extrema"})), "draft")
    assert "own_urgency" in {unknown.feature for unknown in unseen.unknown}
    without = {name: cell for name, cell in CELLS.items() if name != "urgency"}
    assert unseen.failure == failure(bundle, **without)
    rates = [failure(bundle, **CELLS | {"urgency": urgency}) for urgency in declared_history.URGENCY]
    assert rates == sorted(rates) and rates[0] < unseen.failure < rates[-1]


def test_the_form_of_the_page_is_scored(bundle: Bundle) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-history.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (\{.*\})$", page, re.M)
    scored = score(bundle, to_process(msgspec.json.decode(line)), "draft")
    assert scored.register == "own" and not any("unknown" in warning for warning in scored.warnings)
    assert {"own_urgency", "own_estimated_days"} <= {reason.feature for reason in scored.reasons}


def test_a_form_and_a_release_say_the_same(bundle: Bundle) -> None:
    release = {
        "ocid": "own-new",
        "tag": ["tender"],
        "tender": {"title": "Servicio de aseo", "value": {"amount": 9e6, "currency": "GBP"}},
        "tenderRisk": {"own": CELLS},
    }
    assert score(bundle, to_process(release), "draft", explain=False).failure == failure(bundle, **CELLS)


def test_release_and_load_keep_every_score(trained: tuple[Bundle, RegistersResult], bundle: Bundle) -> None:
    for own in (CELLS, {}, {"urgency": "Normal"}, {"terms": "pago a treinta días"}):
        # Files keep 16 bits of a word's weight.
        assert failure(bundle, **own) == pytest.approx(failure(trained[0], **own), abs=0.01)


def test_a_bundle_without_the_model_of_a_declared_text_is_refused(saved: Path) -> None:
    manifest = saved / "own" / "manifest.json"
    kept = manifest.read_bytes()
    whole = msgspec.json.decode(kept)
    del whole["own_columns"]
    try:
        manifest.write_bytes(msgspec.json.encode(whole))
        with pytest.raises(BundleError, match=r"own/manifest\.json"):
            bundles.load(saved, signed=False)
    finally:
        manifest.write_bytes(kept)


def test_other_manifests_do_not_speak_of_declared_columns(trained: tuple[Bundle, RegistersResult]) -> None:
    manifest = trained[0].manifest
    assert b"own_columns" not in msgspec.json.encode(manifest)
    assert b"own_columns" in msgspec.json.encode(trained[0].registers["own"].manifest)


def test_a_text_is_read_by_what_was_known_before_its_day(
    cases: list[LabelledTender], columns: dict[str, OwnColumn]
) -> None:
    middle = sorted(case.published for case in cases)[len(cases) // 2]
    turned = [
        replace(case, outcomes={"no_award": not case.outcomes["no_award"]})
        if case.known_on and case.known_on >= middle and case.outcomes["no_award"] is not None
        else case
        for case in cases
    ]
    data, other = (register_dataset(OWN, some, "no_award", "draft", columns) for some in (cases, turned))
    column = data.names.index("own_terms")
    early = np.array([case.published < middle for case in cases])
    assert np.array_equal(data.x[early, column], other.x[early, column])
    assert not np.array_equal(data.x[~early, column], other.x[~early, column])


def test_a_column_of_a_later_stage_is_not_read_before(
    cases: list[LabelledTender], columns: dict[str, OwnColumn]
) -> None:
    later = {name: replace(column, stage="bids_in") for name, column in columns.items()}
    draft, bids_in = (register_dataset(OWN, cases[:400], "no_award", stage, later) for stage in ("draft", "bids_in"))
    assert not [name for name in draft.names if name.startswith("own_")]
    assert [name for name in bids_in.names if name.startswith("own_")] == DECLARED


def test_without_declarations_nothing_is_read_otherwise(cases: list[LabelledTender]) -> None:
    bare = [
        replace(case, tender=replace(case.tender, tender_risk=replace(case.tender.tender_risk, own={})))
        for case in cases[:300]
    ]
    data, other = (register_dataset(OWN, some, "no_award", "draft") for some in (cases[:300], bare))
    assert data.names == other.names and np.array_equal(data.x, other.x, equal_nan=True)
    assert replay_cases(bare, "no_award").attributes.own_texts == {}


def test_a_fit_hides_some_cells_of_declared_columns_alone() -> None:
    x = np.ones((5000, 2), dtype=np.float32)
    hidden = np.isnan(hide_some_cells(x, ["value_gbp", "own_urgency"]))
    assert not hidden[:, 0].any() and hidden[:, 1].mean() == pytest.approx(HIDDEN, abs=0.02)
    assert hide_some_cells(x, ["value_gbp", "lot_count"]) is x and not np.isnan(x).any()
