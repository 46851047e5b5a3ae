"""The pages of a portfolio, without scripts: upload, progress, worklist, and from a row to the commissioner's page."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from serving.jobs import listing
from serving.pages.drafts import unpack
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
    assert waiting.headers["referrer-policy"] == "same-origin"


def test_an_upload_that_is_refused_says_why_on_the_page(idle: httpx.Client) -> None:
    answer = idle.post("/portfolio", files={"file": (f"{HOSTILE}.exe", b"x")})
    assert answer.status_code == 400
    assert "There is no worklist yet" in answer.text
    assert len(Page(answer.text).of("script")) == 1


WRONG = {"sample": "2", "seed": "-1", "since": HOSTILE, "capacity": "7", "stage": "awarded", "rank_by": "expected_loss"}


@pytest.mark.parametrize("name", ["a.csv", "a.exe"])
def test_what_was_entered_stands_again_with_what_is_wrong_beside_it(idle: httpx.Client, name: str) -> None:
    shown = Page(idle.post("/portfolio", files={"file": (name, b"title\nx\n")}, data=WRONG).text)
    assert {key: shown.values[key] for key in WRONG} == WRONG
    assert len(shown.of("script")) == 1
    wrong = {"seed", "sample", "since"} if name == "a.csv" else {"file"}
    marked = [element for element in shown.of("input") if element.get("aria-invalid") == "true"]
    assert {element["name"] for element in marked} == wrong
    ids = {element.get("id") for element in shown.of("p")}
    for element in marked:
        assert {*str(element["aria-describedby"]).split()} <= ids
    assert {element["href"] for element in shown.of("a") if str(element["href"]).startswith("#")} - {"#main"} == {
        f"#{element['id']}" for element in marked
    }


def test_an_option_that_there_is_not_is_said_beside_its_field(idle: httpx.Client) -> None:
    shown = Page(idle.post("/portfolio", files={"file": ("a.csv", b"title\nx\n")}, data={"stage": HOSTILE}).text)
    (stage,) = (element for element in shown.of("select") if element["name"] == "stage")
    assert stage["aria-invalid"] == "true"
    assert shown.values["stage"] == HOSTILE
    assert len(shown.of("script")) == 1


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
    shown = page(service, job, buyer="leeds", sort="value_gbp", down="1", region="UKC")
    assert "20 of 120 tenders" in shown.text
    assert "York" not in shown.text
    assert shown.values["buyer"] == "leeds"
    assert {"ascending", "descending", "none"} >= {
        str(element["aria-sort"]) for element in shown.of("th") if "aria-sort" in element
    }


def test_the_page_of_a_job_that_is_done_leads_to_a_comparison_that_is_scored_alike(
    service: httpx.Client, job: dict[str, Any]
) -> None:
    (link,) = (element["href"] for element in page(service, job).of("a") if "since=" in str(element["href"]))
    answer = service.get(str(link))
    assert answer.status_code == 200
    assert "Compare a newer file with register.jsonl" in answer.text
    shown = Page(answer.text).values
    expected = {"since": job["id"], "stage": "draft", "capacity": "10", "most_per_buyer": "3", "rank_by": "failure"}
    assert expected.items() <= {**shown, "rank_by": shown["rank_by"] or "failure"}.items()


@pytest.mark.parametrize("since", ["A" * 32, HOSTILE, "x" * 5000, "\0"])
def test_a_link_to_an_earlier_job_that_is_gone_says_so(service: httpx.Client, since: str) -> None:
    answer = service.get("/portfolio", params={"since": since})
    assert answer.status_code == 400
    assert "since-problem" in answer.text
    assert len(Page(answer.text).of("script")) == 1


def test_the_worklist_tells_what_has_changed_and_what_is_gone(service: httpx.Client, later: dict[str, Any]) -> None:
    shown = page(service, later)
    assert "Since the earlier run:" in shown.text
    assert "5 tenders of register.jsonl were scored then and not now" in shown.text
    assert HOSTILE in shown.text
    assert len(shown.of("script")) == 1
    assert "register.jsonl of 20" in shown.text
    risen = page(service, later, change="up", sort="moved", down="1")
    assert f"{len(made.RISEN)} of 125 tenders" in risen.text
    before = [{"tender": made.tender(number), "stage": "draft"} for number in made.RISEN]
    expected = {f"up from {service.post('/score', json=request).json()['failure']:.1%}" for request in before}
    assert sum(risen.text.count(text) for text in expected) == len(made.RISEN)
    assert risen.values["change"] == "up"
    assert "10 of 125 tenders" in page(service, later, change="new").text
    # More lots lower a score only where there was one block before.
    releases = {release["ocid"]: release for release in map(json.loads, made.newer().splitlines())}
    fallen = [
        number
        for number in made.FALLEN
        if failure(service, releases[f"ocds-h6vhtk-{number}"]) < failure(service, made.tender(number))
    ]
    assert fallen
    assert f"{len(fallen)} of 125 tenders" in page(service, later, change="down").text


def failure(service: httpx.Client, release: dict[str, Any]) -> float:
    """The failure probability of a draft, as the service scores it."""
    return float(service.post("/score", json={"tender": release, "stage": "draft"}).json()["failure"])


def test_the_worklist_tells_what_was_drawn_at_random(service: httpx.Client, later: dict[str, Any]) -> None:
    shown = page(service, later, chosen="random")
    assert "2 of 125 tenders" in shown.text
    assert [element.get("class") for element in shown.of("span")].count("new") == 2
    assert "2 are drawn at random from all tenders" in page(service, later).text


def test_without_an_earlier_job_nothing_is_said_of_changes(service: httpx.Client, job: dict[str, Any]) -> None:
    shown = page(service, job)
    assert "change" not in shown.values
    assert "Change" not in [line.strip() for line in shown.text.splitlines()]
    assert "Gone" not in shown.text


@pytest.mark.parametrize("name", ["sort", "down", "page", *listing.FILTERS])
def test_a_hostile_address_breaks_nothing(service: httpx.Client, job: dict[str, Any], name: str) -> None:
    for value in (HOSTILE, "\0", "9" * 5000):
        shown = page(service, job, **{name: value})
        assert len(shown.of("script")) == 1
        assert not shown.of("b")


def test_what_stands_in_a_cell_is_text(service: httpx.Client, job: dict[str, Any]) -> None:
    shown = page(service, job, buyer="leeds")
    assert HOSTILE in shown.text
    assert len(shown.of("script")) == 1
    assert not shown.of("b")
    assert made.BUYERS[2] in page(service, job, buyer="=cmd").text


def test_a_row_opens_on_the_desk_with_the_score_of_the_list(service: httpx.Client, job: dict[str, Any]) -> None:
    for rank in (1, 60, 120):
        answer = service.get(f"{job['page']}/row/{rank}", params={"sort": "failure"})
        assert f'href="{job["page"]}?sort=failure&amp;down=0"' in answer.text
        values = Page(answer.text).values
        number = int(json.loads(unpack(values["d"]))["ocid"].rpartition("-")[2])
        expected = service.post("/score", json={"tender": made.tender(number), "stage": "draft"}).json()
        assert failure_on(answer.text) == f"{round(expected['failure'] * 100)}%"
    assert service.get(f"{job['page']}/row/121").status_code == 404
    assert service.get(f"{job['page']}/row/0").status_code == 404
    assert service.get(f"{job['page']}/row/x").status_code == 404
