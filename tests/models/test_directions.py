"""Scores move the right way: the safer fact never raises the failure probability of the released bundle.

Laws over real inputs: a form is filled at random, one fact is moved, and both go down the whole straight line.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from features.track_records.case_records import CaseHistory, ResolvedCase
from models import score as scoring
from models.bundle import Bundle
from tenders.defaults import is_no_amount
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.read import to_process
from tests.features.made import value, with_facts

Json = dict[str, Any]
Pair = tuple[Json, Json]
"""The same tender with the riskier fact and with the safer one: keys of the form, or sections of a release."""

DIRECTED = {name: feature for name, feature in catalogue().items() if feature.direction and feature.reads != "register_history"}
"""Features of a tender itself: a register's records keep theirs in tests/training."""
ROUNDING = 1e-9

yes_no = st.sampled_from(["yes", "no"])
CONTEXT = st.fixed_dictionaries(
    {"published": st.just("2024-06-03"), "buyer": st.just("Example Council"), "supplier": st.just("Supplier Ltd")},
    optional={
        "cpv": st.sampled_from(["85140000", "72000000", "90000000"]),
        "value": st.floats(1e4, 1e10),
        "currency": st.just("GBP"),
        "lots": st.integers(1, 20),
        "term_years": st.floats(0.5, 30),
        "tender_period_days": st.integers(1, 200),
        "service_lines": st.integers(1, 12),
        "competition": yes_no,
        "bidders": st.integers(1, 12),
        "bidders_interested": st.integers(0, 40),
        "market_engagement": yes_no,
        "first_of_its_kind": yes_no,
        "structure_changes": st.just("value;deadline"),
        "outcome_based_payment": yes_no,
        "advisers": st.just("Adviser Ltd"),
        "award_date": st.just("2024-12-01"),
    },
)


def yes_no_pair(key: str, *, riskier: str, **beside: Any) -> st.SearchStrategy[Pair]:
    """A yes/no key of the form."""
    safer = "no" if riskier == "yes" else "yes"
    return st.just(({key: riskier, **beside}, {key: safer, **beside}))


def less(key: str, least: float, most: float, **beside: Any) -> st.SearchStrategy[Pair]:
    """A number of the form of which less is safer."""
    return _sorted(least, most).map(lambda pair: ({key: pair[1], **beside}, {key: pair[0], **beside}))


def more(key: str, least: float, most: float, **beside: Any) -> st.SearchStrategy[Pair]:
    """A number of the form of which more is safer."""
    return _sorted(least, most).map(lambda pair: ({key: pair[0], **beside}, {key: pair[1], **beside}))


def fewer(key: str, *kinds: str) -> st.SearchStrategy[Pair]:
    """A list of the form of which fewer entries are safer."""
    entries = st.lists(st.sampled_from(kinds), min_size=2, max_size=5)
    return entries.map(lambda listed: ({key: listed}, {key: listed[:-1]}))


def released(riskier: Json, safer: Json) -> st.SearchStrategy[Pair]:
    """Facts that only a release holds."""
    return st.just(({"release": riskier}, {"release": safer}))


def _sorted(least: float, most: float) -> st.SearchStrategy[tuple[float, float]]:
    number = st.integers(int(least), int(most)) if isinstance(least, int) else st.floats(least, most)
    return st.tuples(number, number).map(lambda pair: (min(pair), max(pair)))


def _bids(count: int) -> Json:
    statistic = {"id": "1", "measure": "bids", "value": count, "relatedLot": "a"}
    return {"tender": {"lots": [{"id": "a"}, {"id": "b"}]}, "bids": {"statistics": [statistic]}}


def _lot_values(*amounts: float) -> Json:
    return {
        "tender": {"lots": [{"id": str(i), "value": {"amount": a, "currency": "GBP"}} for i, a in enumerate(amounts)]}
    }


def _starts(days: int) -> Json:
    return {"award_date": "2024-12-01", "contract_start": (date(2025, 1, 1) + timedelta(days=days)).isoformat()}


ONE_BLOCK_OR_LOTS = st.integers(2, 50).map(lambda lots: ({"lots": 1}, {"lots": lots}))

MOVES: dict[str, st.SearchStrategy[Pair]] = {
    "single_block": ONE_BLOCK_OR_LOTS | yes_no_pair("single_block", riskier="yes", lots=None),
    "lot_count": more("lots", 1, 50),
    "largest_lot_share": released(_lot_values(9e6, 1e6), _lot_values(5e6, 5e6)),
    # What systems write for no amount is unknown.
    "largest_contract": less("value", 1e4, 1e10, currency="GBP").filter(
        lambda pair: not any(is_no_amount(facts["value"]) for facts in pair)
    ),
    "long_large_block": less("term_years", 0.5, 30.0, value=9e8, currency="GBP", lots=1),
    "no_division_rationale": st.just(({"lots": 1, "no_lots_rationale": "one pathway"}, {"lots": 1})),
    "service_lines": less("service_lines", 1, 20),
    "bidders": more("bidders", 1, 40),
    "lone_bidder": st.integers(2, 40).map(lambda n: ({"bidders": 1}, {"bidders": n})),
    "single_bidder": st.integers(2, 40).map(lambda n: ({"bidders": 1}, {"bidders": n})),
    "single_bidder_in_competition": more("bidders", 1, 3, competition="yes"),
    "fewest_bids_on_a_lot": st.integers(0, 8).map(lambda n: ({"release": _bids(n)}, {"release": _bids(n + 1)})),
    "bidder_attrition": more("bidders", 1, 10, bidders_interested=10),
    "structure_changes": fewer("structure_changes", "scope", "lots", "value", "legal_form", "consortium"),
    "scope_changes": fewer("structure_changes", "scope", "lots"),
    "value_changes": fewer("structure_changes", "value"),
    "other_changes": fewer("structure_changes", "scope", "deadline"),
    "bidder_changes": fewer("structure_changes", "legal_form", "consortium"),
    "assurance_holds": fewer("assurance_holds", "NHS England", "Monitor"),
    "legal_challenge": yes_no_pair("legal_challenge", riskier="yes"),
    "new_legal_vehicle_required": yes_no_pair("new_legal_vehicle_required", riskier="yes"),
    "parent_guarantee_required": yes_no_pair("parent_guarantee_required", riskier="no"),
    "tax_unresolved": yes_no_pair("tax_unresolved", riskier="yes"),
    "tender_period_days": more("tender_period_days", 0, 400),
    "enquiry_period_days": more("enquiry_period_days", 0, 400),
    "term_years": less("term_years", 0.1, 40.0),
    "mobilisation_days": st.integers(0, 300).map(lambda n: (_starts(n), _starts(n + 30))),
    "savings_assumed": yes_no_pair("savings_assumed", riskier="yes"),
    "price_to_former_cost": more("price_to_former_cost", 0.1, 3.0),
    "outcome_based_payment": yes_no_pair("outcome_based_payment", riskier="yes"),
    "market_engagement": yes_no_pair("market_engagement", riskier="no"),
    "first_of_its_kind": yes_no_pair("first_of_its_kind", riskier="yes"),
    "predecessor_failed": yes_no_pair("predecessor_failed", riskier="yes"),
    "retender": yes_no_pair("retender", riskier="yes"),
}  # fmt: skip

# What one more resolved case says: under which key, and what makes it the riskier one of the two.
RECORDS: dict[str, tuple[str, Json, Json]] = {
    "buyer_record": ("buyer:example", {"failed": True}, {"failed": False}),
    "adviser_record": ("adviser:adviser", {"failed": True}, {"failed": False}),
    "market_record": ("market:851", {"failed": True}, {"failed": False}),
    "supplier_record": ("supplier:supplier", {"failed": True}, {"failed": False}),
    "expected_bidders": ("market:851", {"failed": False, "bidders": 1.0}, {"failed": False, "bidders": 30.0}),
}


def failure(bundle: Bundle, context: Json, moved: Json, stage: Stage) -> float:
    """The failure probability of the filled form with one fact moved."""
    keys = {**context, **{key: value for key, value in moved.items() if key != "release"}}
    release, _ = form.to_release(keys)
    process = to_process(with_facts(release, moved.get("release", {})))
    # A law of every stage's model, whatever the facts show.
    return scoring.scores([scoring.case(bundle, process, stage, check_stage=False)])[0].failure


def test_every_feature_with_a_direction_is_moved() -> None:
    assert set(MOVES) | set(RECORDS) == set(DIRECTED)


@pytest.mark.parametrize("name", MOVES)
@settings(max_examples=40)
@given(data=st.data(), context=CONTEXT)
def test_the_safer_fact_never_raises_the_risk(bundle: Bundle, name: str, data: Any, context: Json) -> None:
    riskier, safer = data.draw(MOVES[name])
    for stage in STAGES[STAGES.index(DIRECTED[name].stage) :]:
        assert failure(bundle, context, safer, stage) <= failure(bundle, context, riskier, stage) + ROUNDING


@pytest.mark.parametrize("name", MOVES)
def test_the_move_moves_the_feature_itself_the_safer_way(name: str) -> None:
    """Else the law above would hold for nothing."""
    feature = DIRECTED[name]
    seen = []

    @settings(max_examples=20)
    @given(pair=MOVES[name])
    def moved(pair: Pair) -> None:
        values = []
        for facts in pair:
            keys = {key: value for key, value in facts.items() if key != "release"}
            tender = to_process(with_facts(form.to_release(keys)[0], facts.get("release", {}))).as_of(feature.stage)
            values.append(value(feature, tender, feature.stage))
        riskier, safer = values
        if riskier is not None and safer is not None:
            seen.append((safer - riskier) * feature.direction)
        else:
            # No days at all are a default, and so unknown.
            zero_is_default = ("tender_period_days", "enquiry_period_days")
            assert name in ("no_division_rationale", "structure_changes", "single_block", *zero_is_default)

    moved()
    assert max(seen, default=0) <= 0
    assert min(seen, default=-1) < 0


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=15)
@given(context=CONTEXT, cases=st.integers(1, 6))
def test_a_better_record_never_raises_the_risk(bundle: Bundle, name: str, context: Json, cases: int) -> None:
    key, riskier, safer = RECORDS[name]
    facts = {**context, "cpv": "85140000", "advisers": "Adviser Ltd"}
    before = tuple(case for case in bundle.case_history.resolved if case.on < date(2024, 6, 1))
    for stage in STAGES[STAGES.index(DIRECTED[name].stage) :]:
        worse, better = (
            failure(_with_history(bundle, (*before, *[_case(key, record)] * cases)), facts, {}, stage)
            for record in (riskier, safer)
        )
        assert better <= worse + ROUNDING


def _case(key: str, shows: Json) -> ResolvedCase:
    return ResolvedCase(on=date(2024, 6, 1), keys=(key,), kind="cohort", **shows)


def _with_history(bundle: Bundle, resolved: tuple[ResolvedCase, ...]) -> Bundle:
    return msgspec.structs.replace(bundle, case_history=CaseHistory(resolved=resolved))


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=60)
@given(context=CONTEXT, lots=st.integers(2, 200))
def test_more_lots_never_raise_the_risk_of_a_single_block(
    bundle: Bundle, stage: Stage, context: Json, lots: int
) -> None:
    assert failure(bundle, context, {"lots": lots}, stage) <= failure(bundle, context, {"lots": 1}, stage) + ROUNDING


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
@settings(max_examples=60)
@given(context=CONTEXT, count=st.integers(1, 30))
def test_a_bidder_more_never_raises_the_risk(bundle: Bundle, stage: Stage, context: Json, count: int) -> None:
    for first in (1, count):
        more_bidders, bidders = ({"bidders": n} for n in (first + 1, first))
        assert failure(bundle, context, more_bidders, stage) <= failure(bundle, context, bidders, stage) + ROUNDING


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=60)
@given(context=CONTEXT, days=st.integers(0, 300), longer=st.integers(1, 300))
def test_a_longer_tender_period_never_raises_the_risk(
    bundle: Bundle, stage: Stage, context: Json, days: int, longer: int
) -> None:
    opens = date(2024, 6, 3)
    short, long = (
        {
            "tender_period_days": None,
            "tender_start": opens.isoformat(),
            "tender_end": (opens + timedelta(days=n)).isoformat(),
        }
        for n in (days, days + longer)
    )
    assert failure(bundle, context, long, stage) <= failure(bundle, context, short, stage) + ROUNDING
