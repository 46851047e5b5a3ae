"""The examples are what the casebook gives, and the released model tells the brief's failures from what held."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from statistics import mean
from types import ModuleType
from typing import Any

import pytest

from models.bundle import Bundle
from models.score import Score, score
from tenders.errors import StageError
from tenders.facts import STAGES, Stage
from tenders.io.read import read_file, to_process

HOME = Path(__file__).parents[1] / "examples"


def _build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_build", HOME / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = _build()
CASES: dict[str, str] = BUILD.FAILED | BUILD.SURVIVED | BUILD.UNJUDGED
FAILED = ("cambridgeshire-unitingcare", "manchester-lco", "staffordshire-cancer", "south-warwickshire-older-people")
NAMED = (*FAILED, "swindon-seqol", "sbs-clinical-framework", "plymouth-integrated-care")
LATER = ("awards", "contracts", "bids")
LATER_TENDER = ("numberOfTenderers", "tenderers", "amendments")
LATER_FACTS = (
    "structureChanges",
    "assuranceHolds",
    "biddersInterested",
    "legalVehicle",
    "taxUnresolved",
    "legalChallenge",
)

each_example = pytest.mark.parametrize("name", CASES)


def reached(name: str) -> list[Stage]:
    """The stages that an example shows it has reached."""
    (process,) = read_file(HOME / f"{name}.json")
    return [stage for stage in STAGES if process.has_reached(stage)]


def scored(bundle: Bundle, name: str, stage: Stage) -> Score:
    """An example at a stage."""
    return score(bundle, read_file(HOME / f"{name}.json")[0], stage)


def holds(document: Any, path: str) -> bool:
    """Whether a JSON path leads to something."""
    for step in path.strip("/").split("/"):
        if isinstance(document, list):
            document = document[int(step)] if step.isdigit() and int(step) < len(document) else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document is not None


def test_the_examples_are_those_that_the_design_names_and_no_file_is_left_over() -> None:
    assert set(NAMED) <= set(CASES)
    assert {file.stem for file in HOME.glob("*.json")} == set(CASES)


@each_example
def test_the_file_is_what_the_casebook_gives(name: str) -> None:
    assert (HOME / f"{name}.json").read_text(encoding="utf-8") == BUILD.text(CASES[name])


@each_example
def test_no_outcome_stands_in_the_file(name: str) -> None:
    text = (HOME / f"{name}.json").read_text(encoding="utf-8")
    for word in ('"status"', "terminat", "collaps", "abandon", "finalStatus"):
        assert word not in text


@each_example
@pytest.mark.parametrize("stage", STAGES)
def test_it_scores_at_every_stage_that_it_shows_without_warnings(bundle: Bundle, name: str, stage: Stage) -> None:
    if stage not in reached(name):
        with pytest.raises(StageError, match=r"/stage: the (bids are not in|contract is not awarded): .* Score it at"):
            scored(bundle, name, stage)
        return
    result = scored(bundle, name, stage)
    assert result.stage == stage
    assert 0 < result.failure < 1
    assert not result.warnings


def test_the_brief_s_failures_score_above_the_surviving_controls_at_draft(bundle: Bundle) -> None:
    failed, held = (mean(scored(bundle, name, "draft").failure for name in names) for names in (FAILED, BUILD.SURVIVED))
    assert failed > held


@pytest.mark.parametrize(("name", "stage"), [(name, stage) for name in FAILED for stage in reached(name)])
def test_every_reason_of_a_failure_has_words_and_leads_to_its_fact(bundle: Bundle, name: str, stage: Stage) -> None:
    document = json.loads((HOME / f"{name}.json").read_bytes())
    result = scored(bundle, name, stage)
    assert len(result.reasons) >= 3
    for reason in result.reasons:
        assert reason.text.endswith(".") and reason.effect
        assert holds(document, reason.path), reason


@each_example
def test_every_score_has_a_reason_whose_path_is_in_the_file(bundle: Bundle, name: str) -> None:
    document = json.loads((HOME / f"{name}.json").read_bytes())
    for stage in reached(name):
        reasons = scored(bundle, name, stage).reasons
        assert reasons
        assert all(holds(document, reason.path) for reason in reasons)


def test_manchester_s_reasons_name_its_single_bidder(bundle: Bundle) -> None:
    texts = {reason.feature: reason.text for reason in scored(bundle, "manchester-lco", "bids_in").reasons}
    assert any("single bidder" in text or text == "Bidders: 1." for text in texts.values())


def stripped(name: str) -> Any:
    """The file as it would have been on the day of publication."""
    document = json.loads((HOME / f"{name}.json").read_bytes())
    draft = {key: value for key, value in document.items() if key not in LATER}
    draft["tender"] = {key: value for key, value in document["tender"].items() if key not in LATER_TENDER}
    draft["tenderRisk"] = {
        key: value for key, value in document.get("tenderRisk", {}).items() if key not in LATER_FACTS
    }
    return draft


@each_example
def test_the_draft_score_is_the_same_without_the_later_facts(bundle: Bundle, name: str) -> None:
    """Where the day of publication is stated: else the day is reckoned back from the award, and with it the record."""
    draft = stripped(name)
    if "datePublished" in draft["tender"]:
        assert score(bundle, to_process(draft), "draft") == scored(bundle, name, "draft")
