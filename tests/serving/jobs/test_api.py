"""Jobs over HTTP: an upload in, its scores out, and nothing else gets in or out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from serving.jobs.job import new_id
from tests.serving.jobs import made
from tests.serving.made import Page

MIB = 2**20


def test_a_job_tells_what_became_of_it(job: dict[str, Any]) -> None:
    assert (job["name"], job["state"], job["rows"]) == ("register.jsonl", "done", 120)
    assert job["bytes"] == job["size"] == len(made.portfolio())
    assert job["options"]["stage"] == "draft"
    assert job["created"] < job["expires"]
    assert len(job["id"]) == 32


def test_every_scored_row_is_in_the_output_in_the_order_of_the_upload(
    service: httpx.Client, job: dict[str, Any]
) -> None:
    answer = service.get(job["links"]["output"])
    table = pq.read_table(io.BytesIO(answer.content))
    assert table["line"].to_pylist() == [*range(1, 120), 121]
    assert answer.headers["content-disposition"] == 'attachment; filename="register-scored.parquet"'


def test_its_scores_are_those_of_score_many(service: httpx.Client, job: dict[str, Any]) -> None:
    table = pq.read_table(io.BytesIO(service.get(job["links"]["output"]).content))
    sent = [{"tender": made.tender(number), "stage": "draft", "explain": False} for number in range(120)]
    scores = service.post("/score_many", json=sent).json()
    assert table["failure"].to_pylist() == [entry["failure"] for entry in scores]
    assert table["ocid"].to_pylist() == [entry["ocid"] for entry in scores]


def test_as_csv_nothing_in_it_is_a_formula(service: httpx.Client, job: dict[str, Any]) -> None:
    text = service.get(job["links"]["output"], params={"format": "csv"}).text
    buyers = [row["buyer"] for row in csv.DictReader(io.StringIO(text))]
    assert len(buyers) == 120
    assert "'" + made.BUYERS[2] in buyers
    assert made.BUYERS[2] not in buyers


def test_the_worklist_holds_what_there_are_people_for(service: httpx.Client, job: dict[str, Any]) -> None:
    answer = service.get(job["links"]["worklist"], params={"format": "xlsx"})
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    names, *rows = sheet.iter_rows()
    at = {cell.value: number for number, cell in enumerate(names)}
    buyers = [row[at["buyer"]] for row in rows]
    failures = [row[at["failure"]].value for row in rows]
    assert len(rows) == 9  # ten reviews, three buyers, three of each
    assert {cell.data_type for cell in buyers} == {"s"}
    assert failures == sorted(failures, reverse=True)
    assert {row[at["selected_by"]].value for row in rows} == {"risk"}
    assert all("points)" in row[at["reasons"]].value for row in rows)
    whole = service.get(job["links"]["worklist"], params={"format": "parquet"}).content
    assert pq.read_table(io.BytesIO(whole)).num_rows == 9


def test_the_report_is_a_page_that_runs_nothing(service: httpx.Client, job: dict[str, Any]) -> None:
    answer = service.get(job["links"]["report"])
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert Page(answer.text).of("script") == []
    assert "9 of 120 tenders are listed" in answer.text


def test_a_row_that_could_not_be_scored_is_reported_by_its_line(service: httpx.Client, job: dict[str, Any]) -> None:
    (line,) = service.get(job["links"]["errors"]).text.splitlines()
    assert json.loads(line)["line"] == 120


def test_the_manifest_tells_what_was_run_and_not_where(service: httpx.Client, job: dict[str, Any], data: Path) -> None:
    answer = service.get(job["links"]["manifest"])
    manifest = answer.json()
    assert manifest["inputs"][0]["file"] == "register.jsonl"
    assert manifest["counts"]["refused"] == 1
    assert str(data) not in answer.text
    assert "/" not in manifest["options"]["bundle"]


def test_a_format_that_is_not_written_is_refused(service: httpx.Client, job: dict[str, Any]) -> None:
    for name in ("output", "worklist"):
        answer = service.get(job["links"][name], params={"format": "../x"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "id",
    ["A" * 32, "x", "..%2f..", "%2e%2e", pytest.param("a" * 5000, id="5,000 letters"), "home", "' OR 1=1 --", "%00"],
)
@pytest.mark.parametrize("rest", ["", "/output", "/worklist"])
def test_a_job_that_nobody_has_is_not_found(service: httpx.Client, id: str, rest: str) -> None:
    assert service.get(f"/jobs/{id}{rest}").status_code in (404, 405)
    assert service.get(f"/portfolio/{id}").status_code == 404


def test_jobs_are_not_listed_where_everyone_would_see_everyones(service: httpx.Client, job: dict[str, Any]) -> None:
    assert service.get("/jobs").status_code == 404
    assert job["id"] not in service.get("/portfolio").text


def test_a_bare_body_is_taken_too(idle: httpx.Client) -> None:
    answer = idle.post("/jobs", params={"name": "a b.csv.gz", "rank_by": "expected_loss"}, content=b"title\nx\n")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{answer.json()['id']}"
    assert answer.json()["name"] == "a b.csv.gz"
    assert answer.json()["options"]["rank_by"] == "expected_loss"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"files": {"file": ("a.exe", b"x")}}, "no reader"),
        ({"files": {"file": ("a.csv", b"")}}, "the file is empty"),
        ({"files": {"other": (None, b"x")}}, "no file was given"),
        ({"files": [("file", ("a.csv", b"x")), ("file", ("b.csv", b"x"))]}, "more than one file"),
        ({"files": {"file": ("a.csv", b"x")}, "data": {"stage": "later"}}, "/stage"),
        ({"files": {"file": ("a.csv", b"x")}, "data": {"stage": "x" * 2000}}, "/stage"),
        ({"files": {f"f{n}": (None, b"x") for n in range(30)}}, "fields"),
        ({"content": b"x"}, "no reader"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, "cannot be read"),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, "no file was given"),
    ],
)
def test_what_is_no_upload_is_refused_and_leaves_nothing(
    service: httpx.Client, data: Path, sent: dict[str, Any], message: str
) -> None:
    before = {*(data / "jobs").iterdir()} if data.exists() else set()
    answer = service.post("/jobs", **sent)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert {*(data / "jobs").iterdir()} <= before


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://x.example"}, {"Origin": "null"}]
)
def test_another_sites_page_uploads_nothing(service: httpx.Client, headers: dict[str, str]) -> None:
    for path in ("/jobs", "/portfolio"):
        assert service.post(path, files={"file": ("a.csv", b"title\nx\n")}, headers=headers).status_code == 403


def test_too_large_is_413_declared_or_not(idle: httpx.Client) -> None:
    def pieces() -> Any:
        for _ in range(4):
            yield b"x" * MIB

    for content in (b"x" * 4 * MIB, pieces()):
        answer = idle.post("/jobs", params={"name": "a.csv"}, content=content)
        assert answer.status_code == 413
        assert answer.json()["problems"][0]["problem"] == "uploads of up to 1 MB are taken"
    assert idle.post("/portfolio", files={"file": ("a.csv", b"x" * 4 * MIB)}).status_code == 413


def test_other_paths_take_no_more_than_ever(idle: httpx.Client) -> None:
    assert idle.post("/jobs/x/cancel", content=b"x" * 33 * MIB).status_code == 413


def test_no_job_without_a_key(idle: httpx.Client) -> None:
    for method, path in (("POST", "/jobs"), ("GET", "/jobs"), ("POST", "/portfolio"), ("GET", f"/jobs/{new_id()}")):
        answer = httpx.request(method, f"{idle.base_url}{path}", content=b"x" * 1000)
        assert answer.status_code == 401


def test_who_has_a_key_sees_the_jobs_there_are(idle: httpx.Client) -> None:
    begun = made.upload(idle, b"title\nx\n", "mine.csv")
    assert begun["id"] in [entry["id"] for entry in idle.get("/jobs").json()]
    assert f'href="/portfolio/{begun["id"]}"' in idle.get("/portfolio").text


def test_what_is_not_done_has_no_output_yet(idle: httpx.Client) -> None:
    begun = made.upload(idle, b"title\nx\n", "a.csv")
    answer = idle.get(f"/jobs/{begun['id']}/output")
    assert answer.status_code == 409
    assert "queued" in answer.json()["error"]


def test_a_job_is_cancelled_and_deleted_with_its_files(idle: httpx.Client) -> None:
    begun = made.upload(idle, b"title\nx\n", "a.csv")
    path = f"/jobs/{begun['id']}"
    assert idle.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert idle.delete(path).status_code == 204
    assert idle.get(path).status_code == 404
    assert idle.delete(path).status_code == 404
