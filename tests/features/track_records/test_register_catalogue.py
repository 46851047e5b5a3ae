"""The families of features that are read from a register's records: all declared, looked up, unknown without one."""

from __future__ import annotations

import pytest

from features.catalogue import Feature, catalogue
from features.track_records import register_catalogue as recorded
from features.track_records.case_records import Phrases, TrackRecord
from features.track_records.register_features import LAGGING, SPANS, WORDS, label
from features.track_records.register_history import ACTIVITY, TABLES
from tenders.tender import Tender

FAMILIES = [each for each in catalogue().values() if each.family]
each_family = pytest.mark.parametrize("each", FAMILIES, ids=lambda f: f.name)


@each_family
def test_its_value_is_the_number_that_was_read_for_the_tender(each: Feature) -> None:
    assert each.measure(Tender(), TrackRecord(numbers={each.name: 0.25, "another": 1.0})) == 0.25
    assert each.measure(Tender(), TrackRecord(numbers={"another": 1.0})) is None
    assert each.measure(Tender(), TrackRecord(numbers={each.name: 0.0})) == 0


@each_family
def test_it_is_known_at_draft_and_has_a_direction_if_it_is_a_record_of_what_failed(each: Feature) -> None:
    assert each.stage == "draft"
    assert each.direction == (each.family in ("rate", "language"))


@pytest.mark.parametrize("table", TABLES, ids=label)
def test_a_key_has_a_rate_a_span_and_the_number_of_its_cases(table: tuple[str, ...]) -> None:
    names = {f"rate_{label(table)}_{span}" for span in SPANS.values()}
    names |= {f"cases_{label(table)}", f"other_{label(table)}"}
    assert names <= {each.name for each in FAMILIES}
    assert (f"lag_{label(table)}" in catalogue()) == (table in LAGGING)


@pytest.mark.parametrize("table", ACTIVITY, ids=label)
def test_a_key_of_publications_has_its_load_and_comparisons(table: tuple[str, ...]) -> None:
    for family in ("load", "trend", "since", "again", "window_to", "value_to"):
        assert f"{family}_{label(table)}" in catalogue()
    assert (f"open_{label(table)}" in catalogue()) == (table in TABLES)


def test_every_part_of_a_key_has_a_word_and_no_two_keys_a_name() -> None:
    for tables in (TABLES, ACTIVITY):
        assert {part for table in tables for part in table} <= set(WORDS)
        assert len({label(table) for table in tables}) == len(tables)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("rate_buyer_year", 0.04, "Cases with the same buyer have ended so 4 points more often than is usual in the register, in the last year."),
        ("rate_unit_kind_month", -0.015, "Cases with the same unit and kind of contract have ended so 1.5 points less often than is usual in the register, in the last weeks."),
        ("cases_buyer", 2.3979, "The register knows 10 earlier cases with the same buyer."),
        ("since_buyer", 3.0, "The last tender with the same buyer came out 3 days before."),
        ("window_to_market", -1.5, "Bidders have 1.5 spreads less time than is usual with the same market."),
        ("value_in_register", 6.9078, "The value is 1,000 in the register's own money."),
    ],
)  # fmt: skip
def test_it_is_said_in_words(name: str, value: float, text: str) -> None:
    assert catalogue()[name].text(value, Tender(), TrackRecord()) == text


def test_the_words_that_count_are_named() -> None:
    record = TrackRecord(phrases=Phrases(counted=(("bridge", 0.51), ("old road", -0.2))))
    said = catalogue()["words_score"].text(0.3, Tender(), record)
    assert "+0.30" in said and "“bridge” +0.51" in said and "“old road” -0.20" in said
    assert "no word that is known" in catalogue()["words_score"].text(0.0, Tender(), TrackRecord())


@pytest.mark.parametrize(
    ("table", "theme", "path"),
    [
        (("buyer", "opening"), "wording", "/tender/title"),
        (("unit", "market"), "buyer", "/tender/classification"),
        (("market", "band"), "value", "/tender/value"),
        (("kind", "method"), "procedure", "/tender/procurementMethod"),
        (("pricing",), "procedure", "/tenderRisk/codes/pricing"),
    ],
)
def test_a_key_belongs_to_a_theme_and_stands_at_a_place(table: tuple[str, ...], theme: str, path: str) -> None:
    assert (recorded.theme(table), recorded.path(table)) == (theme, path)


def test_an_outcome_is_told_by_its_own_record_where_there_is_one() -> None:
    other = TrackRecord(numbers={"cases_buyer": 2.0})
    record = TrackRecord(numbers={"cases_buyer": 1.0}, others={"single_bid": other})
    assert record.about("single_bid") is other
    assert record.about("no_award") is record
