"""Keys: spellings of a name meet, and a tender is learnt under all that it names by then."""

from __future__ import annotations

import pytest

from features.track_records.keys import adviser_keys, buyer_keys, keys_of, market_keys, supplier_keys
from tenders.io.read import to_process
from tenders.tender import Tender


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Cambridgeshire & Peterborough CCG", "cambridgeshire and peterborough ccg"),
        ("The Example Council", "Example"),
        ("ACME (UK) Ltd.", "Acme UK Limited"),
        ("NHS Shared Business Services", "Shared Business Services"),
    ],
)
def test_spellings_of_a_name_meet(name: str, other: str) -> None:
    assert buyer_keys(to_process({"buyer": name}).compiled()) == buyer_keys(to_process({"buyer": other}).compiled())


def test_a_name_of_nothing_but_legal_form_is_no_key() -> None:
    assert buyer_keys(to_process({"buyer": "The Council"}).compiled()) == ()


FULL = to_process(
    {
        "buyer": {"name": "A Council"},
        "tender": {
            "procuringEntity": {"name": "B"},
            "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "85140000"}}],
        },
        "awards": [{"id": "1", "suppliers": [{"name": "S Ltd"}]}],
        "tenderRisk": {"advisers": [{"name": "V LLP"}]},
    }
)


def test_a_case_is_learnt_under_buyer_adviser_market_and_supplier() -> None:
    tender = FULL.compiled()
    assert buyer_keys(tender) == ("buyer:a", "buyer:b")
    assert adviser_keys(tender) == ["adviser:v"]
    assert market_keys(tender) == ("market:851",)
    assert supplier_keys(tender) == ("supplier:s",)
    draft = ("buyer:a", "buyer:b", "adviser:v", "market:851", "adviser:v|market:851")
    assert keys_of(FULL.as_of("draft"), "draft") == draft
    assert keys_of(tender, "awarded") == (*draft, "supplier:s")


def test_an_empty_tender_has_no_key() -> None:
    assert keys_of(Tender(), "awarded") == ()


def test_a_party_whose_role_is_described_as_advising_is_an_adviser() -> None:
    parties = [
        {"id": "1", "name": "The Advice Ltd", "roles": ["buyer"], "roleDetails": "Procurement adviser to the lead"}
    ]
    tender = to_process(
        {"ocid": "x", "tender": {}, "parties": parties, "tenderRisk": {"advisers": [{"name": "Advice"}]}}
    ).as_of("draft")
    assert adviser_keys(tender) == ["adviser:advice"]
