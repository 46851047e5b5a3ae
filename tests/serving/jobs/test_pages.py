"""The pages of a portfolio, without scripts: upload, progress, worklist, and from a row to the commissioner's page."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from serving.jobs import listing
from tests.serving.jobs import made
from tests.serving.made import HOSTILE, Page, failure_on


def page(http: httpx.Client, job: dict[str, Any], **query: str) -> Page:
    answer = http.get(job["page"], params=query)
    assert answer.status_code == 200
    return Page(answer.text)


def test_an_upload_leads_to_the_page_of_its_job(idle: httpx.Client) -> None:
    answer = idle.post("/portfolio", files={"file": ("a.csv", b"title\nx\n")}, data={"capacity": "200"})
    assert answer.status_code == 303
    waiting = idle.get(answer.headers["Location"])
    assert "It waits for its turn" in waiting.text
    assert 'http-equiv="refresh"' in waiting.text
    assert "connect-src 'self'" in waiting.headers["content-security-policy"]
    assert waiting.headers["referrer-policy"] == "no-referrer"


def test_an_upload_that_is_refused_says_why_on_the_page(idle: httpx.Client) -> None:
    answer = idle.post("/portfolio", files={"file": (f"{HOSTILE}.exe", b"x")})
    assert answer.status_code == 400
    assert "There is no worklist yet" in answer.text
    assert len(Page(answer.text).of("script")) == 1


def test_a_job_is_cancelled_and_deleted_from_its_page(idle: httpx.Client) -> None:
    path = made.upload(idle, b"title\nx\n", "a.csv")["page"]
    assert "It was cancelled" in idle.post(f"{path}/cancel", follow_redirects=True).text
    assert idle.post(f"{path}/delete").headers["Location"] == "/portfolio"
    assert idle.get(path).status_code == 404


def test_the_worklist_tells_what_was_scored_and_what_not(service: httpx.Client, job: dict[str, Any]) -> None:
    text = page(service, job).text
    assert "120 tenders scored" in text
    assert "1 row that could not be" in text
    assert "120 of 120 tenders, page 1 of 3" in text
    assert "9 of 120 tenders are listed" in text


def test_it_is_sorted_filtered_and_paged_by_its_address(service: httpx.Client, job: dict[str, Any]) -> None:
    found = page(service, job, buyer="leeds", sort="value_gbp", down="1", region="UKC")
    assert "20 of 120 tenders" in found.text
    assert "York" not in found.text
    assert found.values["buyer"] == "leeds"
    assert {"ascending", "descending", "none"} >= {
        str(each["aria-sort"]) for each in found.of("th") if "aria-sort" in each
    }


@pytest.mark.parametrize("name", ["sort", "down", "page", *listing.FILTERS])
def test_a_hostile_address_breaks_nothing(service: httpx.Client, job: dict[str, Any], name: str) -> None:
    for value in (HOSTILE, "\0", "9" * 5000):
        found = page(service, job, **{name: value})
        assert len(found.of("script")) == 1
        assert not found.of("b")


def test_what_stands_in_a_cell_is_text(service: httpx.Client, job: dict[str, Any]) -> None:
    found = page(service, job, buyer="leeds")
    assert HOSTILE in found.text
    assert len(found.of("script")) == 1
    assert not found.of("b")
    assert made.BUYERS[2] in page(service, job, buyer="=cmd").text


def test_a_row_opens_on_the_desk_with_the_score_of_the_list(service: httpx.Client, job: dict[str, Any]) -> None:
    for rank in (1, 60, 120):
        answer = service.get(f"{job['page']}/row/{rank}", params={"sort": "failure"})
        assert f'href="{job["page"]}?sort=failure&amp;down=0"' in answer.text
        given = Page(answer.text).values
        number = int(json.loads(given["document"])["ocid"].rpartition("-")[2])
        told = service.post("/score", json={"tender": made.tender(number), "stage": "draft"}).json()
        assert failure_on(answer.text) == f"{round(told['failure'] * 100)}%"
    assert service.get(f"{job['page']}/row/121").status_code == 404
    assert service.get(f"{job['page']}/row/0").status_code == 404
    assert service.get(f"{job['page']}/row/x").status_code == 404
