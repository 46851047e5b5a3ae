"""Every command reads every container; and the field's small inputs that are about containers and `check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.portfolio import sample_files
from tests.tenders.io.containers import containers

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
shared = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
RELEASE = json.loads((Path(__file__).parents[2] / "examples" / "manchester-lco.json").read_text())
NAMES = ("lines.zip", "pretty.json", "flat.xlsx")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("score", "FILE", "--json"),
    ("check", "FILE", "--json"),
    ("what-if", "FILE", "--set", "lots=4", "--json"),
    ("suggest", "FILE", "--json"),
    ("compare", "FILE", "--json"),
    ("report", "FILE", "--out", "OUT", "--json"),
    ("drift", "FILE", "--json"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_every_command_reads_every_container(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    release = {**RELEASE, "tender": {**RELEASE["tender"], "techniques": {"hasFrameworkAgreement": False}}}
    files = {"plain.json": json.dumps(release).encode(), **containers([release])}
    answers = {}
    for name in ("plain.json", *NAMES):
        file = sample_files.written(tmp_path, name, files[name])
        places = {"FILE": file, "OUT": tmp_path / f"{name}.out.csv"}
        result = run(*(places.get(word, word) for word in command))
        assert result.code == 0, (name, result.err)
        answers[name] = result.lines
    assert {len(lines) for lines in answers.values()} == {1}
    if command[0] == "score":
        assert {lines[0]["failure"] for lines in answers.values()} == {answers["plain.json"][0]["failure"]}


def test_standard_input_says_itself_what_it_is(run: Run) -> None:
    for name in NAMES:
        for command in ("score", "check"):
            result = run(command, "-", "--json", stdin=containers([RELEASE])[name])
            assert result.code == 0 and RELEASE["ocid"] in result.out, (name, result.err)


@shared
@pytest.mark.parametrize("command", ["score", "check"])
def test_case_concatenated(run: Run, command: str) -> None:
    result = run(command, CASES / "concatenated.json", "--json")
    assert result.code == 0
    tenders = result.lines if command == "score" else result.lines[0]["listed"]
    assert [tender["ocid"] for tender in tenders] == ["ocds-aaaaaa-26", "ocds-aaaaaa-27"]


@shared
@pytest.mark.parametrize("command", ["score", "check"])
def test_case_flattened_release(run: Run, command: str) -> None:
    result = run(command, CASES / "flattened_release.csv", "--json")
    assert result.code == 0
    (tender,) = result.lines if command == "score" else result.lines[0]["listed"]
    assert tender["ocid"] == "ocds-aaaaaa-25"
    assert not tender["warnings"] or command == "score"


@shared
@pytest.mark.parametrize("command", ["score", "check", "portfolio"])
def test_case_documentation_sheet(run: Run, tmp_path: Path, command: str) -> None:
    more = (tmp_path / "out.csv", "--workers", "1") if command == "portfolio" else ()
    result = run(command, CASES / "documentation_sheet.csv", *more)
    assert result.code == 1
    assert "only title and description are keys of the form, which say nothing that a model weighs" in result.err


@shared
def test_case_check_stops_at_first(run: Run) -> None:
    result = run("check", CASES / "check_stops_at_first.json", "--json")
    assert result.code == 1
    (report,) = result.lines
    # What is read with a warning instead of being refused is told as well.
    text = json.dumps(report)
    assert all(place in text for place in ("/releases/0/tender/value/amount", "/releases/1/tender/tenderPeriod"))
    assert "ocds-aaaaaa-12" in [tender["ocid"] for tender in report["listed"]]
    shown = run("check", CASES / "check_stops_at_first.json").out
    assert "/releases/0/tender/value/amount" in shown and "ocds-aaaaaa-12" in shown
