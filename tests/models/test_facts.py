"""Real misreadings, made small: facts and defaults are read right, and what is not used is named in a warning.

Each test runs over an input that it makes itself, and over that of the same name in ../shared/cases, where it is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.catalogue import catalogue
from features.table_builder import one_row
from models.bundle import Bundle
from models.score import Score, case, score
from tenders.errors import StageError
from tenders.facts import Stage
from tenders.io.read import to_processes
from tenders.process import Process

Json = dict[str, Any]
SHARED = Path(__file__).parents[3] / "shared" / "cases"


def over(name: str, made: Any) -> pytest.MarkDecorator:
    """Runs a test over the document that it makes, and over the shared one of a name."""
    file = SHARED / f"{name}.json"
    is_there = pytest.mark.skipif(not file.is_file(), reason=f"{file} is not here")
    shared = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return pytest.mark.parametrize(
        "document", [pytest.param(made, id="made"), pytest.param(shared, id="shared", marks=is_there)]
    )


def release(ocid: str = "ocds-h6vhtk-0a0001", **sections: Any) -> Json:
    """A notice of one buyer."""
    buyer = {"id": "B", "name": "Borough Council"}
    made = {"id": "1", "date": "2026-02-02T09:00:00Z", "tag": ["tender"], "buyer": buyer, "tender": {"id": "T"}}
    return {"ocid": ocid, **made, "parties": [{**buyer, "roles": ["buyer"]}], **sections}


def tender(**fields: Any) -> Json:
    """A notice whose tender has these fields."""
    return release(tender={"id": "T", "title": "Meals", **fields})


def fact(name: str, process: Process, stage: Stage) -> float | None:
    """The value of a feature."""
    value = float(catalogue()[name].measure(one_row(process.as_of(stage), stage))[0])
    return None if value != value else value


def scores(bundle: Bundle, document: Any, stage: Stage | None = None) -> list[Score]:
    """The score of each tender in a document, without reasons."""
    return [score(bundle, process, stage, explain=False) for process in to_processes(document)]


def warned(warnings: tuple[str, ...], *words: str) -> bool:
    """Whether one warning has all of these words."""
    return any(all(word in warning for word in words) for warning in warnings)


FOREIGN = [
    release("ted-1f00-9", tender={"title": "Roads", "value": {"amount": 3e6, "currency": "EUR"}}),
    release("ocds-be6bcu-UA-2026-1", tender={"title": "Roads", "value": {"amount": 3e6, "currency": "UAH"}}),
    release("ocds-k50g02-CO1", tender={"title": "Roads"}),
    release("ocds-03ad3f-9", tender={"title": "Roads"}),
]


@over("foreign_scored_as_uk", FOREIGN)
def test_an_ocid_that_no_learnt_register_owns_goes_to_any_and_says_so(bundle: Bundle, document: Any) -> None:
    for result in scores(bundle, document):
        assert result.register == "any"
        assert "UK cases" not in result.evidence
        assert warned(result.warnings, "/ocid", "no known register")


def test_a_form_and_the_publishers_of_the_uk_stay_with_the_uk(bundle: Bundle) -> None:
    (form,) = scores(bundle, {"title": "Meals", "value": 2e6})
    own = [f"{prefix}-1" for prefix in ("ocds-h6vhtk", "ocds-b5fd17", "ocds-r6ebe6", "ocds-kuma6s", "casebook")]
    for result in (form, *(scores(bundle, release(ocid))[0] for ocid in own)):
        assert result.register == "uk"
        assert not warned(result.warnings, "/ocid")


AWARDED = {"id": "A", "status": "active", "date": "2025-05-05", "suppliers": [{"id": "S", "name": "Motors Ltd"}]}
NO_COUNT = release(tag=["compiled"], tender={"title": "Vans", "numberOfTenderers": 0}, awards=[AWARDED])


@over("bid_count_zero_default", NO_COUNT)
def test_no_bids_beside_an_award_in_force_is_no_count(bundle: Bundle, document: Any) -> None:
    (process,) = to_processes(document)
    for stage in ("bids_in", "awarded"):
        assert fact("bidders", process, stage) is None
        assert fact("single_bidder", process, stage) is None
        (result,) = scores(bundle, document, stage)
        assert result.failure < 1
        assert warned(result.warnings, "/tender/numberOfTenderers", "0 beside an award")


@over(
    "fts_cpv_only_on_items",
    tender(items=[{"id": "1", "additionalClassifications": [{"scheme": "CPV", "id": "85100000"}]}]),
)
def test_the_market_is_known_from_the_codes_of_items(document: Any) -> None:
    (process,) = to_processes(document)
    table = one_row(process.as_of("draft"), "draft")
    assert table.text("cpv_codes").rows() == [("85100000",)]
    assert table.text("cpv").rows() == ["85100000"]


SEVEN_DAYS = tender(tenderPeriod={"endDate": "2026-02-09T12:00:00Z"})
COMPILED = {
    **SEVEN_DAYS,
    "tag": ["compiled"],
    "date": "2026-03-03T09:00:00Z",
    "tender": {
        **SEVEN_DAYS["tender"],
        "documents": [{"id": "1", "noticeType": "UK4", "datePublished": "2026-02-02T09:00:00Z"}],
    },
}


@pytest.mark.parametrize("made", [SEVEN_DAYS, COMPILED], ids=["release", "compiled"])
def test_the_day_of_the_notice_is_the_day_of_publication(made: Json) -> None:
    (process,) = to_processes(made)
    assert fact("tender_period_days", process, "draft") == 7


@over("fts_no_date_published", SEVEN_DAYS)
def test_seven_days_to_bid_are_counted_from_the_notice(document: Any) -> None:
    (process,) = to_processes(document)
    assert fact("tender_period_days", process, "draft") == 7


def test_of_several_releases_the_one_tagged_tender_is_the_notice() -> None:
    plan = release(tag=["planning"], id="0", date="2026-01-01T09:00:00Z", tender={"id": "T", "title": "Meals"})
    award = release(tag=["award"], id="2", date="2026-03-01T09:00:00Z", tender={"id": "T"}, awards=[AWARDED])
    (process,) = to_processes({"releases": [award, SEVEN_DAYS, plan]})
    assert [fact("tender_period_days", process, stage) for stage in ("draft", "awarded")] == [7, 7]


AGREED = release(
    tag=["award", "contract"],
    tender={"title": "Research", "lots": [{"id": "1"}]},
    awards=[
        {
            **AWARDED,
            "date": "2026-03-01",
            "relatedLots": ["1"],
            "value": {"amount": 900_000_000, "currency": "GBP"},
            "contractPeriod": {"startDate": "2026-03-16", "endDate": "2036-03-15"},
        }
    ],
)


@over("award_period_unread", AGREED)
def test_term_value_and_start_are_read_of_the_award_once_there_is_one(document: Any) -> None:
    (process,) = to_processes(document)
    assert fact("mobilisation_days", process, "awarded") == 15
    assert fact("term_years", process, "awarded") == pytest.approx(10, abs=0.01)
    assert fact("value_gbp", process, "awarded") == 900_000_000
    assert fact("long_large_block", process, "awarded") == 1
    for name in ("term_years", "value_gbp", "long_large_block"):
        assert fact(name, process, "draft") is None


def test_what_contracts_state_comes_before_what_awards_state() -> None:
    contract = {
        "id": "C",
        "awardID": "A",
        "value": {"amount": 5e6, "currency": "GBP"},
        "period": {"startDate": "2026-04-01", "durationInMonths": 24},
    }
    (process,) = to_processes({**AGREED, "contracts": [contract]})
    assert fact("term_years", process, "awarded") == pytest.approx(2, abs=0.01)
    assert fact("mobilisation_days", process, "awarded") == 31
    (process,) = to_processes({**AGREED, "awards": [AWARDED], "contracts": [contract]})
    assert fact("value_gbp", process, "awarded") == 5e6


EMPTY_DATES = [
    tender(tenderPeriod={"startDate": "1970-01-01T00:00:00Z", "endDate": "2026-03-01"}),
    tender(contractPeriod={"startDate": "1900-01-01", "endDate": "2029-03-31"}),
    tender(tenderPeriod={"startDate": "2026-02-02", "endDate": "2070-01-01"}),
    tender(tenderPeriod={"startDate": "0001-01-01T00:00:00", "endDate": "2026-03-01"}),
    tender(contractPeriod={"startDate": "2026-06-01", "endDate": "9999-12-31"}),
]


@over("sentinel_dates", EMPTY_DATES)
def test_dates_that_systems_write_for_none_are_unknown(bundle: Bundle, document: Any) -> None:
    for process in to_processes(document):
        assert fact("tender_period_days", process, "draft") is None
        assert fact("term_years", process, "draft") is None
        warnings = case(bundle, process).warnings
        assert warned(warnings, "Period/", "is what systems write for no date")


LIMITED = [
    tender(procurementMethod="limited", numberOfTenderers=1),
    tender(procurementMethod="Open", numberOfTenderers=1),
]


@over("limited_is_not_direct", LIMITED)
def test_limited_is_not_direct_and_a_word_outside_the_list_is_unknown(bundle: Bundle, document: Any) -> None:
    limited, word = to_processes(document)
    for process in (limited, word):
        assert fact("direct_award", process, "bids_in") is None
        assert fact("single_bidder_in_competition", process, "bids_in") is None
    assert fact("open_procedure", limited, "bids_in") == 0
    assert fact("open_procedure", word, "bids_in") is None
    assert warned(case(bundle, word).warnings, "/tender/procurementMethod", "'Open'")


CANCELLED = {
    "releases": [
        tender(lots=[{"id": "1", "status": "active"}]),
        release(
            id="2",
            date="2026-04-10T10:00:00Z",
            tag=["tenderCancellation"],
            tender={"id": "T", "status": "cancelled", "lots": [{"id": "1", "status": "cancelled"}]},
        ),
    ]
}


@over("already_cancelled", CANCELLED)
def test_a_tender_that_has_ended_is_no_forecast(bundle: Bundle, document: Any) -> None:
    for stage in (None, "draft"):
        (result,) = scores(bundle, document, stage)
        assert warned(result.warnings, "/releases/1/", "cancelled on 2026-04-10", "no forecast")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (release(tag=["compiled"], tender={"status": "unsuccessful"}), "it found no supplier"),
        (release(tag=["tenderUpdate"], tender={"finalStatus": "cancelled"}), "it was cancelled"),
        (release(tender={"title": "Meals", "lots": [{"id": "1", "status": "cancelled"}]}), "it was cancelled"),
        (
            tender(description="The authority has decided to abandon this provider selection process."),
            "it was abandoned",
        ),
    ],
)
def test_whatever_says_that_it_has_ended(bundle: Bundle, made: Json, words: str) -> None:
    (result,) = scores(bundle, made)
    assert warned(result.warnings, words, "no forecast")


def test_a_tender_that_is_open_has_not_ended(bundle: Bundle) -> None:
    lost = {"id": "A1", "status": "unsuccessful", "relatedLots": ["1"], "suppliers": [{"id": "S1", "name": "Lost Ltd"}]}
    opened = {"title": "Gloves", "status": "active", "lots": [{"id": "1", "status": "active"}]}
    for document in (tender(status="active"), release(tag=["award"], tender=opened, awards=[lost])):
        (result,) = scores(bundle, document)
        assert not warned(result.warnings, "no forecast")


PENDING = release(
    tag=["award"],
    tender={"title": "Pools", "status": "active", "procurementMethod": "direct"},
    awards=[{"id": "1", "status": "pending", "suppliers": [{"id": "S", "name": "Pools Ltd"}]}],
)
STANDSTILL = {
    **PENDING,
    "awards": [{**AWARDED, "date": "2026-02-01", "standstillPeriod": {"endDate": "2026-02-12T23:59:59Z"}}],
}


@pytest.mark.parametrize("made", [PENDING, STANDSTILL], ids=["pending", "standstill"])
def test_an_award_that_is_not_made_yet_may_still_fail(bundle: Bundle, made: Json) -> None:
    (result,) = scores(bundle, made)
    assert (result.stage, result.outcomes.no_award > 0) == ("bids_in", True)
    assert warned(result.warnings, "/awards/0/", "pending or in its standstill")


@over("pending_award_is_no_award_yet", {"releases": [PENDING]})
def test_a_pending_award_is_no_award_yet(bundle: Bundle, document: Any) -> None:
    (result,) = scores(bundle, document)
    assert result.outcomes.no_award > 0
    assert warned(result.warnings, "/releases/0/awards/0/status")
    with pytest.raises(StageError):
        scores(bundle, document, "awarded")


def test_once_a_contract_is_signed_the_award_is_made(bundle: Bundle) -> None:
    (result,) = scores(bundle, {**STANDSTILL, "contracts": [{"id": "C", "awardID": "A", "status": "active"}]})
    assert (result.stage, result.outcomes.no_award) == ("awarded", 0)


@over("same_tenderer_twice", tender(tenderers=[{"id": 7, "name": "A Ltd"}, {"id": "7", "name": "A Limited"}]))
def test_a_bidder_that_is_listed_twice_is_one(document: Any) -> None:
    (process,) = to_processes(document)
    assert fact("bidders", process, "bids_in") == 1
    assert fact("single_bidder", process, "bids_in") == 1


JOINT = release(parties=[{"id": "B", "name": "Borough Council", "roles": ["buyer"]}, {"id": "C", "roles": ["buyer"]}])


@over("two_buyers_one_lead", JOINT)
def test_several_buyers_are_scored_with_their_lead(bundle: Bundle, document: Any) -> None:
    (result,) = scores(bundle, document)
    lead = document["buyer"]["name"]
    assert warned(result.warnings, "/parties/1/roles", lead)


def test_without_a_lead_the_first_buyer_is_taken(bundle: Bundle) -> None:
    made = {name: value for name, value in JOINT.items() if name != "buyer"}
    (process,) = to_processes(made)
    assert process.as_of("draft").buyer
    assert warned(case(bundle, process).warnings, "/parties/1/roles", "Borough Council")


@over("addresses_as_object", tender(items=[{"id": "1", "deliveryAddresses": {"7": {"region": "UKC"}}}]))
def test_an_array_that_is_written_as_an_object_is_read(bundle: Bundle, document: Any) -> None:
    (process,) = to_processes(document)
    warnings = case(bundle, process).warnings
    assert one_row(process.as_of("draft"), "draft").text("region").rows()[0] in ("UK", "UKC")
    assert warned(warnings, "/tender/items/0/deliveryAddresses", "entries")
    assert len(warnings) == 1


@over("quantity_as_text", tender(items=[{"id": "1", "quantity": "2"}], numberOfTenderers=3.0))
def test_an_odd_value_in_a_field_that_nothing_reads_is_left_out(bundle: Bundle, document: Any) -> None:
    (process,) = to_processes(document)
    assert fact("bidders", process, "bids_in") == 3
    assert warned(case(bundle, process).warnings, "/tender/items/0/quantity", "left out")


VERSIONED = {
    "ocid": "ocds-h6vhtk-13",
    "id": "v",
    "date": "2024-01-01T00:00:00Z",
    "tag": ["compiled"],
    "tender": {
        "title": [{"releaseID": "1", "releaseDate": "2024-01-01T00:00:00Z", "releaseTag": ["tender"], "value": "Road"}]
    },
}


@over("versioned_with_plain_tag", {"records": [{"ocid": "ocds-h6vhtk-13", "versionedRelease": VERSIONED}]})
def test_a_versioned_release_may_have_a_date_and_tag_of_its_own(bundle: Bundle, document: Any) -> None:
    (process,) = to_processes(document)
    assert process.as_of("draft").tender.title == "Road"
    assert not warned(case(bundle, process).warnings, "versions")


def test_a_field_without_versions_counts_as_stated_last(bundle: Bundle) -> None:
    made = {**VERSIONED, "tender": {**VERSIONED["tender"], "procurementMethod": "open"}}
    (process,) = to_processes({"records": [{"ocid": "ocds-h6vhtk-13", "versionedRelease": made}]})
    assert process.compiled().tender.procurement_method == "open"
    assert warned(case(bundle, process).warnings, "/tender/procurementMethod", "no versions")


def used_twice() -> Json:
    """Two awards under one ocid."""
    one = release(id="1", tag=["award"], tender={"id": "T1", "title": "Pipes"}, awards=[AWARDED])
    buyer = {"id": "B2", "name": "Power Grid"}
    other = release(id="2", date="2026-02-09T09:00:00Z", tag=["award"], awards=[{**AWARDED, "id": "A2"}])
    other |= {"buyer": buyer, "parties": [{**buyer, "roles": ["buyer"]}], "tender": {"id": "T2", "title": "Breakers"}}
    return {"releases": [one, other]}


@over("reused_ocid", used_twice())
def test_an_ocid_that_is_used_twice_is_two_tenders(bundle: Bundle, document: Any) -> None:
    first, second = to_processes(document)
    assert first.compiled().buyer != second.compiled().buyer
    for process in (first, second):
        assert warned(case(bundle, process).warnings, "/ocid", "2 procurements of different buyers share it")


LOT = {
    "id": "LOT-0001",
    "tenderPeriod": {"endDate": "2026-03-04T12:00:00Z"},
    "techniques": {"hasFrameworkAgreement": True},
    "submissionTerms": {"bidValidityPeriod": {"durationInDays": 120}},
    "awardCriteria": {"criteria": [{"type": "price", "name": "Price"}]},
    "contractPeriod": {"durationInDays": 730},
    "value": {"amount": 2e6, "currency": "EUR"},
}
EFORMS = release(
    "ocds-pyfy63-ab12",
    parties=[{"id": "B", "name": "Kommune", "roles": ["buyer"]}, {"id": "C", "name": "Fylke", "roles": ["buyer"]}],
    tender={"id": "T", "title": "Roads", "lots": [LOT, {**LOT, "id": "LOT-0002"}]},
)


def test_ocds_for_eforms_states_its_facts_on_the_lots(bundle: Bundle) -> None:
    (process,) = to_processes(EFORMS)
    expected = {
        "tender_period_days": 30,
        "framework": 1,
        "bid_validity_days": 120,
        "price_only": 1,
        "lot_count": 2,
        "term_years": pytest.approx(2, abs=0.01),
    }
    assert {name: fact(name, process, "draft") for name in expected} == expected
    (result,) = scores(bundle, EFORMS)
    assert result.register == "any"
    assert warned(result.warnings, "/parties/1/roles", "Borough Council")


Change = Callable[[Json], None]


@pytest.mark.parametrize(
    ("section", "restated"),
    [
        ({"tenderPeriod": {"endDate": "2026-03-01T12:00:00Z"}}, {"tenderPeriod": {"endDate": "2026-03-01T13:00:00+01:00"}}),
        ({"tenderPeriod": {"endDate": "2026-03-01"}}, {"tenderPeriod": {"endDate": "2026-03-01T12:00:00Z"}}),
        ({"value": {"amount": 100, "currency": "GBP"}}, {"value": {"amount": 100.0, "amountGross": 120, "currency": "GBP"}}),
        ({"value": {"amountGross": 120, "currency": "GBP"}}, {"value": {"amount": 100, "currency": "GBP"}}),
        ({"lots": [{"id": 1, "status": "planned"}]}, {"lots": [{"id": "1", "status": "active"}]}),
        ({"title": "Meals  at home"}, {"title": "Meals at home "}),
        ({"lots": [{"id": "1"}, {"id": "2"}]}, {"lots": [{"id": "2", "title": "North"}]}),
        ({"value": {"amount": 5e6, "currency": "GBP"}}, {"value": {"amount": 0.01, "currency": "GBP"}}),
    ],
)  # fmt: skip
def test_a_restatement_is_no_change(section: Json, restated: Json) -> None:
    update = release(id="2", date="2026-02-09T09:00:00Z", tag=["tenderUpdate"], tender={"id": "T", **restated})
    (process,) = to_processes({"releases": [tender(**section), update]})
    assert fact("structure_changes", process, "bids_in") == 0
    assert len(process.compiled().tender.lots) == len(section.get("lots", ()))
