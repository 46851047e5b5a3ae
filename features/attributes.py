"""Attributes: what kind of tender this is, in words that records can be kept under.

An attribute is text or None: the buyer, its unit, the kind of contract, the market, the place, the first words of the
title. Every one is known at draft. Track records and wording models see tenders through them alone, as 64-bit hashes,
so that a million rows are a few arrays and a register's own codes need no module of their own.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.columns_read import read
from features.timing import tender_period_days
from features.track_records import buyer_keys
from tenders import dates
from tenders.facts import Facts
from tenders.sources.columns import uncollected
from tenders.tender import Tender, Value

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
Texts = tuple[str | None, ...]

_WORD = re.compile(r"[^\W\d_]+")
# Words that carry no subject, in the registers' languages. Shorter words than these carry none either.
_FUNCTION_WORDS = frozenset(
    "para con por los las del una sobre desde der die das und von mit the and for with from".split()  # noqa: SIM905
)
MOST_WORDS = 60
"""Words of title and description that are read."""


def _parties(tender: Tender) -> Texts:
    buyer, unit = tender.buyer, tender.tender.procuring_entity
    if buyer is None:
        return None, None, None if unit is None else str(unit.id or unit.name)
    own = str(buyer.id) if buyer.id is not None else next(iter(buyer_keys(tender)), None)
    return own, buyer.name, own if unit is None or unit is buyer else str(unit.id or unit.name)


def _route(tender: Tender) -> Texts:
    procedure, codes = tender.tender, tender.tender_risk.codes
    kind = codes.get("tipo_de_contratacion") or codes.get("contract_type") or procedure.main_procurement_category
    return kind, procedure.procurement_method_details or procedure.procurement_method


def market(tender: Tender) -> Texts:
    """Market, group, branch and sector.

    What is bought, by the code of the lot's first item, else the tender's, else a register's own group.
    """
    given = [item.classification for item in tender.tender.items[:1]] + [tender.tender.classification]
    number = next((str(c.id) for c in given if c and c.id is not None), tender.tender_risk.codes.get("cpv_group"))
    if number is None:
        return None, None, None, None
    return (number[:8], number[:5], number[:3], number[:2]) if number[:2].isdigit() else (number,) * 4


def where(tender: Tender) -> Texts:
    """Region and locality of the lot's first item; the locality stands in for a region."""
    address = next((address for item in tender.tender.items[:1] for address in item.delivery_addresses[:1]), None)
    if address is None:
        return None, None
    return address.region or address.locality, " ".join(words(address.locality)) or None


def _when(tender: Tender) -> Texts:
    day = dates.day(tender.tender.date_published)
    return (None, None) if day is None else (str(day.month), str(day.weekday()))


def worth(tender: Tender) -> Value | None:
    """What the case is worth in its own currency: the lot's value, else the tender's, else the budget's."""
    procedure, planning = tender.tender, tender.planning
    own = procedure.lots[0].value if procedure.lots else None
    budget = planning.budget.amount if planning and planning.budget else None
    given = (own, budget if procedure.value is None else procedure.value)
    return next((value for value in given if value and value.amount), None)


def amount(tender: Tender) -> float | None:
    """The amount of `worth`."""
    value = worth(tender)
    return float(value.amount) if value and value.amount else None


def _terms(tender: Tender) -> Texts:
    """The value band (each three times the one below), the term, the fee, and what decides."""
    procedure, codes, value = tender.tender, tender.tender_risk.codes, amount(tender)
    band = str(math.floor(math.log(value, 3))) if value else None
    period, criteria = procedure.contract_period, procedure.award_criteria
    term = str(period.duration_in_days) if period and period.duration_in_days else None
    fee = next((str(f.value.amount) for f in procedure.participation_fees if "document" in f.type and f.value), None)
    weight = codes.get("price_weight")
    decides = f"{weight}|{codes.get('price_weight_flag')}" if weight else criteria
    return band, term, fee, decides if isinstance(decides, str) else None


def _title(tender: Tender) -> Texts:
    """The first and last content words of the lot's title, or the tender's: what repeats when it is bought again."""
    own = tender.tender.lots[0].title if tender.tender.lots else None
    said = content(own or tender.tender.title)
    if not said:
        return None, None, None, None
    return said[0], " ".join(said[:2]), " ".join(said[:3]), " ".join(said[-2:])


def _stated(facts: Facts) -> Texts:
    """A register's own categories, and whether the same thing was called for before."""
    codes = facts.codes
    known = facts.retender is not None or facts.call_number is not None
    again = f"{bool(facts.retender)}|{codes.get('subcall', '1') != '1'}" if known else None
    authority = codes.get("buyer_type") or codes.get("authority")
    form = codes.get("form_of_contract") or codes.get("contracting_system")
    return again, authority, form, *(codes.get(name) for name in _OWN)


_OWN = ("division", "topic", "urgency", "pricing", "system", "vehicle", "service", "instrument", "order")
_FAMILIES: tuple[tuple[tuple[str, ...], Callable[[Tender], Texts]], ...] = (
    (("buyer", "name", "unit"), _parties),
    (("kind", "method"), _route),
    (("market", "group", "branch", "sector"), market),
    (("place", "locality"), where),
    (("month", "weekday"), _when),
    (("band", "term", "fee", "criteria"), _terms),
    (("first", "opening", "subject", "ending"), _title),
)
_STATED = ("again", "authority", "form", *_OWN)
NAMES: tuple[str, ...] = ("window", *(name for names, _ in _FAMILIES for name in names), *_STATED)
A_TIME = 1_000
"""Tenders whose windows are measured at once."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """Tenders as arrays, one row each.

    `hashes[attribute]` has shape (rows,), 0 for unknown; attributes that no row has are left out. The words of row i
    are `words[start[i]:start[i + 1]]`. `days`, `log_value`, `window` and `again` are numbers, NaN for unknown.
    """

    hashes: Mapping[str, Hashes]
    words: Hashes
    start: NDArray[np.int64]
    log_value: Floats
    window: Floats
    again: Floats

    @property
    def rows(self) -> int:
        """How many tenders."""
        return len(self.start) - 1


def describe(tenders: Iterable[Tender]) -> Described:
    """The attributes of tenders as of draft, in their order. What is known later is not read."""
    found: list[list[int]] = []
    start, said = [0], list[int]()
    numbers: list[tuple[float, float, float]] = []
    # Rows of a register share their facts, and those hold most attributes.
    stated: dict[int, tuple[Facts, list[int]]] = {}
    with uncollected():
        for tender, window in _with_windows(iter(tenders)):
            facts = tender.tender_risk
            if id(facts) not in stated:
                stated[id(facts)] = facts, list(map(hashed, _stated(facts)))
            own = [hashed(text) for _, read in _FAMILIES for text in read(tender)]
            bid = None if math.isnan(window) else str(min(int(window), 60))
            found.append([hashed(bid), *own, *stated[id(facts)][1]])
            said.extend(map(hashed, spoken(tender)))
            start.append(len(said))
            numbers.append(_numbers(tender, window))
    made = dict(zip(NAMES, np.array(found, dtype=np.uint64).reshape(-1, len(NAMES)).T, strict=True))
    log_value, windows, again = np.array(numbers, dtype=np.float64).reshape(-1, 3).T
    return Described(
        hashes={name: column for name, column in made.items() if column.any()},
        words=np.array(said, dtype=np.uint64),
        start=np.array(start, dtype=np.int64),
        log_value=log_value,
        window=windows,
        again=again,
    )


def _with_windows(tenders: Iterator[Tender]) -> Iterator[tuple[Tender, float]]:
    """Each tender with the days that it leaves to bid, NaN if unknown."""
    while some := list(islice(tenders, A_TIME)):
        yield from zip(some, tender_period_days.column(read(some)).tolist(), strict=True)


def _numbers(tender: Tender, window: float) -> tuple[float, float, float]:
    value, facts = amount(tender), tender.tender_risk
    return (
        math.log(value) if value else math.nan,
        window,
        math.nan if facts.retender is None else float(facts.retender),
    )


@lru_cache(maxsize=1 << 20)
def hashed(text: str | None) -> int:
    """64 bits of a text, the same in every run; 0 for None."""
    return 0 if text is None else int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") | 1


def mixed(*columns: Hashes) -> Hashes:
    """One hash of several columns, shape (rows,); 0 where any of them is unknown."""
    together, known = columns[0], columns[0] != 0
    for column in columns[1:]:
        together = (together ^ (column + np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xFF51AFD7ED558CCD)
        together = together ^ (together >> np.uint64(32))
        known = known & (column != 0)
    return np.where(known, together, np.uint64(0))


def spoken(tender: Tender) -> Sequence[str]:
    """The words of lot title, title and description, without digits and accents, in order; at most MOST_WORDS."""
    own = tender.tender.lots[0].title if tender.tender.lots else None
    parts = dict.fromkeys(part for part in (own, tender.tender.title, tender.tender.description) if part)
    return words(" ".join(parts))[:MOST_WORDS]


@lru_cache(maxsize=1 << 16)
def words(text: str | None) -> tuple[str, ...]:
    """The words of a text in lower case, without accents; any script."""
    bare = unicodedata.normalize("NFKD", text or "").lower()
    return tuple(_WORD.findall("".join(c for c in bare if not unicodedata.combining(c))))


def content(text: str | None) -> list[str]:
    """The words that name something."""
    return [word for word in words(text) if len(word) > 2 and word not in _FUNCTION_WORDS]
