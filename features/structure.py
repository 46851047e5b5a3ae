"""What changed after publication, and on what legal footing the contract stands."""

from __future__ import annotations

import numpy as np

from features.feature import feature
from features.table import Floats, TenderTable
from tenders.facts import Touches


def changes(table: TenderTable, *touches: Touches) -> Floats:
    """Changes after publication that touch one of `touches`, as stated or by the release history.

    Unknown where none is listed and nothing says that the list is whole.
    """
    listed = table.text("structure_changes")
    known = listed.where(bool) | (table.number("changes_counted") == 1)
    count = listed.numbers(lambda touched: sum(each in touches for each in touched))
    return np.where(known, count, np.nan)


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
def structure_changes(table: TenderTable) -> Floats:
    """Changes of any kind between publication and the point of scoring.

    A tender that is still being designed while it is bid for. Source: UnitingCare; Staffordshire.
    """
    listed, amendments = table.text("structure_changes").numbers(len), table.number("amendments")
    counted = table.number("changes_counted") == 1
    most = np.fmax(listed, np.nan_to_num(amendments))
    return np.where(counted, listed, np.where(most > 0, most, np.nan))


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of scope or lots",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of scope or lots after publication: {value}.",
)
def scope_changes(table: TenderTable) -> Floats:
    """Changes of what is bought or of its lots. Source: release history."""
    return changes(table, "scope", "lots")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of value",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of value after publication: {value}.",
)
def value_changes(table: TenderTable) -> Floats:
    """Changes of the stated value. Source: release history."""
    return changes(table, "value")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Deadline moved",
    path="/tenderRisk/structureChanges",
    says="The deadline was moved {value} times.",
)
def deadline_changes(table: TenderTable) -> Floats:
    """Changes of the tender period or of mobilisation.

    More time may be haste admitted or care taken: the data decide. Source: release history.
    """
    return changes(table, "deadline", "mobilisation")


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes of legal form or consortium",
    path="/tenderRisk/structureChanges",
    direction=1,
    says="Changes of the bidder's legal form or consortium: {value}.",
)
def bidder_changes(table: TenderTable) -> Floats:
    """Changes of who bids: legal form, members of the consortium.

    Whoever was assessed is not who will sign. Source: UnitingCare became an LLP during the tender.
    """
    return changes(table, "legal_form", "consortium")


@feature(
    stage="bids_in",
    theme="structure",
    unit="holds",
    label="Assurance holds",
    path="/tenderRisk/assuranceHolds",
    direction=1,
    says="Holds by a regulator or assurer: {value}.",
)
def assurance_holds(table: TenderTable) -> Floats:
    """Pauses, conditions or vetoes by a regulator or assurance body so far; unknown if none is listed.

    Source: NHS England's integrated support and assurance process.
    """
    return table.text("assurance_holds").numbers(lambda holds: len(holds) or None)


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
def legal_challenge(table: TenderTable) -> Floats:
    """1 if the procurement was challenged, as stated. Source: Public Contracts Regulations 2015 part 3."""
    return table.number("legal_challenge")


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
def new_legal_vehicle_required(table: TenderTable) -> Floats:
    """1 if the tender requires a new company, LLP or joint venture.

    A new vehicle has no capital, no record and often another tax position. Source: UnitingCare's VAT.
    """
    return table.number("new_legal_vehicle_required")


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
def parent_guarantee_required(table: TenderTable) -> Floats:
    """1 if a parent company must stand behind the supplier, as stated. Source: NAO on UnitingCare."""
    return table.number("parent_guarantee_required")


@feature(
    stage="awarded",
    theme="structure",
    unit="yes/no",
    label="Supplier is a joint vehicle",
    path="/tenderRisk/legalVehicle",
    says="The supplier is a consortium, joint venture or special vehicle.",
    says_not="The supplier is a single organisation.",
)
def joint_vehicle(table: TenderTable) -> Floats:
    """1 if the supplier is a consortium, joint venture, LLP, alliance or special-purpose company. Source: casebook."""
    return table.text("legal_vehicle").numbers(lambda vehicle: None if vehicle is None else vehicle != "none")


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
def tax_unresolved(table: TenderTable) -> Floats:
    """1 if VAT or another tax is open when the contract is signed. Source: NAO on UnitingCare."""
    return table.number("tax_unresolved")
