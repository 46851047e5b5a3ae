"""A date says as much as was written and no more."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders import dates

MONTHS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2014-11-20", date(2014, 11, 20), date(2014, 11, 20)),
        ("2014-11", date(2014, 11, 1), date(2014, 11, 30)),
        ("2014-12", date(2014, 12, 1), date(2014, 12, 31)),
        ("2016-02", date(2016, 2, 1), date(2016, 2, 29)),
        ("2014", date(2014, 1, 1), date(2014, 12, 31)),
        ("9999", date(9999, 1, 1), date(9999, 12, 31)),
        ("2014-11-20T23:30:00Z", date(2014, 11, 20), date(2014, 11, 20)),
    ],
)
def test_a_date_means_the_days_that_it_can_mean(text: str, first: date, last: date) -> None:
    assert (dates.earliest(text), dates.latest(text)) == (first, last)


@pytest.mark.parametrize("text", ["2014", "2014-11", None])
def test_a_partial_date_is_given_no_day(text: str | None) -> None:
    assert dates.moment(text) is None
    assert dates.day(text) is None


@pytest.mark.parametrize("text", ["2014-13", "2014-02-30", "0000", "soon", "", "20-11-2014", "2014-11-20T25:00:00Z"])
def test_what_is_no_date_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dates.moment(text)


def test_a_time_without_zone_is_universal_time() -> None:
    assert dates.moment("2014-11-20T10:00:00") == datetime(2014, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2024-03-01", "2024-03-31", 30),
        ("2024-03-31", "2024-03-01", -30),
        ("2024-03-01T23:59:00Z", "2024-03-02T00:01:00Z", 1),
        ("2024-03", "2024-03-31", None),
        (None, "2024-03-31", None),
    ],
)
def test_days_between_are_counted_only_between_days(start: str | None, end: str | None, days: int | None) -> None:
    assert dates.days_between(start, end) == days


@pytest.mark.parametrize(("text", "year"), [("2014-11", 2014), ("2014-11-20", 2014), (None, None)])
def test_the_year_is_known_from_any_date(text: str | None, year: int | None) -> None:
    assert dates.year(text) == year


@given(MONTHS)
def test_a_month_begins_on_its_first_day_and_ends_before_the_next(day: date) -> None:
    text = f"{day:%Y-%m}"
    assert dates.earliest(text) == day.replace(day=1) <= day <= dates.latest(text)
    assert (dates.latest(text) + timedelta(days=1)).day == 1


@given(MONTHS)
def test_a_full_date_is_its_own_first_and_last_day(day: date) -> None:
    assert dates.earliest(day.isoformat()) == dates.latest(day.isoformat()) == dates.day(day.isoformat()) == day


def test_days_of_many_texts_are_those_of_each() -> None:
    texts = ["2014-11-20T23:30:00Z", "2014-11", None, "2014-11-20"]
    assert dates.first_days(texts) == [text and dates.earliest(text) for text in texts]
    named = [dates.day(text) for text in texts]
    assert [day and day.toordinal() for day in named] == [
        None if math.isnan(ordinal) else ordinal for ordinal in dates.ordinals(texts)
    ]


TEXTS = st.lists(
    st.none()
    | MONTHS.map(str)
    | MONTHS.map("{:%Y-%m}".format)
    | st.datetimes(timezones=st.none() | st.timezones()).map(str)
    | st.sampled_from(["", "soon", "2014-02-30", "0001-01-01", "2014-11-20T25:00:00Z"]),
    max_size=5,
)


@given(TEXTS)
def test_many_are_dates_if_each_is(texts: list[str | None]) -> None:
    if any(text is not None and dates.problem(text) for text in texts):
        with pytest.raises(ValueError, match=r"."):
            dates.ordinals(texts)
    else:
        ordinals = [None if math.isnan(ordinal) else ordinal for ordinal in dates.ordinals(texts)]
        assert ordinals == [named.toordinal() if (named := dates.day(text)) else None for text in texts]
