"""The casebook and the about page."""

from __future__ import annotations

import re

import httpx
import pytest

from models.comparables import known_cases
from tenders import casebook
from tests.serving.made import HOSTILE, Page, carried, failure_on

LIGHT = 150_000


@pytest.mark.parametrize("path", ["/casebook", "/casebook?page=20", "/casebook/NHS001", "/about", "/portfolio"])
def test_it_is_light_and_loads_nothing_from_elsewhere(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < LIGHT
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert [item["src"] for item in Page(answer.text).of("script")] == ["/page.js"]


@pytest.mark.parametrize(("ended", "failed"), [("failed", True), ("held", False)])
def test_the_casebook_is_filtered_by_how_cases_ended(http: httpx.Client, ended: str, failed: bool) -> None:
    expected = sum(item.failed is failed for item in known_cases("awarded"))
    sentence = f"{len(casebook.cases())} past cases, of which {expected} count here: those that fit the filter."
    assert sentence in http.get("/casebook", params={"ended": ended}).text


def test_the_casebook_is_searched_by_words(http: httpx.Client) -> None:
    text = http.get("/casebook", params={"q": "UnitingCare cambridgeshire"}).text
    assert 'href="/casebook/NHS001"' in text
    assert "of which 0 count here" in http.get("/casebook", params={"q": "no such thing"}).text


def test_every_case_is_on_one_page_of_the_casebook(http: httpx.Client) -> None:
    seen: set[str] = set()
    for number in range(1, 21):
        text = http.get("/casebook", params={"page": number}).text
        seen |= {case.case_id for case in casebook.cases() if f'href="/casebook/{case.case_id}"' in text}
    assert seen == {case.case_id for case in casebook.cases()}


@pytest.mark.parametrize("value", [HOSTILE, "-1", "0", "9999999", "x" * 5000])
@pytest.mark.parametrize("name", ["q", "ended", "sector", "entered", "page"])
def test_a_hostile_filter_breaks_nothing(http: httpx.Client, name: str, value: str) -> None:
    page = Page(http.get("/casebook", params={name: value}).text)
    assert len(page.of("script")) == 1
    assert not page.of("b")


def test_every_case_can_be_read(http: httpx.Client) -> None:
    for case in casebook.cases():
        answer = http.get(f"/casebook/{case.case_id}")
        assert answer.status_code == 200
        assert case.account in Page(answer.text).text
    assert http.get("/casebook/none").status_code == 404


def test_a_case_opens_on_the_desk_as_the_api_scores_it(http: httpx.Client) -> None:
    opened = http.post("/", data=carried(http.get("/casebook/NHS002")))
    score = http.post("/score", json={"tender": casebook.case("NHS002").release()}).json()
    assert failure_on(opened.text) == f"{round(score['failure'] * 100)}%"


def test_about_shows_how_well_it_does_and_the_card(http: httpx.Client, bundle) -> None:
    text = Page(http.get("/about").text).text
    assert bundle.manifest.evidence in text
    assert bundle.manifest.version in text
    assert http.get("/about/model-card.txt").text == bundle.card
    for name, picture in bundle.pictures.items():
        assert http.get(f"/about/{name}").content == picture
    assert http.get("/about/none").status_code == 404


def test_the_transparency_record_is_a_page_linked_from_about_and_a_file(http: httpx.Client) -> None:
    assert 'href="/about/transparency-record"' in http.get("/about").text
    page, file = http.get("/about/transparency-record"), http.get("/about/transparency-record.md")
    assert page.status_code == file.status_code == 200
    assert "4.2.7 Model performance" in Page(page.text).text and "**4.2.7 Model performance.**" in file.text
    assert "attachment" in file.headers["content-disposition"]


@pytest.mark.parametrize(
    "path", ["/casebook", "/about", "/answer?title=x", "/desk/comparables?title=x", "/desk/report?title=x"]
)
def test_the_number_of_cases_is_one_number(http: httpx.Client, path: str) -> None:
    text = " ".join(Page(http.get(path).text).text.split())
    counted = [text[match.start() - 12 : match.end()] for match in re.finditer("past cases, of which", text)]
    assert counted and all(f"{len(casebook.cases())} past cases" in words for words in counted)
