"""What is bought is found by its words, and a code by its name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders import cpv
from tenders.io.form import BY_KEY, parse_field

SHARED = Path(__file__).parents[3] / "shared" / "codelists" / "cpv.csv"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("community nursing", "85323000"),
        ("nursing", "85141200"),
        ("school meals", "55523100"),
        ("adult social care", "85320000"),
        ("home care", "85141210"),
    ],
)
def test_a_search_by_everyday_words_shows_the_code_among_the_first(words: str, code: str) -> None:
    assert code in [proposed for proposed, _ in cpv.search(words)]


def test_words_that_no_name_has_find_nothing() -> None:
    assert cpv.search("zzz qqq") == () == cpv.search("") == cpv.search("and of")


@given(st.sampled_from(sorted(cpv.names())))
def test_a_code_is_read_by_its_own_name_or_before_it(code: str) -> None:
    name = cpv.names()[code]
    named = parse_field(BY_KEY["cpv"], name.upper())
    assert cpv.names()[named].casefold() == name.casefold()
    assert parse_field(BY_KEY["cpv"], f"{code} {name}") == parse_field(BY_KEY["cpv"], code) == code


@pytest.mark.skipif(not SHARED.exists(), reason="the code list as published is not here")
def test_the_codes_are_those_of_the_list_as_published() -> None:
    with SHARED.open(encoding="utf-8", newline="") as file:
        assert cpv.names() == {row["code"]: row["name"] for row in csv.DictReader(file)}
