"""The page at `/`, without scripts: the form, the result, and errors beside their field."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from serving.pages import form as form_pages
from tenders.io import form
from tests import samples
from tests.bad_input import TABLES, Bad, ids

FILLED = {
    "title": "Integrated community services", "buyer": "Example Integrated Care Board", "value": "5,900,000,000",
    "currency": "GBP", "lots": "1", "tender_period_days": "35", "term_years": "10", "category": "services",
    "single_block": "yes", "description": "Transformation\nof everything",
}  # fmt: skip
HOSTILE = "\"><script>alert(1)</script>' onfocus=alert(1) {{ 7 * 7 }} </textarea><b>"
LIGHT = 150_000


class Page(HTMLParser):
    """What the controls of a page hold, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.elements: list[str] = []
        self.about: dict[str, dict[str, str | None]] = {}
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        attributes = dict(attrs)
        if tag in ("input", "select", "textarea"):
            self._in = str(attributes.get("name"))
            self.about[self._in] = attributes
            self.values[self._in] = attributes.get("value") or ""
        elif tag == "option" and "selected" in attributes:
            self.values[self._in] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == "textarea" and self.about[self._in].get("rows"):
            self.values[self._in] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(f"/{tag}")


def test_the_page_is_ours_and_every_key_of_the_form_is_on_it_once(http: httpx.Client) -> None:
    answer = http.get("/")
    assert answer.status_code == 200
    assert "swagger" not in answer.text.lower()
    for field in form.FIELDS:
        assert len(re.findall(rf'name="{field.name}"', answer.text)) == 1
        assert len(re.findall(rf'for="{field.name}"', answer.text)) == 1, "every control has its label"


def test_groups_hold_every_field_once() -> None:
    keys = [entry.field.name for group in form_pages.groups({}) for entry in group.entries]
    assert sorted(keys) == sorted(form.BY_KEY)


def test_it_is_light_and_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    result = http.post("/", data=FILLED)
    style = http.get("/style.css")
    assert style.headers["content-type"].startswith("text/css")
    for answer in (http.get("/"), result):
        assert len(answer.content) + len(style.content) < LIGHT
        assert re.findall(r"<script.*?</script>", answer.text, re.S) == ['<script src="/page.js" defer></script>']
        assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_score_shows_all_that_the_contract_gives(http: httpx.Client) -> None:
    text = http.post("/", data=FILLED).text
    score = http.post("/score", json={"tender": FILLED}).json()
    assert f"{round(score['failure'] * 100)}%" in text
    assert all(f"{round(end * 100)}%" in text for end in score["interval"])
    assert score["band"] in text
    assert score["evidence"] in text
    reasons = [reason for reason in score["reasons"] if abs(reason["effect"]) >= 0.0005]
    assert reasons
    assert all(reason["text"].split("'")[0] in text for reason in reasons)
    assert "What is unknown" in text
    assert score["bundle"] in text


def test_nothing_entered_is_lost(http: httpx.Client) -> None:
    for sent in (FILLED, {**FILLED, "value": "lots of it", "published": "next week", "category": "magic"}):
        page = Page(http.post("/", data=sent).text)
        assert {key: page.values[key] for key in sent} == sent


@pytest.mark.parametrize(
    ("key", "entered"),
    [("lots", "minus one"), ("published", "2024-02-30"), ("currency", "POUNDS"), ("category", "magic")],
)
def test_an_error_stands_beside_its_field(http: httpx.Client, key: str, entered: str) -> None:
    answer = http.post("/", data={**FILLED, key: entered})
    assert answer.status_code == 400
    about = Page(answer.text).about[key]
    assert about["aria-invalid"] == "true"
    assert f"{key}-problem" in str(about["aria-describedby"])
    beside = re.search(rf'id="{key}-problem">([^<]*)<', answer.text)
    assert beside and entered in beside[1]
    assert f'href="#{key}"' in answer.text, "the summary links to it"


def test_an_empty_form_asks_for_something(http: httpx.Client) -> None:
    answer = http.post("/", data={"title": " "})
    assert answer.status_code == 400
    assert "nothing is filled in" in answer.text


@pytest.mark.parametrize("key", ["title", "description", "category", "lots", "published", "single_block", "stage"])
def test_hostile_text_is_shown_as_text(http: httpx.Client, key: str) -> None:
    answer = http.post("/", data={"title": "x", key: HOSTILE})
    page = Page(answer.text)
    assert page.elements.count("script") == 1, "our own"
    assert "b" not in page.elements
    assert "49" not in page.values.get(key, "")
    assert not any(name.startswith("on") for attributes in page.about.values() for name in attributes)
    if key != "stage":
        assert page.values[key] == HOSTILE


def test_the_stage_can_be_chosen(http: httpx.Client) -> None:
    answer = http.post("/", data={**FILLED, "bidders": "1", "stage": "draft"})
    assert "as a draft" in answer.text
    assert Page(answer.text).values["stage"] == "draft"
    assert "with bids in" in http.post("/", data={**FILLED, "bidders": "1"}).text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("release.json", samples.data(samples.draft())),
        ("package.JSON", samples.data({"releases": [samples.draft()]})),
        ("form.csv", b"title,lots\nCommunity nursing,1\n"),
        ("form.yaml", b"title: Community nursing\nlots: 1\n"),
        ("noending", samples.data(samples.draft())),
    ],
)
def test_a_file_is_scored(http: httpx.Client, name: str, content: bytes) -> None:
    answer = http.post("/", files={"file": (name, content)})
    assert answer.status_code == 200
    assert "probability of failure" in answer.text
    assert name in answer.text


def test_reasons_name_the_field_of_the_form_or_the_path_in_the_file(http: httpx.Client) -> None:
    assert '<span class="source">Term</span>' in http.post("/", data=FILLED).text
    release = {**samples.draft(), "tender": {**samples.draft()["tender"], "numberOfTenderers": 1}}
    text = http.post("/", files={"file": ("release.json", samples.data(release))}).text
    assert re.search(r'<span class="source">/tender/\w+', text)


@pytest.mark.parametrize("bad", TABLES, ids=ids)
def test_a_bad_file_is_refused_with_its_place(http: httpx.Client, bad: Bad) -> None:
    answer = http.post("/", files={"file": (f"<b>{bad.suffix}", bad.data)})
    assert answer.status_code == 400
    assert "There is no score yet" in answer.text
    assert "b" not in Page(answer.text).elements


def test_a_file_of_several_tenders_is_sent_elsewhere(http: httpx.Client) -> None:
    several = samples.data([samples.draft(), samples.draft(ocid="other")])
    answer = http.post("/", files={"file": ("several.json", several)})
    assert answer.status_code == 400
    assert "portfolio" in answer.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"%FF%FE=%00", "application/x-www-form-urlencoded"),
        (b"a=1&" * 5000, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"title=x", "multipart/form-data"),
    ],
)
def test_what_is_no_form_is_400(http: httpx.Client, content: bytes, kind: str) -> None:
    answer = http.post("/", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert "There is no score yet" in answer.text


def test_text_longer_than_the_page_can_repeat_is_refused(http: httpx.Client) -> None:
    answer = http.post("/", data={**FILLED, "description": "x" * 100_000})
    assert answer.status_code == 400
    assert len(answer.content) < LIGHT
    assert 'id="description-problem"' in answer.text


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
def test_a_draft_gets_no_number_for_a_stage_that_it_has_not_reached(http: httpx.Client, stage: str) -> None:
    for path in ("/", "/desk/what-if", "/desk/suggestions", "/desk/comparables", "/desk/unknown", "/desk/report"):
        answer = http.post(path, data={**FILLED, "stage": stage})
        assert answer.status_code == 400
        assert ("the bids are not in" if stage == "bids_in" else "the contract is not awarded") in answer.text
        assert 'class="number"' not in answer.text
        assert Page(answer.text).values["title"] == FILLED["title"]
