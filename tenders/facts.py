"""`Facts`: what bears on failure and has no OCDS field. The `tenderRisk` object of a release.

docs/extension.md is the reference. A fact that changes over a procurement says *when* it was
known, by `stage` or `date`, so that `as_of` can take it away; every other fact is one that a
draft states.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Stage = Literal["draft", "bids_in", "awarded"]
STAGES: tuple[Stage, ...] = ("draft", "bids_in", "awarded")

Touches = Literal["scope", "lots", "value", "deadline", "legal_form", "consortium", "adviser", "mobilisation"]
Vehicle = Literal[
    "none",
    "joint_venture",
    "special_purpose_company",
    "limited_liability_partnership",
    "alliance",
    "consortium",
    "private_lead_with_partners",
    "staff_mutual",
]
IncumbentKind = Literal["none", "in_house", "public_body", "private", "charity_or_mutual", "mixed"]


class Fact(Struct, frozen=True, kw_only=True, rename="camel"):
    """Any object inside `tenderRisk`."""


class Adviser(Fact, frozen=True):
    """An outside adviser to the buyer. `since` is the first stage at which the name was known."""

    name: str
    role: str | None = None
    since: Stage = "draft"


class StructureChange(Fact, frozen=True):
    """A change after publication: what it touches, and when it was known."""

    touches: Touches
    stage: Stage = "bids_in"
    date: str | None = None
    description: str | None = None
    path: str | None = None


class AssuranceHold(Fact, frozen=True):
    """A pause, condition or veto by a regulator or assurance body, and when it was known."""

    stage: Stage = "bids_in"
    date: str | None = None
    by: str | None = None
    description: str | None = None


class Facts(Fact, frozen=True):
    """The `tenderRisk` object. Absent means unknown, also for the yes/no facts.

    `changes_counted` says that the list of structure changes is whole: none in it means none happened.
    `outsourced_service` says whether a supplier is to run a large service, where the value does not tell.
    `competition` says whether the contract is competed for, where no procurement method is named. `codes` are a
    register's own categories for what OCDS has no field for, by the name of its column; all are known from the draft.
    `own` are the cells of columns that the mapping of a history declares to be features (`tenders.own_columns`), which
    says when each is known.
    """

    advisers: tuple[Adviser, ...] = ()
    structure_changes: tuple[StructureChange, ...] = ()
    changes_counted: bool | None = None
    assurance_holds: tuple[AssuranceHold, ...] = ()
    outsourced_service: bool | None = None
    single_block: bool | None = None
    competition: bool | None = None
    service_lines: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    market_engagement: bool | None = None
    outcome_based_payment: bool | None = None
    staff_transfer: bool | None = None
    new_legal_vehicle_required: bool | None = None
    parent_guarantee_required: bool | None = None
    savings_assumed: bool | None = None
    price_to_former_cost: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    first_of_its_kind: bool | None = None
    incumbents: tuple[str, ...] = ()
    incumbent_kind: IncumbentKind | None = None
    predecessor_failed: bool | None = None
    retender: bool | None = None
    call_number: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    codes: dict[str, str] = {}
    own: dict[str, str | float | bool] = {}
    bidders_interested: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    legal_vehicle: Vehicle | None = None
    tax_unresolved: bool | None = None
    legal_challenge: bool | None = None

    def __hash__(self) -> int:
        rest = (getattr(self, name) for name in self.__struct_fields__ if name not in ("codes", "own"))
        return hash((*rest, *sorted(self.codes.items()), *sorted(self.own.items())))
