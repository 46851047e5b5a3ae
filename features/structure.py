"""What changed after publication, and on what legal footing the contract stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.factors import (
    ACT,
    ALLIANCES,
    DIRECTIVE,
    NAO_UNITINGCARE,
    OXFORDSHIRE,
    PAC_UNITINGCARE,
    PWC_UNITINGCARE,
    STAFFORDSHIRE,
    factor,
    shown_or_absent,
    untold,
)
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, cached
from tenders.facts import Touches

THIN_VEHICLES = frozenset({"joint_venture", "special_purpose_company", "limited_liability_partnership"})
PUBLIC_KINDS = frozenset({"in_house", "public_body"})
RENEGOTIABLE: frozenset[Touches] = frozenset({"value", "lots", "scope"})


@cached
def _changes_known(table: TenderTable) -> NDArray[np.bool_]:
    """Whether changes are listed, or the list is stated to be whole."""
    known: NDArray[np.bool_] = table.text("structure_changes").where(bool) | (table.number("changes_counted") == 1)
    return known


def changes(table: TenderTable, *touches: Touches) -> Floats:
    """Changes after publication that touch one of `touches`, as stated or by the release history.

    Unknown where none is listed and nothing says that the list is whole.
    """
    counted = table.text("structure_changes").numbers(lambda touched: sum(touch in touches for touch in touched))
    return np.where(_changes_known(table), counted, np.nan)


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
    most = np.fmax(listed, amendments)
    return np.where(counted, listed, np.where(most > 0, most, np.nan))


@feature(
    stage="bids_in",
    theme="structure",
    unit="changes",
    label="Changes other than of the legal form",
    path="/tenderRisk/structureChanges",
    also=("/tender/amendments",),
    direction=1,
    says="Changes after publication, other than of the legal form: {value}.",
    trained=False,
)
def other_changes(table: TenderTable) -> Floats:
    """Changes between publication and the point of scoring, without those of the legal form, which count by themselves.

    Source: UnitingCare; Staffordshire.
    """
    return structure_changes(table) - np.nan_to_num(changes(table, "legal_form"))


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
    factor=FactorSpec(
        asks="whether the procurement was challenged",
        sources=("Public Contracts Regulations 2015, part 3, chapter 6", f"{ACT}, part 9"),
    ),
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
    factor=FactorSpec(
        asks="whether a new legal vehicle is required",
        sources=(f"{NAO_UNITINGCARE}: the partnership's VAT had no budget",),
    ),
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


@factor(
    stage="draft",
    counted_at="bids_in",
    theme="structure",
    label="Under review, or its policy challenged",
    path="/tenderRisk/assuranceHolds",
    says="A regulator or assurer holds or reviews it.",
    says_not="No regulator or assurer holds or reviews it.",
    asks="whether a regulator or assurer holds or reviews it",
    sources=(STAFFORDSHIRE,),
)
def under_review(table: TenderTable) -> Floats:
    """1 if a hold, condition or veto is listed. An empty list does not say that there is none, so it is unknown.

    Source: the Staffordshire tender.
    """
    return np.minimum(assurance_holds(table), 1.0)


@factor(
    stage="bids_in",
    theme="structure",
    label="Deadline extended",
    path="/tenderRisk/structureChanges",
    says="The deadline or the mobilisation was moved after publication.",
    says_not="The deadline was not moved after publication.",
    asks="whether the deadline was moved",
    sources=(f"{DIRECTIVE}, art. 47(3)",),
)
def deadline_moved(table: TenderTable) -> Floats:
    """1 for a change of the tender period or of mobilisation after publication. Source: release history."""
    return np.minimum(deadline_changes(table), 1.0)


@factor(
    stage="bids_in",
    theme="structure",
    label="Value, lots or scope changed",
    path="/tenderRisk/structureChanges",
    says="The value, the lots or the scope changed after publication.",
    says_not="Neither value nor lots nor scope changed after publication.",
    asks="whether value, lots or scope changed",
    sources=(f"{DIRECTIVE}, art. 72, on what may not change", NAO_UNITINGCARE),
)
def redesigned_while_open(table: TenderTable) -> Floats:
    """1 for a change of value, lots or scope after publication. Source: release history."""
    return np.minimum(changes(table, "value", "lots", "scope"), 1.0)


@factor(
    stage="bids_in",
    theme="structure",
    label="Notice amended",
    path="/tender/amendments",
    also=("/tenderRisk/structureChanges",),
    says="The tender was amended after publication.",
    says_not="The tender was not amended after publication.",
    asks="whether the tender was amended",
    sources=(f"{DIRECTIVE}, art. 47(3)(b)", NAO_UNITINGCARE),
)
def amended(table: TenderTable) -> Floats:
    """1 for any change after publication, or an amendment of the notice. Source: release history."""
    return np.minimum(structure_changes(table), 1.0)


@factor(
    stage="bids_in",
    theme="structure",
    label="Consortium changed",
    path="/tenderRisk/structureChanges",
    says="The members of a bidding consortium changed.",
    says_not="No bidding consortium changed its members.",
    asks="whether a consortium changed its members",
    sources=(PAC_UNITINGCARE, f"{DIRECTIVE}, arts. 19 and 63"),
)
def consortium_changed(table: TenderTable) -> Floats:
    """1 for a change of a bidder's members after publication, as stated. Source: Committee of Public Accounts."""
    return np.minimum(changes(table, "consortium"), 1.0)


@factor(
    # It may change as soon as bids are in, as Manchester's and Cambridgeshire's did. It is seen whole at award.
    stage="bids_in",
    counted_at="awarded",
    theme="structure",
    label="Legal form changed since the bid",
    path="/tenderRisk/structureChanges",
    says="The supplier's legal form changed after the bid.",
    says_not="The supplier's legal form did not change after the bid.",
    asks="whether the supplier's legal form changed",
    sources=(f"{NAO_UNITINGCARE}: two trusts' bid became a partnership's contract",),
)
def legal_form_changed(table: TenderTable) -> Floats:
    """1 for a change of legal form after publication, as stated. Source: NAO on UnitingCare."""
    return np.minimum(changes(table, "legal_form"), 1.0)


@factor(
    stage="awarded",
    theme="structure",
    label="Thin new vehicle without parent guarantee",
    path="/tenderRisk/legalVehicle",
    also=("/tenderRisk/parentGuaranteeRequired",),
    says="The supplier is a vehicle of its own, and no parent guarantee stands behind it.",
    says_not="The supplier is no vehicle of its own, or a parent guarantee stands behind it.",
    asks="the supplier's vehicle, or whether a parent guarantee is required,",
    sources=(NAO_UNITINGCARE, PWC_UNITINGCARE),
)
def vehicle_without_guarantee(table: TenderTable) -> Floats:
    """1 for a joint venture, special-purpose company or partnership that is stated to need no parent guarantee.

    Source: NAO on UnitingCare.
    """
    guarantee = table.number("parent_guarantee_required")
    thin = table.text("legal_vehicle").numbers(lambda vehicle: None if vehicle is None else vehicle in THIN_VEHICLES)
    return shown_or_absent((thin == 1) & (guarantee == 0), (thin == 0) | (guarantee == 1))


@factor(
    stage="awarded",
    theme="structure",
    label="All delivery subcontracted",
    says="The supplier subcontracts all delivery.",
    says_not="The supplier delivers part of it itself.",
    asks="how much of the delivery is subcontracted",
    sources=(f"{NAO_UNITINGCARE}: the partnership paid its own trusts to deliver",),
)
def all_delivery_subcontracted(table: TenderTable) -> Floats:
    """Always unknown: no field of a notice tells it. Source: NAO on UnitingCare."""
    return untold(table)


@factor(
    stage="awarded",
    theme="structure",
    label="Negotiated after the award",
    path="/tenderRisk/structureChanges",
    says="Value or scope changed between bid and start.",
    says_not="Neither value nor scope changed between bid and start.",
    asks="whether value or scope was negotiated after the award",
    sources=(PAC_UNITINGCARE, f"{DIRECTIVE}, art. 72"),
)
def negotiated_after_award(table: TenderTable) -> Floats:
    """1 for a change of value, lots or scope that was known only by signing. What follows the start is too late.

    Source: Committee of Public Accounts on UnitingCare.
    """
    late = table.text("late_changes").where(lambda touched: not RENEGOTIABLE.isdisjoint(touched))
    return shown_or_absent(late, table.number("changes_counted") == 1)


@factor(
    stage="awarded",
    theme="structure",
    label="Public local lead with the incumbent in it",
    path="/tenderRisk/incumbentKind",
    also=("/tenderRisk/incumbents", "/awards/0/suppliers"),
    says="A public incumbent is in the supplier.",
    says_not="The incumbent is not of the public sector.",
    asks="the incumbent, or whether it is in the supplier,",
    sources=(OXFORDSHIRE,),
    seen_with="survival",
)
def public_lead_with_incumbent(table: TenderTable) -> Floats:
    """1 if a public incumbent's name stands in a supplier's name, 0 if the incumbent is not public.

    Another name may be the same body, so then it is unknown. Source: the Oxfordshire alliance.
    """
    incumbents, suppliers = table.text("incumbents"), table.text("suppliers")
    public = table.text("incumbent_kind").numbers(lambda kind: None if kind is None else kind in PUBLIC_KINDS)
    shown = public == 1
    if shown.any():
        shown &= Categorical.pairs(incumbents, suppliers).where(_stands_in)
    return shown_or_absent(shown, public == 0)


@factor(
    stage="draft",
    theme="structure",
    label="Joint governance exists already",
    says="The partners govern something together already.",
    says_not="The partners govern nothing together yet.",
    asks="whether the partners govern something together already",
    sources=(ALLIANCES,),
    seen_with="survival",
)
def joint_governance(table: TenderTable) -> Floats:
    """Always unknown: no field of a notice tells it. Source: the Tower Hamlets and Lambeth alliances."""
    return untold(table)


def _stands_in(names: tuple[tuple[str, ...], tuple[str, ...]]) -> bool:
    """Whether the name of an incumbent, without what is in brackets, stands in the name of a supplier."""
    incumbents = [name.partition("(")[0].strip().casefold() for name in names[0]]
    return any(name and name in supplier.casefold() for name in incumbents for supplier in names[1])
