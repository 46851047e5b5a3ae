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
        assert not re.search(r"(src|action)=\"(https?:)?//", answer.text), "links lead elsewhere, and nothing is loaded"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_score_shows_all_that_the_contract_gives(http: httpx.Client) -> None:
    text = http.post("/", data=FILLED).text
    score = http.post("/score", json={"tender": FILLED}).json()
    assert f"{round(score['failure'] * 100)}%" in text
    assert all(f"{round(end * 100)}%" in text for end in score["interval"])
    assert score["band"] in text
    assert score["evidence"] in text
    assert score["reasons"][0]["text"] in text
    assert "What is not known yet" in text
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
    assert "once bids are counted" in http.post("/", data={**FILLED, "bidders": "1"}).text


def test_no_tender_has_no_lot(http: httpx.Client) -> None:
    answer = http.post("/", data={"title": "x", "lots": "0"})
    assert answer.status_code == 400 and 'id="lots-problem">No tender has 0 lots. 1 means one block<' in answer.text


def test_all_that_is_wrong_is_said_at_once_with_the_focus_on_it(http: httpx.Client) -> None:
    wrong = {"title": "x", "value": "much", "lots": "2", "lot_values": "1; 2; 3", "published": "soon", "cpv": "nursing"}
    answer = http.post("/", data={**wrong, "currency": "POUNDS"})
    assert answer.status_code == 400
    for key in ("value", "published", "currency", "cpv", "lot_values"):
        assert f'id="{key}-problem"' in answer.text and f'href="#{key}"' in answer.text
    assert "85141200 Services provided by nurses" in answer.text, "what the code may be"
    assert re.search(r'role="alert"[^>]*tabindex="-1"', answer.text)


@pytest.mark.parametrize(
    ("entered", "key", "words"),
    [
        ({"tender_start": "11/01/2027", "tender_end": "01/01/2027"}, "tender_period_days", "Ends before it starts"),
        ({"term_years": "8 years", "contract_start": "1/1/2027", "contract_end": "1/1/2030"}, "term_years", "the dates differ"),
        ({"tender_period_days": "60", "tender_start": "1/1/2027", "tender_end": "31/1/2027"}, "tender_period_days", "differ"),
        ({"lots": "3", "single_block": "yes"}, "lots", "one contract for the whole scope"),
        ({"term_years": "1000"}, "term_years", "more than 100 years"),
        ({"value": "900,000 million"}, "value", ""),
        ({"value": "2 trillion"}, "value", "more than £1 trillion"),
    ],
)  # fmt: skip
def test_what_contradicts_is_said_beside_the_field_and_on_the_answer(
    http: httpx.Client, entered: dict[str, str], key: str, words: str
) -> None:
    sent = {"title": "Nursing", **entered}
    form, answer = (http.get(path, params=sent).text for path in ("/", "/answer"))
    beside = re.search(rf'id="{key}-doubt">([^<]*)<', form)
    assert (words.lower() in beside[1].lower() if beside else not words) and ("Check these facts" in answer) is bool(
        words
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"%PDF-1.7", "a PDF"), (b"\x89PNG\r\n", "an image"), (b"PK\x03\x04..word/document.xml", "a Word document")],
)
def test_a_file_that_cannot_be_read_is_said_in_words_and_nothing_typed_is_lost(
    http: httpx.Client, content: bytes, kind: str
) -> None:
    answer = http.post("/", data={"title": "Nursing", "value": "£1m"}, files={"file": ("draft.pdf", content)})
    assert answer.status_code == 400
    assert kind in answer.text and "paste it" in answer.text
    values = Page(answer.text).values
    assert (values["title"], values["value"]) == ("Nursing", "£1m")


def test_the_empty_form_that_we_give_out_is_said_to_be_empty(http: httpx.Client) -> None:
    answer = http.post("/", files={"file": ("form.xlsx", http.get("/template.xlsx").content)})
    assert answer.status_code == 400
    assert "the form is empty" in answer.text


def test_facts_of_a_pasted_text_are_shown_with_their_sentences_to_be_confirmed(http: httpx.Client) -> None:
    text = "The contract has a value of £120m. It runs for a term of 7 years. Bidders have 30 days."
    answer = http.post("/", data={"prose": text, "title": "Nursing"})
    assert answer.status_code == 200
    assert "We found 3 facts" in answer.text and 'class="number"' not in answer.text, (
        "no score before they are confirmed"
    )
    values = Page(answer.text).values
    assert (values["value"], values["term_years"], values["title"]) == ("£120m", "7 years", "Nursing")
    assert "<q>The contract has a value of £120m.</q>" in answer.text
    assert http.get(str(answer.url)).text == answer.text, "refresh shows it again"
    nothing = http.post("/", data={"prose": "Nothing of use."})
    assert nothing.status_code == 400 and "no fact is found" in nothing.text.lower()


def test_codes_are_found_by_words(http: httpx.Client) -> None:
    assert "85323000 Community health services" in http.get("/cpv", params={"q": "community nursing"}).json()
    assert http.get("/cpv").json() == []


def test_each_field_says_how_far_it_can_move_the_score(http: httpx.Client) -> None:
    text = http.get("/").text
    for key in form_pages.MAIN:
        assert f'id="{key}-effect"' in text
    assert "Can move the score by up to" in text and form_pages.NO_EFFECT in text


@pytest.mark.parametrize(("route", "label"), form_pages.ROUTES)
def test_a_route_of_uk_law_is_kept_as_a_method_and_a_name(http: httpx.Client, route: str, label: str) -> None:
    answer = http.post("/", data={"title": "x", "procurement_method": route})
    method, _, name = route.partition(":")
    values = Page(answer.text).values
    assert (values["procurement_method"], values["procurement_method_details"]) == (method, name)
    again = http.get("/", params={"procurement_method": method, "procurement_method_details": name}).text
    assert re.search(rf'<option value="{re.escape(route)}" selected>', again)


def test_a_browser_gets_a_page_where_nothing_is_and_a_program_json(http: httpx.Client) -> None:
    page = http.get("/nope", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 404 and "There is no such page" in page.text
    assert http.get("/nope").json()["error"] == "/nope: not found"


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
    assert "risk of failure" in answer.text
    assert "Community nursing" in answer.text


def test_reasons_name_the_field_and_never_a_path(http: httpx.Client) -> None:
    assert '<span class="source">Term: from research and audits' in http.post("/", data=FILLED).text
    release = {**samples.draft(), "tender": {**samples.draft()["tender"], "numberOfTenderers": 1}}
    for document in (release, {"releases": [release]}):
        text = http.post("/", files={"file": ("release.json", samples.data(document))}).text
        assert '<span class="source">Bidders' in text
        assert not re.search(r'class="source">/', text)


@pytest.mark.parametrize("bad", TABLES, ids=ids)
def test_a_bad_file_is_refused_with_its_place(http: httpx.Client, bad: Bad) -> None:
    answer = http.post("/", files={"file": (f"<b>{bad.suffix}", bad.data)})
    assert answer.status_code == 400
    assert "There is a problem" in answer.text
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
    assert "There is a problem" in answer.text


def test_text_longer_than_the_page_can_repeat_is_refused(http: httpx.Client) -> None:
    answer = http.post("/", data={**FILLED, "description": "x" * 100_000})
    assert answer.status_code == 400
    assert len(answer.content) < LIGHT
    assert 'id="description-problem"' in answer.text


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
def test_a_draft_gets_no_number_for_a_stage_that_it_has_not_reached(http: httpx.Client, stage: str) -> None:
    for path in ("/", "/answer", "/desk/suggestions", "/desk/comparables", "/desk/unknown", "/desk/report"):
        answer = http.post(path, data={**FILLED, "stage": stage})
        assert answer.status_code == 400
        assert ("the bids are not in" if stage == "bids_in" else "the contract is not awarded") in answer.text
        assert 'class="number"' not in answer.text
        assert Page(answer.text).values["title"] == FILLED["title"]
