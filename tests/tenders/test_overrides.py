"""Facts that are overridden: as the form would state them, on any tender, or gone wherever the file states them, with nothing else moved."""

from __future__ import annotations

from datetime import date
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenders.errors import DataError
from tenders.facts import STAGES, IncumbentKind, Touches, Vehicle
from tenders.io import form
from tenders.io.form import BY_KEY
from tenders.io.read import to_process
from tenders.overrides import OTHER_PLACES, override
from tenders.process import Process
from tests import samples

Json = dict[str, Any]

yes_no = st.sampled_from(["yes", "no"])
money = st.integers(1, 10**9)
days = st.dates(date(2020, 1, 1), date(2026, 12, 31)).map(date.isoformat)
names = st.text("abc XYZ", min_size=1, max_size=12).filter(str.strip)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("title", "description", "buyer", "procuring_entity", "region", "no_lots_rationale"), names),
    **dict.fromkeys(("procurement_method_details", "risk_details", "supplier", "incumbents", "assurance_holds"), names),
    **dict.fromkeys(("published", "tender_start", "tender_end", "contract_start", "contract_end", "award_date"), days),
    **{field.name: yes_no for field in form.FIELDS if field.kind == "yes_no"},
    **{field.name: st.integers(1, 40) for field in form.FIELDS if field.kind == "count"},
    **dict.fromkeys(("value", "award_value"), money),
    **dict.fromkeys(
        ("tender_period_days", "enquiry_period_days", "term_years", "price_to_former_cost"), st.integers(0, 90)
    ),
    "currency": st.sampled_from(["GBP", "EUR"]),
    "cpv": st.sampled_from(["85140000", "72000000"]),
    "lot_values": st.lists(money, min_size=1, max_size=4),
    "advisers": names,
    "category": st.sampled_from(["goods", "works", "services"]),
    "procurement_method": st.sampled_from(["open", "selective", "limited", "direct"]),
    "award_criteria": st.sampled_from(["priceOnly", "ratedCriteria"]),
    "incumbent_kind": st.sampled_from(get_args(IncumbentKind)),
    "legal_vehicle": st.sampled_from(get_args(Vehicle)),
    "structure_changes": st.sampled_from(get_args(Touches)),
}
# Facts that two keys can state: of these, what is set wins, and what then says otherwise goes.
TWICE = (
    {"lots", "lot_values", "single_block"},
    {"tender_start", "tender_end", "tender_period_days"},
    {"contract_start", "contract_end", "term_years"},
    {"procurement_method", "competition"},
    {"savings_assumed", "price_to_former_cost"},
    {"value", "currency", "lot_values", "award_value"},
)
# So that no form of the tests states a fact twice: of each group above only the first of its kind.
SECOND = {"lot_values", "single_block", "tender_start", "tender_end", "contract_start", "contract_end", "competition"}
SECOND |= {"price_to_former_cost", "currency"}
each_key = pytest.mark.parametrize("key", VALUES)


def without_nones(process: Process) -> Any:
    return msgspec.to_builtins(process.as_of("awarded"))


def beside(key: str) -> st.SearchStrategy[Json]:
    """A form of other facts than what `key` states."""
    shared = set[str]().union(*(group for group in TWICE if key in group))
    others = {name: value for name, value in VALUES.items() if name not in {key, *shared, *SECOND}}
    return st.fixed_dictionaries({}, optional=others)


def test_every_key_of_the_form_is_tried() -> None:
    assert set(VALUES) == set(form.BY_KEY)


@each_key
@settings(max_examples=25)
@given(data=st.data())
def test_setting_a_key_is_filling_it_in_the_form(key: str, data: Any) -> None:
    filled = data.draw(beside(key))
    value = data.draw(VALUES[key])
    assert without_nones(override(to_process({"title": "x", **filled}), {key: value}, "awarded")) == without_nones(
        to_process({"title": "x", **filled, key: value})
    )


@each_key
@settings(max_examples=25)
@given(data=st.data())
def test_setting_a_fact_to_what_it_is_changes_nothing(key: str, data: Any) -> None:
    filled = {**data.draw(beside(key)), key: data.draw(VALUES[key])}
    process = to_process({"title": "x", **filled})
    assert without_nones(override(process, {key: filled[key]}, "awarded")) == without_nones(process)


@each_key
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_set_last_wins_over_what_was_there(key: str, data: Any) -> None:
    first, second = data.draw(VALUES[key]), data.draw(VALUES[key])
    twice = override(to_process({"title": "x", key: first}), {key: second}, "awarded")
    assert without_nones(twice) == without_nones(to_process({"title": "x", key: second}))


def test_lots_that_are_told_apart_become_equal_ones_and_the_whole_stays() -> None:
    release = samples.draft()
    del release["tender"]["value"], release["tender"]["contractPeriod"]
    for lot in release["tender"]["lots"]:
        lot.update(contractPeriod={"durationInDays": 730}, hasRenewal=True)
    tender = override(to_process(release), {"lots": 4}, "draft").as_of("draft").tender
    assert len(tender.lots) == 4 and all(lot.has_renewal for lot in tender.lots)
    assert tender.value and (tender.value.amount, tender.value.currency) == (900_000, "GBP")
    assert tender.contract_period and tender.contract_period.duration_in_days == 730


def test_the_same_number_of_lots_keeps_each_of_them() -> None:
    process = to_process(samples.draft())
    assert override(process, {"lots": 2}, "draft").as_of("draft").tender.lots == process.as_of("draft").tender.lots


def test_one_block_of_several_lots_is_one_lot_and_the_other_way_asks_how_many() -> None:
    process = to_process(samples.draft())
    assert len(override(process, {"single_block": "yes"}, "draft").as_of("draft").tender.lots) == 1
    assert override(process, {"single_block": "no"}, "draft").as_of("draft").tender.lots[0].title == "North"
    with pytest.raises(DataError, match="/single_block: how many lots instead"):
        override(to_process({"title": "x", "lots": 1}), {"single_block": "no"}, "draft")


def test_an_amount_keeps_the_tender_s_currency() -> None:
    process = to_process({"title": "x", "value": 5, "currency": "EUR"})
    value = override(process, {"value": 7}, "draft").as_of("draft").tender.value
    assert value and (value.amount, value.currency) == (7, "EUR")


def test_a_day_that_is_set_stands_over_the_stated_length_and_a_length_over_the_days() -> None:
    process = to_process({"title": "x", "tender_start": "2024-03-01", "tender_period_days": 20})
    moved = override(process, {"tender_end": "2024-04-15"}, "draft").as_of("draft").tender.tender_period
    assert moved and moved.duration_in_days is None and moved.end_date == "2024-04-15"
    longer = (
        override(to_process(samples.draft()), {"tender_period_days": 60}, "draft").as_of("draft").tender.tender_period
    )
    assert longer and longer.duration_in_days == 60


def test_a_fact_that_says_otherwise_goes() -> None:
    competed = override(to_process({"title": "x", "procurement_method": "open"}), {"competition": "no"}, "draft").as_of(
        "draft"
    )
    assert competed.tender.procurement_method is None and competed.tender_risk.competition is False
    saving = override(to_process({"title": "x", "savings_assumed": "yes"}), {"price_to_former_cost": 1}, "draft").as_of(
        "draft"
    )
    assert saving.tender_risk.savings_assumed is None


def test_another_buyer_has_not_the_first_one_s_id() -> None:
    buyer = override(to_process(samples.draft()), {"buyer": "Another"}, "draft").as_of("draft").buyer
    assert buyer and (buyer.id, buyer.name) == (None, "Another")


def test_counted_bidders_stand_over_the_statistics_of_the_whole() -> None:
    process = to_process(samples.plain(numberOfTenderers=3) | {"bids": {"statistics": [samples.count(3)]}})
    tender = override(process, {"bidders": 1}, "bids_in").as_of("bids_in")
    assert tender.tender.number_of_tenderers == 1 and not (tender.bids and tender.bids.statistics)


def test_with_a_history_what_is_set_was_so_from_the_start() -> None:
    """No notice is set otherwise, or it would look like a change after publication."""
    later = samples.update(
        "2024-04-01T09:00:00Z", "tenderUpdate", tender={"id": "t1", "tenderPeriod": {"endDate": "2024-05-15"}}
    )
    process = samples.process(samples.draft(), later)
    before = process.as_of("bids_in").tender_risk.structure_changes
    after = (
        override(process, {"tender_period_days": 90, "value": 5}, "bids_in")
        .as_of("bids_in")
        .tender_risk.structure_changes
    )
    assert before and after == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_fact_is_refused_before_its_stage(stage: str) -> None:
    for key, field in form.BY_KEY.items():
        if STAGES.index(field.stage) > STAGES.index(stage):  # type: ignore[arg-type]
            with pytest.raises(DataError, match=f"/{key}: known at {field.stage} only.*Score it at the stage"):
                override(to_process({"title": "x"}), {key: "1"}, stage)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_facts", "message"),
    [
        ({"lotz": 4}, "/lotz: there is no such fact to set. Did you mean lots?"),
        ({"qqqq": 4}, "/qqqq: there is no such fact to set. Use a key of the form, see docs/form.md"),
        ({"lots": "many"}, "/lots: expected a number, got 'many'"),
        ({"lots": 0}, "/lots: expected at least one lot, got 0"),
        ({"lots": ""}, "/lots: there is no value to set it to"),
        ({"advisers": " ; "}, "/advisers: there is no value to set it to"),
        ({"service_lines": 0}, "/service_lines: "),
        ({"published": "2024-02-31"}, "/published: "),
        ({"lots": 3, "lot_values": [1, 2]}, "/lot_values: 2 values for 3 lots"),
        ({"lots": 3, "single_block": "yes"}, "/single_block: 3 lots say otherwise"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_key(given_facts: Json, message: str) -> None:
    with pytest.raises(DataError) as refused:
        override(to_process({"title": "x"}), given_facts, "draft")
    assert str(refused.value).startswith(message)


def test_the_tender_itself_is_left_as_it_was() -> None:
    process = to_process(samples.draft())
    before = msgspec.json.encode([process.compiled(), process.document, process.as_of("draft")])
    for facts in ({"lots": 9, "value": 1, "cpv": "72000000"}, {"title": None, "buyer": None}):
        override(process, facts, "draft").as_of("awarded")
    assert msgspec.json.encode([process.compiled(), process.document, process.as_of("draft")]) == before


@each_key
@settings(max_examples=20)
@given(data=st.data())
def test_a_fact_that_is_taken_out_and_set_again_is_as_it_was(key: str, data: Any) -> None:
    process = to_process({"title": "x", **data.draw(beside(key)), key: (value := data.draw(VALUES[key]))})
    without = override(process, {key: None}, "awarded")
    assert without_nones(override(without, {key: value}, "awarded")) == without_nones(process)


@each_key
@settings(max_examples=20)
@given(data=st.data())
def test_what_was_not_stated_cannot_be_missed(key: str, data: Any) -> None:
    process = to_process({"title": "x", **data.draw(beside(key))})
    if key != "title":
        assert without_nones(override(process, {key: None}, "awarded")) == without_nones(process)


def test_a_fact_goes_from_every_place_that_states_it() -> None:
    release = samples.draft()
    release["tender"] |= {"numberOfTenderers": 2, "tenderers": [{"name": "One"}, {"name": "Two"}]}
    release["bids"] = {"statistics": [{"measure": "bids", "value": 2}]}
    release["tender"]["items"] = [{"classification": {"scheme": "CPV", "id": "85140000"}}] * 2
    left = override(to_process(release), {"bidders": None, "cpv": None, "buyer": None}, "bids_in").compiled()
    assert (left.tender.number_of_tenderers, left.tender.tenderers, left.buyer) == (None, (), None)
    assert left.bids and not left.bids.statistics
    assert [item.classification for item in left.tender.items] == [None, None]
    assert OTHER_PLACES.keys() <= BY_KEY.keys()


def test_what_the_value_of_each_lot_says_is_not_unknown() -> None:
    process = to_process({"title": "x", "lot_values": "5;7"})
    with pytest.raises(DataError, match="/lots: the value of each lot says how many there are"):
        override(process, {"lots": None}, "draft")
    assert not override(process, {"lots": None, "lot_values": None}, "draft").compiled().tender.lots
