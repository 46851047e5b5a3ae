"""TED: one offer is a single bid, and the quarter of the award is all that is known of time."""

from __future__ import annotations

from datetime import date

import pytest

from tests.tenders.registers.made import one, read, ted


@pytest.mark.parametrize(("offers", "single"), [(1, True), (2, False), (0, None), (None, None)])
def test_one_offer_is_a_single_bid(tmp_path, offers, single):
    case = one("ted_de", tmp_path, ted(offers))
    assert case.outcomes == {"single_bid": single}
    assert (case.known_on is None) == (single is None)


@pytest.mark.parametrize(
    ("quarter", "first", "last"),
    [(1, (1, 1), (3, 31)), (2, (4, 1), (6, 30)), (3, (7, 1), (9, 30)), (4, (10, 1), (12, 31)), (None, (1, 1), (12, 31)),
     (7, (1, 1), (12, 31))],
)  # fmt: skip
def test_no_result_of_a_quarter_is_known_within_it(tmp_path, quarter, first, last):
    case = one("ted_de", tmp_path, ted(AWARD_QUARTER=quarter))
    assert (case.published, case.known_on) == (date(2012, *first), date(2012, *last))
    assert case.tender.tender.date_published == "2012"


def test_the_draft_knows_nothing_of_offers_or_the_award(tmp_path):
    later = {"AWARD_VALUE_EURO": 1.0, "DAYS_TO_AWARD": 1, "DAYS_TO_AWARD_MISSING": 1, "AWARD_QUARTER": 1}
    draft, changed = (one("ted_de", tmp_path, row).as_of("draft") for row in (ted(), ted(1) | later))
    assert draft == changed


def test_facts(tmp_path):
    tender = one("ted_de", tmp_path, ted()).tender
    assert tender.tender.procurement_method == "open"
    assert tender.tender.main_procurement_category == "works"
    assert tender.tender.award_criteria == "ratedCriteria"
    assert one("ted_de", tmp_path, ted(CRIT_PRICE_WEIGHT=100)).tender.tender.award_criteria == "priceOnly"
    assert tender.tender_risk.codes == {
        "price_weight": "60", "price_weight_flag": "1", "cpv_group": "Works", "authority": "Ministry", "topic": "Lots",
    }  # fmt: skip


def test_neighbours_that_the_call_cannot_tell_apart_share_their_fate(tmp_path):
    rows = [ted(1), ted(4) | {"AWARD_VALUE_EURO": 5.0}, ted(1, CRIT_PRICE_WEIGHT=100), ted(1)]
    first, second, other, again = (case.cluster_id for case in read("ted_de", tmp_path, *rows).cases)
    assert first == second
    assert len({first, other, again}) == 3
