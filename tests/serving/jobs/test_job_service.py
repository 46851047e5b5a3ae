"""A job is compared with an earlier one by whoever knows it, as the command line does, and gives nothing else away."""

from __future__ import annotations

import io
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from serving.jobs.job import Job, new_id, now
from serving.jobs.job_service import link_earlier
from serving.jobs.paths import JobPaths
from serving.jobs.worker import Worker
from tenders.errors import DataError
from tests import forks
from tests.serving.conftest import running
from tests.serving.jobs import made
from tests.serving.jobs.test_worker import BLOCKS, NAME, added, client, free, parts, until, worker  # noqa: F401
from tests.tenders.io.bombs import dictionary_bomb

OTHER = "Z9" * 16
DONE = Job(id=new_id(), home="home", created=now(), name="a.csv", size=7, state="done")


def test_a_job_whose_files_are_gone_is_compared_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="are gone"):
        link_earlier(DONE, JobPaths(tmp_path / "none"), JobPaths(tmp_path))


def test_where_there_are_no_links_the_rows_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", none)
    its, ours = JobPaths(tmp_path / "its"), JobPaths(tmp_path / "ours")
    for paths in (its, ours):
        paths.folder.mkdir()
    its.scored.write_bytes(b"rows")
    with pytest.raises(DataError):  # for want of a manifest
        link_earlier(DONE, its, ours)
    assert ours.earlier.read_bytes() == b"rows"


def refused(http: httpx.Client, named: str, path: str = "/jobs") -> httpx.Response:
    answer = http.post(path, files={"file": ("a.csv", b"title\nx\n")}, data={"since": named})
    assert answer.status_code == 400
    return answer


def test_an_upload_that_cannot_be_compared_is_refused_before_it_is_queued(
    idle: httpx.Client, service: httpx.Client
) -> None:
    waiting = made.upload(idle, b"title\nx\n", "early.csv")
    before = [entry["id"] for entry in idle.get("/jobs").json()]
    for named in (waiting["id"], OTHER, "yesterday's"):
        (problem,) = refused(idle, named).json()["problems"]
        assert problem["path"] == "/since"
        assert problem["remedy"]
        assert 'aria-invalid="true"' in refused(idle, named, "/portfolio").text
    assert [entry["id"] for entry in idle.get("/jobs").json()] == before
    # A job of another service is not this one's.
    refused(service, waiting["id"])


def test_it_says_what_the_command_line_says(
    service: httpx.Client, job: dict[str, Any], later: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "newer.jsonl").write_bytes(made.newer())
    (tmp_path / "earlier.parquet").write_bytes(service.get(job["links"]["output"]).content)
    command = [str(forks.command()), "portfolio", "newer.jsonl", "out.parquet"]
    arguments = [
        "--since",
        "earlier.parquet",
        "--capacity",
        "10",
        "--stage",
        "draft",
        "--sample",
        "0.2",
        "--workers",
        "1",
    ]
    subprocess.run([*command, *arguments], cwd=tmp_path, check=True)
    for name in ("worklist", "gone"):
        content = service.get(later["links"][name], params={"format": "parquet"}).content
        assert content == (tmp_path / f"out.{name}.parquet").read_bytes()


def test_what_is_taken_away_tells_the_changes(service: httpx.Client, later: dict[str, Any]) -> None:
    assert later["options"]["since"]["name"] == "register.jsonl"
    rows = pq.read_table(io.BytesIO(service.get(later["links"]["worklist"], params={"format": "parquet"}).content))
    assert {*rows["change"].to_pylist()} <= {"new", "up", "down", "same"}
    assert rows["selected_by"].to_pylist() == ["risk"] * 8 + ["random"] * 2
    assert '"change","earlier_failure"' in service.get(later["links"]["worklist"]).text
    gone = service.get(later["links"]["gone"])
    assert gone.headers["content-disposition"] == 'attachment; filename="newer-gone.csv"'
    answers = service.post("/score_many", json=[{"tender": made.tender(number)} for number in range(5)]).json()
    riskiest_first = sorted(answers, key=lambda answer: answer["failure"], reverse=True)
    ocids = [line.split(",")[0] for line in gone.text.splitlines() if line.startswith('"ocds-')]
    assert ocids == [f'"{answer["ocid"]}"' for answer in riskiest_first]
    assert "Since the last run" in service.get(later["links"]["report"]).text


def test_a_job_that_is_compared_with_none_has_nothing_gone(service: httpx.Client, job: dict[str, Any]) -> None:
    assert "gone" not in job["links"]
    answer = service.get(f"/jobs/{job['id']}/gone")
    assert answer.status_code == 404
    assert "no earlier one" in answer.json()["error"]


def test_the_manifest_names_the_earlier_output_by_its_digest(
    service: httpx.Client, job: dict[str, Any], later: dict[str, Any], data: Path
) -> None:
    answer = service.get(later["links"]["manifest"])
    manifest, earlier = answer.json(), service.get(job["links"]["manifest"]).json()
    assert (manifest["since"]["file"], manifest["since"]["sha256"]) == (
        "register-scored.parquet",
        earlier["output_sha256"],
    )
    assert manifest["worklist"]["options"]["sample"] == 0.2
    assert str(data) not in answer.text


def test_who_is_sent_the_later_job_does_not_get_the_earlier_one(
    service: httpx.Client, job: dict[str, Any], later: dict[str, Any], data: Path
) -> None:
    shown = [
        service.get(later["page"]),
        service.get(f"/jobs/{later['id']}"),
        *map(service.get, later["links"].values()),
    ]
    assert all(job["id"].encode() not in answer.content for answer in shown)
    held = [path for path in (data / "jobs" / later["id"]).rglob("*") if path.is_file()]
    assert held
    assert all(job["id"].encode() not in path.read_bytes() for path in held)


def test_the_earlier_rows_are_let_go_when_the_job_has_ended(later: dict[str, Any], data: Path) -> None:
    until(lambda: not JobPaths(data / "jobs" / later["id"]).since.exists())


def test_the_earlier_rows_are_let_go_when_the_job_is_cancelled(
    service: httpx.Client, job: dict[str, Any], data: Path
) -> None:
    begun = made.upload(service, made.long(BLOCKS), NAME, since=job["id"])
    assert JobPaths(data / "jobs" / begun["id"]).earlier.exists()
    assert service.post(f"/jobs/{begun['id']}/cancel").json()["state"] == "cancelled"
    assert not JobPaths(data / "jobs" / begun["id"]).since.exists()


def test_earlier_rows_that_were_left_are_let_go_by_the_next_sweep(worker: Worker) -> None:  # noqa: F811
    ended, waiting = added(worker, state="done"), added(worker)
    for job in (ended, waiting):
        JobPaths(worker.directory.folder(job.id)).since.mkdir()
    worker.sweep()
    assert [JobPaths(worker.directory.folder(job.id)).since.exists() for job in (ended, waiting)] == [False, True]


def test_it_gives_the_same_bytes_when_it_is_killed_and_the_earlier_job_deleted(tmp_path: Path) -> None:
    settings = {"TENDER_RISK_DATA": str(tmp_path / "data"), "TENDER_RISK_JOB_WORKERS": "1"}
    jobs, content = tmp_path / "data" / "jobs", made.long(BLOCKS)
    with running(**settings) as service, client(service) as http:
        earlier = made.ended(http, made.upload(http, made.portfolio())["id"])
        unbroken = made.ended(http, made.upload(http, content, NAME, since=earlier["id"])["id"])
        begun = made.upload(http, content, NAME, since=earlier["id"])
        assert http.delete(f"/jobs/{earlier['id']}").status_code == 204
        until(lambda: parts(jobs / begun["id"]) >= 1)
        service.kill()
        service.wait()
    assert not (jobs / earlier["id"]).exists()
    until(lambda: free(jobs / begun["id"] / "lock"))
    with running(**settings) as service, client(service) as http:
        done = made.ended(http, begun["id"])
    assert (done["state"], done["message"]) == ("done", "")
    for name in ("scored.parquet", "worklist.parquet", "scored.worklist.parquet", "scored.gone.parquet"):
        assert (jobs / begun["id"] / name).read_bytes() == (jobs / unbroken["id"] / name).read_bytes()


def test_a_file_that_unpacks_to_too_much_fails_at_once_and_the_next_is_done(service: httpx.Client) -> None:
    began = time.monotonic()
    bomb = made.ended(service, made.upload(service, dictionary_bomb(), "bomb.parquet")["id"])
    assert bomb["state"] == "failed"
    assert bomb["message"].endswith("it unpacks to more than 1,024 MB. Check what it is, or split it")
    honest = made.ended(service, made.upload(service, b"title,lots\nNursing,2\n", "next.csv")["id"])
    assert honest["state"] == "done"
    assert time.monotonic() - began < 120
