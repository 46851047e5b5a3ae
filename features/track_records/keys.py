"""The keys under which track records are kept: a tender's buyers, advisers, suppliers and markets, by plain names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from features.once import once
from tenders.facts import Stage
from tenders.memo import Memo
from tenders.tender import Award, Tender

_ADVISES = re.compile(r"\b(advis|consult)", re.I)
_LEGAL_NOISE = re.compile(r"\b(the|ltd|limited|plc|llp|of|and|nhs|trust|council|foundation)\b|[^a-z0-9 ]")


def keys_of(tender: Tender, stage: Stage) -> tuple[str, ...]:
    """Every key under which a tender's outcome is learnt, as far as known at a stage."""
    advisers, markets = adviser_keys(tender), market_keys(tender)
    keys = [*buyer_keys(tender), *advisers, *markets, *(f"{a}|{m}" for a in advisers for m in markets)]
    if stage == "awarded":
        keys += supplier_keys(tender)
    return tuple(dict.fromkeys(keys))


def buyer_keys(tender: Tender) -> tuple[str, ...]:
    """`buyer:` keys: the buyer, and the procuring entity where it is another."""
    buyer, entity = tender.buyer, tender.tender.procuring_entity
    return BUYERS[buyer.name if buyer else None, entity.name if entity else None]


def _buyers_named(names: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(f"buyer:{plain}" for plain in dict.fromkeys(normal(n) for n in names if n) if plain)


BUYERS = Memo(_buyers_named)
"""`buyer:` keys by the names of buyer and procuring entity; None is none."""


@once
def adviser_keys(tender: Tender) -> list[str]:
    """`adviser:` keys of the advisers named, and of the parties whose role is described as advising."""
    named = [a.name for a in tender.tender_risk.advisers]
    named += [p.name for p in tender.parties if p.name and p.role_details and _ADVISES.search(p.role_details)]
    return [f"adviser:{plain}" for plain in dict.fromkeys(map(normal, named)) if plain]


def supplier_keys(tender: Tender) -> tuple[str, ...]:
    """`supplier:` keys of the suppliers of the awards."""
    return SUPPLIERS[supplier_names(tender.awards)]


def supplier_names(awards: Iterable[Award]) -> tuple[str, ...]:
    """The names of the suppliers of awards."""
    return tuple([supplier.name for award in awards for supplier in award.suppliers if supplier.name])


def _suppliers_named(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"supplier:{plain}" for name in names if (plain := normal(name)))


SUPPLIERS = Memo(_suppliers_named)
"""`supplier:` keys by the suppliers' names."""


def market_keys(tender: Tender) -> tuple[str, ...]:
    """`market:` keys: the CPV groups (3 digits) of what is bought."""
    return MARKETS[tuple(cpv_codes(tender))]


def _markets_of(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"market:{prefix}" for prefix in sorted({code[:3] for code in codes if len(code) >= 3}))


MARKETS = Memo(_markets_of)
"""`market:` keys by CPV codes."""


def cpv_codes(tender: Tender) -> list[str]:
    """CPV codes of the tender and its items, main ones only."""
    sections = [item.classification for item in tender.tender.items]
    if tender.tender.classification:
        sections.insert(0, tender.tender.classification)
    return [
        c.id if type(c.id) is str else str(c.id)
        for c in sections
        if c and c.id is not None and (c.scheme == "CPV" or not c.scheme or c.scheme.upper() == "CPV")
    ]


@lru_cache(maxsize=65536)
def normal(name: str) -> str:
    """A name without case, punctuation and legal form, so that spellings meet."""
    return " ".join(_LEGAL_NOISE.sub(" ", name.lower().replace("&", " and ")).split())
