"""What is pulled is all that the API has, each process once, and a pull that was ended goes on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tenders import apis
from tenders.apis.pull import PullRequest, PullResult
from tenders.apis.pull import pull as pull_notices
from tenders.errors import UnreachableError, UsageError
from tenders.io.read import read_file
from tests.tenders.apis.served import Api, release, served

ROOT = Path(__file__).parents[3]
DAYS = {
    "2026-11-02": [release("a", "a1"), release("b", "b1"), release("c", "c1"), release("a", "a2", "2026-11-01")],
    "2026-11-04": [release("b", "b2", "2026-11-04"), release("c", "c1"), *(release(f"d{n}", "1") for n in range(5))],
}


def pull_request(api: Api, name: str = "find-a-tender", last: int = 4) -> PullRequest:
    return PullRequest(api=name, url=api.url, first=date(2026, 11, 2), last=date(2026, 11, last))


def quick(name: str, pause: float = 0) -> Any:
    api = apis.find_api(name)
    return replace(api, pause=pause, later=dict.fromkeys(api.later, 0.01))


def pull(api: Api, to: Path, name: str = "find-a-tender", last: int = 4, **more: Any) -> PullResult:
    """Pulls without a pause, and without the wait for an answer that a killed pull has not read."""
    return pull_notices(quick(name), pull_request(api, name, last), to, **more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["find-a-tender", "contracts-finder"])
def test_each_process_is_a_line_with_its_releases_in_order(tmp_path: Path, name: str) -> None:
    with served(DAYS) as api:
        pulled = pull(api, tmp_path / "out.jsonl", name)
    held = lines(tmp_path / "out.jsonl")
    assert [line["ocid"] for line in held] == ["a", "b", "c", "d0", "d1", "d2", "d3", "d4"]
    assert [notice["id"] for notice in held[0]["releases"]] == ["a2", "a1"]
    assert [notice["id"] for notice in held[1]["releases"]] == ["b1", "b2"]
    assert held[2] == release("c", "c1")
    assert (pulled.releases, pulled.processes, pulled.repeated, pulled.unread) == (10, 8, 1, 0)
    assert list(pulled.days.values()) == [4, 0, 7]
    # By day, then by page, each page once.
    assert [query.get("cursor") for query in api.queries] == [None, "3=", None, None, "3=", "6="]
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_what_was_pulled_is_read_as_processes(tmp_path: Path) -> None:
    with served(DAYS) as api:
        pull(api, tmp_path / "out.jsonl")
    processes = read_file(tmp_path / "out.jsonl")
    assert [process.ocid for process in processes] == ["a", "b", "c", "d0", "d1", "d2", "d3", "d4"]
    assert [len(process.releases) for process in processes] == [2, 2, 1, 1, 1, 1, 1, 1]


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    with served(DAYS) as api:
        api.before = [(200, {}, b""), (200, {}, b""), (200, {}, b""), (404, {}, b"gone")]
        with pytest.raises(UnreachableError, match=r"answers 404 for 2026-11-04: gone\. What was pulled is kept"):
            pull(api, tmp_path / "out.jsonl")
        assert not (tmp_path / "out.jsonl").exists()
        api.queries.clear()
        pull(api, tmp_path / "out.jsonl")
        assert [query["updatedFrom"][:10] for query in api.queries] == ["2026-11-04"] * 3
        whole = (tmp_path / "out.jsonl").read_bytes()
        pull(api, tmp_path / "again.jsonl")
    assert whole == (tmp_path / "again.jsonl").read_bytes()


def test_a_pull_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from msgspec.structs import replace\n"
        "from tests.tenders.apis.test_pull import *\n"
        "api = Api({}); api.url = sys.argv[1]\n"
        "pull_notices(quick('find-a-tender', 0.05), pull_request(api), Path(sys.argv[2]))"
    )
    with served(DAYS) as api:
        pull(api, tmp_path / "whole.jsonl")
        for seconds in (0.0, 0.05, 0.12, 0.2):
            to, before = tmp_path / f"{seconds}.jsonl", len(api.queries)
            running = subprocess.Popen([sys.executable, "-c", code, api.url, str(to)], cwd=ROOT)
            while len(api.queries) == before:
                time.sleep(0.01)
            time.sleep(seconds)
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
            pull(api, to)
            assert to.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_pages_of_other_days_are_not_taken_up(tmp_path: Path) -> None:
    with served(DAYS) as api:
        api.before = [(404, {}, b"")]
        with pytest.raises(UnreachableError):
            pull(api, tmp_path / "out.jsonl")
        assert not list(tmp_path.iterdir()), "nothing was pulled, so nothing is in the way"
        api.before = [(200, {}, b""), (404, {}, b"")]
        with pytest.raises(UnreachableError):
            pull(api, tmp_path / "out.jsonl")
        with pytest.raises(UsageError, match=r"out\.jsonl\.pull is of another pull"):
            pull(api, tmp_path / "out.jsonl", last=5)


def test_two_do_not_pull_into_one_output(tmp_path: Path) -> None:
    with served(DAYS) as api:

        def second(day: date, releases: int) -> None:
            with pytest.raises(UsageError, match=r"another process pulls into out\.jsonl"):
                pull(api, tmp_path / "out.jsonl")

        pull(api, tmp_path / "out.jsonl", progress=second)


def test_a_service_that_only_leads_in_a_circle_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenders.apis.pull.MOST_DOUBTS", 4)
    circle = json.dumps({"releases": [release("a", "a1")], "links": {"next": "/?cursor=7="}}).encode()
    with served(DAYS) as api:
        api.before = [(200, {}, circle)] * 100
        pulled = pull(api, tmp_path / "out.jsonl", last=2)
    assert pulled.releases == 1
    assert any(window.startswith("2026-11-02 ") for window in pulled.incomplete)


def test_broken_numbers_cost_themselves_alone(tmp_path: Path) -> None:
    body = b'{"releases": [{"ocid": "a", "id": "1", "tender": {"value": {"amount": 1e9999, "currency": "GBP"}}}]}'
    with served({}) as api:
        api.before = [(200, {}, body)]
        pulled = pull(api, tmp_path / "out.jsonl", last=2)
    assert pulled.unread == 1
    assert lines(tmp_path / "out.jsonl")[0]["tender"]["value"] == {"amount": None, "currency": "GBP"}
    read_file(tmp_path / "out.jsonl")


def test_a_day_of_ted_ends_when_all_it_has_are_there(tmp_path: Path) -> None:
    notices = [{"publication-number": f"{n}-2026", "publication-date": "2026-11-02Z"} for n in range(4)]
    with served({"2026-11-02": notices}) as api:
        pulled = pull(api, tmp_path / "out.jsonl", "ted", last=2)
    assert [query.get("iterationNextToken") for query in api.queries] == [None, "3"]
    assert [line["ocid"] for line in lines(tmp_path / "out.jsonl")] == [
        "ted-0-2026",
        "ted-1-2026",
        "ted-2-2026",
        "ted-3-2026",
    ]
    assert pulled.releases == pulled.stated[date(2026, 11, 2)] == 4
