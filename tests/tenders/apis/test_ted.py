"""Notices of TED become OCDS releases: what is told, and nothing that is not."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenders import outcomes
from tenders.apis import ted
from tenders.apis.api import Window
from tenders.errors import DataError
from tenders.io.read import to_processes

CALL: dict[str, Any] = {
    "publication-number": "712345-2026",
    "publication-date": "2026-11-02+01:00",
    "form-type": "competition",
    "procedure-identifier": "0f7a-1",
    "buyer-name": {"deu": ["Stadt A"], "eng": ["City of A"]},
    "buyer-identifier": ["DE-1"],
    "title-proc": {"eng": "School meals"},
    "description-proc": {"eng": "Meals for 40 schools"},
    "procedure-type": "open",
    "contract-nature": ["services"],
    "classification-cpv": ["55524000", "55520000", "55524000"],
    "estimated-value-proc": ["1200000.00"],
    "estimated-value-cur-proc": ["EUR"],
    "deadline-receipt-tender-date-lot": ["2026-12-01+01:00", "2026-12-04+01:00"],
    "contract-duration-start-date-lot": ["2027-02-01Z", "2027-01-01Z"],
    "contract-duration-end-date-lot": ["2030-01-31Z", "2029-12-31Z"],
    "identifier-lot": ["LOT-0001", "LOT-0002"],
    "title-lot": {"eng": ["North", "South"]},
    "estimated-value-lot": ["700000", "0"],
    "estimated-value-cur-lot": ["EUR", "EUR"],
}
RESULT: dict[str, Any] = {
    **CALL,
    "publication-number": "812345-2026",
    "form-type": "result",
    "result-lot-identifier": ["LOT-0001", "LOT-0002"],
    "winner-selection-status": ["selec-w", "clos-nw"],
    "winner-name": {"eng": ["Cook Ltd"]},
    "tender-value": ["650000"],
    "tender-value-cur": ["EUR"],
    "non-award-justification": ["no-rece"],
    "received-submissions-type-code": ["tenders", "t-sme", "tenders"],
    "received-submissions-type-val": ["3", "1", "0"],
}


def test_a_call_tells_what_is_bought_and_how() -> None:
    release = ted.release(CALL)
    assert (release["ocid"], release["id"], release["date"], release["tag"]) == (
        "ted-0f7a-1", "712345-2026", "2026-11-02", ["tender"],
    )  # fmt: skip
    assert release["buyer"] == {"id": "DE-1", "name": "City of A"}
    assert release["tender"] == {
        "id": "712345-2026",
        "title": "School meals",
        "description": "Meals for 40 schools",
        "datePublished": "2026-11-02",
        "procurementMethod": "open",
        "procurementMethodDetails": "open",
        "mainProcurementCategory": "services",
        "classification": {"scheme": "CPV", "id": "55524000"},
        "items": [
            {"id": "1", "classification": {"scheme": "CPV", "id": "55524000"}},
            {"id": "2", "classification": {"scheme": "CPV", "id": "55520000"}},
        ],
        "value": {"amount": 1_200_000.0, "currency": "EUR"},
        "tenderPeriod": {"startDate": "2026-11-02", "endDate": "2026-12-04"},
        "contractPeriod": {"startDate": "2027-01-01", "endDate": "2030-01-31"},
        "lots": [
            {"id": "LOT-0001", "title": "North", "value": {"amount": 700_000.0, "currency": "EUR"}},
            {"id": "LOT-0002", "title": "South"},
        ],
    }
    assert "awards" not in release
    assert "bids" not in release


def test_a_result_tells_how_each_lot_ended() -> None:
    release = ted.release(RESULT)
    assert release["awards"] == [
        {
            "id": "1",
            "relatedLots": ["LOT-0001"],
            "status": "active",
            "value": {"amount": 650_000.0, "currency": "EUR"},
            "suppliers": [{"name": "Cook Ltd"}],
        },
        {"id": "2", "relatedLots": ["LOT-0002"], "status": "unsuccessful", "statusDetails": "no-rece"},
    ]
    assert [(statistic["relatedLot"], statistic["value"]) for statistic in release["bids"]["statistics"]] == [
        ("LOT-0001", 3), ("LOT-0002", 0),
    ]  # fmt: skip
    assert "datePublished" not in release["tender"], "the day of a result is not the day of its call"


def test_call_and_result_are_one_process_whose_lots_ended_as_they_did() -> None:
    (process,) = to_processes({"releases": [ted.release(CALL), {**ted.release(RESULT), "date": "2027-01-05"}]})
    assert process.ocid == "ted-0f7a-1"
    ended = {outcome.lot: (outcome.no_award, outcome.single_bid) for outcome in outcomes.outcomes(process)}
    assert ended == {"LOT-0001": (False, False), "LOT-0002": (True, None)}


@pytest.mark.parametrize(
    ("changed", "awards"),
    [
        # Two won and one winner is named: of which lot is not told.
        ({"winner-selection-status": ["selec-w", "selec-w"]}, [("active", [{}]), ("active", [{}])]),
        ({"winner-selection-status": ["open-nw", "open-nw"]}, []),
        ({"winner-selection-status": "clos-nw", "result-lot-identifier": []}, [("unsuccessful", None)]),
    ],
)
def test_what_cannot_be_paired_is_left_out(changed: dict[str, Any], awards: list[Any]) -> None:
    read_awards = ted.release({**RESULT, **changed}).get("awards", [])
    assert [(award["status"], award.get("suppliers")) for award in read_awards] == awards


def test_amounts_of_nothing_are_unknown() -> None:
    release = ted.release({**CALL, "estimated-value-proc": ["-1"], "estimated-value-lot": ["0", "x"]})
    assert "value" not in release["tender"]
    assert all("value" not in lot for lot in release["tender"]["lots"])


def test_only_tenders_count_as_bids() -> None:
    release = ted.release({**RESULT, "received-submissions-type-code": ["part-req", "t-sme", "t-oth-eea"]})
    assert "bids" not in release


def test_no_more_cells_are_asked_for_than_are_answered() -> None:
    first, second = (ted.TED.request(Window.of(date(2026, 11, 2)), token).json for token in (None, "x"))
    assert first["query"] == "publication-date=20261102"
    assert first["limit"] * (len(first["fields"]) + 1) <= 10_000
    assert (first.get("iterationNextToken"), second["iterationNextToken"]) == (None, "x")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1", "2026-11-02Z", "selec-w", "eng"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["eng", "deu"]), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(notice=st.fixed_dictionaries({}, optional=dict.fromkeys(ted.FIELDS, ANY)))
def test_whatever_is_answered_becomes_a_release_that_is_read_or_refused(notice: dict[str, Any]) -> None:
    release = ted.release(notice)
    with suppress(DataError):
        to_processes(release)
