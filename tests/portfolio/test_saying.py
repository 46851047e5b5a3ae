"""A worklist in sentences: everything that a reader has to know, and nothing where there is nothing."""

from __future__ import annotations

import pytest

from portfolio.saying import pounds, said
from portfolio.worklist import Wish, worklist
from tests.portfolio.scored import table


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "£0"),
        (950, "£950"),
        (999.9, "£1.0k"),
        (1_234_567, "£1.2m"),
        (999_999, "£1.0m"),
        (5.9e9, "£5.9bn"),
        (3e12, "£3.0tn"),
    ],
)
def test_pounds_are_short(amount: float, text: str) -> None:
    assert pounds(amount) == text


def test_ties_draws_limits_repeats_and_unknown_values_are_told() -> None:
    scored = table(*[{"failure": 0.4, "buyer": "Leeds"}] * 30, {"ocid": "twice"}, {"ocid": "twice", "value_gbp": 10.0})
    found = worklist(scored, Wish(capacity=10, sample=0.2, most_per_buyer=3, rank_by="expected_loss"), table({}))
    text = " ".join(said(found.summary))
    for words in (
        "ranked by expected loss",
        "1 of 32 rows repeat an ocid",
        "2 are drawn at random from all tenders, each with a probability of 0.0645",
        "stand level at the cut",
        "not by where they stood in the file",
        "At most 3 a buyer",
        "of 10 reviews unused",
        "have no known value and count for nothing in that sum; they rank after all others",
        "The bundle holds no figure of validation",
        "Since the earlier run",
    ):
        assert words in text


def test_what_did_not_happen_is_not_spoken_of() -> None:
    text = " ".join(said(worklist(table({"value_gbp": 1.0}), Wish(capacity=1)).summary))
    for words in ("random", "level", "a buyer", "repeat", "no known value", "earlier", "unused"):
        assert words not in text


def test_validation_stands_beside_the_expectation() -> None:
    metrics = {
        "dncp_py/no_award/draft": {"n": 500.0, "base_rate": 0.1, "lift_at_5": 3.0},
        "failure/draft/cohort": {"n": 231.0, "base_rate": 0.2},
    }
    scored = table({"register": "dncp_py"}, {"register": "uk"}, *[{"failure": 0.0}] * 98)
    text = " ".join(said(worklist(scored, Wish(capacity=2), metrics=metrics).summary))
    assert "30% of the top 5% failed (no_award), against 10% of all" in text
    assert "On 231 cases of uk at draft that the model had not seen, 20% failed" in text
