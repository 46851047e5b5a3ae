"""`tender-risk pull`, as a user runs it, against an API on this machine."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tenders.apis.served import release, served

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pull.md").read_text(encoding="utf-8")
DAYS = {"2026-11-02": [release("ocds-h6vhtk-000001", "000001-2026"), release("ocds-h6vhtk-000002", "000002-2026")]}
DAY = ("--from", "2026-11-02", "--to", "2026-11-02")


def test_what_the_page_says_is_what_happens(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    pull, score = (shlex.split(line)[1:] for line in re.findall(r"^    (tender-risk .*)$", PAGE, re.M))
    with served(DAYS) as api:
        message = run(*pull, "--url", api.url)
    assert message.code == 0, message.err
    assert message.out.splitlines() == [
        "notices.jsonl: 2 notices of 2 processes",
        "  no notice on 6 of 7 days: 2026-11-03, 2026-11-04, 2026-11-05, 2026-11-06, 2026-11-07, 2026-11-08",
    ]
    scored = run(*score, "--json")
    assert scored.code == 0, scored.err
    assert scored.lines[0]["counts"]["scored"] == 2


def test_json_tells_the_days(run: Run, tmp_path: Path) -> None:
    with served(DAYS) as api:
        message = run("pull", "find-a-tender", tmp_path / "out.jsonl", *DAY, "--url", api.url, "--json")
    (result,) = message.lines
    assert (result["days"], result["releases"], result["output"]) == ({"2026-11-02": 2}, 2, "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("tenders-direct", "out.jsonl", *DAY), 2, "Use one of find-a-tender, contracts-finder, ted"),
        (("ted", "out.csv", *DAY), 2, "Name it .jsonl"),
        (("ted", "out.jsonl", "--from", "2026-11-03", "--to", "2026-11-02"), 2, "2026-11-03 is after --to 2026-11-02"),
        (("ted", "out.jsonl", "--from", "2026-11-03", "--to", "2999-01-01"), 2, "2999-01-01 has not come yet"),
        (("ted", "out.jsonl", *DAY, "--url", "file:///etc/passwd"), 2, "no web address"),
        (("ted", "out.jsonl", *DAY, "--url", "mirror"), 2, "no web address"),
        (("ted", "out.jsonl", "--from", "soon", "--to", "2026-11-02"), 2, "soon"),
        (("ted", "out.jsonl", "--from", "2026-11-02"), 2, "--from and --to are needed"),
        (("ted", "out.jsonl", "--since-last"), 2, "Say --from for the first run"),
        (("ted", "out.jsonl", "--from", "2026-11-02", "--to", "2999-01-01", "--since-last"), 2, "is not over"),
    ],
)
def test_what_cannot_be_pulled_is_said_before_anything_is_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("pull", *arguments)
    assert (result.code, message in result.err) == (code, True), result.err
    assert not list(tmp_path.iterdir())


def test_an_api_that_refuses_is_exit_3_with_what_it_said(run: Run, tmp_path: Path) -> None:
    with served(DAYS) as api:
        api.before = [(400, {}, json.dumps({"error": "unknown field"}).encode())]
        result = run("pull", "ted", tmp_path / "out.jsonl", *DAY, "--url", api.url)
    assert result.code == 3
    assert "answers 400 for 2026-11-02" in result.err
    assert "unknown field" in result.err
    assert "run the same again to go on" in result.err


def test_a_daily_job_is_one_command_every_day(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    to = tmp_path / "notices.jsonl"
    with served(DAYS) as api:
        job = ("pull", "find-a-tender", to, "--from", "2026-11-01", "--since-last", "--url", api.url)
        first = run(*job, "--to", "2026-11-01")
        assert (first.code, "0 notices of 0 processes" in first.out) == (0, True), first.err
        second = run(*job, "--to", "2026-11-02")
        assert (second.code, "2 notices of 2 processes" in second.out) == (0, True), second.err
        third = run(*job, "--to", "2026-11-02")
        assert (third.code, "nothing to pull" in third.out) == (0, True)
        assert json.loads(run(*job, "--to", "2026-11-02", "--json").out)["days"] == {}
        assert [query["updatedFrom"][:10] for query in api.queries] == ["2026-11-01", "2026-11-02"]
        other = run("pull", "contracts-finder", to, "--since-last", "--url", api.url)
    assert (other.code, "was pulled from find-a-tender" in other.err) == (2, True)


def test_what_the_api_did_not_give_whole_is_exit_1(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    notices = [{"publication-number": f"{number}-2026", "publication-date": "2026-11-02Z"} for number in range(2)]
    short = json.dumps({"notices": notices, "totalNoticeCount": 3}).encode()
    with served({"2026-11-02": notices}) as api:
        api.before = [(200, {}, short)] * 100
        result = run("pull", "ted", tmp_path / "out.jsonl", *DAY, "--url", api.url)
    assert result.code == 1
    assert "2 notices, where the API says that it has 3" in result.out
    assert "ted did not give all of 2026-11-02" in result.err
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
