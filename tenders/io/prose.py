"""Facts that the text of a draft states, each with the sentence that states it, for a person to confirm.

Rules and patterns, no model: a fact is taken only where a pattern finds it in one sentence. Values are texts as
the form takes them, so that a form reads them (`tenders.io.form.parse_field`) as if a person had typed them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from tenders.io.amounts import MONTH_WORDS, NUMBER, SCALE_WORDS

RULES = Path(__file__).with_name("prose.toml")
NAMES = frozenset({"buyer", "incumbents", "advisers"})
MAX_CHARACTERS = 200_000
MAX_SENTENCE = 400
_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT = rf"(\d{{1,4}}|{'|'.join(_NUMBER_WORDS)})"
_MONEY = rf"(?:£|GBP)\s?({NUMBER}\s*(?:{SCALE_WORDS})?)\b"
_DATE = (
    rf"(\d{{4}}-\d\d-\d\d|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{MONTH_WORDS})\s+\d{{4}})"
)
_BODY = (
    r"((?:NHS\s+)?(?:[A-Z][\w'&-]*[ ,]+(?:(?:and|of|the|for|in|on)\s+)*){0,8}"
    r"(?:Integrated Care Board|ICB|CCG|Clinical Commissioning Group|NHS (?:Foundation )?Trust|Combined Authority"
    r"|(?:Borough |City |County |District )?Council|Police|University|Ministry of \w+|Department (?:for|of) [A-Z]\w+"
    r"|NHS England)(?: of [A-Z]\w+)?)"
)
_PLACEHOLDERS = {
    "{money}": _MONEY,
    "{date}": _DATE,
    "{count}": _COUNT,
    "{number}": rf"(\d{{1,3}}|{'|'.join(_NUMBER_WORDS)})",
    "{body}": _BODY,
}
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z0-9£(])|\n\s*\n|\n(?=\s*(?:[-•*\d]|[A-Z][^\n]{0,60}:))")
_NEGATED = re.compile(r"\b(?:no|not|nor|never|without|neither|n't|cannot)\b", re.I)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pattern: the form's key, how its match is read, the value for those that give one, and the pattern."""

    key: str
    read: str
    pattern: str
    value: str = ""


class FoundFact(msgspec.Struct, frozen=True):
    """One fact that a text states: the form's key, the value as a form takes it, and the sentence that states it."""

    key: str
    value: str
    sentence: str


def found_facts(text: str) -> list[FoundFact]:
    """The facts that a text states, in the order of the text. Of a fact that is stated twice the first counts."""
    facts: dict[str, FoundFact] = {}
    for sentence in _sentences(text[:MAX_CHARACTERS]):
        for key, value in _facts_of(sentence):
            facts.setdefault(key, FoundFact(key, value, sentence[:MAX_SENTENCE]))
    if "single_block" not in facts and facts.get("lots", FoundFact("", "", "")).value == "1":
        facts["single_block"] = FoundFact("single_block", "yes", facts["lots"].sentence)
    return list(facts.values())


def _sentences(text: str) -> Iterator[str]:
    for part in _SENTENCE.split(text):
        if sentence := " ".join(part.split()):
            yield sentence


def _facts_of(sentence: str) -> Iterator[tuple[str, str]]:
    for rule, pattern in _rules():
        match = pattern.search(sentence)
        if match and (value := _value(rule, match, sentence)):
            yield rule.key, value


def _value(rule: Rule, match: re.Match[str], sentence: str) -> str | None:
    if rule.read == "always":
        return rule.value
    if rule.read == "unless_negated":
        # What is so instead, such a sentence does not say.
        return None if _is_negated(match, sentence) else rule.value
    return _READERS[rule.read](match, sentence)


@cache
def _rules() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    """The rules of `prose.toml`, each with its pattern. Names of bodies are told by their capitals."""
    rules = tomllib.loads(RULES.read_text(encoding="utf-8"))["rules"]
    return tuple((rule, _compiled(rule)) for rule in msgspec.convert(rules, type=list[Rule]))


def _compiled(rule: Rule) -> re.Pattern[str]:
    pattern = rule.pattern
    for name, stands_for in _PLACEHOLDERS.items():
        pattern = pattern.replace(name, stands_for)
    return re.compile(pattern, 0 if rule.key in NAMES else re.IGNORECASE)


def _group(match: re.Match[str], _: str) -> str | None:
    return next((group.strip(" ,.") for group in match.groups() if group), None)


def _count(match: re.Match[str], sentence: str) -> str | None:
    text = (_group(match, sentence) or "").lower()
    return str(_NUMBER_WORDS.index(text) + 1) if text in _NUMBER_WORDS else text or None


def _amount(match: re.Match[str], sentence: str) -> str | None:
    # A yearly amount is not that of the whole term, and is left to the person.
    if re.search(r"per (?:annum|year)|a year|annual|each year|p\.a\.", sentence, re.I):
        return None
    return f"£{_group(match, sentence)}"


def _length(match: re.Match[str], _: str) -> str | None:
    number = match[1].lower()
    number = str(_NUMBER_WORDS.index(number) + 1) if number in _NUMBER_WORDS else number
    return f"{number} {match[2].lower()}s"


def _yes_unless_negated(match: re.Match[str], sentence: str) -> str | None:
    near = sentence[max(0, match.start() - 40) : match.end() + 40]
    return "no" if _NEGATED.search(near) else "yes"


def _lots(match: re.Match[str], sentence: str) -> str | None:
    return "1" if (_group(match, sentence) or "").lower() in ("single", "one") else _count(match, sentence)


def _is_negated(match: re.Match[str], sentence: str) -> bool:
    return bool(_NEGATED.search(sentence[max(0, match.start() - 40) : match.end()]))


_READERS: Mapping[str, Callable[[re.Match[str], str], str | None]] = {
    "text": _group,
    "amount": _amount,
    "length": _length,
    "count": _count,
    "lots": _lots,
    "yes_unless_negated": _yes_unless_negated,
}
"""How a match becomes a value as the form takes it; None where it says none."""
