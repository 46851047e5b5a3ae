"""Fact or default? Registers fill fields that nobody answered: with 1900 or 9999, 0.01 or 999,999,999, 0 days, 0 bids.

A default is no fact. It is taken out of the release where it is read, so that scores, outcomes, portfolios and training
see the same tender, and a warning says so with its JSON path. This module alone decides, from the release itself:

- a date before 1990, or a day that systems write for "none" (1970-01-01, 2099-12-31); for what a notice states, one
  more than ten years after the release; for a contract, one that makes it run for a century;
- an amount of 1 or less, of nines or ones alone from eight digits on, or of more than there is money;
- a duration of nothing, of nines alone from four digits on, or of a century; for a tender, of more than ten years;
- a count of nines alone; a count of 0 beside a bidder that is named, or while bids can still come in.

Sources: notices of many publishers; the epochs of Unix, Excel, SQL Server and FAT file systems. docs/inputs.md
shows the rules as a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tenders import dates
from tenders.codelists import BID_COUNT_MEASURES, TENDER_ENDED_WITHOUT_AWARD
from tenders.errors import Problem
from tenders.tender import Award, Period, Tender, Value

Days = NDArray[np.float64]
FIRST_YEAR = 1990
"""No register is older: what names an earlier year was never filled."""
EMPTY_DAYS = frozenset(
    {
        (2038, 1, 18), (2038, 1, 19), (2069, 12, 31), (2070, 1, 1), (2079, 6, 5), (2079, 6, 6), (2099, 1, 1),
        (2099, 12, 30), (2099, 12, 31), (2100, 1, 1), (2100, 12, 31),
    }
)  # fmt: skip
"""Days that systems write for none: the ends of their calendars, 1970 in the wrong century, and a day beside each for
another time zone."""
ROUND_STARTS = frozenset({(1990, 1, 1), (1999, 12, 31), (2000, 1, 1), (2001, 1, 1)})
"""Days that are a default only where they lie long before everything else."""
LAST_YEAR = 2150
NOTICE_YEARS, PLAN_YEARS, CENTURY = 10, 20, 100
DAYS_A_YEAR = 365.25

LEAST_AMOUNT, MOST_MONEY = 1.0, 1e15
LONG_DURATION, LONG_COUNT = 9_999, 9_999
"""The shortest numbers of nines alone that are taken as a default."""
FILLERS = frozenset(
    float(f"{digit * length}{cents}")
    for digit in "19"
    for length in range(8, 16)
    for cents in ("", f".{digit}", f".{digit * 2}")
)
"""Amounts of nines or ones alone, with cents or without."""

NAMED_SUPPLIER = "an award that names its supplier"
_NOTHING_YET = frozenset({"planning", "planningUpdate", "tender", "tenderUpdate", "tenderAmendment"})


def find_defaults(tender: Tender) -> Iterator[Problem]:
    """Every default in a release, by its JSON path in it. What it says is a whole sentence about the field."""
    yield from _dates(tender)
    yield from _amounts(tender)
    yield from find_counts(tender)


# Dates and durations.


class _Anchors:
    """The days that place a release in time: its own, that of publication, and the start of the tender period.

    A date is far away if it is far from all of these, itself left out: one of them may be wrong.
    """

    def __init__(self, tender: Tender) -> None:
        section = tender.tender
        stated = (
            ("/date", tender.date),
            ("/tender/datePublished", section.date_published),
            ("/tender/tenderPeriod/startDate", section.tender_period and section.tender_period.start_date),
        )
        self.days = {
            path: day for path, text in stated if text and not _is_empty_day(text) and (day := _first_day(text))
        }

    def years_after(self, path: str, day: date) -> float:
        """Years from the last of them to a day; negative if the day comes first, 0 if nothing else is known."""
        others = [day for place, day in self.days.items() if place != path]
        return (day - max(others)).days / DAYS_A_YEAR if others else 0.0

    def years_before(self, path: str, day: date) -> float:
        """Years from a day to the first of them; negative if the day comes after it, 0 if nothing else is known."""
        others = [day for place, day in self.days.items() if place != path]
        return (min(others) - day).days / DAYS_A_YEAR if others else 0.0


def _first_day(text: str) -> date | None:
    """The first day that a date can mean; None for what is no date, which its reader refuses."""
    try:
        return dates.earliest(text)
    except ValueError:
        return None


def _ymd(text: str) -> tuple[int, int, int] | None:
    """Year, month and day of a full date."""
    day = _first_day(text) if len(text) >= len("2024-01-01") else None
    return (day.year, day.month, day.day) if day else None


def _dates(tender: Tender) -> Iterator[Problem]:
    anchors = _Anchors(tender)
    section = tender.tender
    for path, text in (("/date", tender.date), ("/tender/datePublished", section.date_published)):
        yield from _notice_date(path, text, anchors)
    for name, period in (("tenderPeriod", section.tender_period), ("enquiryPeriod", section.enquiry_period)):
        yield from _notice_period(f"/tender/{name}", period, anchors)
    yield from _contract_period("/tender/contractPeriod", section.contract_period, anchors, planned=True)
    if section.submission_terms:
        validity = section.submission_terms.bid_validity_period
        yield from _notice_period("/tender/submissionTerms/bidValidityPeriod", validity, anchors)
    for i, lot in enumerate(section.lots):
        yield from _contract_period(f"/tender/lots/{i}/contractPeriod", lot.contract_period, anchors, planned=True)
        yield from _notice_period(f"/tender/lots/{i}/tenderPeriod", lot.tender_period, anchors)
        yield from _notice_period(f"/tender/lots/{i}/enquiryPeriod", lot.enquiry_period, anchors)
    for i, award in enumerate(tender.awards):
        yield from _notice_date(f"/awards/{i}/date", award.date, anchors)
        yield from _contract_period(f"/awards/{i}/contractPeriod", award.contract_period, anchors)
    for i, contract in enumerate(tender.contracts):
        yield from _notice_date(f"/contracts/{i}/dateSigned", contract.date_signed, anchors)
        yield from _contract_period(f"/contracts/{i}/period", contract.period, anchors)


def is_credible(text: str) -> bool:
    """Whether a date, seen by itself, can be that of a procurement. It has to be a date."""
    return not _is_empty_day(text)


def _is_empty_day(text: str) -> bool:
    if not text[:4].isdecimal():
        return False
    year = int(text[:4])
    return not FIRST_YEAR <= year <= LAST_YEAR or (year > 2037 and _ymd(text) in EMPTY_DAYS)


def is_nothing(text: str) -> bool:
    """Whether a text where a date should be is one that stands for none, such as 0000-00-00, or is blank."""
    return not text.strip() or (text[:4].isdecimal() and not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR)


def no_date(path: str, text: str) -> Problem:
    """What is said of a date that stands for none."""
    return Problem(path=path, problem=f"{text[:10]} is what systems write for no date, so it is unknown")


def _notice_date(path: str, text: str | None, anchors: _Anchors) -> Iterator[Problem]:
    """A day on which something was or will be done in the procedure."""
    if text is None:
        return
    if _is_empty_day(text):
        yield no_date(path, text)
    elif day := _first_day(text):
        # A release may compile what happened long before.
        if path != "/date" and anchors.years_after(path, day) > NOTICE_YEARS:
            yield Problem(path=path, problem=f"{text[:10]} is over {NOTICE_YEARS} years away, so it is unknown")
        elif _is_round_start(text) and anchors.years_before(path, day) > NOTICE_YEARS / 2:
            yield no_date(path, text)


def _is_round_start(text: str) -> bool:
    return _ymd(text) in ROUND_STARTS


def _notice_period(path: str, period: Period | None, anchors: _Anchors) -> Iterator[Problem]:
    """The time for something in the procedure: to bid, to ask, to hold a bid."""
    if period is None:
        return
    wrong = [
        *_notice_date(f"{path}/startDate", period.start_date, anchors),
        *_notice_date(f"{path}/endDate", period.end_date, anchors),
    ]
    yield from wrong
    yield from _duration(path, period, NOTICE_YEARS)
    days = _days(period)
    if wrong or days is None:
        return
    if days == 0:
        yield Problem(path=f"{path}/startDate", problem="it starts and ends on one day, so its start is unknown")
    elif days > NOTICE_YEARS * DAYS_A_YEAR:
        end = _first_day(period.end_date or "")
        late = end is not None and anchors.years_after(f"{path}/startDate", end) * DAYS_A_YEAR > days / 2
        yield Problem(
            path=f"{path}/{'endDate' if late else 'startDate'}",
            problem=f"it would last {days / DAYS_A_YEAR:.0f} years, so it is unknown",
        )


def _days(period: Period) -> int | None:
    try:
        return dates.days_between(period.start_date, period.end_date)
    except ValueError:
        return None


def _contract_period(path: str, period: Period | None, anchors: _Anchors, planned: bool = False) -> Iterator[Problem]:
    """The term of a contract; one that is `planned` starts at about the time of the release."""
    if period is None:
        return
    wrong = list(_contract_dates(path, period, anchors, planned))
    yield from wrong
    yield from _duration(path, period, CENTURY)
    days = _days(period)
    if not wrong and days is not None and days > CENTURY * DAYS_A_YEAR:
        problem = f"it would run {days / DAYS_A_YEAR:.0f} years, so its end is unknown"
        yield Problem(path=f"{path}/endDate", problem=problem)


def _contract_dates(path: str, period: Period, anchors: _Anchors, planned: bool) -> Iterator[Problem]:
    for name, text in (("startDate", period.start_date), ("endDate", period.end_date)):
        day, place = _first_day(text) if text else None, f"{path}/{name}"
        if text is None:
            continue
        before = anchors.years_before(place, day) if day and planned else 0.0
        if _is_empty_day(text) or (_is_round_start(text) and before > NOTICE_YEARS / 2):
            yield no_date(place, text)
        elif name == "startDate" and planned and day and max(before, anchors.years_after(place, day)) > PLAN_YEARS:
            problem = f"{text[:10]} is over {PLAN_YEARS} years from the notice, so it is unknown"
            yield Problem(path=place, problem=problem)


def _duration(path: str, period: Period, most_years: float) -> Iterator[Problem]:
    for name, number, days in (
        ("durationInDays", period.duration_in_days, 1.0),
        ("durationInMonths", period.duration_in_months, DAYS_A_YEAR / 12),
    ):
        if number is not None and is_no_duration(number * days, most_years, number):
            what = f"{number:g} is what systems write for no duration"
            if number * days > most_years * DAYS_A_YEAR:
                what = f"{number:,.10g} {'days' if days == 1 else 'months'} are more than {most_years:g} years"
            yield Problem(path=f"{path}/{name}", problem=f"{what}, so it is unknown")


def is_no_duration(days: float, most_years: float = CENTURY, written: float | None = None) -> bool:
    """Whether a duration of so many days, `written` as it is, is a default."""
    nines = _is_all("9", days if written is None else written, LONG_DURATION)
    return days <= 0 or days > most_years * DAYS_A_YEAR or nines


# Amounts.


def _amounts(tender: Tender) -> Iterator[Problem]:
    planning, section = tender.planning, tender.tender
    yield from _amount("/tender/value", section.value)
    if planning and planning.budget:
        yield from _amount("/planning/budget/amount", planning.budget.amount)
    for i, lot in enumerate(section.lots):
        yield from _amount(f"/tender/lots/{i}/value", lot.value)
    for i, award in enumerate(tender.awards):
        yield from _amount(f"/awards/{i}/value", award.value)
    for i, contract in enumerate(tender.contracts):
        yield from _amount(f"/contracts/{i}/value", contract.value)


def _amount(path: str, value: Value | None) -> Iterator[Problem]:
    if value is None:
        return
    for name, amount in (("amount", value.amount), ("amountGross", value.amount_gross)):
        if amount is not None and is_no_amount(amount):
            problem = f"{amount:,.10g} is what systems write for no amount, so it is unknown"
            yield Problem(path=f"{path}/{name}", problem=problem)


def is_no_amount(amount: float) -> bool:
    """Whether an amount, in any currency, is a default."""
    return amount <= LEAST_AMOUNT or amount > MOST_MONEY or amount in FILLERS


def _is_all(digit: str, number: float, least: float) -> bool:
    """Whether a number is written with one digit alone, cents included, and is at least so large."""
    if number < least or int(number) % 10 != int(digit):
        return False
    return not f"{number:.2f}".removesuffix(".00").replace(".", "").strip(digit)


# Counts.


def find_counts(tender: Tender) -> Iterator[Problem]:
    """Every count of bids that is a default."""
    count = tender.tender.number_of_tenderers
    if count is not None:
        yield from _count("/tender/numberOfTenderers", count, _contradiction(tender, None))
    for i, statistic in enumerate(tender.bids.statistics if tender.bids else ()):
        if statistic.value is not None and statistic.measure in BID_COUNT_MEASURES:
            lot = None if statistic.related_lot is None else str(statistic.related_lot)
            yield from _count(f"/bids/statistics/{i}/value", statistic.value, _contradiction(tender, lot))


def _count(path: str, count: float, contradiction: str | None) -> Iterator[Problem]:
    if count == 0 and contradiction:
        yield zero_count(path, contradiction)
    elif _is_all("9", count, LONG_COUNT):
        yield Problem(path=path, problem=f"{count:g} is what systems write for no count, so it is unknown")


def zero_count(path: str, contradiction: str) -> Problem:
    """What is said of a count of 0 that something contradicts."""
    return Problem(path=path, problem=f"0 beside {contradiction} is no count, so it is unknown")


def _contradiction(tender: Tender, lot: str | None) -> str | None:
    """What shows that there were bids, or that there can be none yet, where 0 are counted of a lot or the whole."""
    if any(_names_a_bidder(award) and _is_about(award, lot, tender) for award in tender.awards):
        return NAMED_SUPPLIER
    if any(award.status == "active" and _is_about(award, lot, tender) for award in tender.awards):
        return "an award in force"
    if lot is None and tender.contracts:
        return "a contract"
    if lot is None and tender.tender.tenderers:
        return "the tenderers that are listed"
    return "a deadline that is still to come" if _is_open(tender) else None


def _names_a_bidder(award: Award) -> bool:
    return any(supplier.name or supplier.id is not None for supplier in award.suppliers)


def _is_about(award: Award, lot: str | None, tender: Tender) -> bool:
    if lot is None or not award.related_lots:
        return lot is None or len(tender.tender.lots) <= 1
    return lot in map(str, award.related_lots)


def _is_open(tender: Tender) -> bool:
    """Whether bids could still come in when the release was written."""
    section = tender.tender
    if not tender.tag or not _NOTHING_YET.issuperset(tender.tag) or section.status in TENDER_ENDED_WITHOUT_AWARD:
        return False
    ends = [p.end_date for p in (section.tender_period, *(lot.tender_period for lot in section.lots)) if p]
    known = [text for text in ends if text and not _is_empty_day(text)]
    due, written = max(filter(None, map(_first_day, known)), default=None), _first_day(tender.date or "")
    return due is not None and written is not None and due > written


# Columns of forms.


def days_to_examine(
    published: Days, tender: tuple[Days, Days], contract: tuple[Days, Days], awarded: Days
) -> NDArray[np.bool_]:
    """Which rows of days (ordinals, NaN for unknown) could hold a default: every one that does, and few more.

    `tender` and `contract` are the start and end of their periods. Shape (rows,) all.
    """
    first, last = date(FIRST_YEAR, 1, 1).toordinal(), date(2037, 12, 31).toordinal()
    odd = np.zeros(len(published), dtype=bool)
    for days in (published, *tender, *contract, awarded):
        # Comparisons with NaN are false.
        odd |= (days < first) | (days > last)
    for days in (*tender, awarded):
        odd |= np.abs(days - published) > NOTICE_YEARS / 2 * DAYS_A_YEAR
    for days in contract:
        odd |= published - days > NOTICE_YEARS / 2 * DAYS_A_YEAR
    odd |= contract[0] - published > PLAN_YEARS * DAYS_A_YEAR
    length = tender[1] - tender[0]
    odd |= (length == 0) | (length > NOTICE_YEARS * DAYS_A_YEAR)
    return odd


def are_no_amounts(amounts: Days) -> NDArray[np.bool_]:
    """Which amounts (NaN for unknown) are a default."""
    odd: NDArray[np.bool_] = (amounts <= LEAST_AMOUNT) | (amounts > MOST_MONEY)
    doubtful = np.flatnonzero(amounts >= min(FILLERS))
    odd[doubtful] |= np.isin(amounts[doubtful], list(FILLERS))
    return odd
