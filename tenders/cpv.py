"""The Common Procurement Vocabulary: what is bought, as codes of eight digits with their English names.

`cpv.csv` leaves out the zeros at the end of each code. Source: Regulation (EC) No 213/2008, annex I.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("cpv.csv")
DIGITS, MATCHES = 8, 6
FIRST_SERVICE, SERVICES_FIRST = "50000000", 4.0
CARE, CARE_FIRST = "85", 2.0
"""How much services come before goods, and health and social care before other services; a rare word weighs about 9."""
_WORD = re.compile(r"[a-z]+")
_CODE = re.compile(r"\d{2,8}(?:-\d)?")
_LITTLE_WORDS = frozenset(
    {"and", "or", "of", "for", "the", "in", "with", "to", "service", "related", "other", "except", "by"}
)


@cache
def names() -> Mapping[str, str]:
    """The name of every code, in the order of the codes."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["code"].ljust(DIGITS, "0"): row["name"] for row in csv.DictReader(file)}


def is_code(text: str) -> bool:
    """Whether a text is written as a code, or as the first digits of one."""
    return bool(_CODE.fullmatch(text.strip()))


@lru_cache(1024)
def code_named(text: str) -> str | None:
    """The code whose name a text is, or that a text begins with: `85323000 Community health services`. None without."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if first != text.strip() and len(first) >= DIGITS and is_code(first):
        return first
    return _by_name().get(" ".join(text.casefold().split()))


@lru_cache(1024)
def search(text: str, count: int = MATCHES) -> tuple[tuple[str, str], ...]:
    """The codes whose names have most of the words of a text, each with its name; best first.

    Rare words weigh most. Of equal matches the shorter name comes first. Empty if no name has any of the words.
    """
    wanted = _words(text)
    scores: dict[str, float] = defaultdict(float)
    for word in wanted:
        codes = _index().get(word, ())
        for code in codes:
            scores[code] += math.log(len(names()) / len(codes))
    for code in scores:
        scores[code] += SERVICES_FIRST * (code >= FIRST_SERVICE) + CARE_FIRST * code.startswith(CARE)
    best = sorted(scores, key=lambda code: (-round(scores[code], 6), len(_words(names()[code])), code))
    return tuple((code, names()[code]) for code in best[:count])


@cache
def _by_name() -> Mapping[str, str]:
    return {name.casefold().rstrip("."): code for code, name in reversed(list(names().items()))}


@cache
def _index() -> Mapping[str, list[str]]:
    index: dict[str, list[str]] = {}
    for code, name in names().items():
        for word in _words(name):
            index.setdefault(word, []).append(code)
    return index


def _words(text: str) -> frozenset[str]:
    """The words of a text that say something, without the endings of plurals and of -ing."""
    return frozenset(_stem(word) for word in _WORD.findall(text.casefold())) - _LITTLE_WORDS


def _stem(word: str) -> str:
    for ending, stem in (("ies", "y"), ("ing", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) > len(ending) + 2:
            word = word.removesuffix(ending) + stem
            break
    return word.removesuffix("e")
