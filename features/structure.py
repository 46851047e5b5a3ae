"""What changed after publication, and on what legal footing the contract stands."""

from __future__ import annotations

from features.catalogue import feature
from features.track_records.case_records import TrackRecord
from tenders.facts import Touches
from tenders.tender import Tender


def changes(tender: Tender, *touches: Touches) -> float | None:
    """Changes after publication that touch one of `touches` (any, if none is given).

    From the release history where there is one, else from stated facts and `tender.amendments`. None where
    none is listed and nothing says that the list is whole.
    """
    facts = tender.tender_risk
    listed = [c for c in facts.structure_changes if not touches or c.touches in touches]
    if touches or facts.changes_counted:
        return float(len(listed)) if facts.changes_counted or facts.structure_changes else None
    return float(max(len(listed), len(tender.tender.amendments))) or None


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes after publication",
    path="/tenderRisk/structureChanges",
    also=("/tender/amendments",),
    direction=1,
    says="Changes after publication: {value}.",
)
def structure_changes(tender: Tender, track_record: TrackRecord) -> float | None:
    """Changes of any kind between publication and the point of scoring.

    A tender that is still being designed while it is bid for. Source: UnitingCare; Staffordshire.
    """
    return changes(tender)


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of scope or lots",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of scope or lots after publication: {value}.",
)
def scope_changes(tender: Tender, track_record: TrackRecord) -> float | None:
    """Changes of what is bought or of its lots. Source: release history."""
    return changes(tender, "scope", "lots")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of value",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of value after publication: {value}.",
)
def value_changes(tender: Tender, track_record: TrackRecord) -> float | None:
    """Changes of the stated value. Source: release history."""
    return changes(tender, "value")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Deadline moved",
    path="/tenderRisk/structureChanges",
    says="The deadline was moved {value} times.",
)
def deadline_changes(tender: Tender, track_record: TrackRecord) -> float | None:
    """Changes of the tender period or of mobilisation.

    More time may be haste admitted or care taken: the data decide. Source: release history.
    """
    return changes(tender, "deadline", "mobilisation")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of legal form or consortium",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of the bidder's legal form or consortium: {value}.",
)
def bidder_changes(tender: Tender, track_record: TrackRecord) -> float | None:
    """Changes of who bids: legal form, members of the consortium.

    Whoever was assessed is not who will sign. Source: UnitingCare became an LLP during the tender.
    """
    return changes(tender, "legal_form", "consortium")


@feature(
    stage="bids_in",
    theme="structure",
    unit="holds",
    label="Assurance holds",
    path="/tenderRisk/assuranceHolds",
    direction=1,
    says="Holds by a regulator or assurer: {value}.",
)
def assurance_holds(tender: Tender, track_record: TrackRecord) -> float | None:
    """Pauses, conditions or vetoes by a regulator or assurance body so far; unknown if none is listed.

    Source: NHS England's integrated support and assurance process.
    """
    return float(len(tender.tender_risk.assurance_holds)) or None


@feature(
    stage="bids_in",
    theme="structure",
    unit="yes/no",
    label="Legal challenge",
    path="/tenderRisk/legalChallenge",
    direction=1,
    says="The procurement was challenged.",
    says_not="The procurement was not challenged.",
)
def legal_challenge(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the procurement was challenged, as stated. Source: Public Contracts Regulations 2015 part 3."""
    stated = tender.tender_risk.legal_challenge
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="structure",
    unit="yes/no",
    label="New legal vehicle required",
    path="/tenderRisk/newLegalVehicleRequired",
    direction=1,
    says="The supplier must found a new legal vehicle.",
    says_not="No new legal vehicle is required.",
)
def new_legal_vehicle_required(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the tender requires a new company, LLP or joint venture.

    A new vehicle has no capital, no record and often another tax position. Source: UnitingCare's VAT.
    """
    stated = tender.tender_risk.new_legal_vehicle_required
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="structure",
    unit="yes/no",
    label="Parent guarantee",
    path="/tenderRisk/parentGuaranteeRequired",
    direction=-1,
    says="A parent guarantee is required.",
    says_not="No parent guarantee is required.",
)
def parent_guarantee_required(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if a parent company must stand behind the supplier, as stated. Source: NAO on UnitingCare."""
    stated = tender.tender_risk.parent_guarantee_required
    return None if stated is None else float(stated)


@feature(
    stage="awarded",
    theme="structure",
    unit="yes/no",
    label="Supplier is a joint vehicle",
    path="/tenderRisk/legalVehicle",
    says="The supplier is a consortium, joint venture or special vehicle.",
    says_not="The supplier is a single organisation.",
)
def joint_vehicle(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the supplier is a consortium, joint venture, LLP, alliance or special-purpose company. Source: casebook."""
    vehicle = tender.tender_risk.legal_vehicle
    return None if vehicle is None else float(vehicle != "none")


@feature(
    stage="awarded",
    theme="structure",
    unit="yes/no",
    label="Tax unresolved",
    path="/tenderRisk/taxUnresolved",
    direction=1,
    says="VAT or another tax is unresolved.",
    says_not="The tax position is settled.",
)
def tax_unresolved(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if VAT or another tax is open when the contract is signed. Source: NAO on UnitingCare."""
    stated = tender.tender_risk.tax_unresolved
    return None if stated is None else float(stated)
