"""What the words say: length, ambition, risks admitted."""

from __future__ import annotations

import re

from features.catalogue import feature
from features.track_records.case_records import TrackRecord
from tenders.tender import Tender

AMBITION = re.compile(
    r"transform|integrat|innovat|outcome|lead provider|prime provider|strategic partner|whole[- ]system|pathway", re.I
)

# One of these stands in every text that AMBITION finds something in, whatever its case: to look for them costs a tenth.
# They go without i and s, which have more than two cases in Unicode.
_SPEAKS_OF = ("tran", "ntegrat", "nnovat", "outcome", "d prov", "me prov", "c partner", "whole", "pathway")
_MAYBE_DIGIT = re.compile("[0-9\xb2\xb3\xb9]|[^\0-\xff]")


def _words(text: str | None) -> float | None:
    return float(len(text.split())) if text and text.strip() else None


def _title(tender: Tender) -> str:
    """The title of the lot that stands first, else the tender's; empty if there is none."""
    lots = tender.tender.lots
    own = lots[0].title if lots else None
    return (own and own.strip()) or (tender.tender.title or "").strip()


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Length of the title",
    path="/tender/title",
    says="The title has {value} words.",
)
def title_words(tender: Tender, track_record: TrackRecord) -> float | None:
    """Words in the title. Source: our own."""
    return _words(tender.tender.title)


@feature(
    stage="draft",
    theme="wording",
    unit="characters",
    label="Characters of the title",
    path="/tender/lots/0/title",
    also=("/tender/title",),
    says="The title has {value} characters.",
)
def title_letters(tender: Tender, track_record: TrackRecord) -> float | None:
    """Characters of the first lot's title, else of the tender's. Source: our own."""
    return float(len(_title(tender))) or None


@feature(
    stage="draft",
    theme="wording",
    unit="digits",
    label="Digits in the title",
    path="/tender/lots/0/title",
    also=("/tender/title",),
    says="The title has {value} digits.",
)
def title_digits(tender: Tender, track_record: TrackRecord) -> float | None:
    """Digits in the first lot's title, else in the tender's.

    Sizes, places and file numbers mark a thing well known and often bought. Source: our own.
    """
    title = _title(tender)
    return float(sum(map(str.isdigit, _MAYBE_DIGIT.findall(title)))) if title else None


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Length of the description",
    path="/tender/description",
    says="The description has {value} words.",
)
def description_words(tender: Tender, track_record: TrackRecord) -> float | None:
    """Words in the description.

    A thin description leaves bidders to guess. Source: Fazekas and Kocsis, length of call texts.
    """
    return _words(tender.tender.description)


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Words of ambition",
    path="/tender/title",
    says="The title and description speak of transformation or integration {value} times.",
)
def ambition_words(tender: Tender, track_record: TrackRecord) -> float | None:
    """How often title and description speak of transforming, integrating, outcomes, lead or prime providers.

    New models of delivery have no price history. Source: titles in the casebook.
    """
    texts = [text for text in (tender.tender.title, tender.tender.description) if text]
    if not texts:
        return None
    said = " ".join(texts)
    lower = said.lower()
    return float(len(AMBITION.findall(said))) if any(part in lower for part in _SPEAKS_OF) else 0.0


@feature(
    stage="draft",
    theme="wording",
    unit="words",
    label="Risks admitted",
    path="/tender/riskDetails",
    says="The notice states risks in {value} words.",
)
def risk_words(tender: Tender, track_record: TrackRecord) -> float | None:
    """Words in `riskDetails`; unknown if there are none. Source: UK extension, `riskDetails`."""
    return _words(tender.tender.risk_details)
