"""From notices to a model: the commands of docs/own-model.md, as they stand there, against a stand-in for the service."""

from __future__ import annotations

import json
import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest

from models import bundle as bundles
from tenders.advisers import find_advisers
from tenders.registers import find_register
from tests.cli.conftest import Run
from tests.tenders.apis.stand_in import ADVISER, FAULTS, FIRST_DAY, Procedure, made_register, serving

PAGE = (Path(__file__).parents[2] / "docs" / "own-model.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (tender-risk .*)$", PAGE, re.M)]
ENDED = {
    "awarded": False, "ended early": False, "completed": False, "open": None,
    "no bids": True, "cancelled": True, "stopped in prose": True,
}  # fmt: skip
"""Whether a made procedure ended without award."""


def test_the_commands_of_the_page_lead_from_notices_to_a_model_that_is_served(
    run: Run, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(bundles, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "released" / "current")
    (tmp_path / "released").mkdir()
    (tmp_path / "history").mkdir()
    (tmp_path / "recipe.toml").write_text("trees = 2\ncopies = 1\nfolds = 2\nrepeats = 1\nresamples = 5\n")
    register = made_register("find-a-tender", 300, days=240)
    steps = {command[0]: command for command in COMMANDS}
    assert list(steps) == ["pull", "outcomes", "check", "train", "release", "promote", "portfolio"]

    with serving(
        register, rate=0.02, faults=[fault for fault in FAULTS if not fault.startswith(("4", "5"))]
    ) as service:
        pulled = run(*steps["pull"], "--url", service.url, "--json")
    assert pulled.code == 0, pulled.err
    first, last = (date.fromisoformat(pulled.lines[0]["request"][name]) for name in ("first", "last"))
    assert first <= FIRST_DAY - timedelta(days=30)
    assert pulled.lines[0]["releases"] == sum(first <= moment.date() <= last for moment in register.moments)

    printed = run(*steps["outcomes"], "--json")
    assert printed.code == 0, printed.err
    kinds = {procedure.ocid: procedure.kind for procedure in register.procedures}
    assert {line["ocid"]: line["no_award"] for line in printed.lines} == {
        ocid: ENDED[kind] for ocid, kind in kinds.items()
    }
    assert {kinds[line["ocid"]] for line in printed.lines if line["early_end"]} == {"ended early"}

    checked = run(*steps["check"])
    assert checked.code == 0, checked.err
    assert "own: 300 rows, 300 cases" in checked.out
    notices_are_read_right(tmp_path / "history" / "own.jsonl", {procedure.ocid: procedure for procedure in register.procedures})

    trained = run(*steps["train"], "--json")
    assert trained.code == 0, trained.err
    answer = trained.lines[-1]
    assert any(name.startswith("own/no_award/") for name in answer["metrics"]), list(answer["metrics"])
    released = run("release", answer["run_id"], "--json").lines[-1]
    assert released["served"]
    again = run("release", answer["run_id"], "--json").lines[-1]
    promoted = run(*steps["promote"])
    assert (promoted.code, f"Promoted {again['version']}" in promoted.out) == (0, True), promoted.err

    scored = run(*steps["portfolio"])
    assert scored.code == 0, scored.err
    rows = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    assert len(rows) == 300
    assert {(row["bundle"], row["register"]) for row in rows} == {(again["version"], "own")}


def notices_are_read_right(history: Path, made: dict[str, Procedure]) -> None:
    """How the pulled procedures ended, who advised and what changed is read as it was made."""
    cases = {case.tender.ocid or "": case for case in find_register("own").cases(history)}
    assert cases.keys() == made.keys()
    kinds = {ocid: procedure.kind for ocid, procedure in made.items()}
    assert {ocid: case.outcomes["no_award"] for ocid, case in cases.items()} == {
        ocid: ENDED[kind] for ocid, kind in kinds.items()
    }
    assert {kinds[ocid] for ocid, case in cases.items() if case.outcomes["early_end"]} == {"ended early"}

    drafts = {ocid: case.as_of("draft") for ocid, case in cases.items()}
    advised = {ocid for ocid, draft in drafts.items() if ADVISER in (draft.tender.description or "")}
    shown = {ocid: find_advisers(draft) for ocid, draft in drafts.items()}
    assert {ocid for ocid, advisers in shown.items() if advisers} == advised
    assert len(advised) > 20
    assert {adviser.path for advisers in shown.values() for adviser in advisers} == {"/parties/1/roleDetails"}

    changes = {ocid: case.as_of("bids_in").tender_risk.structure_changes for ocid, case in cases.items()}
    lots_changed = {ocid for ocid, listed in changes.items() if any(change.touches == "lots" for change in listed)}
    assert lots_changed == {ocid for ocid, procedure in made.items() if procedure.lots_changed}
    assert len(lots_changed) > 10
