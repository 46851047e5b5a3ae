"""Pictures: what they show is the numbers beside them, and every one has its words."""

from __future__ import annotations

import re

import httpx
import msgspec
import pytest

from models.bundle import Bundle
from models.comparables import Peers
from models.score import Score, score
from serving.pages import about, result, stages
from tenders.io.read import to_process
from tests import samples
from tests.serving.made import CAMBRIDGESHIRE, FILLED, Page, carried, uploaded

PEERS = Peers(stage="draft", failed=(0.1, 0.105, 0.9), held=(0.1, 0.2))


def scored(bundle: Bundle, **facts: object) -> Score:
    return msgspec.structs.replace(score(bundle, to_process({"title": "x"}), "draft"), **facts)


def test_peers_stand_in_columns_of_a_fiftieth_of_the_scale_and_the_tallest_fills_it(bundle: Bundle) -> None:
    strip = result.peer_strip(scored(bundle, failure=0.15, interval=(0.1, 0.3)), bundle, lambda _: PEERS)
    assert strip and strip.scale.end == "50%"
    assert [(each.x, each.up, each.down) for each in strip.columns] == [
        (20.0, result.STRIP_HEIGHT, result.STRIP_HEIGHT / 2), (40.0, 0, result.STRIP_HEIGHT / 2), (98.0, result.STRIP_HEIGHT / 2, 0),
    ]  # fmt: skip
    assert (strip.failed, strip.held, strip.failed_below, strip.held_below) == (3, 2, 2, 1)


def test_of_another_register_the_bundle_keeps_no_cases_and_no_peers_are_shown(bundle: Bundle) -> None:
    assert result.peer_strip(scored(bundle, register="sicoes_bo"), bundle, lambda _: PEERS) is None


def test_the_path_falls_as_the_probability_rises(bundle: Bundle) -> None:
    low, high = scored(bundle, failure=0.1), scored(bundle, failure=0.4)
    found = stages.stage_path([low, high], 150)
    assert [step.x for step in found.steps] == [25, 75]
    assert found.top < found.steps[1].y < found.steps[0].y < found.bottom < found.height
    assert found.steps[0].y == pytest.approx(found.bottom - (found.bottom - found.top) * 0.2)


def test_every_picture_that_is_not_beside_its_numbers_has_its_words(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    for path in ("/", "/desk/stages", "/desk/report", "/desk/unknown", "/desk/what-if"):
        page = Page(http.post(path, data={**sent, "a.lots": "4"}).text)
        assert page.of("svg")
        for svg in page.of("svg"):
            assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-label"))


def test_result_and_report_show_the_peers_and_the_report_the_stages_too(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    page, report = (http.post(path, data=sent).text for path in ("/", "/desk/report"))
    for text in (page, report):
        assert re.search(r"Columns: \d+ casebook cases that entered by a rule.*?set(s)? the level", text, re.S)
    assert 'class="path"' in report and 'class="path"' not in http.post("/desk/report", data=FILLED).text


def test_about_tells_the_registers_apart_from_the_uk_and_says_what_has_no_picture(
    http: httpx.Client, bundle: Bundle
) -> None:
    text = http.get("/about").text
    found = list(about.metric_rows(bundle))
    assert {each.cases for each in found} <= {"cohort", "picked", *bundle.registers}
    assert {each.stage for each in found} <= {"draft", "bids_in", "awarded"}
    for name, other in bundle.registers.items():
        held = "reliability.svg" in other.pictures
        assert (f'src="/about/{name}-reliability.svg"' in text) is held
    for each in found:
        if each.ece is not None and each.cases == "cohort":
            assert f"{each.ece * 100:.1f} points" in text
