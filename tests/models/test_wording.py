"""Words of texts: what they share counts, the rarer the more, and common words count nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.wording import COMMON, word_index, words

TEXTS = ["Community nursing and therapy", "Non-emergency patient transport", "Community equipment", "", "NHS 111"]
INDEX = word_index(TEXTS)


@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_a_text_is_most_like_itself(at: int) -> None:
    alike, _ = INDEX.likeness(TEXTS[at])
    assert alike[at] == pytest.approx(1) and alike.argmax() == at


def test_endings_do_not_matter_and_shared_words_are_named_as_written_the_rarest_first() -> None:
    alike, shared = INDEX.likeness("Nurses for the communities")
    assert shared[0] == ("nurses",) or set(shared[0]) <= {"nurses", "communities"}
    assert alike[0] > alike[2] and alike[1] == 0 and shared[1] == ()
    assert INDEX.likeness("community nursing")[1][0] == ("nursing", "community")


def test_numbers_of_three_digits_are_names_and_others_are_not() -> None:
    assert [word for word, _ in words("NHS 111 for 12 sites in 2019")] == ["111", "sites"]


@given(st.lists(st.sampled_from(sorted(COMMON))))
def test_common_words_alone_are_like_nothing(common: list[str]) -> None:
    alike, shared = INDEX.likeness(" ".join(common))
    assert not alike.any() and not any(shared)


@given(st.text(max_size=60))
def test_likeness_lies_from_0_to_1(text: str) -> None:
    alike, shared = INDEX.likeness(text)
    assert len(alike) == len(shared) == len(TEXTS)
    assert (alike >= 0).all() and (alike <= 1 + 1e-9).all()
