"""Signs stand beside a score: every one is there, in order, with its record, and none moves the number."""

from __future__ import annotations

import msgspec
import pytest

from features.track_records.case_records import TrackRecord
from models.bundle import Bundle
from models.score import score
from models.signs.judging import judged
from models.signs.record import records
from models.signs.register import register
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tests import samples


@pytest.mark.parametrize("stage", STAGES)
def test_a_score_lists_every_sign_in_the_order_of_the_register(bundle: Bundle, stage: Stage) -> None:
    found = score(bundle, to_process(samples.draft()), stage).signs
    assert [each.sign for each in found] == list(register())
    for each in found:
        assert each.record == records()[each.sign]
        assert each.source == register()[each.sign].source
        assert each.text


def test_without_reasons_there_are_no_signs(bundle: Bundle) -> None:
    assert score(bundle, to_process(samples.draft()), explain=False).signs == ()


def test_it_says_what_is_not_known_yet(bundle: Bundle) -> None:
    found = {each.sign: each for each in score(bundle, to_process(samples.draft()), "draft").signs}
    assert found["lone_bidder_open_competition"].shown is None
    assert "known at bids_in" in found["lone_bidder_open_competition"].text
    assert found["one_block"].shown is False
    assert found["predecessor_failed"].text == "Cannot be judged: how the contract before this one ended is not known."
    assert "no field of a notice" in found["joint_governance"].text


def test_the_contract_s_shape_is_kept() -> None:
    tender = to_process({"bidders": 1, "competition": "yes"}).as_of("bids_in")
    said = msgspec.to_builtins(judged(tender, TrackRecord(), "bids_in"))
    (lone,) = [each for each in said if each["sign"] == "lone_bidder_open_competition"]
    assert lone["shown"] is True and lone["source"]
    assert set(lone["record"]) >= {"with", "without"} and len(lone["record"]["with"]) == 2


def test_manchester_shows_its_lone_bidder_and_cambridgeshire_its_changed_form(bundle: Bundle) -> None:
    from pathlib import Path

    from tenders.io.read import read_file

    home = Path(__file__).parents[3] / "examples"
    for name, sign in (
        ("manchester-lco", "lone_bidder_open_competition"),
        ("cambridgeshire-unitingcare", "legal_form_changed"),
    ):
        found = {each.sign: each.shown for each in score(bundle, read_file(home / f"{name}.json")[0], "awarded").signs}
        assert found[sign] is True
