"""Money, lengths of time and dates as people write them in the United Kingdom.

`£120m` is 120,000,000, `8 years` is 8 in a field of years, and `11/01/2027` is 11 January 2027: the day comes first.
The form, its files and the command read these alike, because all of them read a field by `tenders.io.form.parse_field`.
"""

from __future__ import annotations

import re
from datetime import date

SCALES = {
    "k": 1e3, "thousand": 1e3,
    "m": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "million": 1e6,
    "b": 1e9, "bn": 1e9, "billion": 1e9,
    "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
"""Words after an amount, and what they multiply it by; a billion is a thousand million."""
DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
MONTHS = {
    name: number
    for number, names in enumerate(
        ("january", "february", "march", "april", "may", "june",
         "july", "august", "september", "october", "november", "december"), start=1
    )
    for name in (names, names[:3])
} | {"sept": 9}  # fmt: skip
# "1.234,50" is 1234.5 to half of Europe: a comma is read only where it can be nothing but a thousands mark.
NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
SCALE_WORDS = "|".join(sorted(SCALES, key=len, reverse=True))
MONTH_WORDS = "|".join(sorted(MONTHS, key=len, reverse=True))
_MONEY = re.compile(rf"(?:£|GBP)?\s*({NUMBER})\s*({SCALE_WORDS})?\s*(?:pounds|GBP)?", re.I)
_LENGTH = re.compile(rf"({NUMBER})\s*-?\s*(?:working\s+|calendar\s+)?(day|week|month|year|yr)s?", re.I)
_YEARS_AND_MONTHS = re.compile(r"(\d+)\s*years?(?:\s*(?:and|,)?\s*(\d+)\s*months?)", re.I)
_NUMERIC_DATE = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})")
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?"
_WRITTEN_DATE = re.compile(
    rf"{_WEEKDAY}(?:(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?({MONTH_WORDS})\.?,?\s+(\d{{4}})", re.I
)


def parse_amount(text: str) -> float | None:
    """An amount of money such as `£120m`, `1.2 billion` or `1,200,000`, in pounds; None if it is none."""
    match = _MONEY.fullmatch(text.strip())
    # Rounded to pence: 1.1 million is 1,100,000 and no fraction more.
    return round(float(match[1].replace(",", "")) * SCALES.get((match[2] or "").lower(), 1.0), 2) if match else None


def parse_length(text: str, unit: str) -> float | None:
    """A length of time such as `8 years` or `30 days`, in a unit (`days` or `years`); None if it is none."""
    text, per_unit = text.strip(), DAYS[unit.removesuffix("s")]
    if both := _YEARS_AND_MONTHS.fullmatch(text):
        days = int(both[1]) * DAYS["year"] + int(both[2]) * DAYS["month"]
    elif match := _LENGTH.fullmatch(text):
        days = float(match[1].replace(",", "")) * DAYS[{"yr": "year"}.get(match[2].lower(), match[2].lower())]
    else:
        return None
    return round(days / per_unit, 4)


def parse_date(text: str) -> str | None:
    """A date such as `11/01/2027`, `11 January 2027` or `January 2027` as ISO 8601; None if it is none of these.

    The day comes before the month. A year of two digits is one of this century.
    """
    text = text.strip()
    if numeric := _NUMERIC_DATE.fullmatch(text):
        day, month, year = (int(part) for part in numeric.groups())
        return _iso(year if year > 99 else 2000 + year, month, day)
    if written := _WRITTEN_DATE.fullmatch(text):
        month, year = MONTHS[written[2].lower()], int(written[3])
        return _iso(year, month, int(written[1])) if written[1] else f"{year:04}-{month:02}"
    return None


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
