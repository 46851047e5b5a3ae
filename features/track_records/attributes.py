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
from itertools import chain, islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.table import floats
from features.table_builder import periods
from features.timing import days_to_bid
from features.track_records.keys import buyer_keys
from tenders import dates
from tenders.facts import Facts
from tenders.memo import Memo
from tenders.registers.columns import gc_paused
from tenders.tender import Tender, Value

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
Texts = tuple[str | None, ...]

_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile("[a-z]+")
"""The same in lower case without other letters: most texts, four times as fast."""
_BEYOND_LATIN = re.compile("[^\0-\u02ff]")
"""Where accents are, once they are taken apart."""
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
    items, given = tender.tender.items, tender.tender.classification
    own = items[0].classification if items else None
    given = own if own and own.id is not None else given
    number = str(given.id) if given and given.id is not None else tender.tender_risk.codes.get("cpv_group")
    if number is None:
        return None, None, None, None
    return (number[:8], number[:5], number[:3], number[:2]) if number[:2].isdigit() else (number,) * 4


def where(tender: Tender) -> Texts:
    """Region and locality of the lot's first item; the locality stands in for a region."""
    items = tender.tender.items
    if not items or not items[0].delivery_addresses:
        return None, None
    address = items[0].delivery_addresses[0]
    return address.region or address.locality, " ".join(words(address.locality)) or None


def _when(tender: Tender) -> Texts:
    day = dates.day(tender.tender.date_published)
    return (None, None) if day is None else (str(day.month), str(day.weekday()))


def worth(tender: Tender) -> Value | None:
    """What the case is worth in its own currency: the lot's value, else the tender's, else the budget's."""
    procedure, planning = tender.tender, tender.planning
    own = procedure.lots[0].value if procedure.lots else None
    budget = planning.budget.amount if planning and planning.budget else None
    whole = budget if procedure.value is None else procedure.value
    if own and own.amount:
        return own
    return whole if whole and whole.amount else None


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
    papers = [f.value for f in procedure.participation_fees if "document" in f.type and f.value]
    fee = str(papers[0].amount) if papers else None
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
"""Tenders that are described at once: while they are in the cache, fact by fact."""
MOST_REMEMBERED = 1 << 20
"""Texts whose hashes are kept."""


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
    with gc_paused():
        parts = [_described(some) for some in _some(iter(tenders))] or [_described(())]
    made, words, sizes, numbers = (np.concatenate(each) for each in zip(*parts, strict=True))
    log_value, windows, again = np.ascontiguousarray(numbers.T)
    by_name = zip(NAMES, np.ascontiguousarray(made.T), strict=True)
    return Described(
        hashes={name: column for name, column in by_name if column.any()},
        words=words,
        start=np.append(0, np.cumsum(sizes)),
        log_value=log_value,
        window=windows,
        again=again,
    )


def _some(tenders: Iterator[Tender]) -> Iterator[list[Tender]]:
    while some := list(islice(tenders, A_TIME)):
        yield some


def _described(tenders: Sequence[Tender]) -> tuple[Hashes, Hashes, NDArray[np.int64], Floats]:
    """Of a few tenders: the hashes (tenders, NAMES), the words, how many each has, and `_numbers` (tenders, 3)."""
    windows = _windows(tenders)
    bids = [None if math.isnan(window) else str(min(int(window), 60)) for window in windows]
    own = [text for tender in tenders for _, read in _FAMILIES for text in read(tender)]
    # Rows of a register share their facts, and those hold most attributes.
    shared = {id(tender.tender_risk): tender.tender_risk for tender in tenders}
    place = {name: number for number, name in enumerate(shared)}
    stated = [text for facts in shared.values() for text in _stated(facts)]
    said = list(map(spoken, tenders))
    made = (
        _hashes(bids, 1),
        _hashes(own, len(NAMES) - len(_STATED) - 1),
        _hashes(stated, len(_STATED))[[place[id(tender.tender_risk)] for tender in tenders]],
    )
    return (
        np.concatenate(made, axis=1),
        _hashes(list(chain.from_iterable(said)), 1)[:, 0],
        np.array(list(map(len, said)), dtype=np.int64),
        np.array(list(map(_numbers, tenders, windows)), dtype=np.float64).reshape(-1, 3),
    )


def _windows(tenders: Sequence[Tender]) -> list[float]:
    """The days that each tender leaves to bid, NaN if unknown."""
    sections = [tender.tender for tender in tenders]
    given = [section.tender_period for section in sections]
    published = floats(dates.ordinals([section.date_published for section in sections]))
    unopened = np.array([period is None or period.start_date is None for period in given], dtype=bool)
    days: list[float] = days_to_bid(periods(given), published, unopened).tolist()
    return days


def _numbers(tender: Tender, window: float) -> tuple[float, float, float]:
    value, facts = amount(tender), tender.tender_risk
    return (
        math.log(value) if value else math.nan,
        window,
        math.nan if facts.retender is None else float(facts.retender),
    )


def hashed(text: str | None) -> int:
    """64 bits of a text, the same in every run; 0 for None."""
    return 0 if text is None else int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") | 1


_HASHED = Memo(hashed, MOST_REMEMBERED)


def _hashes(texts: Sequence[str | None], width: int) -> Hashes:
    """The hashes of texts, shape (texts / width, width)."""
    return np.fromiter(map(_HASHED.__getitem__, texts), dtype=np.uint64, count=len(texts)).reshape(-1, width)


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
    title, more = tender.tender.title, tender.tender.description
    if not own and not more:
        return words(title)[:MOST_WORDS]
    parts = dict.fromkeys(part for part in (own, title, more) if part)
    return words(" ".join(parts))[:MOST_WORDS]


@lru_cache(maxsize=1 << 16)
def words(text: str | None) -> tuple[str, ...]:
    """The words of a text in lower case, without accents; any script."""
    bare = unicodedata.normalize("NFKD", text or "").lower()
    if not bare.isascii():
        for mark in set(_BEYOND_LATIN.findall(bare)):
            if unicodedata.combining(mark):
                bare = bare.replace(mark, "")
    return tuple((_ASCII_WORD if bare.isascii() else _WORD).findall(bare))


def content(text: str | None) -> list[str]:
    """The words that name something."""
    return [word for word in words(text) if len(word) > 2 and word not in _FUNCTION_WORDS]
