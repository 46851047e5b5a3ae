"""Tenders that hypothesis makes: any mixture of known and unknown facts that the reader accepts."""

from __future__ import annotations

import math
from datetime import date
from typing import Any, get_args

from hypothesis import strategies as st

from features.categorical import Categorical
from features.feature import Feature
from features.table import TrackRecords
from features.table_builder import one_row
from features.track_records.case_records import CaseHistory, CaseRecords, ResolvedCase
from tenders.facts import STAGES, IncumbentKind, Stage, Touches, Vehicle
from tenders.io.ocds import to_tender
from tenders.stages import has_reached
from tenders.tender import Tender

Json = dict[str, Any]

words = st.text("abc Integrated and NHS 2023/1348 open", max_size=30)
titles = st.one_of(words, st.text("road 123 \u00b2\u0663", max_size=30))
yes_no = st.booleans()
fees = st.sampled_from(["deposit", "document", "submission"])
numbers = st.sampled_from(["0", "2", "30", "97.5", "100", "101", "-1", "1e400", "nan", "two", ""])
amounts = st.one_of(st.just(0), st.integers(1, 10**18), st.floats(0, 1e18))
days = st.dates(date(1999, 1, 1), date(2027, 12, 31)).map(date.isoformat)
dates = st.one_of(days, days.map(lambda text: text[:7]), days.map(lambda text: text[:4]))
ids = st.sampled_from(["1", "2", "3", "4"])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object in which each field may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


def distinct(part: st.SearchStrategy[Json], most: int = 4) -> st.SearchStrategy[list[Json]]:
    """Objects with ids of their own."""
    return st.lists(part, max_size=most).map(lambda parts: [{**entry, "id": str(i)} for i, entry in enumerate(parts)])


values = some(amount=amounts, currency=st.sampled_from(["GBP", "EUR", "USD", "JPY"]))
periods = some(startDate=dates, endDate=dates, durationInDays=st.floats(0, 1e6))
organisations = some(id=ids, name=words)
criteria = some(criteria=st.lists(some(type=st.sampled_from(["price", "cost", "quality"])), max_size=3))
classifications = some(
    scheme=st.sampled_from(["CPV", "UNSPSC"]), id=st.sampled_from(["85140000", "72000000", "8", "", "0", "03"])
)

procedures = some(
    title=titles,
    description=words,
    datePublished=dates,
    value=values,
    procurementMethod=st.sampled_from(["open", "selective", "limited", "direct", "other"]),
    procurementMethodDetails=words,
    awardCriteria=st.one_of(st.sampled_from(["priceOnly", "ratedCriteria"]), criteria),
    tenderPeriod=periods,
    enquiryPeriod=periods,
    contractPeriod=periods,
    procuringEntity=organisations,
    classification=classifications,
    items=distinct(some(classification=classifications)),
    lots=distinct(
        some(
            title=titles,
            value=values,
            contractPeriod=periods,
            awardCriteria=criteria,
            hasRenewal=yes_no,
            hasOptions=yes_no,
        )
    ),
    lotDetails=some(noLotsDivisionRationale=words),
    legalBasis=some(id=st.sampled_from(["2023/54", "32014L0024"]), description=words),
    techniques=some(hasFrameworkAgreement=yes_no),
    participationFees=distinct(some(type=st.lists(fees, max_size=2), value=values)),
    submissionTerms=some(bidValidityPeriod=periods),
    clarificationMeetings=st.lists(some(date=dates), max_size=3),
    riskDetails=words,
)
facts = some(
    advisers=st.lists(st.fixed_dictionaries({"name": words}), max_size=3),
    singleBlock=yes_no,
    competition=yes_no,
    serviceLines=st.integers(1, 1_000_000),
    marketEngagement=yes_no,
    outcomeBasedPayment=yes_no,
    staffTransfer=yes_no,
    newLegalVehicleRequired=yes_no,
    parentGuaranteeRequired=yes_no,
    savingsAssumed=yes_no,
    priceToFormerCost=st.floats(0, 1e6),
    firstOfItsKind=yes_no,
    incumbentKind=st.sampled_from(get_args(IncumbentKind)),
    predecessorFailed=yes_no,
    retender=yes_no,
    callNumber=st.integers(1, 1_000),
    codes=some(price_weight=numbers, covers=numbers),
)
drafts = st.fixed_dictionaries(
    {"tender": procedures},
    optional={
        "buyer": organisations,
        "parties": st.lists(some(id=ids, roles=st.just(["centralPurchasingBody"])), max_size=2),
        "planning": some(noEngagementNoticeRationale=words, budget=some(amount=values)),
        "relatedProcesses": st.lists(some(relationship=st.just(["unsuccessfulProcess"])), max_size=2),
        "tenderRisk": facts,
    },
)

changes = st.lists(st.fixed_dictionaries({"touches": st.sampled_from(get_args(Touches))}), max_size=4)
statistics = distinct(
    some(measure=st.sampled_from(["bids", "validBids", "requests"]), value=st.integers(1, 50), relatedLot=ids)
)
BIDS_IN: Json = {
    "tender": {
        "numberOfTenderers": st.integers(1, 1_000_000),
        "tenderers": distinct(some(name=words)),
        "amendments": distinct(some(date=dates, rationale=words)),
    },
    "bids": st.fixed_dictionaries({"statistics": statistics}),
    "tenderRisk": {
        "structureChanges": changes,
        "assuranceHolds": st.lists(st.just({"stage": "bids_in"}), max_size=3),
        "biddersInterested": st.integers(0, 1_000_000),
        "legalChallenge": yes_no,
    },
}
AWARDED: Json = {
    "tender": {},
    "awards": distinct(some(date=dates, value=values, suppliers=distinct(some(name=words), 2))),
    "contracts": distinct(some(period=periods, dateSigned=dates)),
    "tenderRisk": {"legalVehicle": st.sampled_from(get_args(Vehicle)), "taxUnresolved": yes_no},
}
AFTER: Json = {
    "tender": {
        "status": st.sampled_from(["complete", "unsuccessful", "cancelled", "withdrawn"]),
        "statusDetails": words,
        "finalStatusDate": dates,
        "documents": st.just([{"id": "end", "noticeType": "UK12", "description": "abandoned"}]),
    },
    "tenderRisk": {},
}
SHOWS: dict[str, st.SearchStrategy[Json]] = {
    "bids_in": st.integers(1, 9).map(lambda count: {"tender": {"numberOfTenderers": count}}),
    "awarded": st.just({"awards": [{"id": "shown"}]}),
}
"""For each later stage, what shows that it is reached."""
LATER: dict[str, list[Json]] = {"draft": [BIDS_IN, AWARDED, AFTER], "bids_in": [AWARDED, AFTER], "awarded": [AFTER]}
"""For each stage, the facts that do not exist yet."""


@st.composite
def known_at(draw: st.DrawFn, stage: str) -> Json:
    """A release with facts of a stage and those before it, that shows it has reached the stage."""
    release: Json = draw(drafts)
    for facts_of in [BIDS_IN, AWARDED][: STAGES.index(stage)]:
        release = with_facts(release, draw(_some_of(facts_of)))
    return release if has_reached(to_tender(release), stage) else with_facts(release, draw(SHOWS[stage]))


def later_than(stage: str) -> st.SearchStrategy[Json]:
    """Facts that come after a stage."""
    return st.tuples(*map(_some_of, LATER[stage])).map(lambda parts: _merged(parts))


def with_facts(release: Json, more: Json) -> Json:
    """The release with more facts in it, section by section."""
    merged = {**release, **{name: value for name, value in more.items() if name not in ("tender", "tenderRisk")}}
    for section in ("tender", "tenderRisk"):
        merged[section] = {**release.get(section, {}), **more.get(section, {})}
    return merged


def _some_of(parts: Json) -> st.SearchStrategy[Json]:
    return some(**{name: some(**part) if isinstance(part, dict) else part for name, part in parts.items()})


def _merged(parts: tuple[Json, ...]) -> Json:
    merged: Json = {}
    for part in parts:
        merged = with_facts(merged, part)
    return merged


def record() -> CaseRecords:
    """Case records that know the names which the strategies above make."""
    keys = ("buyer:", "buyer:integrated", "market:851", "market:720", "adviser:a", "adviser:a|market:851", "supplier:a")
    resolved = (
        ResolvedCase(on=date(2015, 1, 1), keys=keys[: 2 + i % 6], failed=i % 3 == 0, bidders=i % 4, value_gbp=10.0**i)
        for i in range(12)
    )
    return CaseHistory.of(resolved).as_of(None)


def records(rows: int = 1) -> TrackRecords:
    """The track records of so many tenders, all with `record`."""
    return TrackRecords(cases=Categorical.single(record(), rows))


def value(
    feature: Feature, tender: Tender, stage: Stage = "awarded", given: TrackRecords | None = None
) -> float | None:
    """A feature of one tender; None if unknown."""
    (number,) = feature.measure(one_row(tender, stage, records=given)).tolist()
    return None if math.isnan(number) else number
