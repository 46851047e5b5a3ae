"""Who bids: bidder counts, how they fell, and how many the market usually brings."""

from __future__ import annotations

import numpy as np

from features.by_column import by_column
from features.catalogue import feature
from features.table import Columns, Floats, records_of_market
from features.track_records.case_records import TrackRecord
from tenders.tender import Tender, bid_count


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
@by_column
def bidders(columns: Columns) -> Floats:
    """Bidders: the bids counted for the whole tender, else `numberOfTenderers`, else those listed.

    Without rivals there is no second price, no second plan and nobody to turn to. Source: EU single-bidding indicator.
    """
    return columns.bidders


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
)
@by_column
def single_bidder(columns: Columns) -> Floats:
    """1 with one bidder or none, 0 with more.

    Source: EU Single Market Scoreboard, one-bidder indicator.
    """
    count = bidders.column(columns)
    return np.where(np.isnan(count), np.nan, count <= 1)


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
)
@by_column
def single_bidder_in_competition(columns: Columns) -> Floats:
    """1 if a competition drew one bidder or none; 0 with more bidders, or where one was invited by design.

    A market that stays away has read the tender; a direct award never asked it. Source: casebook.
    """
    alone = single_bidder.column(columns)
    return np.where(alone == 1, columns.competed, alone)


@feature(
    stage="bids_in",
    theme="competition",
    unit="bids",
    label="Fewest bids on a lot",
    path="/bids/statistics",
    direction=-1,
    says="One lot drew only {value} bids.",
)
def fewest_bids_on_a_lot(tender: Tender, track_record: TrackRecord) -> float | None:
    """The smallest bid count over the lots that have one, where there are several lots.

    Lots fail one by one, and the weakest first. Source: OCDS `bids.statistics`.
    """
    if len(tender.tender.lots) < 2:
        return None
    counts = [bid_count(tender, lot.id) for lot in tender.tender.lots]
    return min((float(count) for count in counts if count is not None), default=None)


@feature(
    stage="bids_in",
    theme="competition",
    unit="bidders",
    label="Bidders interested",
    path="/tenderRisk/biddersInterested",
    says="Bidders that had shown interest: {value}.",
)
def bidders_interested(tender: Tender, track_record: TrackRecord) -> float | None:
    """Bidders that showed interest or passed selection, as stated.

    Source: casebook; OCDS `bids.statistics` counts bids, not interest.
    """
    count = tender.tender_risk.bidders_interested
    return None if count is None else float(count)


@feature(
    stage="bids_in",
    theme="competition",
    unit="share",
    label="Bidders lost on the way",
    path="/tenderRisk/biddersInterested",
    direction=1,
    says="{value} of the bidders that showed interest had left by the end.",
)
def bidder_attrition(tender: Tender, track_record: TrackRecord) -> float | None:
    """Share of the interested bidders that did not bid in the end.

    Who has read the papers and leaves, says something about them. Source: UnitingCare, ten then three.
    """
    first, last = bidders_interested(tender, track_record), bidders(tender, track_record)
    return max(0.0, 1 - last / first) if first and last is not None else None


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
@by_column
def expected_bidders(columns: Columns) -> Floats:
    """Mean bidder count of the market's resolved tenders before this one.

    What a draft can know about its competition. Source: track record.
    """
    return records_of_market(columns).numbers(
        lambda record: record.bidders / record.counted if record and record.counted else None
    )
