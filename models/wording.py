"""How alike texts are in their words: the cosine of their words, each weighted by how few of the texts use it.

Salton and Buckley, Term-weighting approaches in automatic text retrieval (1988): a word counts 1 + log of how often it
stands in a text, times the log of the inverse share of texts that have it. Words that stand in nearly every notice are
left out, and endings are cut, so that "nursing" meets "nurses".
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from features.table import Floats

_COMMON = """
    the of and for in to a an with by from at on or as nhs service services trust ccg ccgs council contract contracts
    tender tenders year years uk england lot lots provision supply procurement framework agreement
"""
COMMON = frozenset(_COMMON.split())
"""Words that say nothing of what is bought."""
ENDINGS = (("ies", "y"), ("ings", ""), ("ing", ""), ("ers", ""), ("er", ""), ("es", ""), ("s", ""), ("e", ""))
"""Endings and what stands instead; the first that leaves at least SHORTEST letters is cut."""
SHORTEST = 4
MOST_SHARED = 3
_WORD = re.compile(r"[a-z0-9]+")


class WordIndex(msgspec.Struct, frozen=True, eq=False):
    """Texts to compare with: `weights` has a row a text, of length 1, and a column a word of `columns`."""

    columns: dict[str, int]
    rarity: Floats
    weights: Floats

    def likeness(self, text: str) -> tuple[Floats, list[tuple[str, ...]]]:
        """How alike a text is to each of the texts, from 0 to 1, and the words that it shares with each.

        The words are those of `text`, those that weigh most first, and at most MOST_SHARED.
        """
        spelt: dict[str, str] = {}
        for word, stem in words(text):
            spelt.setdefault(stem, word)
        vector = _weights(Counter(stem for _, stem in words(text)), self.columns, self.rarity)
        shared = self.weights * vector
        names = {column: spelt[stem] for stem, column in self.columns.items() if stem in spelt}
        return shared.sum(axis=1), [
            tuple(names[at] for at in sorted(np.flatnonzero(row).tolist(), key=lambda at: -row[at])[:MOST_SHARED])
            for row in shared
        ]


def words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a text that say what is bought, each with its stem."""
    for word in _WORD.findall(text.lower().replace("'s", "").replace("’s", "")):
        # A number of three digits is a name, as 111 is; others count something.
        if word not in COMMON and (len(word) == 3 if word.isdigit() else len(word) > 2):
            yield word, _stem(word)


def word_index(texts: Sequence[str]) -> WordIndex:
    """The index of some texts."""
    counted = [Counter(stem for _, stem in words(text)) for text in texts]
    used = Counter(stem for count in counted for stem in count)
    columns = {stem: at for at, stem in enumerate(used)}
    rarity = np.array([math.log((1 + len(texts)) / (1 + count)) + 1 for count in used.values()])
    rows = [_weights(count, columns, rarity) for count in counted]
    return WordIndex(columns, rarity, np.array(rows).reshape(len(texts), len(columns)))


def _weights(counted: Counter[str], columns: dict[str, int], rarity: Floats) -> Floats:
    """The weight of each word of a text, of length 1; all 0 if no text has any of its words."""
    row = np.zeros(len(columns))
    for stem, count in counted.items():
        if (at := columns.get(stem)) is not None:
            row[at] = (1 + math.log(count)) * rarity[at]
    length = float(np.linalg.norm(row))
    return row / length if length else row


def _stem(word: str) -> str:
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
            return word[: -len(ending)] + instead
    return word
