"""Money: how much, against what, and whether it is enough."""

from __future__ import annotations

import math
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.buyer import market_records
from features.factors import DIRECTIVE, FAZEKAS, NAO_UNITINGCARE, PAC_UNITINGCARE, factor
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, cached, map_numbers, period_days, yes_no
from tenders.columns import CURRENCY_CODES, DAYS_A_YEAR
from tenders.money import in_pounds
from tenders.tender import Value

PENNY = 0.01
PEERS = 5  # cases with a value, below which a market has no typical value
TIMES_PEERS = 5.0
FAR_BELOW, AT_CEILING = 0.8, 0.98
POWERS = np.array([float(10**exponent) for exponent in range(23)])
NO_CURRENCY, GBP = CURRENCY_CODES.index(None), CURRENCY_CODES.index("GBP")
"""Their codes in every column of currencies."""


class Amounts(msgspec.Struct, frozen=True):
    """Net amounts, NaN where none is stated, the codes of their currencies, and the row of each; of so many `rows`."""

    amount: Floats
    currency: NDArray[np.int32]
    owner: NDArray[np.int64]
    rows: int

    @classmethod
    def of_value(cls, table: TenderTable) -> Amounts:
        """The value of each tender."""
        return cls(table.number("value"), table.text("currency").codes, np.arange(len(table)), len(table))

    @classmethod
    def of_budget(cls, table: TenderTable) -> Amounts:
        """The budget of each tender."""
        return cls(table.number("budget"), table.text("budget_currency").codes, np.arange(len(table)), len(table))

    @classmethod
    def of_entries(cls, table: TenderTable, values: str, currencies: str, per: str) -> Amounts:
        """The values of each entry of a list, by their columns."""
        return cls(table.number(values), table.text(currencies).codes, table.owner(per), len(table))

    def by_row(self) -> Floats:
        """The amount of each row, of amounts of which a row has at most one."""
        amount = np.full(self.rows, np.nan)
        amount[self.owner] = self.amount
        return amount


@cached
def first_lot(table: TenderTable) -> Amounts:
    """The value of the lot that stands first."""
    lots = Amounts.of_entries(table, "lot_values", "lot_currencies", "lots")
    first = np.flatnonzero(np.diff(lots.owner, prepend=-1))
    return Amounts(lots.amount[first], lots.currency[first], lots.owner[first], len(table))


def stated(amount: Floats) -> Floats:
    """Amounts that are one: registers write 0 where no value was given."""
    return np.where(amount >= PENNY, amount, np.nan)


def over(values: Amounts, base: Amounts) -> Floats:
    """The sum of the values that state an amount, over a base; NaN unless all are in its currency. Shape (rows,)."""
    known = values.amount >= PENNY
    if not known.any():
        return np.full(base.rows, np.nan)
    whole, currency = stated(base.by_row()), np.zeros(base.rows, dtype=np.int32)
    currency[base.owner] = base.currency
    owner, amount = values.owner[known], values.amount[known]
    foreign = owner[values.currency[known] != currency[owner]]
    total = np.bincount(owner, amount, base.rows)
    counts = np.bincount(owner, minlength=base.rows)
    for row in np.flatnonzero(counts > 1).tolist():
        # The same whatever the order of the entries.
        total[row] = math.fsum(amount[owner == row].tolist())
    comparable = (currency != NO_CURRENCY) & (counts > 0) & (np.bincount(foreign, minlength=base.rows) == 0)
    return np.where(comparable, total / whole, np.nan)


def net_or_gross(table: TenderTable, net: str, gross: str) -> Floats:
    """Amounts net, or else gross, by their columns."""
    amount, instead = table.number(net), table.number(gross)
    return np.where(np.isnan(amount), instead, amount)


@cached
def pounds(table: TenderTable) -> Floats:
    """The stated value of the whole term in pounds; the sum of the lots where only they have one, else the budget.

    Where none of these is stated, the price that was agreed, once there is one.
    """
    own, currency = net_or_gross(table, "value", "value_gross"), table.text("currency").codes
    lots, lot_currency = net_or_gross(table, "lot_values", "lot_values_gross"), table.text("lot_currencies").codes
    budget, budget_currency = net_or_gross(table, "budget", "budget_gross"), table.text("budget_currency").codes
    agreed, agreed_currency = table.number("value_at_award"), table.text("currency_at_award").codes
    rows, owner, counts = np.arange(len(table)), table.owner("lots"), table.number("lots")
    years = _Years(table)
    value = _in_pounds(own, currency, rows, years)
    if not np.isnan(value).any():
        return value
    of_lots = np.bincount(owner, _in_pounds(lots, lot_currency, owner, years), len(table))
    value = np.where(np.isnan(value) & (counts > 0), of_lots, value)
    value = np.where(np.isnan(value), _in_pounds(budget, budget_currency, rows, years), value)
    return np.where(np.isnan(value), _in_pounds(agreed, agreed_currency, rows, years), value)


class _Years:
    """The year at whose rate amounts are converted: of publication, else of the tender period or the release."""

    def __init__(self, table: TenderTable) -> None:
        self._day, self._year = table.days("published"), table.number("year_without_day")

    def of(self, row: int) -> int | None:
        """The year of a tender; None if unknown."""
        day, year = self._day[row], self._year[row]
        return date.fromordinal(int(day)).year if not np.isnan(day) else int(year) if not np.isnan(year) else None


def _in_pounds(amount: Floats, currency: NDArray[np.int32], owner: NDArray[np.int64], years: _Years) -> Floats:
    """Amounts in pounds, each at the rate of the year of its tender."""
    pounds = np.where(amount == 0, np.nan, amount)
    for place in np.flatnonzero((currency != GBP) & ~np.isnan(pounds)).tolist():
        value = Value(amount=float(pounds[place]), currency=CURRENCY_CODES[currency[place]])
        converted = in_pounds(value, years.of(owner[place]))
        pounds[place] = np.nan if converted is None else converted
    return pounds


@cached
def years(table: TenderTable) -> Floats:
    """The initial term in years, without options: the tender's own, else the longest of its lots, else as agreed."""
    own = period_days(table.number("contract_days"), table.days("contract_start"), table.days("contract_end"))
    lots = period_days(table.number("lot_days"), table.days("lot_start"), table.days("lot_end"))
    owner, term, agreed = table.owner("lots"), _years(own), table.number("days_at_award")
    if not np.isnan(term).any():
        return term
    longest = np.full(len(table), np.nan)
    np.fmax.at(longest, owner, _years(lots))
    longest = np.where(np.isnan(longest), _years(agreed), longest)
    return np.where(np.isnan(term), longest, term)


def _years(days: Floats) -> Floats:
    """Lengths in years; NaN if unknown, reversed or under a day."""
    return np.where(days >= 1, days / DAYS_A_YEAR, np.nan)


@feature(
    stage="draft",
    theme="value",
    unit="GBP",
    label="Value",
    path="/tender/value",
    also=("/tender/lots/0/value", "/planning/budget", "/awards/0/value", "/contracts/0/value"),
    says="The stated value is {value}.",
)
def value_gbp(table: TenderTable) -> Floats:
    """Stated value of the whole term, in pounds at its year's rate.

    Large contracts fail more visibly; whether more often is for the data to say. Source: OCDS `tender.value`.
    """
    return pounds(table)


@feature(
    stage="draft",
    theme="value",
    unit="GBP",
    label="Value a year",
    path="/tender/value",
    also=("/tender/lots/0/value", "/planning/budget", "/awards/0/value", "/contracts/0/value"),
    says="That is {value} a year.",
)
def value_per_year(table: TenderTable) -> Floats:
    """Stated value over the term in years, in pounds.

    What the supplier must run each year, whatever the term. Source: our own.
    """
    return pounds(table) / years(table)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Value against peers",
    path="/tender/value",
    also=("/tender/lots/0/value", "/planning/budget", "/awards/0/value", "/contracts/0/value"),
    says="The value is {value} times that of its market's typical contract.",
)
def value_to_peers(table: TenderTable) -> Floats:
    """Stated value over the geometric mean of earlier resolved contracts in its market; unknown under 5 of them.

    A contract far out of its market's usual size has no proven supplier. Source: our own.
    """
    usual = market_records(table).numbers(
        lambda record: math.exp(record.log_value / record.valued) if record and record.valued >= PEERS else None
    )
    return pounds(table) / usual


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
    factor=FactorSpec(asks="the price ceiling against the present cost", sources=(NAO_UNITINGCARE, PAC_UNITINGCARE)),
)
def savings_assumed(table: TenderTable) -> Floats:
    """1 if the ceiling is stated to lie under what the service costs today.

    A saving that nobody has found yet is a shortfall that someone will. Source: NAO on UnitingCare.
    """
    assumed, ratio = table.number("savings_assumed"), table.number("price_to_former_cost")
    return np.where(np.isnan(assumed), yes_no(ratio < 1, ratio), assumed)


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Price to former cost",
    path="/tenderRisk/priceToFormerCost",
    direction=-1,
    says="The price ceiling is {value} times the present cost.",
)
def price_to_former_cost(table: TenderTable) -> Floats:
    """The ceiling over the present yearly cost, as stated.

    More money than before is a sign seen with survival. Source: casebook, re-lets with more money.
    """
    return table.number("price_to_former_cost")


@feature(
    stage="draft",
    theme="value",
    unit="yes/no",
    label="Round value",
    path="/tender/value",
    says="The value is a round figure: one digit and noughts.",
    says_not="The value is not a round figure.",
)
def round_value(table: TenderTable) -> Floats:
    """1 if the stated amount has one significant digit.

    A round figure is a guess; a costed one seldom is round. Source: our own.
    """
    amount = stated(table.number("value"))
    noughts = np.nan_to_num(np.floor(np.log10(amount))).astype(np.int64)
    # These powers of ten are exact, so this is the double nearest to one digit and noughts.
    tens, tenths = POWERS[np.maximum(noughts, 0)], POWERS[np.maximum(-noughts, 0)]
    digit = np.rint(amount / tens * tenths)
    return yes_no(digit * tens / tenths == amount, amount)


@feature(
    stage="draft",
    theme="value",
    unit="digits",
    label="Digits of the value",
    path="/tender/lots/0/value",
    also=("/tender/value",),
    says="The value has {value} significant digits.",
)
def value_digits(table: TenderTable) -> Floats:
    """Significant digits of the value of the lot that stands first, else of the tender's, cents among them.

    A costed value has many, a guess has few. Source: our own.
    """
    own, lots = table.number("value"), table.number("lots")
    amount = stated(np.where(lots > 0, first_lot(table).by_row(), own))
    return map_numbers(amount, lambda value: len(f"{value:.2f}".replace(".", "").strip("0")))


@feature(
    stage="awarded",
    theme="value",
    unit="ratio",
    label="Price to estimate",
    path="/awards/0/value",
    says="The price agreed is {value} times the estimate.",
)
def price_to_estimate(table: TenderTable) -> Floats:
    """Sum of the awards' values over the tender's value, both in the tender's currency.

    Far below is a bid that may not hold; at the ceiling, a bid without a rival. Source: Directive 2014/24/EU art. 69.
    """
    awards = Amounts.of_entries(table, "award_values", "award_currencies", "awards")
    return over(awards, Amounts.of_value(table))


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Bid security to value",
    path="/tender/participationFees",
    says="The bid security is {value} times the value.",
)
def deposit_share(table: TenderTable) -> Floats:
    """Bid security (fees of type deposit) over the tender's value, both in one currency.

    Cash tied up until the award keeps small bidders away. Source: General Financial Rules 2017 (India), rule 170;
    OCDS participation fees extension.
    """
    deposits = Amounts.of_entries(table, "deposits_values", "deposits_currencies", "deposits")
    return over(deposits, Amounts.of_value(table))


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Price of the papers to value",
    path="/tender/participationFees",
    says="The tender papers cost {value} times the value.",
)
def fee_share(table: TenderTable) -> Floats:
    """Price of the tender papers (fees of type document) over the tender's value, both in one currency.

    It is lost whoever wins, so the curious stay away. Source: OCDS participation fees extension.
    """
    papers = Amounts.of_entries(table, "document_fees_values", "document_fees_currencies", "document_fees")
    return over(papers, Amounts.of_value(table))


@feature(
    stage="draft",
    theme="value",
    unit="ratio",
    label="Value to budget",
    path="/planning/budget",
    also=("/tender/value",),
    says="The value is {value} times the budget.",
)
def value_to_budget(table: TenderTable) -> Floats:
    """Tender's value over the budget, both in one currency.

    The value counts extensions and options, the budget what is sure: far above it, much is only hoped for. Source:
    Ley 9/2017 (Spain) arts. 100-101; OCDS `planning.budget`.
    """
    return over(Amounts.of_value(table), Amounts.of_budget(table))


@factor(
    stage="draft",
    theme="value",
    label="Far larger than its market's contracts",
    path="/tender/value",
    says="The value is at least five times that of its market's typical contract.",
    says_not="The value is under five times that of its market's typical contract.",
    asks="the value, or that of five earlier contracts in its market,",
    sources=(NAO_UNITINGCARE,),
)
def large_for_its_market(table: TenderTable) -> Floats:
    """1 for a value at least 5 times the geometric mean of its market's earlier contracts. The threshold is ours.

    Source: NAO on UnitingCare.
    """
    ratio = value_to_peers(table)
    return yes_no(ratio >= TIMES_PEERS, ratio)


@factor(
    stage="awarded",
    theme="value",
    label="Price far below the estimate",
    path="/awards/0/value",
    also=("/tender/value",),
    says="The price is under four fifths of the estimate.",
    says_not="The price is at least four fifths of the estimate.",
    asks="the price or the estimate",
    sources=(f"{DIRECTIVE}, art. 69", f"{PAC_UNITINGCARE}: won by a significantly lower bid"),
)
def price_far_below(table: TenderTable) -> Floats:
    """1 for a price under 0.8 of the estimate, because notices do not publish the other bids. The threshold is ours.

    Source: Directive 2014/24/EU art. 69.
    """
    ratio = price_to_estimate(table)
    return yes_no(ratio < FAR_BELOW, ratio)


@factor(
    stage="awarded",
    theme="value",
    label="Price at the ceiling",
    path="/awards/0/value",
    also=("/tender/value",),
    says="The price lies within a fiftieth of the estimate, or above it.",
    says_not="The price lies below the estimate by more than a fiftieth.",
    asks="the price or the estimate",
    sources=(f"{FAZEKAS}: relative price",),
)
def price_at_ceiling(table: TenderTable) -> Floats:
    """1 for a price of at least 0.98 of the estimate. The threshold is ours. Source: Fazekas and Kocsis."""
    ratio = price_to_estimate(table)
    return yes_no(ratio >= AT_CEILING, ratio)
