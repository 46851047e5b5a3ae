"""`tender-risk report`: one file, whole or not at all, with the number that `score` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tenders.errors import DataError, UnreachableError

ROOT = Path(__file__).parents[2]
MANCHESTER = str(ROOT / "examples" / "manchester-lco.json")
runner = CliRunner()


def test_the_report_has_the_number_of_score(tmp_path: Path) -> None:
    to = tmp_path / "board.html"
    scored = json.loads(runner.invoke(app, ["score", MANCHESTER, "--stage", "draft", "--json"]).stdout)
    told = json.loads(runner.invoke(app, ["report", MANCHESTER, "--stage", "draft", "--out", str(to), "--json"]).stdout)
    assert told == {"report": str(to), "ocid": scored["ocid"], "stage": "draft", "failure": scored["failure"]}
    text = to.read_text(encoding="utf-8")
    assert f'class="number">{round(scored["failure"] * 100)}%<' in text
    assert scored["evidence"] in text
    assert "<script" not in text
    assert [each.name for each in tmp_path.iterdir()] == ["board.html"]


def test_it_is_written_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = runner.invoke(app, ["report", MANCHESTER])
    assert found.stdout.startswith("report.html: failure ")
    assert (tmp_path / "report.html").is_file()


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
