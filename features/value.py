"""Money: how much, against what, and whether it is enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.by_column import by_column
from features.catalogue import feature
from features.once import once
from features.table import Columns, Floats, Periods, Values, floats, of_lots, records_of_market
from features.track_records.case_records import TrackRecord
from tenders import dates
from tenders.columns import DAYS_A_YEAR
from tenders.money import in_pounds
from tenders.tender import Period, Tender, Value

PENNY = 0.01
PEERS = 5  # cases with a value, below which a market has no typical value


@once
def pounds(columns: Columns) -> Floats:
    """The stated value of the whole term in pounds; the sum of the lots where only they have one, else the budget."""
    everyone = range(len(columns))
    own = _in_pounds(columns.value, everyone, columns)
    if not np.isnan(own).any():
        return own
    owner = of_lots(columns)
    lots = np.bincount(owner, _in_pounds(columns.lot_values, owner, columns), len(columns))
    found = np.where(np.isnan(own) & (columns.lots > 0), lots, own)
    return np.where(np.isnan(found), _in_pounds(columns.budget, everyone, columns), found)


def _in_pounds(values: Values, owner: Sequence[int] | NDArray[np.int64], columns: Columns) -> Floats:
    """Amounts in pounds at the rate of the year in which their tender was published."""
    found = floats(values.amount)
    found[found == 0] = np.nan
    abroad = values.currency.where(lambda currency: currency != "GBP")
    for place in np.flatnonzero(abroad & ~np.isnan(found)).tolist():
        value = Value(amount=float(found[place]), currency=values.currency.categories[values.currency.codes[place]])
        found[place] = in_pounds(value, dates.year(columns.dated[owner[place]]))
    return found


@once
def years(columns: Columns) -> Floats:
    """The initial term in years, without options: the tender's own, else the longest of its lots."""
    own = _years(columns.contract_period)
    if not np.isnan(own).any():
        return own
    longest = np.full(len(columns), np.nan)
    np.fmax.at(longest, of_lots(columns), _years(columns.lot_periods))
    return np.where(np.isnan(own), longest, own)


def _years(periods: Periods) -> Floats:
    """Lengths in years; NaN if unknown, reversed or under a day."""
    days = periods.days
    return np.where(days >= 1, days / DAYS_A_YEAR, np.nan)


def days_of(period: Period | None) -> float | None:
    """Length of a period in days, as stated or else between its days; None if unknown or reversed."""
    if period is None:
        return None
    days = period.duration_in_days
    if days is None:
        days = dates.days_between(period.start_date, period.end_date)
    return float(days) if days is not None and days >= 0 else None


@feature(
    stage="draft",
    theme="value",
    unit="GBP",
    label="Value",
    path="/tender/value",
    also=("/tender/lots", "/planning/budget"),
    says="The stated value is {value}.",
)
@by_column
def value_gbp(columns: Columns) -> Floats:
    """Stated value of the whole term, in pounds at its year's rate.

    Large contracts fail more visibly; whether more often is for the data to say. Source: OCDS `tender.value`.
    """
    return pounds(columns)


@feature(
    stage="draft",
    theme="value",
    unit="GBP",
    label="Value a year",
    path="/tender/value",
    also=("/tender/lots", "/planning/budget"),
    says="That is {value} a year.",
)
@by_column
def value_per_year(columns: Columns) -> Floats:
    """Stated value over the term in years, in pounds.

    What the supplier must run each year, whatever the term. Source: our own.
    """
    return pounds(columns) / years(columns)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Value against peers",
    path="/tender/value",
    also=("/tender/lots", "/planning/budget"),
    says="The value is {value} times that of its market's typical contract.",
)
@by_column
def value_to_peers(columns: Columns) -> Floats:
    """Stated value over the geometric mean of earlier resolved contracts in its market; unknown under 5 of them.

    A contract far out of its market's usual size has no proven supplier. Source: our own.
    """
    usual = records_of_market(columns).numbers(
        lambda record: math.exp(record.log_value / record.valued) if record and record.valued >= PEERS else None
    )
    return pounds(columns) / usual


@feature(
    stage="draft",
    theme="value",
    unit="yes/no",
    label="Savings assumed",
    path="/tenderRisk/savingsAssumed",
    also=("/tenderRisk/priceToFormerCost",),
    direction=1,
    says="The price ceiling lies below the present cost.",
    says_not="The price ceiling covers the present cost.",
)
def savings_assumed(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the ceiling is stated to lie under what the service costs today.

    A saving that nobody has found yet is a shortfall that someone will. Source: NAO on UnitingCare.
    """
    ratio = tender.tender_risk.price_to_former_cost
    stated = tender.tender_risk.savings_assumed
    if stated is None and ratio is not None:
        stated = ratio < 1
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Price to former cost",
    path="/tenderRisk/priceToFormerCost",
    direction=-1,
    says="The price ceiling is {value} times the present cost.",
)
def price_to_former_cost(tender: Tender, track_record: TrackRecord) -> float | None:
    """The ceiling over the present yearly cost, as stated.

    More money than before is a sign seen with survival. Source: casebook, re-lets with more money.
    """
    return tender.tender_risk.price_to_former_cost


@feature(
    stage="draft",
    theme="value",
    unit="yes/no",
    label="Round value",
    path="/tender/value",
    says="The value is a round figure: one digit and noughts.",
    says_not="The value is not a round figure.",
)
def round_value(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the stated amount has one significant digit.

    A round figure is a guess; a costed one seldom is round. Source: our own.
    """
    amount = amount_stated(tender.tender.value)
    return None if amount is None else float(float(f"{amount:.0e}") == amount)


@feature(
    stage="draft",
    theme="value",
    unit="digits",
    label="Digits of the value",
    path="/tender/lots/0/value",
    also=("/tender/value",),
    says="The value has {value} significant digits.",
)
def value_digits(tender: Tender, track_record: TrackRecord) -> float | None:
    """Significant digits of the value of the lot that stands first, else of the tender's, cents among them.

    A costed value has many, a guess has few. Source: our own.
    """
    lots = tender.tender.lots
    amount = amount_stated(lots[0].value if lots else tender.tender.value)
    return None if amount is None else float(len(f"{amount:.2f}".replace(".", "").strip("0")))


@feature(
    stage="awarded",
    theme="value",
    unit="ratio",
    label="Price to estimate",
    path="/awards/0/value",
    says="The price agreed is {value} times the estimate.",
)
def price_to_estimate(tender: Tender, track_record: TrackRecord) -> float | None:
    """Sum of the awards' values over the tender's value, both in the tender's currency.

    Far below is a bid that may not hold; at the ceiling, a bid without a rival. Source: Directive 2014/24/EU art. 69.
    """
    return over((award.value for award in tender.awards), tender.tender.value)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Bid security to value",
    path="/tender/participationFees",
    says="The bid security is {value} times the value.",
)
def deposit_share(tender: Tender, track_record: TrackRecord) -> float | None:
    """Bid security (fees of type deposit) over the tender's value, both in one currency.

    Cash tied up until the award keeps small bidders away. Source: General Financial Rules 2017 (India), rule 170;
    OCDS participation fees extension.
    """
    return over(_fees(tender, "deposit"), tender.tender.value)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Price of the papers to value",
    path="/tender/participationFees",
    says="The tender papers cost {value} times the value.",
)
def fee_share(tender: Tender, track_record: TrackRecord) -> float | None:
    """Price of the tender papers (fees of type document) over the tender's value, both in one currency.

    It is lost whoever wins, so the curious stay away. Source: OCDS participation fees extension.
    """
    return over(_fees(tender, "document"), tender.tender.value)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Value to budget",
    path="/planning/budget",
    also=("/tender/value",),
    says="The value is {value} times the budget.",
)
def value_to_budget(tender: Tender, track_record: TrackRecord) -> float | None:
    """Tender's value over the budget, both in one currency.

    The value counts extensions and options, the budget what is sure: far above it, much is only hoped for. Source:
    Ley 9/2017 (Spain) arts. 100-101; OCDS `planning.budget`.
    """
    budget = tender.planning and tender.planning.budget
    return over((tender.tender.value,), budget.amount) if budget else None


def _fees(tender: Tender, kind: str) -> Iterable[Value | None]:
    return (fee.value for fee in tender.tender.participation_fees if kind in fee.type)


def over(values: Iterable[Value | None], base: Value | None) -> float | None:
    """The sum of the values that state an amount, over a base; None unless all are in its currency."""
    whole, known = amount_stated(base), [value for value in values if value and amount_stated(value)]
    if whole is None or base is None or not base.currency or {value.currency for value in known} != {base.currency}:
        return None
    return math.fsum(value.amount or 0 for value in known) / whole


def amount_stated(value: Value | None) -> float | None:
    """The amount, if it is one: registers write 0 where no value was given."""
    return value.amount if value and value.amount and value.amount >= PENNY else None
