"""The commissioner's commands: what they print and write, and that their numbers are those of `score`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from serving.pages import reporting
from tenders.errors import DataError, UnreachableError
from tests import samples
from tests.cli.conftest import Run
from tests.cli.test_main import FORM, MANCHESTER

CAMBRIDGESHIRE = MANCHESTER.replace("manchester-lco", "cambridgeshire-unitingcare")
runner = CliRunner()


def test_what_if_shows_the_draft_as_it_is_beside_the_scenarios(run: Run) -> None:
    result = run("what-if", MANCHESTER, "--stage", "draft", "--set", "lots=4", "--set", "tender_period_days=60")
    assert result.code == 0 and not result.err
    for text in (
        "as it is",
        "lots=4, tender_period_days=60",
        "points",
        "a link seen",
        "evidence: The level is the rate of its class",
    ):
        assert text in result.out


def test_what_if_takes_several_scenarios(run: Run) -> None:
    arguments = ("--set", "lots=4", "--scenario", "lots=8 term_years=5", "--scenario", "title='At home, alone'")
    (answer,) = run("what-if", MANCHESTER, "--stage", "draft", *arguments, "--json").lines
    assert [scenario["settings"] for scenario in answer["scenarios"]] == [
        {"lots": "4"}, {"lots": "8", "term_years": "5"}, {"title": "At home, alone"},
    ]  # fmt: skip
    assert answer["scenarios"][1]["difference"] < answer["scenarios"][0]["difference"] < 0


def test_the_numbers_are_those_of_score(run: Run) -> None:
    (base,) = run("score", "-", "--json", stdin=json.dumps(FORM).encode()).lines
    (changed,) = run("score", "-", "--json", stdin=json.dumps({**FORM, "lots": 4}).encode()).lines
    (answer,) = run("what-if", "-", "--set", "lots=4", "--json", stdin=json.dumps(FORM).encode()).lines
    assert answer["base"] == base
    assert answer["scenarios"][0]["score"]["failure"] == changed["failure"]
    assert answer["scenarios"][0]["difference"] == pytest.approx(changed["failure"] - base["failure"], abs=1e-9)


def test_a_release_and_a_form_are_changed_alike(run: Run) -> None:
    for document in (samples.draft(), FORM):
        result = run("what-if", "-", "--set", "lots=6", "--json", stdin=json.dumps(document).encode())
        assert result.code == 0 and result.lines[0]["scenarios"][0]["difference"] <= 0


def test_what_if_without_settings_is_the_tender_as_it_is(run: Run) -> None:
    (answer,) = run("what-if", MANCHESTER, "--json").lines
    assert answer["scenarios"][0]["difference"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--set", "lots"), 2, "is no KEY=VALUE"),
        (("--set", "=4"), 2, "is no KEY=VALUE"),
        (("--set", "lots=4", "--set", "lots=5"), 2, "set twice"),
        (("--scenario", "title='open"), 2, "No closing quotation"),
        (("--set", "lotz=4"), 1, "/lotz: there is no such fact to set. Did you mean lots?"),
        (("--set", "lots=many"), 1, "/lots: expected a number"),
        (("--set", "bidders=2", "--stage", "draft"), 1, "/bidders: known at bids_in only"),
        (("--stage", "signed"), 2, "is no stage"),
    ],
)
def test_what_cannot_be_set_is_refused(run: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = run("what-if", MANCHESTER, *arguments)
    assert result.code == code and message in result.err and not result.out and "Traceback" not in result.err


def test_suggest_names_changes_with_cases_for_and_against(run: Run) -> None:
    result = run("suggest", MANCHESTER, "--stage", "draft")
    assert result.code == 0
    for text in ("kinds of change", "past cases", "held:", "failed:", "the best pair", "not causes", "evidence"):
        assert text in result.out
    (answer,) = run("suggest", MANCHESTER, "--stage", "draft", "--json").lines
    assert answer["single"] and answer["pair"]
    settings = [f"{key}={value}" for key, value in answer["single"][0]["settings"].items()]
    (again,) = run("what-if", MANCHESTER, "--stage", "draft", "--set", *settings, "--json").lines
    assert again["scenarios"][0]["score"]["failure"] == answer["single"][0]["failure"]


def test_at_award_only_what_a_contract_may_still_ask_for_is_suggested(run: Run) -> None:
    shown = run("suggest", CAMBRIDGESHIRE, "--stage", "awarded").out
    assert "1 of 1 kinds of change" in shown and "Settle the tax position before work begins." in shown


def test_compare_shows_how_the_nearest_cases_ended_and_where_that_is_written(run: Run) -> None:
    result = run("compare", MANCHESTER, "--stage", "bids_in")
    assert result.code == 0
    for text in ("Dudley", "failed: abandoned procurement", "also one bidder", "https://", "do not show a rate"):
        assert text in result.out
    (answer,) = run("compare", MANCHESTER, "--count", "2", "--json").lines
    assert len(answer["cases"]) == 2


def test_explain_shows_the_factors_with_their_record_beside_the_probability(run: Run) -> None:
    result = run("score", MANCHESTER, "--explain")
    for text in (
        "documented factors",
        "points here; the odds of",
        "past cases with it",
        "cannot be judged:",
        "A single bidder answered",
    ):
        assert text in result.out
    assert "documented factors" not in run("score", MANCHESTER).out


@pytest.mark.parametrize("command", ["what-if", "suggest", "compare"])
def test_a_file_that_is_not_there_is_exit_3(run: Run, command: str) -> None:
    result = run(command, "nowhere.json")
    assert result.code == 3 and "nowhere.json" in result.err


def test_markup_is_text(run: Run) -> None:
    release = json.dumps({**samples.draft(), "ocid": "[bold]x[/bold][/]"}).encode()
    for command in (("what-if", "-", "--set", "title=[red]y[/]"), ("suggest", "-"), ("compare", "-")):
        result = run(*command, stdin=release)
        assert result.code == 0 and "[bold]x[/bold][/]" in result.out


def test_the_report_has_the_number_of_score(tmp_path: Path) -> None:
    to = tmp_path / "board.html"
    scored = json.loads(runner.invoke(app, ["score", MANCHESTER, "--stage", "draft", "--json"]).stdout)
    answer = json.loads(
        runner.invoke(app, ["report", MANCHESTER, "--stage", "draft", "--out", str(to), "--json"]).stdout
    )
    assert answer == {"report": str(to), "ocid": scored["ocid"], "stage": "draft", "failure": scored["failure"]}
    text = to.read_text(encoding="utf-8")
    assert f'class="number">{round(scored["failure"] * 100)}%<' in text
    assert scored["evidence"] in text
    assert text.count("<script") == 1 and "window.print()" in text
    assert [path.name for path in tmp_path.iterdir()] == ["board.html"]


def test_it_is_written_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = runner.invoke(app, ["report", MANCHESTER])
    assert answer.stdout.startswith("report.html: failure ")
    assert (tmp_path / "report.html").is_file()


@pytest.mark.skipif(not any(map(shutil.which, reporting.CHROMIUM)), reason="no chromium here")
def test_a_pdf_is_two_pages_and_nothing_else_is_left(tmp_path: Path) -> None:
    to = tmp_path / "board.pdf"
    assert runner.invoke(app, ["report", MANCHESTER, "--out", str(to), "--by", "Ada Example"]).exit_code == 0
    content = to.read_bytes()
    assert content.startswith(b"%PDF-") and len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["board.pdf"]


@pytest.mark.parametrize(
    ("script", "words"),
    [(None, "no Chromium is installed"), ("exit 5", "made no PDF"), ("exec sleep 30", "no PDF after 1 seconds"),
     ("exit 0", "made no PDF")],
)  # fmt: skip
def test_without_a_chromium_that_prints_no_pdf_is_left_and_it_is_exit_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, words: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if script:
        (folder / "chromium").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin" if script and "sleep" in script else str(folder))
    monkeypatch.setattr(reporting, "PDF_SECONDS", 1)
    to = tmp_path / "board.pdf"
    error = runner.invoke(app, ["report", MANCHESTER, "--out", str(to)]).exception
    assert isinstance(error, UnreachableError) and error.exit_code == 3
    assert words in str(error) and ".html" in str(error)
    assert not to.exists()


def test_a_file_of_several_tenders_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "several.json"
    file.write_text(json.dumps([{"title": "a"}, {"title": "b"}]))
    error = runner.invoke(app, ["report", str(file), "--out", str(tmp_path / "out.html")]).exception
    assert isinstance(error, DataError)
    assert not (tmp_path / "out.html").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    error = runner.invoke(app, ["report", MANCHESTER, "--out", str(tmp_path / "none" / "out.html")]).exception
    assert isinstance(error, UnreachableError)
    assert "--out" in str(error)


def test_the_record_is_printed_written_and_given_as_json(tmp_path: Path) -> None:
    to = tmp_path / "record.md"
    printed = runner.invoke(app, ["record"]).stdout
    written = runner.invoke(app, ["record", "--out", str(to)])
    assert to.read_text(encoding="utf-8") == printed and "fields are yours to fill in" in written.stdout
    sections = json.loads(runner.invoke(app, ["record", "--json"]).stdout)
    assert [field["number"] for field in sections[0]["fields"]] == ["1", "2", "3", "4"]
    assert isinstance(
        runner.invoke(app, ["record", "--out", str(tmp_path / "no" / "x.md")]).exception, UnreachableError
    )
