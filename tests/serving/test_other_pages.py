"""The casebook, the portfolio and the about page."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest

from models.comparables import known
from tenders import casebook
from tests import samples
from tests.serving.made import FILLED, HOSTILE, MANCHESTER, Page, carried, failure_on, uploaded, workbook

LIGHT = 150_000


@pytest.mark.parametrize("path", ["/casebook", "/casebook?page=20", "/casebook/NHS001", "/about", "/portfolio"])
def test_it_is_light_and_loads_nothing_from_elsewhere(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < LIGHT
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert [each["src"] for each in Page(answer.text).of("script")] == ["/page.js"]


@pytest.mark.parametrize(("ended", "failed"), [("failed", True), ("held", False)])
def test_the_casebook_is_filtered_by_how_cases_ended(http: httpx.Client, ended: str, failed: bool) -> None:
    expected = sum(each.failed is failed for each in known("awarded"))
    assert f"{expected} of {len(casebook.cases())} cases" in http.get("/casebook", params={"ended": ended}).text


def test_the_casebook_is_searched_by_words(http: httpx.Client) -> None:
    text = http.get("/casebook", params={"q": "UnitingCare cambridgeshire"}).text
    assert 'href="/casebook/NHS001"' in text
    assert "0 of" in http.get("/casebook", params={"q": "no such thing"}).text


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


def portfolio(http: httpx.Client, name: str, content: bytes, path: str = "/portfolio") -> httpx.Response:
    return http.post(path, files={"file": (name, content)})


FORMS = [{"title": f"Number {n}", "lots": 1, "term_years": n} for n in (2, 12)]
PACKAGE = {"releases": [MANCHESTER, {**MANCHESTER, "ocid": "other"}]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("forms.json", json.dumps(FORMS).encode()),
        ("lines.jsonl", "\n".join(map(json.dumps, FORMS)).encode()),
        ("forms.csv", b"title,lots,term_years\nNumber 2,1,2\nNumber 12,1,12\n"),
        ("forms.xlsx", workbook([["title", "lots", "term_years"], ["Number 2", 1, 2], ["Number 12", 1, 12]])),
        ("package.json", json.dumps(PACKAGE).encode()),
        ("records.json", json.dumps({"records": [{"compiledRelease": each} for each in PACKAGE["releases"]]}).encode()),
    ],
)
def test_a_file_of_many_becomes_a_worklist(http: httpx.Client, name: str, content: bytes) -> None:
    text = portfolio(http, name, content).text
    assert "2 tenders in" in text
    assert "2 scored" in text
    rows = list(
        csv.DictReader(io.StringIO(portfolio(http, name, content, "/portfolio.csv").content.decode("utf-8-sig")))
    )
    failures = [float(row["failure"]) for row in rows]
    assert failures == sorted(failures, reverse=True)


def test_the_worklist_has_the_scores_of_score_many_and_bad_ones_last(http: httpx.Client) -> None:
    sent = [FILLED, {"title": "=bad", "lots": "many"}, MANCHESTER, samples.draft(), {"nothing": 1}]
    answered = http.post("/score_many", json=[{"tender": each} for each in sent]).json()
    found = portfolio(http, "many.json", json.dumps(sent).encode(), "/portfolio.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(found)))
    assert [float(row["failure"]) for row in rows[:3]] == sorted(
        (each["failure"] for each in answered if "failure" in each), reverse=True
    )
    assert sorted(row["error"] for row in rows[3:]) == sorted(each["error"] for each in answered if "error" in each)
    assert rows[3]["title"] == "'=bad"
    text = portfolio(http, "many.json", json.dumps(sent).encode()).text
    assert "3 scored, 2 that cannot be" in text


def test_a_row_opens_on_the_desk(http: httpx.Client) -> None:
    opened = http.post("/", data=carried(portfolio(http, "one.json", json.dumps([FILLED]).encode())))
    assert failure_on(opened.text) == failure_on(uploaded(http, "one.json", json.dumps(FILLED).encode()).text)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", json.dumps([{"title": "x"}] * 2001).encode()],
    ids=["empty", "broken", "bytes", "many"],
)
def test_a_portfolio_that_cannot_be_read_is_refused(http: httpx.Client, content: bytes) -> None:
    for path in ("/portfolio", "/portfolio.csv"):
        answer = portfolio(http, "file.json", content, path)
        assert answer.status_code == 400
        assert "There is no worklist yet" in answer.text


def test_hostile_text_in_a_portfolio_is_shown_as_text(http: httpx.Client) -> None:
    page = Page(
        portfolio(
            http,
            f"{HOSTILE[:40]}.json",
            json.dumps([{"title": HOSTILE, "lots": 1}, {"title": HOSTILE, "lots": HOSTILE}]).encode(),
        ).text
    )
    assert len(page.of("script")) == 1
    assert not page.of("b")
