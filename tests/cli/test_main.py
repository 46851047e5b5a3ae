"""The command line: what each command prints, where errors go, and which exit code says what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features.catalogue import catalogue
from models import bundle as bundles
from tests import bad_input, samples
from tests.bad_input import Bad
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
MANCHESTER = str(ROOT / "examples" / "manchester-lco.json")
DRAFT_ONLY = str(ROOT / "examples" / "south-warwickshire-older-people.json")
FORM: dict[str, Any] = {"title": "Community services", "lots": 1, "value": 5.9e9, "currency": "GBP", "bidders": 1}


def test_what_a_command_does_not_need_is_not_imported() -> None:
    heavy = {"numpy", "pandas", "pyarrow", "xgboost", "sklearn", "mlflow", "bentoml", "dask"}
    code = f"import cli.main, sys; print(*{heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not answer.stdout.split()


def written(home: Path, name: str, text: str) -> Path:
    """A file to read."""
    (home / name).write_text(text, encoding="utf-8")
    return home / name


def test_score_prints_the_probability_the_reasons_and_how_thin_the_evidence_is(run: Run) -> None:
    result = run("score", MANCHESTER, "--stage", "draft")
    assert result.code == 0 and not result.err
    for text in (
        "casebook-NHS002 at draft",
        "failure",
        "base rate",
        "reasons",
        "/tender/",
        "evidence: The level is the rate of its class",
    ):
        assert text in result.out


def test_explain_prints_all_reasons_and_what_is_unknown(run: Run) -> None:
    plain, explained = (run("score", MANCHESTER, "--stage", "draft", *more) for more in ((), ("--explain",)))
    assert "--explain lists them" in plain.out
    assert "unknown" in explained.out and "not stated" in explained.out
    assert len(explained.out.splitlines()) > len(plain.out.splitlines())


def test_score_as_json_is_one_object_a_tender(run: Run) -> None:
    (answer,) = run("score", MANCHESTER, "--stage", "bids_in", "--json").lines
    assert answer["ocid"] == "casebook-NHS002"
    assert answer["stage"] == "bids_in"
    assert answer["outcomes"]["single_bid"] == 1
    assert answer["interval"][0] <= answer["failure"] <= answer["interval"][1]
    assert {"band", "register", "bundle", "reasons", "factors", "unknown", "warnings"} <= set(answer)


def test_standard_input_is_a_file_called_dash(run: Run) -> None:
    result = run("score", "-", "--json", stdin=json.dumps(FORM).encode())
    assert result.code == 0
    reasons = result.lines[0]["reasons"]
    assert reasons and all(reason["path"].strip("/") in FORM for reason in reasons)


def test_json_lines_are_scored_line_by_line(run: Run, tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({**FORM, "lots": n}) for n in (1, 2, 3))
    result = run("score", written(tmp_path, "three.jsonl", lines), "--json")
    assert len(result.lines) == 3
    assert result.lines[0]["failure"] >= result.lines[2]["failure"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("form.csv", "title,lots,value,currency,bidders\nCommunity services,1,5900000000,GBP,1\n"),
        ("form.yaml", "title: Community services\nlots: 1\nvalue: 5.9e9\ncurrency: GBP\nbidders: 1\n"),
        ("form.json", json.dumps(FORM)),
    ],
)
def test_a_form_scores_alike_as_csv_yaml_and_json(run: Run, tmp_path: Path, name: str, text: str) -> None:
    (answer,) = run("score", written(tmp_path, name, text), "--json").lines
    (expected,) = run("score", "-", "--json", stdin=json.dumps(FORM).encode()).lines
    assert answer["failure"] == expected["failure"]
    assert [reason["value"] for reason in answer["reasons"]] == [reason["value"] for reason in expected["reasons"]]


def test_a_bundle_of_ones_own_can_be_named(run: Run) -> None:
    named = run("score", MANCHESTER, "--bundle", bundles.released(), "--json")
    assert named.lines == run("score", MANCHESTER, "--json").lines


def test_check_names_what_is_missing_by_path(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, "draft.json", json.dumps(samples.draft()))
    (answer,) = run("check", file, "--json").lines[0]["listed"]
    assert (answer["ocid"], answer["stage"]) == (samples.OCID, "draft")
    missing = {feature["path"] for feature in answer["missing"]}
    assert {"/tenderRisk/marketEngagement", "/tender/enquiryPeriod"} <= missing
    assert "/tender/tenderPeriod" not in missing and "/tender/numberOfTenderers" not in missing
    result = run("check", file)
    assert "/tenderRisk/marketEngagement" in result.out and result.code == 0


def test_check_passes_on_the_warnings_of_the_reader(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, "draft.json", json.dumps({**samples.draft(), "colour": "red"}))
    (answer,) = run("check", file, "--json").lines[0]["listed"]
    assert any("/colour" in warning for warning in answer["warnings"])
    assert "/colour" in run("check", file).out


NOTICES = str(ROOT / "examples" / "own-history" / "notices.json")


def test_outcomes_as_json_is_one_object_a_tender_with_the_same_by_lot(run: Run) -> None:
    answers = run("outcomes", NOTICES, "--json").lines
    labels = ["no_award", "early_end", "single_bid", "performance", "kind", "known_on", "path", "reason", "warnings"]
    names = ["ocid", *labels, "lots"]
    assert [list(answer) for answer in answers] == [names] * 5
    kinds = {answer["ocid"]: answer["kind"] for answer in answers}
    assert kinds == {
        f"own-{i + 1}": kind for i, kind in enumerate(("part", "terminated", "discontinued", *["awarded"] * 2))
    }
    north, south = answers[0]["lots"]
    assert list(north) == ["lot", *labels]
    assert (north["no_award"], south["no_award"], answers[0]["no_award"]) == (False, True, False)


def test_outcomes_lists_first_what_a_person_would_check_first(run: Run) -> None:
    result = run("outcomes", NOTICES)
    assert result.code == 0 and not result.err
    places = [
        result.out.index(text) for text in ("own-2  terminated", "own-1  part", "own-3  discontinued", "own-5", "own-4")
    ]
    assert places == sorted(places)
    assert "requires improvement" in result.out and "warning: /releases/7/contracts/0/status" in result.out


def test_features_lists_the_whole_catalogue(run: Run) -> None:
    (rows,) = run("features", "--json").lines
    assert [row["name"] for row in rows] == list(catalogue())
    for row in rows:
        feature = catalogue()[row["name"]]
        assert (row["stage"], row["unit"], row["path"], row["direction"]) == (
            feature.stage,
            feature.unit,
            feature.path,
            feature.direction,
        )
    table = run("features").out
    assert all(name in table for name in ("single_block", "risk_words"))


def test_features_with_effects_lists_the_layers_and_what_has_no_known_effect(run: Run) -> None:
    (listing,) = run("features", "--effects", "--json").lines
    effects = {effect["feature"]: effect for effect in listing["effects"]}
    block = effects["single_block"]["outcomes"]["no_award"]
    assert {"documented", "registers", "cases", "pooled"} <= block.keys() and block["pooled"]["odds_ratio"] > 1
    assert "title" in listing["no_known_effect"] and "lots" not in listing["no_known_effect"]
    table = run("features", "--effects").out
    assert all(name in table for name in ("single_block", "adviser_record", "No known effect"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("score", "nowhere.json"), 3, "nowhere.json"),
        (("score", MANCHESTER, "--stage", "signed"), 2, "'signed' is no stage"),
        (("score", DRAFT_ONLY, "--stage", "awarded"), 1, "/stage: the contract is not awarded: no award is shown"),
        (("report", DRAFT_ONLY, "--stage", "bids_in"), 1, "/stage: the bids are not in: the deadline has not passed"),
        (("what-if", DRAFT_ONLY, "--set", "bidders=3", "--stage", "bids_in"), 1, "Score it at draft"),
        (("suggest", DRAFT_ONLY, "--stage", "awarded"), 1, "/stage: "),
        (("compare", DRAFT_ONLY, "--stage", "awarded"), 1, "/stage: "),
        (("score", MANCHESTER, "--bundle", "nowhere"), 3, "no bundle there"),
        (("score",), 2, "Missing argument"),
        (("score", MANCHESTER, "--colour"), 2, "No such option"),
        (("guess",), 2, "No such command"),
        (("check", "nowhere.json"), 3, "nowhere.json"),
        (("outcomes", "nowhere.json"), 3, "nowhere.json"),
        (("outcomes",), 2, "Missing argument"),
        (("train", "nowhere.toml"), 3, "nowhere.toml"),
        (("serve", "--port", "99999"), 2, "Invalid value"),
    ],
)
def test_errors_go_to_standard_error_with_their_exit_code(
    run: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run(*arguments)
    assert result.code == code
    assert message in result.err
    assert not result.out
    assert "Traceback" not in result.err


def test_a_recipe_that_is_wrong_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("train", written(tmp_path, "recipe.toml", "tress = 3"))
    assert result.code == 1 and "tress" in result.err


@pytest.mark.parametrize("bad", bad_input.BAD, ids=bad_input.ids)
def test_bad_input_is_refused_with_its_place_and_without_a_traceback(run: Run, tmp_path: Path, bad: Bad) -> None:
    file = tmp_path / f"bad{bad.suffix}"
    file.write_bytes(bad.data)
    result = run("score", file, "--json")
    assert result.code == 1
    assert result.err.startswith(f"error: {bad.path or '/'}: ")
    assert not result.out and "Traceback" not in result.err


def test_a_file_that_is_too_large_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_bytes(bad_input.too_large().data)
    result = run("score", file)
    assert result.code == 1 and "MB are read" in result.err


def test_markup_in_a_tender_is_text(run: Run) -> None:
    release = {**samples.draft(), "ocid": "[bold]x[/bold][/]", "[red]": 1}
    result = run("score", "-", stdin=json.dumps(release).encode())
    assert result.code == 0
    assert "[bold]x[/bold][/]" in result.out and "[red]" in result.out


def test_train_and_release_go_through_the_tracking_store(
    run: Run, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(bundles, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "released" / "current")
    (tmp_path / "released").mkdir()
    file = written(tmp_path, "recipe.toml", "trees = 2\ncopies = 3\nfolds = 2\nrepeats = 1\nresamples = 5\n")
    trained = run("train", file, "--json")
    assert trained.code == 0
    answer = trained.lines[-1]
    assert "failure/draft/cohort" in answer["metrics"]
    released = run("release", answer["run_id"], "--json").lines[-1]
    assert (tmp_path / "released" / released["version"] / bundles.MANIFEST).is_file()
    assert run("score", MANCHESTER, "--json").lines[0]["bundle"] == released["version"]
    again = run("release", answer["run_id"], "--json").lines[-1]
    assert (again["served"], again["champion"]) == (False, released["version"])
    assert run("score", MANCHESTER, "--json").lines[0]["bundle"] == released["version"]
    promoted = run("promote", "--json")
    assert promoted.code == 0 and promoted.lines[-1]["promoted"]
    assert run("score", MANCHESTER, "--json").lines[0]["bundle"] == again["version"]
    back = run("rollback", "--json").lines[-1]
    assert back == {"champion": released["version"], "withdrawn": again["version"]}
    assert run("score", MANCHESTER, "--json").lines[0]["bundle"] == released["version"]
    assert f"Promoted {again['version']}" in run("promote").out
    assert f"{released['version']} is champion" in run("rollback").out
    assert run("rollback").code == 2
    assert "as challenger" in run("release", answer["run_id"]).out
    refused = run("release", "none")
    assert refused.code == 2 and "has no bundle" in refused.err


def test_serve_starts_the_service_where_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import running

    started: list[tuple[object, ...]] = []
    monkeypatch.setattr(running, "serve", lambda *where: started.append(where))
    assert run("serve", "--host", "127.0.0.1", "--port", "3456").code == 0
    assert started == [("127.0.0.1", 3456)]


def test_serve_takes_a_challenger_as_the_service_s_setting_does(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from serving import running

    monkeypatch.setenv("TENDER_RISK_SHADOW", "")
    settings: list[str] = []
    monkeypatch.setattr(running, "serve", lambda *_: settings.append(os.environ["TENDER_RISK_SHADOW"]))
    for shadow in ("challenger", tmp_path / "x" / ".."):
        assert run("serve", "--shadow", shadow).code == 0
    assert settings == ["challenger", str(tmp_path)]


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    for command in ("score", "check", "features", "train", "release", "promote", "rollback", "serve"):
        assert command in result.out


def test_evaluate_judges_the_released_bundle_on_a_register(run: Run) -> None:
    cases = ROOT / "tenders" / "casebook" / "cases.csv"
    files = ("--register", "casebook_uk", "--history", cases, "--test", cases)
    shown = run("evaluate", *files, "--outcome", "no_award", "--json")
    answer = json.loads(shown.out)
    assert (answer["register"], answer["outcome"], answer["stage"]) == ("casebook_uk", "no_award", "draft")
    assert answer["n"] > answer["picked"]["n"] > 0
    assert "no_award at draft" in run("evaluate", *files, "--outcome", "no_award").out


def test_evaluate_of_a_register_that_is_none_lists_those_that_are(run: Run) -> None:
    shown = run("evaluate", "--register", "atlantis", "--history", "x", "--test", "y")
    assert shown.code == 2
    assert "casebook_uk" in shown.err
