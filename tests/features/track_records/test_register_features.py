"""What rows read of a register's history, as numbers over the register's own, shrunk so that a short record says
little; and the family of features that they are in the catalogue."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from features.categorical import Categorical
from features.feature import Feature
from features.table import TenderTable, TrackRecords
from features.table_builder import one_row
from features.track_records import register_history as histories
from features.track_records.attributes import ATTRIBUTES
from features.track_records.case_records import NO_RECORDS
from features.track_records.register_features import (
    LAG_KEYS,
    PRIOR_BELOW,
    PRIOR_TOP,
    declared,
    register_features,
    register_level,
    theme_of,
)
from features.track_records.register_history import OUTCOME_KEYS, PUBLICATION_KEYS, HistoryReading
from features.track_records.text_model import Phrases
from tenders.history import LabelledTender
from tenders.tender import Tender
from tests.every import for_every
from tests.training import made
from training.datasets import empty_history, replay_cases

DAY = date(2020, 6, 1)
SPANS = ("ever", "month", "quarter", "year")
ends = st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1, max_size=12)


def walked(cases: list[LabelledTender]) -> HistoryReading:
    known = replay_cases(cases, "no_award")
    return histories.replay(empty_history(known), known)


def read(cases: list[LabelledTender]) -> dict[str, float]:
    """The numbers of the last case."""
    return {name: float(column[-1]) for name, column in register_features(walked(cases)).items()}


def after(*cases: tuple[str, bool], buyer: str = "a", gap: int = 0) -> dict[str, float]:
    """What a tender of a buyer reads on the day after these ends of buyers became known."""
    yesterday = DAY - timedelta(days=1 + gap)
    past = [
        made.case(row, yesterday - timedelta(days=30), yesterday, failed, buyer=name)
        for row, (name, failed) in enumerate(cases)
    ]
    return read([*past, made.case(99, DAY, None, None, buyer=buyer)])


def test_a_buyer_with_no_record_reads_as_the_register() -> None:
    numbers = after(("b", True), ("b", False))
    for span in SPANS:
        assert numbers[f"rate_buyer_{span}"] == pytest.approx(0, abs=1e-6)
    assert numbers["cases_buyer"] == 0
    assert np.isnan(numbers["since_buyer"])


@settings(max_examples=25)
@given(cases=ends)
def test_a_rate_lies_between_the_register_s_and_what_was_observed(cases: list[tuple[str, bool]]) -> None:
    numbers = after(*cases)
    own = [failed for buyer, failed in cases if buyer == "a"]
    failed, count = sum(failed for _, failed in cases), len(cases)
    fade = 2 ** (-1 / 365)
    usual = (failed * fade + 0.2) / (count * fade + 1)
    rate = numbers["rate_buyer_ever"] + usual
    observed = sum(own) / len(own) if own else usual
    assert min(observed, usual) - 1e-5 <= rate <= max(observed, usual) + 1e-5
    assert rate == pytest.approx((sum(own) + PRIOR_TOP * usual) / (len(own) + PRIOR_TOP), abs=1e-5)


def test_a_key_below_another_is_shrunk_to_it() -> None:
    cases = [("a", True)] * 6 + [("b", False)] * 6
    numbers = after(*cases)
    fade = 2 ** (-1 / 365)
    usual = (6 * fade + 0.2) / (12 * fade + 1)
    buyer = (6 * fade + PRIOR_TOP * usual) / (6 * fade + PRIOR_TOP)
    unit = (6 * fade + PRIOR_BELOW * buyer) / (6 * fade + PRIOR_BELOW)
    assert numbers["rate_unit_year"] == pytest.approx(unit - usual, abs=1e-5)


def test_a_longer_record_says_more_and_an_old_one_less() -> None:
    short, long = (after(*[("a", True)] * n, *[("b", False)] * n) for n in (2, 20))
    assert 0 < short["rate_buyer_ever"] < long["rate_buyer_ever"]
    lately, ever = (after(("a", True), ("b", False), gap=300)[f"rate_buyer_{span}"] for span in ("month", "ever"))
    assert lately < ever


def test_load_counts_publications_before_the_day_only() -> None:
    twice = [made.case(row, DAY, None, None, buyer="a") for row in (97, 98)]
    numbers = read([made.case(1, DAY - timedelta(days=30), None, None, buyer="a"), *twice])
    assert np.expm1(numbers["load_buyer"]) == pytest.approx(0.5, abs=1e-5)
    assert numbers["since_buyer"] == 30
    assert np.expm1(numbers["open_buyer"]) == pytest.approx(1)


def test_a_value_is_compared_with_its_peers_in_their_spread() -> None:
    values = [100.0, 200.0, 400.0, 800.0]
    past = [made.case(row, DAY - timedelta(days=1), None, None, amount=value) for row, value in enumerate(values)]
    numbers = read([*past, made.case(9, DAY, None, None, amount=1600.0)])
    logs = np.log(values)
    assert numbers["value_to_buyer"] == pytest.approx((np.log(1600) - logs.mean()) / logs.std(), rel=1e-4)
    assert numbers["value_in_register"] == pytest.approx(np.log(1600), rel=1e-6)
    assert np.isnan(read([*past, made.case(9, DAY, None, None, amount=None)])["value_to_buyer"])


def test_the_level_is_the_year_s_rate_and_the_drift_that_of_the_quarter_over_it() -> None:
    past = [made.case(row, DAY - timedelta(days=40), DAY - timedelta(days=1), True) for row in range(80)]
    old = [made.case(200 + row, DAY - timedelta(days=800), DAY - timedelta(days=400), False) for row in range(300)]
    usual, drift = register_level(walked([*old, *past, made.case(999, DAY, None, None)]))
    assert usual[0] == pytest.approx(np.log(0.2 / 0.8))
    assert drift[0] == pytest.approx(0, abs=1e-6)
    assert usual[-1] < drift[-1] + usual[-1]
    assert np.isfinite([usual, drift]).all()


def test_every_number_that_is_read_is_declared_as_a_feature_and_in_that_order() -> None:
    names = list(register_features(walked(made.register(300))))
    known = [feature.name for feature in declared()]
    assert names == [name for name in known if name in set(names)]
    assert {name for name in known if set(name.split("_")[1:-1]) <= {"buyer"} and name.startswith("rate")} <= set(names)


DECLARED = list(declared())
each_feature = for_every({feature.name: feature for feature in DECLARED})


def table(numbers: dict[str, float], phrases: Phrases | None = None) -> TenderTable:
    """One tender of which a register's history says these numbers, and these words."""
    records = TrackRecords(
        cases=Categorical.single(NO_RECORDS),
        register={name: np.array([number]) for name, number in numbers.items()},
        phrases=None if phrases is None else lambda table: Categorical.single(phrases),
    )
    return one_row(Tender(), records=records)


@each_feature
def test_its_value_is_the_number_that_was_read_for_the_tender(feature: Feature) -> None:
    assert catalogue()[feature.name].says == feature.says
    assert feature.measure(table({feature.name: 0.25, "another": 1.0})).tolist() == [0.25]
    assert feature.measure(table({feature.name: 0.0})).tolist() == [0]
    assert np.isnan(feature.measure(table({"another": 1.0}))).tolist() == [True]
    assert np.isnan(feature.measure(one_row(Tender()))).tolist() == [True]


@each_feature
def test_it_is_known_at_draft_and_has_a_direction_if_it_is_a_record_of_what_failed(feature: Feature) -> None:
    assert (feature.stage, feature.reads) == ("draft", "register_history")
    failed = feature.name.startswith("rate_") or feature.name in ("words_score", "profile_score")
    assert feature.direction == failed


@pytest.mark.parametrize("key", OUTCOME_KEYS, ids="_".join)
def test_a_key_has_a_rate_a_span_and_the_number_of_its_cases(key: tuple[str, ...]) -> None:
    names = {f"rate_{'_'.join(key)}_{span}" for span in SPANS}
    names |= {f"cases_{'_'.join(key)}", f"other_{'_'.join(key)}"}
    assert names <= {feature.name for feature in DECLARED}
    assert (f"lag_{'_'.join(key)}" in catalogue()) == (key in LAG_KEYS)


@pytest.mark.parametrize("key", PUBLICATION_KEYS, ids="_".join)
def test_a_key_of_publications_has_its_load_and_comparisons(key: tuple[str, ...]) -> None:
    for measure in ("load", "trend", "since", "again", "window_to", "value_to"):
        assert f"{measure}_{'_'.join(key)}" in catalogue()
    assert (f"open_{'_'.join(key)}" in catalogue()) == (key in OUTCOME_KEYS)


def test_every_part_of_a_key_has_a_word_and_no_two_keys_a_name() -> None:
    for keys in (OUTCOME_KEYS, PUBLICATION_KEYS):
        assert {part for key in keys for part in key} <= set(ATTRIBUTES)
    assert len({feature.name for feature in DECLARED}) == len(DECLARED)


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
    assert catalogue()[name].text(value, table({})) == text


def test_the_words_that_count_are_named() -> None:
    phrases = Phrases(counted=(("bridge", 0.51), ("old road", -0.2)))
    text = catalogue()["words_score"].text(0.3, table({}, phrases))
    assert "+0.30" in text and "“bridge” +0.51" in text and "“old road” -0.20" in text
    assert "no word that is known" in catalogue()["words_score"].text(0.0, table({}))


@pytest.mark.parametrize(
    ("key", "theme", "path"),
    [
        (("buyer", "opening"), "wording", "/tender/title"),
        (("unit", "market"), "buyer", "/tender/classification"),
        (("market", "band"), "value", "/tender/value"),
        (("kind", "method"), "procedure", "/tender/procurementMethod"),
        (("pricing",), "procedure", "/tenderRisk/codes/pricing"),
    ],
)
def test_a_key_belongs_to_a_theme_and_stands_at_a_place(key: tuple[str, ...], theme: str, path: str) -> None:
    assert (theme_of(key), ATTRIBUTES[key[-1]].path) == (theme, path)
