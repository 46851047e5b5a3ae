"""Attributes: what kind of tender this is, read at draft, as hashes that are the same in every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.track_records.attributes import (
    MOST_WORDS,
    NAMES,
    HashedAttributes,
    amount,
    content_words,
    hash_attributes,
    hashed,
    mixed,
    title_words,
    words,
)
from tenders import stages
from tenders.facts import STAGES
from tenders.io.read import to_process
from tenders.tender import Tender
from tests import samples
from tests.features import made


def alike(one_: HashedAttributes, other: HashedAttributes) -> bool:
    numbers = ("words", "start", "log_value", "window", "again")
    return one_.hashes.keys() == other.hashes.keys() and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in (
            *((getattr(one_, name), getattr(other, name)) for name in numbers),
            *((one_.hashes[name], other.hashes[name]) for name in one_.hashes),
        )
    )


def attribute(document: Any, name: str) -> int:
    """The hash of an attribute of a document's draft, 0 for unknown."""
    hashes = hash_attributes([to_process(document).as_of("draft")]).hashes
    return int(hashes[name][0]) if name in hashes else 0


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=40)
@given(data=st.data())
def test_no_fact_later_than_the_draft_is_read(stage: Any, data: Any) -> None:
    release = made.with_facts(data.draw(made.known_at(stage)), data.draw(made.later_than(stage)))
    tender = to_process(release).as_of("awarded")
    assert alike(hash_attributes([tender]), hash_attributes([stages.as_of(tender, "draft")]))


@settings(max_examples=50)
@given(data=st.data())
def test_tenders_are_described_in_company_as_alone(data: Any) -> None:
    tenders = [to_process(data.draw(made.known_at("draft"))).as_of("draft") for _ in range(3)]
    together = hash_attributes(tenders)
    for row, tender in enumerate(tenders):
        alone = hash_attributes([tender])
        for name, column in together.hashes.items():
            assert column[row] == (alone.hashes[name][0] if name in alone.hashes else 0), name
        assert np.array_equal(together.words[together.start[row] : together.start[row + 1]], alone.words)


def test_of_an_empty_tender_nothing_is_known() -> None:
    attributes = hash_attributes([Tender()])
    assert attributes.rows == 1 and not attributes.hashes and not len(attributes.words)
    assert np.isnan([attributes.log_value, attributes.window, attributes.again]).all()


def test_no_tenders_are_no_rows() -> None:
    assert hash_attributes([]).rows == 0


@pytest.mark.parametrize(
    ("document", "name", "text"),
    [
        (samples.draft(), "buyer", "GB-PPON-AAAA-1111-BBBB"),
        (samples.draft(), "name", "Example Integrated Care Board"),
        (samples.draft(), "unit", "GB-PPON-AAAA-1111-BBBB"),
        (samples.draft(), "kind", "services"),
        (samples.draft(), "method", "open"),
        (samples.draft(), "market", "85141200"),
        (samples.draft(), "group", "85141"),
        (samples.draft(), "branch", "851"),
        (samples.draft(), "sector", "85"),
        (samples.draft(), "month", "3"),
        (samples.draft(), "weekday", "4"),
        (samples.draft(), "window", "45"),
        (samples.draft(), "first", "north"),
        (samples.plain(), "opening", "community nursing"),
        (samples.plain(title="Repair of the old roof, phase 2"), "subject", "repair old roof"),
        (samples.plain(title="Repair of the old roof, phase 2"), "ending", "roof phase"),
        ({"tender": {}, "tenderRisk": {"retender": True}}, "again", "True|False"),
        ({"tender": {}, "tenderRisk": {"codes": {"topic": "9"}}}, "topic", "9"),
    ],
)
def test_an_attribute_is_the_text_that_it_is_kept_under(document: Any, name: str, text: str) -> None:
    assert attribute(document, name) == hashed(text) != 0


@pytest.mark.parametrize(
    ("ocid", "codes", "name", "text"),
    [
        ("sicoes_bo-1", {"tipo_de_contratacion": "Obras"}, "kind", "Obras"),
        ("sicoes_bo-1", {"subcall": "2"}, "again", "True|True"),
        ("sicoes_bo-1", {"subcall": "1"}, "again", "True|False"),
        ("placsp_es-1", {"contract_type": "Obras"}, "kind", "Obras"),
        ("placsp_es-1", {"buyer_type": "Local"}, "authority", "Local"),
        ("placsp_es-1", {"contracting_system": "No aplica"}, "form", "No aplica"),
        ("nicgep_in-1", {"form_of_contract": "Item Rate"}, "form", "Item Rate"),
        ("ted_de-1", {"cpv_group": "Works"}, "sector", "Works"),
        ("ted_de-1", {"price_weight": "60", "price_weight_flag": "1"}, "criteria", "60|1"),
        ("fpds_dod_us-1", {"vehicle": "N0018902D0037"}, "vehicle", "N0018902D0037"),
        ("own-1", {"kind": "roads"}, "kind", "roads"),
        (None, {"topic": "9"}, "topic", "9"),
    ],
)
def test_a_register_s_own_codes_are_read_as_attributes(ocid: str | None, codes: Any, name: str, text: str) -> None:
    document = {"ocid": ocid, "tender": {}, "tenderRisk": {"retender": True, "codes": codes}}
    assert attribute(document, name) == hashed(text)


def test_the_codes_of_one_register_mean_nothing_in_another() -> None:
    document = {"ocid": "dncp_py-1", "tender": {}, "tenderRisk": {"codes": {"tipo_de_contratacion": "Obras"}}}
    assert attribute(document, "kind") == 0


def test_every_attribute_can_be_known() -> None:
    code = dict.fromkeys(NAMES, "x")
    document = samples.plain(
        participationFees=[{"id": "1", "type": ["document"], "value": {"amount": 5, "currency": "GBP"}}],
        contractPeriod={"durationInDays": 90},
        awardCriteria="priceOnly",
        items=[
            {
                "id": "1",
                "classification": {"scheme": "CPV", "id": "85141200"},
                "deliveryAddresses": [{"region": "r", "locality": "l"}],
            }
        ],
    ) | {"tenderRisk": {"retender": False, "codes": code}}
    assert set(hash_attributes([to_process(document).as_of("draft")]).hashes) == set(NAMES)


def test_a_hash_is_the_same_in_every_run_and_never_that_of_nothing() -> None:
    assert hashed("road") == 15813664711587436501
    assert hashed(None) == 0 and hashed("") != 0


# Hashes of texts, not numbers made to collide; nothing said is the hash 0.
short_text = st.one_of(st.none(), st.text(max_size=8))
columns = st.lists(short_text, min_size=3, max_size=3).map(lambda n: np.array([hashed(text) for text in n], dtype=np.uint64))


@given(one_=columns, other=columns)
def test_a_mixture_is_unknown_where_a_part_is_and_tells_the_order_of_its_parts(one_: Any, other: Any) -> None:
    mixture = mixed(one_, other)
    unknown = (one_ == 0) | (other == 0)
    assert not mixture[unknown].any()
    apart = ~unknown & (one_ != other)
    assert (mixture[apart] != mixed(other, one_)[apart]).all()


@pytest.mark.parametrize(
    ("text", "expected", "meant"),
    [
        ("Réparation 2024 ÉCOLE", ("reparation", "ecole"), ["reparation", "ecole"]),
        ("Obras de la vía 12", ("obras", "de", "la", "via"), ["obras", "via"]),
        ("дорога №5", ("дорога", "no"), ["дорога"]),
        ("", (), []),
    ],
)
def test_words_have_no_accents_case_or_digits_and_content_no_function_words(
    text: str, expected: tuple[str, ...], meant: list[str]
) -> None:
    assert words(text) == expected
    assert content_words(text) == meant


def test_what_is_said_twice_is_read_once_and_not_without_end() -> None:
    twice = to_process({"tender": {"title": "Road works", "description": "Road works"}}).as_of("draft")
    assert list(title_words(twice)) == ["road", "works"]
    long = to_process({"tender": {"title": "road " * 500}}).as_of("draft")
    assert len(title_words(long)) == MOST_WORDS


def test_the_amount_is_the_lot_s_else_the_tender_s_else_the_budget_s() -> None:
    budget = {"planning": {"budget": {"amount": {"amount": 7, "currency": "EUR"}}}, "tender": {}}
    assert amount(to_process(samples.draft()).as_of("draft")) == 500_000
    assert amount(to_process(samples.plain()).as_of("draft")) == 900_000
    assert amount(to_process(budget).as_of("draft")) == 7
    assert amount(Tender()) is None
