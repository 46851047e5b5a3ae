"""Facts are found in the text of a draft, each with its sentence; the form reads every value; nothing else is taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.io.form import BY_KEY, parse_field
from tenders.io.prose import _READERS, _rules, found_facts

DRAFT = """Title: Community health services for Example County

NHS Example Integrated Care Board (the ICB) intends to buy community nursing. The contract has an estimated total value of £120m
over its life. It will run for an initial term of 7 years, with an option to extend for 3 years.
The services will not be divided into lots. Bidders will have 30 days to respond. The deadline for tenders is 11 January 2027 at noon.
The contract will start on 1 April 2027. CPV code: 85323000-9. Market engagement was held in June. TUPE is not expected to apply.
Payment by results will apply from year two. The ICB will use the competitive process under the Provider Selection Regime.
A parent company guarantee is required. The service is currently provided by Example Healthcare Trust.
"""
FACTS = {
    "title": "Community health services for Example County", "buyer": "NHS Example Integrated Care Board",
    "value": 120e6, "term_years": 7, "lots": 1, "single_block": True, "tender_period_days": 30, "tender_end": "2027-01-11",
    "contract_start": "2027-04-01", "cpv": "85323000", "market_engagement": True, "staff_transfer": False,
    "outcome_based_payment": True, "procurement_method_details": "competitive process", "procurement_method": "selective",
    "parent_guarantee_required": True, "incumbents": ["Example Healthcare Trust"],
}  # fmt: skip


def read(text: str) -> dict[str, object]:
    return {fact.key: parse_field(BY_KEY[fact.key], fact.value) for fact in found_facts(text)}


def test_the_facts_of_a_draft_are_found_with_the_sentence_that_states_each() -> None:
    assert read(DRAFT) == FACTS
    for fact in found_facts(DRAFT):
        assert fact.sentence in " ".join(DRAFT.split())


@pytest.mark.parametrize(
    ("sentence", "facts"),
    [
        ("The requirement is split into three lots.", {"lots": 3}),
        ("A single contract for all services: it is let as one lot.", {"lots": 1, "single_block": True}),
        ("The annual budget is £5m per year.", {}),
        ("We will award directly to the incumbent.", {"procurement_method": "direct"}),
        ("There will be no framework agreement.", {}),
        ("This is not an open procedure.", {}),
        ("No market engagement took place.", {"market_engagement": False}),
        ("Tenders must be returned by 3/2/2027.", {"tender_end": "2027-02-03"}),
        ("The contract lasts eighteen months.", {}),
        ("The contract lasts 18 months.", {"term_years": 1.5}),
        ("Nothing here is a fact of a tender.", {}),
    ],
)
def test_one_sentence(sentence: str, facts: dict[str, object]) -> None:
    stated = read(sentence)
    assert {key: stated.get(key) for key in facts} == facts
    assert facts or not stated or set(stated) == {"procurement_method_details"}


def test_of_a_fact_that_is_stated_twice_the_first_counts() -> None:
    assert read("The budget is £5m. Last time the value was £3m.") == {"value": 5e6}


def alphabet() -> Iterator[str]:
    yield from ("£120m ", "lots. ", "not ", "7 years ", "NHS Example ICB ", "1 May 2027 ", "\n", "(", "contract value ")


@given(st.lists(st.one_of(st.sampled_from(sorted(alphabet())), st.text(max_size=9)), max_size=30).map("".join))
def test_whatever_is_pasted_the_form_reads_what_is_found(text: str) -> None:
    for fact in found_facts(text):
        assert fact.key in BY_KEY and fact.sentence
        if fact.key != "tender_end" and BY_KEY[fact.key].kind != "date":
            parse_field(BY_KEY[fact.key], fact.value)


def test_every_rule_names_a_key_of_the_form_and_a_way_to_read_it() -> None:
    for rule, _ in _rules():
        assert rule.key in BY_KEY and rule.read in {*_READERS, "always", "unless_negated"}
        assert bool(rule.value) is (rule.read in ("always", "unless_negated"))
