"""What the words say: length, ambition, risks admitted."""

from __future__ import annotations

import re

import numpy as np

from features.categorical import Categorical
from features.factors import UK_EXTENSION, factor
from features.feature import feature
from features.table import Floats, TenderTable, cached

AMBITION = re.compile(
    r"transform|integrat|innovat|outcome|lead provider|prime provider|strategic partner|whole[- ]system|pathway", re.I
)

# One of these stands in every text that AMBITION finds something in, whatever its case: to look for them costs a tenth.
# They go without i and s, which have more than two cases in Unicode.
_SPEAKS_OF = ("tran", "ntegrat", "nnovat", "outcome", "d prov", "me prov", "c partner", "whole", "pathway")
LONG_RISKS = 300  # words
_MAYBE_DIGIT = re.compile("[0-9\xb2\xb3\xb9]|[^\0-\xff]")


def _word_counts(texts: Categorical[str | None]) -> Floats:
    """Words of each text; NaN where there are none. Titles hardly repeat, so that each has to cost little."""
    counts = np.array(list(map(len, map(str.split, [text or "" for text in texts.categories]))), dtype=np.float64)
    return np.where(counts > 0, counts, np.nan)[texts.codes]


@cached
def _titles(table: TenderTable) -> Categorical[str]:
    """The title of the lot that stands first, else the tender's; empty if there is none."""
    return Categorical.pairs(table.text("lot_title"), table.text("title")).map(
        lambda titles: (titles[0] and titles[0].strip()) or (titles[1] or "").strip()
    )


def _ambition(texts: tuple[str | None, str | None]) -> float | None:
    stated = [text for text in texts if text]
    if not stated:
        return None
    text = " ".join(stated)
    lower = text.lower()
    return len(AMBITION.findall(text)) if any(part in lower for part in _SPEAKS_OF) else 0.0


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Length of the title",
    path="/tender/title",
    says="The title has {value} words.",
)
def title_words(table: TenderTable) -> Floats:
    """Words in the title. Source: our own."""
    return _word_counts(table.text("title"))


@feature(
    stage="draft",
    theme="wording",
    unit="characters",
    label="Characters of the title",
    path="/tender/lots/0/title",
    also=("/tender/title",),
    says="The title has {value} characters.",
)
def title_letters(table: TenderTable) -> Floats:
    """Characters of the first lot's title, else of the tender's. Source: our own."""
    return _titles(table).numbers(lambda title: len(title) or None)


@feature(
    stage="draft",
    theme="wording",
    unit="digits",
    label="Digits in the title",
    path="/tender/lots/0/title",
    also=("/tender/title",),
    says="The title has {value} digits.",
)
def title_digits(table: TenderTable) -> Floats:
    """Digits in the first lot's title, else in the tender's.

    Sizes, places and file numbers mark a thing well known and often bought. Source: our own.
    """
    return _titles(table).numbers(lambda title: sum(map(str.isdigit, _MAYBE_DIGIT.findall(title))) if title else None)


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Length of the description",
    path="/tender/description",
    says="The description has {value} words.",
)
def description_words(table: TenderTable) -> Floats:
    """Words in the description.

    A thin description leaves bidders to guess. Source: Fazekas and Kocsis, length of call texts.
    """
    return _word_counts(table.text("description"))


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Words of ambition",
    path="/tender/title",
    says="The title and description speak of transformation or integration {value} times.",
)
def ambition_words(table: TenderTable) -> Floats:
    """How often title and description speak of transforming, integrating, outcomes, lead or prime providers.

    New models of delivery have no price history. Source: titles in the casebook.
    """
    return Categorical.pairs(table.text("title"), table.text("description")).numbers(_ambition)


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Risks admitted",
    path="/tender/riskDetails",
    says="The notice states risks in {value} words.",
)
def risk_words(table: TenderTable) -> Floats:
    """Words in `riskDetails`; unknown if there are none. Source: UK extension, `riskDetails`."""
    return _word_counts(table.text("risk_details"))


@factor(
    stage="draft",
    theme="wording",
    label="Risks not stated, or at length",
    path="/tender/riskDetails",
    says="The notice leaves its risks empty, or states them in more than 300 words.",
    says_not="The notice states its risks in 300 words or fewer.",
    asks="the notice's statement of risks",
    sources=(f"{UK_EXTENSION}, riskDetails",),
)
def risks_empty_or_long(table: TenderTable) -> Floats:
    """1 if `riskDetails` is there and blank, or longer than 300 words. The threshold is ours.

    Older notices have no such field, so without it nothing is known. Source: UK extension of OCDS.
    """
    return table.text("risk_details").numbers(_empty_or_long)


def _empty_or_long(risks: str | None) -> bool | None:
    return None if risks is None else not 0 < len(risks.split()) <= LONG_RISKS
