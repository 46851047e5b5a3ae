"""Money in pounds, by a table of exchange rates that the project holds.

The table has yearly average rates to the euro (European Central Bank reference rates), so a conversion is good to a
few per cent. An amount without a currency, or in one that the table lacks, is unknown in pounds.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from tenders.tender import Value

TABLE = Path(__file__).with_name("exchange_rates.csv")


@cache
def rates() -> dict[tuple[str, int], float]:
    """Units of a currency for one euro, by currency and year."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {(row["currency"], int(row["year"])): float(row["per_euro"]) for row in csv.DictReader(file)}


def stated(value: Value | None) -> float | None:
    """The amount of a value, else the gross one; None if neither is stated."""
    if value is None:
        return None
    return value.amount_gross if value.amount is None else value.amount


def in_pounds(value: Value | None, year: int | None) -> float | None:
    """An amount in pounds sterling at its year's average rate; None if unknown or not convertible.

    Amounts of 0 mean unknown: registers write 0 where no value was given. Years beyond the table use the
    nearest year in it.
    """
    amount = stated(value)
    if not value or not amount or value.currency is None:
        return None
    if value.currency == "GBP":
        return amount
    per_pound, per_unit = _rate("GBP", year), 1.0 if value.currency == "EUR" else _rate(value.currency, year)
    return amount * per_pound / per_unit if per_pound and per_unit else None


@cache
def _rate(currency: str, year: int | None) -> float | None:
    years = [y for c, y in rates() if c == currency]
    if not years or year is None:
        return None
    return rates()[currency, min(max(year, min(years)), max(years))]
