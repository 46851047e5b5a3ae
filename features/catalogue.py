"""The catalogue: all features, in the order of their themes, and those of them that are documented factors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from features import advisers, buyer, competition, lots, procedure, structure, timing, value, wording
from features.feature import DECLARED, THEMES, FactorSpec, Feature
from features.track_records import register_features
from tenders.facts import STAGES, Stage

MODULES = (lots, competition, structure, advisers, timing, value, procedure, buyer, wording)
"""They declare their features when they are imported."""

FACTOR_ORDER = (
    # The scope, the terms, the payment and the circumstances of a draft.
    *("single_block", "block_by_choice", "large_for_its_market", "long_large_block", "many_service_lines"),
    *("first_of_its_kind", "short_tender_period", "no_market_engagement", "route_not_open"),
    *("new_legal_vehicle_required", "outcome_based_payment", "savings_assumed", "hurried_staff_transfer"),
    *("predecessor_failed", "under_review", "buyer_failed_before", "advisers_failed_before", "risks_empty_or_long"),
    # Who bid, and what was changed meanwhile.
    *("single_bidder", "single_bidder_in_competition", "lot_with_one_bid", "bidders_lost", "deadline_moved"),
    *("redesigned_while_open", "amended", "consortium_changed", "legal_challenge"),
    # The award and the start.
    *("price_far_below", "price_at_ceiling", "vehicle_without_guarantee", "legal_form_changed"),
    *("all_delivery_subcontracted", "open_at_start", "last_moment_signature", "negotiated_after_award"),
    # Seen with survival.
    *("outcomes_phased_in", "extendable", "public_lead_with_incumbent", "joint_governance", "long_engagement"),
)
"""The order in which factors are listed: that of a procurement. A factor that is not named here comes last."""


@cache
def catalogue() -> Mapping[str, Feature]:
    """All features by name, in the order of themes and of their files."""
    modules = [module.__name__ for module in MODULES]
    in_files = sorted(DECLARED.values(), key=lambda feature: modules.index(feature.measure.__module__))
    every = [*in_files, *register_features.declared()]
    return {feature.name: feature for feature in sorted(every, key=lambda feature: THEMES.index(feature.theme))}


@cache
def factor_features() -> tuple[tuple[Feature, FactorSpec], ...]:
    """The features that are documented factors, each with what makes it one, in the order of FACTOR_ORDER."""
    order = {name: place for place, name in enumerate(FACTOR_ORDER)}
    pairs = [(feature, feature.factor) for feature in catalogue().values() if feature.factor]
    return tuple(sorted(pairs, key=lambda pair: order.get(pair[0].name, len(order))))


def known_at(stage: Stage) -> list[Feature]:
    """The features whose facts exist at a stage, in catalogue order."""
    known = STAGES[: STAGES.index(stage) + 1]
    return [feature for feature in catalogue().values() if feature.stage in known]


def trained_at(stage: Stage) -> list[Feature]:
    """Those of them that training offers to a model: all but features that are factors only."""
    return [feature for feature in known_at(stage) if feature.trained]
