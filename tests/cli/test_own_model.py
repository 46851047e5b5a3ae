"""From notices to a model: the commands of docs/own-model.md, as they stand there, against a stand-in for the service."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from models import bundle as bundles
from tenders.advisers import find_advisers
from tenders.registers import find_register
from tests.cli.test_main import Run, run
from tests.tenders.apis.stand_in import ADVISER, FAULTS, FIRST_DAY, made_register, serving

__all__ = ["run"]

PAGE = (Path(__file__).parents[2] / "docs" / "own-model.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (tender-risk .*)$", PAGE, re.M)]
ENDED = {"awarded": False, "ended early": False, "completed": False, "no bids": True, "cancelled": True, "open": None}
"""Whether a made procedure ended without award. One that a text alone stopped is not among them."""


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
    assert list(steps) == ["pull", "check", "train", "release", "promote", "portfolio"]

    with serving(
        register, rate=0.02, faults=[fault for fault in FAULTS if not fault.startswith(("4", "5"))]
    ) as service:
        pulled = run(*steps["pull"], "--url", service.url, "--json")
    assert pulled.code == 0, pulled.err
    first, last = (date.fromisoformat(pulled.lines[0]["request"][name]) for name in ("first", "last"))
    assert first <= FIRST_DAY - timedelta(days=30)
    assert pulled.lines[0]["releases"] == sum(first <= moment.date() <= last for moment in register.moments)

    checked = run(*steps["check"])
    assert checked.code == 0, checked.err
    assert "own: 300 rows, 300 cases" in checked.out
    labels_are_right(tmp_path / "history" / "own.jsonl", {each.ocid: each.kind for each in register.procedures})

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


def labels_are_right(history: Path, kinds: dict[str, str]) -> None:
    """What is read of the pulled notices is what the procedures were made to become, and who advised them."""
    cases = find_register("own").cases(history)
    assert len(cases) == len(kinds)
    wrong = Counter(
        kinds[case.tender.ocid or ""]
        for case in cases
        if kinds[case.tender.ocid or ""] in ENDED
        and case.outcomes["no_award"] is not ENDED[kinds[case.tender.ocid or ""]]
    )
    assert wrong == {}
    early = {kinds[case.tender.ocid or ""] for case in cases if case.outcomes["early_end"]}
    assert early == {"ended early"}
    shown = {case.tender.ocid: find_advisers(case.as_of("draft")) for case in cases}
    advised = {case.tender.ocid for case in cases if ADVISER in (case.as_of("draft").tender.description or "")}
    assert len(advised) > 20
    assert {ocid for ocid, found in shown.items() if found} == advised
    assert {each.path for found in shown.values() for each in found} == {"/parties/1/roleDetails"}
