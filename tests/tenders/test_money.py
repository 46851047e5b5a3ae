"""Money: pounds by a dated table and in no other way."""

from __future__ import annotations

import pytest

from tenders.money import in_pounds, rates
from tenders.tender import Value

# Euros for one US dollar, yearly averages of the Federal Reserve (release G.5A): another source than the table's own.
EUROS_A_DOLLAR = {
    1999: 0.9387, 2000: 1.0832, 2001: 1.1171, 2002: 1.0578, 2003: 0.8833, 2004: 0.8040, 2005: 0.8033, 2006: 0.7960,
    2007: 0.7293, 2008: 0.6791, 2009: 0.7176, 2010: 0.7541, 2011: 0.7178, 2012: 0.7777, 2013: 0.7530, 2014: 0.7520,
    2015: 0.9012, 2016: 0.9032,
}  # fmt: skip


@pytest.mark.parametrize(("year", "euros"), EUROS_A_DOLLAR.items())
def test_dollars_agree_with_another_source(year: int, euros: float) -> None:
    assert 1 / rates()["USD", year] == pytest.approx(euros, rel=0.002)


def test_every_currency_has_every_year_of_the_table() -> None:
    years = {year for _, year in rates()}
    assert years == set(range(min(years), max(years) + 1))
    assert {(currency, year) for currency in ("GBP", "USD") for year in years} == set(rates())


def test_pounds_are_pounds_in_any_year() -> None:
    assert in_pounds(Value(amount=5, currency="GBP"), None) == 5


def test_euros_and_dollars_go_by_the_year_s_average() -> None:
    assert in_pounds(Value(amount=100, currency="EUR"), 2015) == pytest.approx(100 * rates()["GBP", 2015])
    dollars = in_pounds(Value(amount=100, currency="USD"), 2015)
    assert dollars == pytest.approx(100 * rates()["GBP", 2015] / rates()["USD", 2015])


@pytest.mark.parametrize(("year", "nearest"), [(1990, 1999), (2040, max(year for _, year in rates()))])
def test_a_year_beyond_the_table_goes_by_the_nearest(year: int, nearest: int) -> None:
    value = Value(amount=100, currency="EUR")
    assert in_pounds(value, year) == in_pounds(value, nearest)


@pytest.mark.parametrize(
    "value",
    [None, Value(), Value(amount=5), Value(amount=0, currency="GBP"), Value(amount=5, currency="JPY")],
    ids=["nothing", "no amount", "no currency", "nought", "a currency that the table has not"],
)
def test_what_cannot_be_converted_is_unknown(value: Value | None) -> None:
    assert in_pounds(value, 2015) is None


def test_an_amount_without_tax_goes_before_one_with() -> None:
    assert in_pounds(Value(amount=100, amount_gross=120, currency="GBP"), 2015) == 100
    assert in_pounds(Value(amount_gross=120, currency="GBP"), 2015) == 120
