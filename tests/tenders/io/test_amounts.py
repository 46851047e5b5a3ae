"""Money, lengths of time and dates as people write them are read as they mean them, and nothing else is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.io.amounts import parse_amount, parse_date, parse_length


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("£120m", 120e6),
        ("120m", 120e6),
        ("1.2 billion", 1.2e9),
        ("£1.2bn", 1.2e9),
        ("£1,200,000.50", 1_200_000.50),
        ("GBP 5 million", 5e6),
        ("250k", 250e3),
        ("3 thousand pounds", 3e3),
        ("1.1 million", 1_100_000),
        ("1.234,50", None),
        ("€5m", None),
        ("£10m to £20m", None),
        ("five million", None),
        ("", None),
    ],
)
def test_amounts(text: str, amount: float | None) -> None:
    assert parse_amount(text) == amount


@given(st.integers(1, 10**9))
def test_an_amount_reads_alike_with_and_without_marks(pounds: int) -> None:
    assert parse_amount(f"£{pounds:,}") == parse_amount(str(pounds)) == pounds


@pytest.mark.parametrize(
    ("text", "unit", "length"),
    [
        ("8 years", "years", 8),
        ("18 months", "years", 1.5),
        ("7 years and 6 months", "years", 7.5),
        ("5-year", "years", 5),
        ("30 days", "days", 30),
        ("6 weeks", "days", 42),
        ("10 working days", "days", 10),
        ("some years", "years", None),
        ("30", "days", None),
    ],
)
def test_lengths(text: str, unit: str, length: float | None) -> None:
    assert parse_length(text, unit) == length


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("11/01/2027", "2027-01-11"),
        ("1.2.27", "2027-02-01"),
        ("11 January 2027", "2027-01-11"),
        ("Monday 11th of Jan 2027", "2027-01-11"),
        ("January 2027", "2027-01"),
        ("31/02/2027", None),
        ("01/13/2027", None),
        ("2027-01-11", None),
        ("soon", None),
    ],
)
def test_dates_are_read_day_first(text: str, day: str | None) -> None:
    assert parse_date(text) == day


@given(st.dates(date(2000, 1, 1), date(2199, 12, 31)))
def test_every_day_reads_alike_however_it_is_written(day: date) -> None:
    for text in (f"{day:%d/%m/%Y}", f"{day.day} {day:%B} {day.year}", f"{day:%A} {day.day} {day:%b}, {day.year}"):
        assert parse_date(text) == day.isoformat()
