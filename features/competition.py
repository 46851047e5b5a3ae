"""Who bids: bidder counts, how they fell, and how many the market usually brings."""

from __future__ import annotations

import numpy as np

from features.buyer import market_records
from features.factors import MANCHESTER, NAO_UNITINGCARE, SINGLE_MARKET, factor
from features.feature import FactorSpec, feature
from features.procedure import is_competed
from features.table import Floats, TenderTable, yes_no

MANY_LOST = 0.5


@feature(
    stage="bids_in",
    theme="competition",
    unit="bidders",
    label="Bidders",
    path="/tender/numberOfTenderers",
    also=("/bids/statistics", "/tender/tenderers"),
    direction=-1,
    says="Bidders: {value}.",
)
def bidders(table: TenderTable) -> Floats:
    """Bidders: the bids counted for the whole tender, else `numberOfTenderers`, else those listed.

    Without rivals there is no second price, no second plan and nobody to turn to. Source: EU single-bidding indicator.
    """
    return table.number("bidders")


@feature(
    stage="bids_in",
    theme="competition",
    unit="yes/no",
    label="Single bidder",
    path="/tender/numberOfTenderers",
    also=("/bids/statistics", "/tender/tenderers"),
    direction=1,
    says="There is a single bidder, or none.",
    says_not="There is more than one bidder.",
    factor=FactorSpec(asks="the number of bidders", sources=(SINGLE_MARKET,)),
)
def single_bidder(table: TenderTable) -> Floats:
    """1 with one bidder or none, 0 with more.

    Source: EU Single Market Scoreboard, one-bidder indicator.
    """
    count = bidders(table)
    return yes_no(count <= 1, count)


@feature(
    stage="bids_in",
    theme="competition",
    unit="yes/no",
    label="Single bidder in open competition",
    path="/tender/numberOfTenderers",
    also=("/bids/statistics", "/tender/tenderers"),
    direction=1,
    says="A single bidder answered a competition that was open to others.",
    says_not="Not a single bidder in an open competition.",
    factor=FactorSpec(
        asks="the number of bidders, or whether it was competed for,", sources=(MANCHESTER, SINGLE_MARKET)
    ),
)
def single_bidder_in_competition(table: TenderTable) -> Floats:
    """1 if a competition drew one bidder or none; 0 with more bidders, or where one was invited by design.

    A market that stays away has read the tender; a direct award never asked it. Source: casebook.
    """
    alone, competed = single_bidder(table), is_competed(table)
    return np.where(alone == 1, competed, alone)


@feature(
    stage="bids_in",
    theme="competition",
    unit="yes/no",
    label="Lone bidder",
    path="/tender/numberOfTenderers",
    also=("/bids/statistics", "/tender/tenderers"),
    direction=1,
    says="A single bidder, or none, answered, and none was chosen by design.",
    says_not="More than one bidder answered, or one was chosen by design.",
    trained=False,
)
def lone_bidder(table: TenderTable) -> Floats:
    """1 with one bidder or none, unless it is known that one was invited by design; 0 with more.

    As a single bidder in open competition, but where nobody says whether it was competed for, it counts. Source:
    casebook.
    """
    alone, competed = single_bidder(table), is_competed(table)
    return np.where((alone == 1) & (competed == 0), 0.0, alone)


@feature(
    stage="bids_in",
    theme="competition",
    unit="bids",
    label="Fewest bids on a lot",
    path="/bids/statistics",
    direction=-1,
    says="One lot drew only {value} bids.",
)
def fewest_bids_on_a_lot(table: TenderTable) -> Floats:
    """The smallest bid count over the lots that have one, where there are several lots.

    Lots fail one by one, and the weakest first. Source: OCDS `bids.statistics`.
    """
    fewest = np.full(len(table), np.nan)
    np.fmin.at(fewest, table.owner("lots"), table.number("lot_bids"))
    return np.where(table.number("lots") >= 2, fewest, np.nan)


@feature(
    stage="bids_in",
    theme="competition",
    unit="bidders",
    label="Bidders interested",
    path="/tenderRisk/biddersInterested",
    says="Bidders that had shown interest: {value}.",
)
def bidders_interested(table: TenderTable) -> Floats:
    """Bidders that showed interest or passed selection, as stated.

    Source: casebook; OCDS `bids.statistics` counts bids, not interest.
    """
    return table.number("bidders_interested")


@feature(
    stage="bids_in",
    theme="competition",
    unit="share",
    label="Bidders lost on the way",
    path="/tenderRisk/biddersInterested",
    direction=1,
    says="{value} of the bidders that showed interest had left by the end.",
)
def bidder_attrition(table: TenderTable) -> Floats:
    """Share of the interested bidders that did not bid in the end.

    Who has read the papers and leaves, says something about them. Source: UnitingCare, ten then three.
    """
    first, last = bidders_interested(table), bidders(table)
    return np.where(first > 0, np.maximum(0.0, 1 - last / np.where(first > 0, first, np.nan)), np.nan)


@feature(
    stage="draft",
    theme="competition",
    unit="bidders",
    label="Bidders expected",
    path="/tender/items",
    also=("/tender/classification",),
    direction=-1,
    says="Earlier tenders in this market drew {value} bidders on average.",
)
def expected_bidders(table: TenderTable) -> Floats:
    """Mean bidder count of the market's resolved tenders before this one.

    What a draft can know about its competition. Source: track record.
    """
    return market_records(table).numbers(
        lambda record: record.bidders / record.counted if record and record.counted else None
    )


@factor(
    stage="bids_in",
    theme="competition",
    label="A lot with one bid or none",
    path="/bids/statistics",
    says="A lot drew one bid, or none.",
    says_not="Every counted lot drew more than one bid.",
    asks="the number of bids on each of several lots",
    sources=(SINGLE_MARKET,),
)
def lot_with_one_bid(table: TenderTable) -> Floats:
    """1 for at most one bid on some lot, where there are several lots. Source: EU single-bidding indicator."""
    fewest = fewest_bids_on_a_lot(table)
    return yes_no(fewest <= 1, fewest)


@factor(
    stage="bids_in",
    theme="competition",
    label="Bidders lost on the way",
    path="/tenderRisk/biddersInterested",
    also=("/tender/numberOfTenderers",),
    says="Half of the interested bidders or more did not bid.",
    says_not="More than half of the interested bidders bid.",
    asks="how many bidders were interested, or how many bid,",
    sources=(NAO_UNITINGCARE, "Health Service Journal: ten were announced, three bid"),
)
def bidders_lost(table: TenderTable) -> Floats:
    """1 if at least half of those interested did not bid in the end. The threshold is ours. Source: UnitingCare."""
    lost = bidder_attrition(table)
    return yes_no(lost >= MANY_LOST, lost)
