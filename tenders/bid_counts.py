"""How many bids were counted, by the best measure that a register publishes; unknown where counts contradict."""

from __future__ import annotations

from tenders.codelists import BID_COUNT_MEASURES
from tenders.tender import BidStatistic, Id, Tender


def bid_count(tender: Tender, lot: Id | None) -> int | None:
    """Bids for one lot, or for the whole tender if `lot` is None; None if unknown or contradicted.

    A count of the whole is that of a lot only where there is one lot, and a lot's count only then that of the whole.
    `numberOfTenderers` stands in where nothing was counted. Source: OCDS bid extension, `bids.statistics`.
    """
    alone = len(tender.tender.lots) <= 1
    statistics = tender.bids.statistics if tender.bids else ()
    concerned = [each for each in statistics if each.value is not None and _concerns(each, lot, alone)]
    for measure in BID_COUNT_MEASURES:
        counts = {each.value for each in concerned if each.measure == measure}
        if counts:
            value = counts.pop() or 0.0
            return int(value) if not counts and value >= 0 and value == int(value) else None
    return tender.tender.number_of_tenderers if alone or lot is None else None


def bidders(tender: Tender) -> float | None:
    """Bids counted for the whole tender, else the tenderers that are listed; None if neither is known."""
    count = bid_count(tender, None)
    listed = tender.tender.tenderers
    return float(count) if count is not None else float(len(listed)) if listed else None


def _concerns(statistic: BidStatistic, lot: Id | None, alone: bool) -> bool:
    if statistic.related_lot is None:
        return alone or lot is None
    if lot is None:
        return alone
    return str(statistic.related_lot) == str(lot)
