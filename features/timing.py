"""Time: to bid, to mobilise, to run."""

from __future__ import annotations

from datetime import date

import numpy as np

from features.factors import (
    CROYDON,
    DIRECTIVE,
    FAZEKAS,
    NAO_UNITINGCARE,
    PAC_UNITINGCARE,
    PLAYBOOK,
    TUPE,
    factor,
    shown_or_absent,
)
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, cached, map_numbers, period_days, yes_no
from features.value import years

YEAR_END_MONTHS = (2, 3)
HOLIDAY_MONTHS = (8, 12)
SHORT_PERIOD, SHORT_MOBILISATION, LAST_MOMENT = 35, 90, 7  # days


@cached
def _months(table: TenderTable) -> Floats:
    """The month of publication, else that in which the tender period starts."""
    published, start = table.days("published"), table.days("tender_start")
    return map_numbers(np.where(np.isnan(published), start, published), lambda day: date.fromordinal(int(day)).month)


def _published_in(table: TenderTable, months: tuple[int, ...]) -> Floats:
    month = _months(table)
    return np.where(np.isnan(month), np.nan, np.isin(month, months))


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days to bid",
    path="/tender/tenderPeriod",
    also=("/tender/lots/0/tenderPeriod",),
    direction=-1,
    says="Bidders have {value} days.",
)
def tender_period_days(table: TenderTable) -> Floats:
    """Days from the start of the tender period, else from publication, to the deadline; unknown if reversed.

    A complex bid in little time is thin or is not made. Source: Directive 2014/24/EU art. 27.
    """
    unopened = np.isnan(table.number("tender_start_stated"))
    days = period_days(table.number("tender_period_days"), table.days("tender_start"), table.days("tender_end"))
    since = table.days("tender_end") - table.days("published")
    return np.where(np.isnan(days) & (since >= 0) & unopened, since, days)


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days for questions",
    path="/tender/enquiryPeriod",
    direction=-1,
    says="Bidders may ask for {value} days.",
)
def enquiry_period_days(table: TenderTable) -> Floats:
    """Days of the enquiry period. Source: OCDS `tender.enquiryPeriod`."""
    return period_days(table.number("enquiry_period_days"), table.days("enquiry_start"), table.days("enquiry_end"))


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days that bids stand",
    path="/tender/submissionTerms/bidValidityPeriod",
    also=("/tender/lots/0/submissionTerms",),
    says="Bids must stand for {value} days.",
)
def bid_validity_days(table: TenderTable) -> Floats:
    """Days for which a bid binds its bidder.

    Who must hold a price for long bears what costs do meanwhile. Source: OCDS submission terms extension.
    """
    stated = table.number("bid_validity_days")
    return period_days(stated, table.days("bid_validity_start"), table.days("bid_validity_end"))


@feature(
    stage="draft",
    theme="timing",
    unit="days",
    label="Days to the first meeting",
    path="/tender/clarificationMeetings",
    also=("/tender/datePublished",),
    says="Bidders can meet the buyer {value} days after publication.",
)
def days_to_meeting(table: TenderTable) -> Floats:
    """Days from publication to the first clarification meeting; unknown without one or if it came first.

    Questions answered early save bids. Source: OCDS `tender.clarificationMeetings`.
    """
    wait = table.days("first_meeting") - table.days("published")
    return np.where(wait >= 0, wait, np.nan)


@feature(
    stage="draft",
    theme="timing",
    unit="years",
    label="Term",
    path="/tender/contractPeriod",
    also=("/tender/lots/0/contractPeriod", "/awards/0/contractPeriod", "/contracts/0/period"),
    direction=1,
    says="The contract runs {value} years.",
)
def term_years(table: TenderTable) -> Floats:
    """Initial term in years, without options.

    Long terms outlive policies and prices. Source: OCDS `tender.contractPeriod`.
    """
    return years(table)


@feature(
    stage="draft",
    theme="timing",
    unit="yes/no",
    label="May be extended",
    path="/tender/lots/0/hasRenewal",
    says="The contract may be extended.",
    says_not="The contract cannot be extended.",
    factor=FactorSpec(asks="whether the contract may be extended", sources=(CROYDON,), seen_with="survival"),
)
def extendable(table: TenderTable) -> Floats:
    """1 if any lot can be renewed or has options; 0 if the lots say that none can. Source: OCDS lots extension."""
    return table.number("extendable")


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
def published_at_year_end(table: TenderTable) -> Floats:
    """1 if published in February or March, before the UK budget year ends. Source: our own."""
    return _published_in(table, YEAR_END_MONTHS)


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
def published_in_holidays(table: TenderTable) -> Floats:
    """1 if published in August or December, when bid teams are away. Source: our own."""
    return _published_in(table, HOLIDAY_MONTHS)


@feature(
    stage="draft",
    theme="timing",
    unit="day",
    label="Day of the year",
    path="/tender/datePublished",
    says="It is published on day {value} of the year.",
)
def day_of_year(table: TenderTable) -> Floats:
    """Day of the year (1 to 366) of publication; unknown where only the month or year is known.

    Budgets that lapse are spent in haste, and their year ends on another day in each country. Source: Liebman and
    Mahoney 2017, Do expiring budgets lead to wasteful year-end spending?
    """
    return map_numbers(table.days("published"), lambda day: date.fromordinal(int(day)).timetuple().tm_yday)


@feature(
    stage="awarded",
    theme="timing",
    unit="days",
    label="Days to mobilise",
    path="/awards/0/date",
    also=("/awards/0/contractPeriod", "/contracts/0/period"),
    direction=-1,
    says="{value} days lie between award and start.",
)
def mobilisation_days(table: TenderTable) -> Floats:
    """Days from the first award to the first start of a contract; unknown if the start came first.

    Staff, data and systems must move in that time. Source: NAO on UnitingCare: cleared the day before the start.
    """
    days = table.days("started") - table.days("award_date")
    return np.where(days >= 0, days, np.nan)


@factor(
    stage="draft",
    theme="timing",
    label="Short tender period",
    path="/tender/tenderPeriod",
    says="Bidders have less than 35 days.",
    says_not="Bidders have 35 days or more.",
    asks="how long bidders have",
    sources=(
        "Procurement Act 2023, s. 54: 35 days, or 25 where all is sent and given electronically at once",
        f"{DIRECTIVE}, art. 27(1), for EU registers: 35 days",
        FAZEKAS,
    ),
)
def short_tender_period(table: TenderTable) -> Floats:
    """1 for less than 35 days, whatever the procedure.

    Source: Procurement Act 2023 s. 54 and Directive 2014/24/EU art. 27(1), which both allow less in some procedures.
    """
    days = tender_period_days(table)
    return yes_no(days < SHORT_PERIOD, days)


@factor(
    stage="draft",
    counted_at="awarded",
    theme="timing",
    label="Staff transfer with little time to mobilise",
    path="/tenderRisk/staffTransfer",
    also=("/tender/tenderPeriod", "/tender/contractPeriod", "/awards/0/date"),
    says="Staff transfer, with less than 90 days to mobilise.",
    says_not="No staff transfer, or with 90 days or more to mobilise.",
    asks="staff transfer, or the time to mobilise,",
    sources=(TUPE, PLAYBOOK, f"{NAO_UNITINGCARE}: cleared the day before the start"),
)
def hurried_staff_transfer(table: TenderTable) -> Floats:
    """1 for staff transfer with under 90 days from award to start. The threshold is ours.

    Before an award the days count from the deadline for bids, which is the longest that it can be: they show a short
    time, and never a long one. Source: NAO on UnitingCare.
    """
    transfer, days = table.number("staff_transfer"), mobilisation_days(table)
    longest = table.days("contract_start") - table.days("tender_end")
    hurried = (days < SHORT_MOBILISATION) | (np.isnan(days) & (longest >= 0) & (longest < SHORT_MOBILISATION))
    return shown_or_absent(
        (transfer == 1) & hurried, (transfer == 0) | ((transfer == 1) & (days >= SHORT_MOBILISATION))
    )


@factor(
    stage="awarded",
    theme="timing",
    label="Unsigned, or price items open, at the start",
    path="/tenderRisk/taxUnresolved",
    also=("/contracts/0/dateSigned",),
    says="Work began before signature, or with tax or price items open.",
    says_not="It was signed before work began, and the tax position was settled.",
    asks="the day of signature or the tax position",
    sources=(NAO_UNITINGCARE, PAC_UNITINGCARE),
)
def open_at_start(table: TenderTable) -> Floats:
    """1 if tax is stated to be unresolved or a contract was signed after its start; 0 if both are known to be settled.

    Source: NAO on UnitingCare.
    """
    tax, days = table.number("tax_unresolved"), table.number("signed_before_start")
    return shown_or_absent((tax == 1) | (days < 0), (tax == 0) & (days >= 0))


@factor(
    stage="awarded",
    theme="timing",
    label="Signed off at the last moment",
    path="/contracts/0/dateSigned",
    says="It was signed less than a week before the start.",
    says_not="It was signed a week or more before the start.",
    asks="the day of signature or of the start",
    sources=(f"{NAO_UNITINGCARE}: cleared the day before the start",),
)
def last_moment_signature(table: TenderTable) -> Floats:
    """1 for a contract signed less than 7 days before its period starts, or later. The threshold is ours.

    Source: NAO on UnitingCare.
    """
    days = table.number("signed_before_start")
    return yes_no(days < LAST_MOMENT, days)
