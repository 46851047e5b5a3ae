"""Words: what is looked for in texts is found however it is written, though most texts are passed over quickly."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.advisers import ON_BEHALF
from features.catalogue import catalogue
from features.track_records.attributes import words
from features.wording import AMBITION
from tenders.tender import Procedure, Tender
from tests.features import made

# Words that are looked for, words like them, and letters that have more than two cases.
PIECES = (
    "transform", "INTEGRAT", "innovat", "outcome", "lead provider", "Prime Provider", "strategic partner", "whole",
    "-system", " system", "pathway", "acting", "act", "acts", " for", "on behalf of", "activo", " form", " ", "-",
    "\u0130", "\u0131", "\u017f", "\u212a", "Construcci\u00f3n", "12", "\u00b2", "\u0663", "\u2460", "\u0939\u093f", "e\u0301",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), min_size=1, max_size=8).map("".join)


def measured(name: str, title: str) -> float | None:
    return made.value(catalogue()[name], Tender(tender=Procedure(title=title)))


@given(title=texts)
@example("\u0130NNOVAT")
@example("whole-\u017fy\u017ftem")
@example("\u017ftrategic partner")
def test_every_word_of_ambition_is_counted(title: str) -> None:
    assert measured("ambition_words", title) == (len(AMBITION.findall(title)) if title else None)


@given(title=texts)
@example("ACTING for the trust")
def test_who_acts_for_another_says_so_in_any_case(title: str) -> None:
    assert measured("run_by_another", title) == (1.0 if ON_BEHALF.search(title) else None)


@given(title=texts)
def test_digits_of_every_script_are_counted(title: str) -> None:
    bare = title.strip()
    assert measured("title_digits", title) == (sum(map(str.isdigit, bare)) if bare else None)


@given(text=texts)
@example("a\u0300\u0301b")
@example("\u1e9b\u0323")
def test_words_lose_their_accents_whatever_the_script(text: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text).lower() if not unicodedata.combining(c))
    assert words(text) == tuple(re.findall(r"[^\W\d_]+", bare))


@pytest.mark.parametrize("title", ["Road", "  ", ""])
def test_a_title_of_the_lot_that_is_empty_gives_way_to_the_tenders(title: str) -> None:
    assert measured("title_letters", title) == (len(title.strip()) or None)
