"""Facts that registers add: known at the draft, read without a warning, and part of what makes two tenders the same."""

from __future__ import annotations

import pytest

from tenders.errors import DataError
from tenders.facts import STAGES, Facts
from tests import samples

REGISTER = {"callNumber": 2, "codes": {"form_of_contract": "Item Rate"}}
TERMS = {
    "participationFees": [{"id": "1", "type": ["deposit"], "value": {"amount": 5.0, "currency": "INR"}}],
    "submissionTerms": {"bidValidityPeriod": {"durationInDays": 90}},
    "clarificationMeetings": [{"date": "2024-03-10"}],
}


def release() -> samples.Json:
    return samples.plain(**TERMS) | {"tenderRisk": REGISTER}


@pytest.mark.parametrize("stage", STAGES)
def test_they_are_known_from_the_draft(stage):
    tender = samples.process(release()).as_of(stage)
    assert tender.tender_risk == Facts(call_number=2, codes={"form_of_contract": "Item Rate"})
    fee = tender.tender.participation_fees[0]
    assert fee.type == ("deposit",)
    assert fee.value and fee.value.amount == 5.0
    assert tender.tender.submission_terms and tender.tender.submission_terms.bid_validity_period
    assert tender.tender.clarification_meetings[0].date == "2024-03-10"


def test_they_earn_no_warning():
    assert samples.process(release()).warnings == ()


def test_a_wrong_one_is_refused_at_its_place():
    for facts, path in (({"callNumber": 0}, "callNumber"), ({"codes": {"form": 7}}, "codes"), ({"codes": []}, "codes")):
        with pytest.raises(DataError, match=path):
            samples.process(samples.plain() | {"tenderRisk": facts}).compiled()


def test_tenders_with_codes_can_be_compared_and_hashed():
    one, same, other = (Facts(codes={"a": value}) for value in ("1", "1", "2"))
    assert one == same != other
    assert len({one, same, other}) == 2
