"""`Tender`: one procurement as far as it is known, in OCDS names.

The attribute path in code is the path in the JSON: `tender.tender.lots` is `/tender/lots`. Every field may be absent,
and absent means *unknown*. Amounts are in the currency beside them, dates are ISO 8601 text (see `tenders.dates`).

Source: OCDS 1.1 and the UK extension (cabinetoffice/ocds_uk_extension). What no OCDS field holds
is in `tenderRisk` (see `tenders.facts` and docs/extension.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tenders.codelists import BID_COUNT_MEASURES
from tenders.facts import Facts

Id = str | int
# Above any budget in any currency, and far below what overflows the 32-bit floats of a booster.
LARGEST = 1e18
Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
NotNegative = Annotated[float, Meta(ge=0, le=LARGEST)]
MOST_COUNTED = 1_000_000
Count = Annotated[int, Meta(ge=0, le=MOST_COUNTED)]


class Part(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=False, gc=False):
    """Any object inside a release. It holds values and other parts and never itself, so nobody need look for cycles."""


class Value(Part, frozen=True):
    amount: NotNegative | None = None
    amount_gross: NotNegative | None = None
    currency: str | None = None


class Period(Part, frozen=True):
    start_date: str | None = None
    end_date: str | None = None
    max_extent_date: str | None = None
    duration_in_days: NotNegative | None = None
    duration_in_months: NotNegative | None = None


class Classification(Part, frozen=True):
    scheme: str | None = None
    id: Id | None = None
    description: str | None = None


class Address(Part, frozen=True):
    region: str | None = None
    locality: str | None = None
    postal_code: str | None = None
    country_name: str | None = None
    country: str | None = None


class Item(Part, frozen=True):
    id: Id | None = None
    description: str | None = None
    classification: Classification | None = None
    additional_classifications: tuple[Classification, ...] = ()
    quantity: Number | None = None
    related_lot: Id | None = None
    delivery_addresses: tuple[Address, ...] = ()


class Criterion(Part, frozen=True):
    type: str | None = None
    name: str | None = None
    description: str | None = None


class AwardCriteria(Part, frozen=True):
    criteria: tuple[Criterion, ...] = ()
    weighting_description: str | None = None


class Techniques(Part, frozen=True):
    has_framework_agreement: bool | None = None
    has_dynamic_purchasing_system: bool | None = None
    has_electronic_auction: bool | None = None


class SubmissionTerms(Part, frozen=True):
    bid_validity_period: Period | None = None


class Renewal(Part, frozen=True):
    description: str | None = None


class Lot(Part, frozen=True):
    id: Id | None = None
    title: str | None = None
    description: str | None = None
    status: str | None = None
    final_status: str | None = None
    status_details: str | None = None
    value: Value | None = None
    contract_period: Period | None = None
    tender_period: Period | None = None
    enquiry_period: Period | None = None
    award_criteria: AwardCriteria | None = None
    techniques: Techniques | None = None
    submission_terms: SubmissionTerms | None = None
    has_renewal: bool | None = None
    has_options: bool | None = None
    renewal: Renewal | None = None


class LotDetails(Part, frozen=True):
    no_lots_division_rationale: str | None = None
    maximum_lots_bid_per_supplier: Number | None = None
    maximum_lots_awarded_per_supplier: Number | None = None


class Identifier(Part, frozen=True):
    scheme: str | None = None
    id: Id | None = None
    legal_name: str | None = None


class ContactPoint(Part, frozen=True):
    name: str | None = None
    email: str | None = None


class OrganizationReference(Part, frozen=True):
    id: Id | None = None
    name: str | None = None


class Party(Part, frozen=True):
    id: Id | None = None
    name: str | None = None
    roles: tuple[str, ...] = ()
    role_details: str | None = None
    identifier: Identifier | None = None
    address: Address | None = None
    contact_point: ContactPoint | None = None


class Document(Part, frozen=True):
    id: Id | None = None
    document_type: str | None = None
    notice_type: str | None = None
    title: str | None = None
    description: str | None = None
    date_published: str | None = None


class Amendment(Part, frozen=True):
    id: Id | None = None
    date: str | None = None
    rationale: str | None = None
    description: str | None = None


class LegalBasis(Part, frozen=True):
    scheme: str | None = None
    id: Id | None = None
    description: str | None = None


class ParticipationFee(Part, frozen=True):
    id: Id | None = None
    type: tuple[str, ...] = ()
    value: Value | None = None


class Meeting(Part, frozen=True):
    date: str | None = None


class Milestone(Part, frozen=True):
    id: Id | None = None
    type: str | None = None
    description: str | None = None
    due_date: str | None = None
    date_met: str | None = None


class Budget(Part, frozen=True):
    amount: Value | None = None
    description: str | None = None


class Planning(Part, frozen=True):
    rationale: str | None = None
    budget: Budget | None = None
    documents: tuple[Document, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    no_engagement_notice_rationale: str | None = None


class Procedure(Part, frozen=True):
    """The `tender` object of a release: what is bought and how."""

    id: Id | None = None
    title: str | None = None
    description: str | None = None
    status: str | None = None
    status_details: str | None = None
    final_status: str | None = None
    final_status_date: str | None = None
    date_published: str | None = None
    procuring_entity: OrganizationReference | None = None
    value: Value | None = None
    procurement_method: str | None = None
    procurement_method_details: str | None = None
    procurement_method_rationale: str | None = None
    main_procurement_category: str | None = None
    award_criteria: AwardCriteria | str | None = None
    tender_period: Period | None = None
    enquiry_period: Period | None = None
    award_period: Period | None = None
    contract_period: Period | None = None
    expression_of_interest_deadline: str | None = None
    number_of_tenderers: Count | None = None
    tenderers: tuple[OrganizationReference, ...] = ()
    classification: Classification | None = None
    additional_classifications: tuple[Classification, ...] = ()
    items: tuple[Item, ...] = ()
    lots: tuple[Lot, ...] = ()
    lot_details: LotDetails | None = None
    legal_basis: LegalBasis | None = None
    special_regime: tuple[str, ...] = ()
    techniques: Techniques | None = None
    participation_fees: tuple[ParticipationFee, ...] = ()
    submission_terms: SubmissionTerms | None = None
    clarification_meetings: tuple[Meeting, ...] = ()
    risk_details: str | None = None
    documents: tuple[Document, ...] = ()
    amendments: tuple[Amendment, ...] = ()


class BidStatistic(Part, frozen=True):
    id: Id | None = None
    measure: str | None = None
    value: Number | None = None
    date: str | None = None
    related_lot: Id | None = None


class Bids(Part, frozen=True):
    statistics: tuple[BidStatistic, ...] = ()


class Award(Part, frozen=True):
    id: Id | None = None
    title: str | None = None
    description: str | None = None
    status: str | None = None
    status_details: str | None = None
    final_status: str | None = None
    final_status_date: str | None = None
    date: str | None = None
    value: Value | None = None
    suppliers: tuple[OrganizationReference, ...] = ()
    related_lots: tuple[Id, ...] = ()
    # The bids that it is about; any type, because nothing is scored by them.
    related_bid: Any = None
    related_bids: Any = None
    standstill_period: Period | None = None
    contract_period: Period | None = None
    documents: tuple[Document, ...] = ()


class Implementation(Part, frozen=True):
    """What was published of a contract while it ran. Nothing is scored by it, so an odd value in it costs no tender:
    `tenders.contract_ends` checks what it reads.

    Source: the extensions contract completion (`endDate`), metrics and performance failures, and the UK extension.
    """

    ended: Any = field(name="endDate", default=None)
    metrics: Any = None
    performance_failures: Any = None
    documents: Any = None


class Contract(Part, frozen=True):
    id: Id | None = None
    award_id: Id | None = field(name="awardID", default=None)
    title: str | None = None
    status: str | None = None
    status_details: str | None = None
    final_status: str | None = None
    date_signed: str | None = None
    value: Value | None = None
    period: Period | None = None
    related_lots: tuple[Id, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    documents: tuple[Document, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    date_terminated: str | None = None
    termination_rationale: str | None = None
    termination_rationale_classifications: tuple[Classification, ...] = ()
    # The UK extension's name for it until January 2026.
    termination_rationale_classification: Classification | None = None
    implementation: Implementation | None = None


class RelatedProcess(Part, frozen=True):
    id: Id | None = None
    relationship: tuple[str, ...] = ()
    identifier: str | None = None
    scheme: str | None = None
    title: str | None = None


class Tender(Part, frozen=True):
    """One procurement: the fields of a (compiled) release. Absent means unknown."""

    ocid: str | None = None
    id: Id | None = None
    date: str | None = None
    tag: tuple[str, ...] = ()
    language: str | None = None
    description: str | None = None
    buyer: OrganizationReference | None = None
    parties: tuple[Party, ...] = ()
    planning: Planning | None = None
    tender: Procedure = Procedure()
    bids: Bids | None = None
    awards: tuple[Award, ...] = ()
    contracts: tuple[Contract, ...] = ()
    related_processes: tuple[RelatedProcess, ...] = ()
    tender_risk: Facts = Facts()


def is_cpv(code: Classification) -> bool:
    """Whether it is a code of the CPV, or of no scheme that is named."""
    return code.id is not None and (code.scheme or "CPV").upper() == "CPV"


def bid_count(tender: Tender, lot: Id | None) -> int | None:
    """Bids for one lot, or for the whole tender if `lot` is None; None if unknown or contradicted.

    A count of the whole is that of a lot only where there is one lot, and a lot's count only then that of the whole.
    `numberOfTenderers` stands in where nothing was counted. Source: OCDS bid extension, `bids.statistics`.
    """
    one_lot = len(tender.tender.lots) <= 1
    counts: dict[str | None, set[float]] = {}
    for statistic in tender.bids.statistics if tender.bids else ():
        if statistic.value is not None and _concerns(statistic, lot, one_lot):
            counts.setdefault(statistic.measure, set()).add(statistic.value)
    for measure in BID_COUNT_MEASURES if counts else ():
        if measure in counts:
            value, *others = counts[measure]
            return int(value) if not others and value >= 0 and value == int(value) else None
    return tender.tender.number_of_tenderers if one_lot or lot is None else None


def bidders(tender: Tender) -> float | None:
    """Bids counted for the whole tender, else the tenderers that are listed; None if neither is known."""
    count = bid_count(tender, None)
    listed = tender.tender.tenderers
    return float(count) if count is not None else float(len(distinct(listed))) if listed else None


def distinct(listed: Sequence[OrganizationReference]) -> list[OrganizationReference]:
    """Organisations without those that are listed again, by id (a number is the text of it), else by name."""
    if len(listed) < 2:
        return list(listed)
    return list({_identity(entry, place): entry for place, entry in reversed(list(enumerate(listed)))}.values())[::-1]


def _identity(organisation: OrganizationReference, place: int) -> tuple[str, str]:
    if organisation.id is not None:
        return "id", str(organisation.id)
    name = " ".join((organisation.name or "").split()).casefold()
    return ("name", name) if name else ("place", str(place))


def _concerns(statistic: BidStatistic, lot: Id | None, one_lot: bool) -> bool:
    if statistic.related_lot is None:
        return one_lot or lot is None
    if lot is None:
        return one_lot
    return str(statistic.related_lot) == str(lot)
