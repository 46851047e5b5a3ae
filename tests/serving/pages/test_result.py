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
from tests.serving.made import CAMBRIDGESHIRE, Page, carried, uploaded

PEERS = Peers(stage="draft", failed=(0.1, 0.105, 0.9), held=(0.1, 0.2))


def scored(bundle: Bundle, **facts: object) -> Score:
    return msgspec.structs.replace(score(bundle, to_process({"title": "x"}), "draft"), **facts)


def test_peers_stand_in_columns_of_a_hundredth_of_the_scale_and_the_tallest_fills_it(bundle: Bundle) -> None:
    strip = result.peer_strip(scored(bundle, failure=0.15, interval=(0.1, 0.3)), bundle, lambda _: PEERS)
    assert strip and strip.scale.end == "100%"
    assert [(column.x, column.up, column.down) for column in strip.columns] == [
        (10.0, result.STRIP_HEIGHT, result.STRIP_HEIGHT / 2), (20.0, 0, result.STRIP_HEIGHT / 2), (90.0, result.STRIP_HEIGHT / 2, 0),
    ]  # fmt: skip
    assert (strip.failed, strip.held, strip.failed_below, strip.held_below) == (3, 2, 2, 1)


def test_of_another_register_the_bundle_keeps_no_cases_and_no_peers_are_shown(bundle: Bundle) -> None:
    assert result.peer_strip(scored(bundle, register="sicoes_bo"), bundle, lambda _: PEERS) is None


def test_the_path_falls_as_the_probability_rises(bundle: Bundle) -> None:
    low, high = scored(bundle, failure=0.1), scored(bundle, failure=0.4)
    path = stages.stage_path([low, high], 150)
    assert [step.x for step in path.steps] == [25, 75]
    assert path.top < path.steps[1].y < path.steps[0].y < path.bottom < path.height
    assert path.steps[0].y == pytest.approx(path.bottom - (path.bottom - path.top) * 0.1)


def test_every_picture_that_is_not_beside_its_numbers_has_its_words(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    for path in ("/", "/desk/stages", "/desk/report", "/desk/unknown"):
        page = Page(http.post(path, data={**sent, "try.lots": "4"}).text)
        assert page.of("svg")
        for svg in page.of("svg"):
            assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-label"))


def test_result_and_report_show_the_peers(http: httpx.Client) -> None:
    sent = carried(uploaded(http, "c.json", samples.data(CAMBRIDGESHIRE)))
    page, report = (http.post(path, data=sent).text for path in ("/", "/desk/report"))
    for text in (page, report):
        assert re.search(r"\d+ past cases, of which \d+ count here: those that came in by a rule", text)


def test_about_tells_the_registers_apart_from_the_uk_and_says_what_has_no_picture(
    http: httpx.Client, bundle: Bundle
) -> None:
    text = http.get("/about").text
    rows = list(about.metric_rows(bundle))
    assert {row.cases for row in rows} <= {"cohort", "picked", *bundle.registers}
    assert {row.stage for row in rows} <= {"draft", "bids_in", "awarded"}
    for name, other in bundle.registers.items():
        held = "reliability.svg" in other.pictures
        assert (f'src="/about/{name}-reliability.svg"' in text) is held
    for row in rows:
        if row.ece is not None and row.cases == "cohort":
            assert f"{row.ece * 100:.1f} points" in text


def test_a_feature_that_a_history_declares_is_named_in_words() -> None:
    assert [result.feature_label(name) for name in ("own_estimated_days", "lot_count")] == ["Estimated days", "Number of lots"]
