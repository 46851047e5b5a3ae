"""Facts made unknown: gone wherever the file states them, with all else as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenders.clearing import ELSEWHERE
from tenders.edited import edited
from tenders.errors import DataError
from tenders.io.form import BY_KEY
from tenders.io.read import to_process
from tests import samples
from tests.tenders.test_edited import VALUES, beside, each_key, without_nones


@each_key
@settings(max_examples=20)
@given(data=st.data())
def test_a_fact_that_is_taken_out_and_set_again_is_as_it_was(key: str, data: Any) -> None:
    process = to_process({"title": "x", **data.draw(beside(key)), key: (value := data.draw(VALUES[key]))})
    without = edited(process, {key: None}, "awarded")
    assert without_nones(edited(without, {key: value}, "awarded")) == without_nones(process)


@each_key
@settings(max_examples=20)
@given(data=st.data())
def test_what_was_not_stated_cannot_be_missed(key: str, data: Any) -> None:
    process = to_process({"title": "x", **data.draw(beside(key))})
    if key != "title":
        assert without_nones(edited(process, {key: None}, "awarded")) == without_nones(process)


def test_a_fact_goes_from_every_place_that_states_it() -> None:
    release = samples.draft()
    release["tender"] |= {"numberOfTenderers": 2, "tenderers": [{"name": "One"}, {"name": "Two"}]}
    release["bids"] = {"statistics": [{"measure": "bids", "value": 2}]}
    release["tender"]["items"] = [{"classification": {"scheme": "CPV", "id": "85140000"}}] * 2
    left = edited(to_process(release), {"bidders": None, "cpv": None, "buyer": None}, "bids_in").compiled()
    assert (left.tender.number_of_tenderers, left.tender.tenderers, left.buyer) == (None, (), None)
    assert left.bids and not left.bids.statistics
    assert [item.classification for item in left.tender.items] == [None, None]
    assert ELSEWHERE.keys() <= BY_KEY.keys()


def test_what_the_value_of_each_lot_says_is_not_unknown() -> None:
    process = to_process({"title": "x", "lot_values": "5;7"})
    with pytest.raises(DataError, match="/lots: the value of each lot says how many there are"):
        edited(process, {"lots": None}, "draft")
    assert not edited(process, {"lots": None, "lot_values": None}, "draft").compiled().tender.lots
