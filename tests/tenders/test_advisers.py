"""An adviser is read off a notice where something tells of one, with its place; and where it is in doubt there is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.advisers import find_advisers
from tenders.io.read import to_processes
from tenders.tender import Tender

BUYER = {"id": "b", "name": "Leeds City Council", "roles": ["buyer"], "contactPoint": {"email": "buy@leeds.gov.uk"}}
FIRM = "Kestrel Partners LLP"


def party(name: str = FIRM, *roles: str, mail: str | None = None, **more: Any) -> dict[str, Any]:
    contact = {"contactPoint": {"email": mail}} if mail else {}
    return {"id": name, "name": name, "roles": list(roles), **contact, **more}


def advisers_of(*parties: dict[str, Any], **tender: Any) -> list[tuple[str, str]]:
    document = {
        "ocid": "x",
        "buyer": {"id": "b", "name": BUYER["name"]},
        "parties": [BUYER, *parties],
        "tender": tender,
    }
    (process,) = to_processes(document)
    return [(adviser.name, adviser.path) for adviser in find_advisers(process.compiled())]


@pytest.mark.parametrize(
    ("one", "tender", "path"),
    [
        (party(FIRM, "processContactPoint", roleDetails="Procurement adviser"), {}, "/parties/1/roleDetails"),
        (party(FIRM, roleDetails="Technical consultant to the authority"), {}, "/parties/1/roleDetails"),
        (party(FIRM, "procuringEntity", roleDetails="Acting for the Council"), {}, "/parties/1/roleDetails"),
        (party(FIRM, "processContactPoint", mail="x@kestrel.example"), {}, "/parties/1/contactPoint/email"),
        (party(FIRM, "procuringEntity", mail="x@kestrel.example"), {}, "/parties/1/contactPoint/email"),
        (party(FIRM, "procuringEntity"), {"description": f"{FIRM} runs this on behalf of the Council."},
         "/tender/description"),
        (party("NHS Arden and GEM CSU", "procuringEntity"), {}, "/parties/1/roles"),
        (party("Strategic Projects Team", "processContactPoint", mail="x@nhs.net"), {}, "/parties/1/roles"),
    ],
)  # fmt: skip
def test_where_an_adviser_shows(one: dict[str, Any], tender: dict[str, Any], path: str) -> None:
    assert advisers_of(one, **tender) == [(one["name"], path)]


@pytest.mark.parametrize(
    ("one", "tender"),
    [
        # The buyer's own unit, by name or by mail.
        (party("Leeds City Council Procurement", "procuringEntity", mail="x@elsewhere.example"), {}),
        (party(FIRM, "procuringEntity", mail="tenders@leeds.gov.uk"), {}),
        # A domain that serves many tells nothing, and neither does none.
        (party(FIRM, "processContactPoint", mail="kestrel@nhs.net"), {}),
        (party(FIRM, "processContactPoint"), {}),
        # A supplier, a bidder, a court, a purchasing body.
        (party(FIRM, "supplier", roleDetails="Consultancy services"), {}),
        (party(FIRM, "tenderer", mail="x@kestrel.example"), {}),
        (party("High Court", "reviewBody", mail="x@courts.example"), {}),
        (party("Crown Commercial Service", "centralPurchasingBody", "procuringEntity", mail="x@ccs.example"), {}),
        # The wording names somebody who is no party, or comes after, or in another sentence.
        (party(FIRM, "procuringEntity"), {"description": "Ada acts on behalf of the Council."}),
        (party(FIRM, "procuringEntity"), {"description": f"Bought on behalf of {FIRM}."}),
        (party(FIRM, "procuringEntity"), {"description": f"{FIRM} is a party. The Council acts on behalf of others."}),
        # It may be buying too.
        (party("York City Council", "procuringEntity", mail="x@york.gov.uk"), {}),
        (party(FIRM, "funder", mail="x@kestrel.example"), {}),
    ],
)
def test_where_it_is_in_doubt_there_is_none(one: dict[str, Any], tender: dict[str, Any]) -> None:
    assert advisers_of(one, **tender) == []


def test_a_unit_that_runs_the_procedure_is_one_without_being_a_party() -> None:
    document = {"ocid": "x", "buyer": {"name": "Leeds CCG"}, "tender": {"procuringEntity": {"name": "NHS NEL CSU"}}}
    (process,) = to_processes(document)
    (adviser,) = find_advisers(process.compiled())
    assert (adviser.name, adviser.path) == ("NHS NEL CSU", "/tender/procuringEntity")


def test_one_adviser_is_named_once_at_its_first_place() -> None:
    spt = party("NHS Strategic Projects Team", "procuringEntity", roleDetails="Advises the Council")
    csu = party("GEM CSU", "processContactPoint", mail="x@gemcsu.nhs.uk")
    assert advisers_of(spt, csu) == [("NHS Strategic Projects Team", "/parties/1/roleDetails")]


def test_it_says_where_and_why() -> None:
    (process,) = to_processes({"ocid": "x", "parties": [BUYER, party(FIRM, roleDetails="Adviser")], "tender": {}})
    (adviser,) = find_advisers(process.compiled())
    assert str(adviser) == (
        "/parties/1/roleDetails: Kestrel Partners LLP is taken for an adviser: its role is described as advising"
    )


def test_a_role_that_comes_later_is_not_read() -> None:
    (process,) = to_processes(
        {"ocid": "x", "parties": [BUYER, party(FIRM, "contact", roleDetails="Adviser")], "tender": {}}
    )
    assert find_advisers(process.compiled(), frozenset({"contact"})) == ()


ROLES = st.lists(
    st.sampled_from(["buyer", "supplier", "procuringEntity", "processContactPoint", "tenderer"]), unique=True
)
TEXTS = st.none() | st.sampled_from(["Adviser", "on behalf of", "x@a.example", "Leeds City Council", "", "CSU"])


@given(
    parties=st.lists(
        st.fixed_dictionaries({"id": TEXTS, "name": TEXTS, "roles": ROLES, "roleDetails": TEXTS}), max_size=4
    ),
    text=TEXTS,
)
def test_whoever_only_supplies_or_bids_is_none(parties: list[dict[str, Any]], text: str | None) -> None:
    document = {"buyer": {"name": "B"}, "parties": parties, "tender": {"description": text}}
    tender = msgspec.convert(document, Tender)
    for adviser in find_advisers(tender):
        assert adviser.name
        assert any(
            party.name == adviser.name and not (party.roles and set(party.roles) <= {"supplier", "tenderer"})
            for party in tender.parties
        )
