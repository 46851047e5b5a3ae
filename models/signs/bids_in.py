"""Signs once bids are in: who came and who left."""

from __future__ import annotations

from features.competition import bidder_attrition, fewest_bids_on_a_lot, single_bidder, single_bidder_in_competition
from features.table import TenderTable
from models.signs.register import first, sign, yes
from models.signs.sources import MANCHESTER, NAO_UNITINGCARE, SINGLE_MARKET
from tenders.tender import Tender

MANY_LOST = 0.5
COUNTED = "/tender/numberOfTenderers"


@sign(
    stage="bids_in",
    title="One bid or none",
    says="There is one bidder, or none.",
    says_not="There is more than one bidder.",
    asks="the number of bidders",
    path=COUNTED,
    source=SINGLE_MARKET,
)
def one_bid_or_none(tender: Tender, table: TenderTable) -> bool | None:
    """At most one bidder, whether or not others were asked."""
    return yes(first(single_bidder(table)))


@sign(
    stage="bids_in",
    title="A lone bidder in open competition",
    says="One bidder or none answered a competition that was open to others.",
    says_not="Not one bidder alone in a competition.",
    asks="the number of bidders, or whether it was competed for,",
    path=COUNTED,
    source=f"{MANCHESTER}; {SINGLE_MARKET}",
)
def lone_bidder_open_competition(tender: Tender, table: TenderTable) -> bool | None:
    """At most one bidder where suppliers compete; not shown where one was chosen by design."""
    return yes(first(single_bidder_in_competition(table)))


@sign(
    stage="bids_in",
    title="A lot with one bid or none",
    says="A lot drew one bid, or none.",
    says_not="Every counted lot drew more than one bid.",
    asks="the number of bids on each of several lots",
    path="/bids/statistics",
    source=SINGLE_MARKET,
)
def lot_with_one_bid(tender: Tender, table: TenderTable) -> bool | None:
    """At most one bid on some lot, where there are several lots."""
    fewest = first(fewest_bids_on_a_lot(table))
    return None if fewest is None else fewest <= 1


@sign(
    stage="bids_in",
    title="Bidders lost on the way",
    says="Half of the interested bidders or more did not bid.",
    says_not="More than half of the interested bidders bid.",
    asks="how many bidders were interested, or how many bid,",
    path="/tenderRisk/biddersInterested",
    source=f"{NAO_UNITINGCARE}; Health Service Journal: ten were announced, three bid",
)
def bidders_lost(tender: Tender, table: TenderTable) -> bool | None:
    """At least half of those interested did not bid in the end. The threshold is ours."""
    lost = first(bidder_attrition(table))
    return None if lost is None else lost >= MANY_LOST
