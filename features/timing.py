"""Time: to bid, to mobilise, to run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.by_column import by_column
from features.catalogue import feature
from features.table import Columns, Floats, Periods
from features.track_records.case_records import TrackRecord
from features.value import days_of, years
from tenders import dates
from tenders.tender import Tender

YEAR_END_MONTHS = (2, 3)
HOLIDAY_MONTHS = (8, 12)


def _publication_month(tender: Tender) -> int | None:
    period = tender.tender.tender_period
    published = dates.day(tender.tender.date_published) or dates.day(period.start_date if period else None)
    return published.month if published else None


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days to bid",
    path="/tender/tenderPeriod",
    direction=-1,
    says="Bidders have {value} days.",
)
@by_column
def tender_period_days(columns: Columns) -> Floats:
    """Days from the start of the tender period, else from publication, to the deadline; unknown if reversed.

    A complex bid in little time is thin or is not made. Source: Directive 2014/24/EU art. 27.
    """
    return days_to_bid(columns.tender_period, columns.published, columns.unopened)


def days_to_bid(period: Periods, published: Floats, unopened: NDArray[np.bool_]) -> Floats:
    """`tender_period_days` of those three facts of tenders alone, shape (tenders,)."""
    if not unopened.any():
        return period.days
    since = period.end - published
    instead = np.isnan(period.days) & (since >= 0) & unopened
    return np.where(instead, since, period.days)


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days for questions",
    path="/tender/enquiryPeriod",
    direction=-1,
    says="Bidders may ask for {value} days.",
)
def enquiry_period_days(tender: Tender, track_record: TrackRecord) -> float | None:
    """Days of the enquiry period. Source: OCDS `tender.enquiryPeriod`."""
    return days_of(tender.tender.enquiry_period)


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days that bids stand",
    path="/tender/submissionTerms/bidValidityPeriod",
    says="Bids must stand for {value} days.",
)
def bid_validity_days(tender: Tender, track_record: TrackRecord) -> float | None:
    """Days for which a bid binds its bidder.

    Who must hold a price for long bears what costs do meanwhile. Source: OCDS submission terms extension.
    """
    terms = tender.tender.submission_terms
    return days_of(terms.bid_validity_period) if terms else None


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days to the first meeting",
    path="/tender/clarificationMeetings",
    also=("/tender/datePublished",),
    says="Bidders can meet the buyer {value} days after publication.",
)
def days_to_meeting(tender: Tender, track_record: TrackRecord) -> float | None:
    """Days from publication to the first clarification meeting; unknown without one or if it came first.

    Questions answered early save bids. Source: OCDS `tender.clarificationMeetings`.
    """
    published = tender.tender.date_published
    waits = (dates.days_between(published, meeting.date) for meeting in tender.tender.clarification_meetings)
    first = min((days for days in waits if days is not None), default=-1)
    return float(first) if first >= 0 else None


@feature(
    stage="draft",
    theme="timing",
    unit="years",
    label="Term",
    path="/tender/contractPeriod",
    also=("/tender/lots",),
    direction=1,
    says="The contract runs {value} years.",
)
@by_column
def term_years(columns: Columns) -> Floats:
    """Initial term in years, without options.

    Long terms outlive policies and prices. Source: OCDS `tender.contractPeriod`.
    """
    return years(columns)


@feature(
    stage="draft",
    theme="timing",
    unit="yes/no",
    label="May be extended",
    path="/tender/lots/0/hasRenewal",
    says="The contract may be extended.",
    says_not="The contract cannot be extended.",
)
def extendable(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if any lot can be renewed or has options; 0 if the lots say that none can. Source: OCDS lots extension."""
    stated = [flag for lot in tender.tender.lots for flag in (lot.has_renewal, lot.has_options) if flag is not None]
    return float(any(stated)) if stated else None


@feature(
    stage="draft",
    theme="timing",
    unit="yes/no",
    label="Published at year end",
    path="/tender/datePublished",
    also=("/tender/tenderPeriod/startDate",),
    says="It is published as the budget year ends.",
    says_not="It is not published as the budget year ends.",
)
def published_at_year_end(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if published in February or March, before the UK budget year ends. Source: our own."""
    month = _publication_month(tender)
    return None if month is None else float(month in YEAR_END_MONTHS)


@feature(
    stage="draft",
    theme="timing",
    unit="yes/no",
    label="Published in the holidays",
    path="/tender/datePublished",
    also=("/tender/tenderPeriod/startDate",),
    says="It is published in a holiday month.",
    says_not="It is not published in a holiday month.",
)
def published_in_holidays(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if published in August or December, when bid teams are away. Source: our own."""
    month = _publication_month(tender)
    return None if month is None else float(month in HOLIDAY_MONTHS)


@feature(
    stage="draft",
    theme="timing",
    unit="day",
    label="Day of the year",
    path="/tender/datePublished",
    says="It is published on day {value} of the year.",
)
def day_of_year(tender: Tender, track_record: TrackRecord) -> float | None:
    """Day of the year (1 to 366) of publication; unknown where only the month or year is known.

    Budgets that lapse are spent in haste, and their year ends on another day in each country. Source: Liebman and
    Mahoney 2017, Do expiring budgets lead to wasteful year-end spending?
    """
    published = dates.day(tender.tender.date_published)
    return float(published.timetuple().tm_yday) if published else None


@feature(
    stage="awarded",
    theme="timing",
    unit="days",
    label="Days to mobilise",
    path="/awards/0/date",
    direction=-1,
    says="{value} days lie between award and start.",
)
@by_column
def mobilisation_days(columns: Columns) -> Floats:
    """Days from the first award to the first start of a contract; unknown if the start came first.

    Staff, data and systems must move in that time. Source: NAO on UnitingCare: cleared the day before the start.
    """
    days = columns.started - columns.awarded
    return np.where(days >= 0, days, np.nan)
