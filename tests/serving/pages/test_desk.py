"""The commissioner's pages: what each shows is what the functions and the API say, and the tender goes along unharmed."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import random
import re
from functools import partial

import httpx
import pytest

from models.bundle import Bundle
from models.comparables import comparables, peers
from models.suggest import suggest
from portfolio.rendering import points
from serving.pages import reporting
from tenders.io import form
from tenders.io.read import to_process
from tests import samples
from tests.serving.made import (
    CAMBRIDGESHIRE,
    FILLED,
    HOSTILE,
    MANCHESTER,
    STEPS,
    Page,
    carried,
    failure_on,
    hostile_form,
    uploaded,
)  # fmt: skip

LIGHT = 150_000


def percent(share: float) -> str:
    return f"{round(share * 100)}%"


@pytest.mark.parametrize(
    "document",
    [FILLED, MANCHESTER, CAMBRIDGESHIRE, samples.draft()],
    ids=["form", "manchester", "cambridgeshire", "lots"],
)
def test_the_number_is_the_same_everywhere(http: httpx.Client, bundle: Bundle, document: dict) -> None:
    score = http.post("/score", json={"tender": document}).json()
    page = uploaded(http, "tender.json", json.dumps(document).encode())
    assert failure_on(page.text) == percent(score["failure"])
    sent = carried(page)
    for step in STEPS:
        answer = http.post(f"/desk/{step}", data=sent)
        assert answer.status_code == 200
        exact, rounded = f"{score['failure']:.1%}", percent(score["failure"])
        assert rounded in answer.text if step == "report" else exact in answer.text, step
    assert failure_on(reporting.report_html(bundle, to_process(document), None, partial(peers, bundle))) == percent(
        score["failure"]
    )


def test_a_file_that_is_not_changed_is_scored_as_the_api_scores_it(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    again = http.post("/", data=sent)
    assert carried(again) == sent
    texts = [item["text"] for item in http.post("/score", json={"tender": MANCHESTER}).json()["reasons"]]
    shown = [*map(html.unescape, re.findall(r"<tr><td>([^<]*?) <span", again.text)[:3])]
    # The page puts reasons of one place together.
    assert shown[0] == texts[0] and set(shown) <= set(texts)


def test_what_is_changed_of_a_file_is_set_as_what_if_sets_it(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    changed = http.post("/", data={**sent, "term_years": "3", "stage": "draft"})
    what_if = http.post("/what_if", json={"tender": MANCHESTER, "stage": "draft", "set": {"term_years": 3}}).json()
    assert failure_on(changed.text) == percent(what_if["scenarios"][0]["score"]["failure"])


def test_a_fact_of_a_file_that_is_emptied_is_unknown_here_in_the_file_kept_and_to_the_api(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    emptied = {key: value for key, value in sent.items() if key not in ("service_lines", "bidders")}
    answer = http.post("/", data=emptied)
    assert carried(answer) == emptied
    assert "as a draft" in answer.text, "nobody counted bids any more"
    kept = http.post("/desk/save.json", data=emptied).json()
    assert kept["set"] == {"service_lines": None, "bidders": None}
    (scenario,) = http.post("/what_if", json={**kept, "stage": "draft"}).json()["scenarios"]
    assert failure_on(answer.text) == percent(scenario["score"]["failure"])
    again = carried(uploaded(http, "tender.json", json.dumps(kept).encode()))
    assert {**again, "name": ""} == {**emptied, "name": ""}


def test_of_lots_with_values_their_number_is_not_unknown(http: httpx.Client) -> None:
    valued = {**samples.draft()["tender"], "lots": [{"id": "1", "value": {"amount": 5}}]}
    sent = carried(uploaded(http, "m.json", samples.data({**samples.draft(), "tender": valued})))
    answer = http.post("/", data={key: value for key, value in sent.items() if key != "lots"})
    assert answer.status_code == 400
    assert 'id="lots-problem">The value of each lot says how many' in answer.text


def test_what_was_changed_of_a_file_stays_so_beside_changes_that_are_tried(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    changed = {**sent, "term_years": "3", "stage": "draft"}
    text = http.post("/answer", data={**changed, "try.title": sent["title"]}).text
    (tried,) = re.findall(r"<td><strong>([\d.]+%)</strong></td>", text)[:1]
    assert f"as it is: {tried}<" in text, "a title set to what it is changes nothing"


def test_the_stages_stand_side_by_side(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    page = Page(http.post("/desk/stages", data=sent).text)
    for stage in ("draft", "bids_in", "awarded"):
        score = http.post("/score", json={"tender": CAMBRIDGESHIRE, "stage": stage}).json()
        assert f"{score['failure']:.1%}" in page.text
    for factor in ("Legal form changed since the bid", "Bidders lost on the way", "Unsigned, or price items open"):
        assert factor in page.text
    assert "known now" in page.text
    assert "can no longer end without a contract" in page.text


def test_changes_are_tried_one_by_one_and_together_with_an_interval_on_each_difference(http: httpx.Client) -> None:
    sent = {key: value for key, value in FILLED.items() if key != "single_block"}
    text = http.get("/answer", params={**sent, "try.lots": "4", "try.term_years": "3 years"}).text
    settings = [{"lots": "4"}, {"term_years": "3 years"}, {"lots": "4", "term_years": "3 years"}]
    answer = http.post("/what_if", json={"tender": sent, "scenarios": settings}).json()
    assert answer["note"] in Page(text).text and "All of these together" in text
    for scenario in answer["scenarios"]:
        low, high = (points(bound) for bound in scenario["difference_interval"])
        assert scenario["difference_interval"][0] <= scenario["difference"] <= scenario["difference_interval"][1]
        assert f"<strong>{scenario['score']['failure']:.1%}</strong>" in text
        assert f"{low} to {high}" in text
    assert Page(text).values["try.term_years"] == "3 years"


def test_all_changes_that_are_wrong_are_refused_beside_their_fields_and_nothing_is_lost(http: httpx.Client) -> None:
    answer = http.get("/answer", params={**FILLED, "try.lots": "several", "try.value": "much", "try.term_years": "5"})
    assert answer.status_code == 400
    page = Page(answer.text)
    for key, text in (("lots", "several"), ("value", "much")):
        assert re.search(rf'id="try.{key}-problem">[^<]*{text}', answer.text)
        assert page.values[f"try.{key}"] == text
    assert page.values["try.term_years"] == "5" and page.values["title"] == FILLED["title"]


def test_the_answer_is_one_page_that_says_all_of_it(http: httpx.Client) -> None:
    answer = http.get("/answer", params=FILLED)
    score = http.post("/score", json={"tender": FILLED}).json()
    assert re.search(r"About \d+ in \d+ tenders like this fail\. This one is", answer.text)
    for heading in ("Why", "What would lower it", "Try changes", "Real contracts like it", "What is not known yet"):
        assert heading in answer.text
    assert f'<h1 id="score">{FILLED["title"]}</h1>' in answer.text
    assert score["evidence"] in Page(answer.text).text and "How far to trust this" in answer.text
    for case in comparables(to_process(FILLED)).cases[:3]:
        assert f'href="/casebook/{case.case}"' in answer.text


def test_a_change_that_its_own_cases_contradict_says_so(http: httpx.Client, bundle: Bundle) -> None:
    text = http.get("/answer", params=FILLED).text
    advice = suggest(bundle, to_process(FILLED))
    base_rate = http.post("/score", json={"tender": FILLED}).json()["base_rate"]
    for item in advice.single[:3]:
        failed, count = item.cases.cohort
        contradicted = f"But of {count} past cases that had it, {failed} failed: more than usual." in text
        assert contradicted is bool(count and failed / count > base_rate)


def test_every_page_of_a_tender_is_an_address_that_shows_the_same_again(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    for path in ("/answer", *(f"/desk/{step}" for step in STEPS)):
        first, again = (http.get(path, params=sent) for _ in range(2))
        assert first.status_code == 200 and first.text == again.text
        assert "no-store" not in first.headers["cache-control"] and "private" in first.headers["cache-control"]
    answer = http.post("/", data=FILLED)
    assert answer.url.path == "/answer" and answer.history[0].status_code == 303


def test_a_draft_too_long_for_an_address_is_posted_and_scored_all_the_same(http: httpx.Client) -> None:
    # Random, so that it does not pack.
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz ", k=19_000))
    sent = {**FILLED, "description": long, "risk_details": long, "no_lots_rationale": long}
    answer = http.post("/", data=sent)
    assert answer.status_code == 200 and not answer.history
    assert '<form method="post" action="/answer" id="tender">' in answer.text
    assert failure_on(answer.text)


def test_a_new_version_is_compared_with_the_last(http: httpx.Client) -> None:
    first = Page(http.get("/answer", params=FILLED).text)
    answer = http.post("/", data={**FILLED, "lots": "5", "single_block": "", "last": first.values["last"]})
    before = http.post("/score", json={"tender": FILLED}).json()["failure"]
    assert "Since your last version" in answer.text and f"The risk was {before:.1%}" in answer.text
    assert "Since your last version" not in http.get("/answer", params=FILLED).text
    broken = http.get("/answer", params={**FILLED, "last": "nonsense"})
    assert broken.status_code == 200 and "Since your last version" not in broken.text


def test_suggestions_are_the_functions_and_name_only_what_was_told(http: httpx.Client, bundle: Bundle) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    text = Page(http.post("/desk/suggestions", data={**sent, "stage": "draft"}).text).text
    answer = suggest(bundle, to_process(MANCHESTER), "draft")
    assert answer.text in text
    assert answer.note in text
    for item in answer.single:
        assert item.text in text
    assert "guarantee" not in text, "nobody said anything of one"


def test_comparables_link_to_the_casebook(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "m.json", samples.data(MANCHESTER)))
    text = http.post("/desk/comparables", data=sent).text
    for item in comparables(to_process(MANCHESTER)).cases:
        assert f'href="/casebook/{item.case}"' in text
        assert item.account in Page(text).text
        assert http.get(f"/casebook/{item.case}").status_code == 200


def test_what_is_unknown_is_tried_by_the_same_function(http: httpx.Client) -> None:
    sent = {"title": "Community nursing", "value": "900000", "lots": "2"}
    text = Page(http.post("/desk/unknown", data=sent).text).text
    tried = http.post(
        "/what_if", json={"tender": sent, "scenarios": [{"first_of_its_kind": word} for word in ("yes", "no")]}
    )
    for scenario in tried.json()["scenarios"]:
        assert f"{scenario['settings']['first_of_its_kind']}: {scenario['score']['failure']:.1%}" in text
    assert "First of its kind" in text
    assert "Known only later" in text
    assert "Bidders" in text


def test_factors_stand_apart_by_what_they_were_seen_with(http: httpx.Client) -> None:
    text = Page(uploaded(http, "m.json", samples.data(MANCHESTER)).text).text
    score = http.post("/score", json={"tender": MANCHESTER}).json()
    text = text[text.index("Documented factors") :]
    failing, surviving = text.index("Seen with failure"), text.index("Seen with success")
    for factor in score["factors"]:
        assert "; ".join(factor["sources"]) in text
        assert (failing < text.index(f"{factor['title']}.") < surviving) is (factor["seen_with"] == "failure")
    for heading in ("Shown: ", "Not shown: ", "Cannot be judged: "):
        assert heading in text


@pytest.mark.parametrize("step", STEPS)
def test_every_page_is_light_escaped_and_loads_nothing_from_elsewhere(http: httpx.Client, step: str) -> None:
    answer = http.post(f"/desk/{step}", data=FILLED)
    assert len(answer.content) < LIGHT
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Page(answer.text)
    assert [item.get("src") for item in page.of("script")] == ([None] if step == "report" else ["/page.js"])
    assert not [tag for tag, attributes in page.elements if "style" in attributes]


@pytest.mark.parametrize("step", ["", *(f"desk/{step}" for step in STEPS)])
def test_hostile_text_in_every_field_is_shown_as_text(http: httpx.Client, step: str) -> None:
    answer = http.post(f"/{step}", data=hostile_form())
    assert answer.status_code == 200
    page = Page(answer.text)
    assert len(page.of("script")) == 1
    assert not page.of("b")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "49" not in page.values.get("title", "")
    if step != "desk/report":
        assert page.values["title"] == HOSTILE


def test_hostile_text_in_fields_that_take_no_text_is_refused_as_text_and_not_lost(http: httpx.Client) -> None:
    sent = dict.fromkeys(form.BY_KEY, HOSTILE)
    for step in ("", *(f"desk/{step}" for step in STEPS)):
        answer = http.post(f"/{step}", data=sent)
        assert answer.status_code == 400
        page = Page(answer.text)
        assert len(page.of("script")) == 1 and not page.of("b")
        assert {page.values[key] for key in form.BY_KEY} == {HOSTILE}
    hostile = {f"try.{key}": HOSTILE for key in form.BY_KEY}
    compared = Page(http.post("/answer", data={**FILLED, **hostile}).text)
    assert compared.values["try.lots"] == HOSTILE and len(compared.of("script")) == 1 and not compared.of("b")


def test_a_megabyte_in_any_field_is_refused_beside_it(http: httpx.Client) -> None:
    for key in form.BY_KEY:
        answer = http.post("/", data={**FILLED, key: "1" * 2**20})
        assert answer.status_code == 400
        assert f'id="{key}-problem"' in answer.text
        assert len(answer.content) < LIGHT


@pytest.mark.parametrize(
    "step", ["", *(f"desk/{step}" for step in STEPS), "desk/save.json", "desk/save.xlsx", "desk/save.csv"]
)
def test_a_megabyte_in_a_field_breaks_nothing(http: httpx.Client, step: str) -> None:
    answer = http.post(f"/{step}", data={**FILLED, "title": "x" * 2**20})
    assert answer.status_code in (200, 400)
    assert len(answer.content) < LIGHT or "save" in step


@pytest.mark.parametrize("document", ["{", "[]", '{"tender": 1}', '{"tender": {}, "buyer": {"name": 1}}', "null"])
def test_a_carried_document_that_was_tampered_with_is_refused(http: httpx.Client, document: str) -> None:
    for step in ("", *(f"desk/{step}" for step in STEPS), "desk/save.json"):
        assert http.post(f"/{step}", data={"document": document, "title": "x"}).status_code in (200, 400)


def test_a_document_that_no_page_can_carry_is_refused(http: httpx.Client) -> None:
    answer = http.post("/desk/stages", data={"document": "[" * (2 * 2**20 + 1)})
    assert answer.status_code == 413
    assert len(answer.content) < LIGHT
    release = {**samples.draft(), "title": "x" * 3 * 2**20}
    assert uploaded(http, "large.json", samples.data(release)).status_code == 413


@pytest.mark.parametrize("step", STEPS)
def test_a_page_of_a_tender_without_one_leads_to_the_form(http: httpx.Client, step: str) -> None:
    assert http.get(f"/desk/{step}").url.path == "/"
    assert http.post(f"/desk/{step}", data={"title": ""}).status_code == 400


def test_the_report_says_all_of_it(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    answer = http.post("/desk/report", data=sent)
    score = http.post("/score", json={"tender": CAMBRIDGESHIRE}).json()
    text = Page(answer.text).text
    for part in (
        score["evidence"],
        score["bundle"],
        score["reasons"][0]["text"],
        "Limits",
        "What was entered",
        "725,500,000",
    ):
        assert part in text
    for item in comparables(to_process(CAMBRIDGESHIRE)).cases[: reporting.MAX_CASES]:
        assert item.name in text
    assert not re.search(r"(src|href|action)=\"(https?:)?/", answer.text), "complete in itself"


def test_the_report_s_policy_allows_its_own_script_and_style_and_no_others(http: httpx.Client) -> None:
    answer = http.post("/desk/report", data=FILLED)
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for policy in (answer.headers["content-security-policy"], html.unescape(answer.text)):
            assert f"{tag}-src 'sha256-{digest}'" in policy
