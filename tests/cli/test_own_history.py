"""From a table of calls over four months to scores: the commands of docs/own-history.md, as they stand there."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import mlflow
import msgspec
import pandas as pd
import pytest

from models import bundle as bundles
from tenders.process import to_json
from tenders.registers import own
from tests.cli.conftest import Run
from tests.training import declared_history, short_history

PAGE = (Path(__file__).parents[2] / "docs" / "own-history.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (tender-risk .*)$", PAGE, re.M)]


@pytest.fixture
def workspace(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, whose released bundle is a copy of the one that is served."""
    served = bundles.released()
    shutil.copytree(served, tmp_path / "released" / served.name)
    (tmp_path / "released" / "current").write_text(served.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(bundles, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "released" / "current")
    return tmp_path


def test_the_commands_of_the_page_lead_from_a_table_to_scores(run: Run, workspace: Path) -> None:
    served = bundles.released().name
    declared_history.write(workspace / "history", calls=2000)
    steps = {command[0]: command for command in COMMANDS}
    assert list(steps) == ["check", "train", "release", "promote", "portfolio"]

    checked = run(*steps["check"])
    assert checked.code == 0, checked.err
    assert "own: 2,000 rows, 2,000 cases" in checked.out

    trained = run(*steps["train"], "--json")
    assert trained.code == 0, trained.err
    answer = trained.lines[-1]
    assert list(answer["metrics"]) == ["own/no_award/draft", "own/no_award/bids_in"]
    assert answer["metrics"]["own/no_award/draft"]["auc_low"] > 0.6
    assert f"The models of bundle {served} stay as they are" in trained.err
    assert answer["left_out"][0].startswith("reason (column motivo) is filled in 100% of the cases with no_award")

    written = run(*steps["release"][:1], answer["run_id"], "--to", "mine", "--json").lines[-1]
    assert written["directory"] == "mine" and bundles.released().name == served
    mine, before = bundles.load(workspace / "mine"), bundles.load(bundles.released())
    assert "out of time on what was published from 2025-06-02 to 2025-07-01" in mine.registers["own"].card
    assert set(mine.registers) == {*before.registers, "own"}
    same = {
        name: digest for name, digest in before.manifest.digests.items() if name.endswith((".ubj", "calibration.json"))
    }
    assert same.items() <= mine.manifest.digests.items()

    released = run(*steps["release"][:1], answer["run_id"], "--json").lines[-1]
    assert not released["served"]
    promoted = run(*steps["promote"], "--json")
    assert promoted.code == 0, promoted.err
    comparison = promoted.lines[-1]["comparison"]
    assert {row["register"] for row in comparison["compared"]} == {"own"}
    assert {"casebook_uk", *before.registers} - {"any"} <= set(comparison["unchanged"])
    assert bundles.released().name == released["version"]

    scored = run(*steps["portfolio"])
    assert scored.code == 0, scored.err
    with (workspace / "scored.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2000
    assert {(row["bundle"], row["register"]) for row in rows} == {(released["version"], "own")}

    # The same tenders as a frame, with the declared columns at their place in a release.
    calls = own.read_own(workspace / "history" / "own.toml").cases[:20]
    frame = pd.DataFrame({"ocds": [msgspec.json.encode(to_json(case.tender)).decode() for case in calls]})
    loaded = mlflow.pyfunc.load_model("models:/tender-risk@champion")
    draft = loaded.predict(frame, params={"stage": "draft"})["failure"]
    assert draft.tolist() == [float(row["failure"]) for row in rows[:20]]
    named = [name for name in loaded.metadata.get_input_schema().input_names() if name.startswith("tenderRisk/own/")]
    assert named == [f"tenderRisk/own/{name}" for name in ("urgency", "estimated_days", "terms", "reason")]
    cells = [{f"tenderRisk/own/{name}": cell for name, cell in case.tender.tender_risk.own.items()} for case in calls]
    forms = [
        {"ocid": case.tender.ocid, "title": case.tender.tender.title, "published": case.published} for case in calls
    ]
    with_cells, without = (
        loaded.predict(pd.DataFrame(rows), params={"stage": "draft"})["failure"]
        for rows in ([form | own_cells for form, own_cells in zip(forms, cells, strict=True)], forms)
    )
    assert (with_cells != without).sum() > 15


def test_a_history_that_is_too_small_is_refused_with_what_it_needs(run: Run, workspace: Path) -> None:
    short_history.write(workspace / "history", calls=90)
    refused = run("train", "--history", "history")
    assert refused.code == 1
    assert re.search(r"error: own: no_award is known of \d+ cases .* it needs \d+ more with it", refused.err)


def test_options_that_leave_nothing_to_train_are_refused(run: Run, workspace: Path) -> None:
    short_history.write(workspace / "history", calls=90)
    assert run("train", "--history", "history", "--keep-uk", "--keep-registers").code == 2
    assert run("train", "--keep-uk").code == 2


def test_a_directory_that_holds_something_else_is_no_place_for_a_bundle(run: Run, workspace: Path) -> None:
    (workspace / "notes").mkdir()
    (workspace / "notes" / "mine.txt").write_text("keep me")
    refused = run("release", "any", "--to", "notes")
    assert refused.code == 2 and "is no bundle" in refused.err
    assert (workspace / "notes" / "mine.txt").read_text() == "keep me"
