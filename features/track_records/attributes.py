"""Attributes: what kind of tender this is, as short texts under which a register's history is counted.

An attribute is a text or None: the buyer, its unit, the kind of contract, the market, the place, the first words of the
title. All are known at draft. Histories and text models see tenders only through the 64-bit hashes of these texts, so a
million rows are a few arrays. What a register keeps in codes of its own is read by that register's module
(`tenders.registers`), which gives it under the names here.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.feature import Theme
from features.table_builder import of_tenders
from features.timing import tender_period_days
from features.track_records.case_records import BUYERS
from tenders import dates
from tenders.facts import Facts
from tenders.memo import Memo
from tenders.own_columns import own_cells, own_text
from tenders.registers import attributes_of
from tenders.registers.columns import gc_paused
from tenders.tender import Tender, Value

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
Texts = tuple[str | None, ...]
Codes = Mapping[str, str]
"""A register's own codes, by the name of the attribute that each tells."""

WORD = re.compile(r"[^\W\d_]+")
ASCII_WORD = re.compile("[a-z]+")
"""The same in lower case without other letters: most texts, four times as fast."""
BEYOND_LATIN = re.compile("[^\0-\u02ff]")
"""Where accents are, once they are split from their letters."""
FUNCTION_WORDS = frozenset(
    "para con por los las del una sobre desde der die das und von mit the and for with from".split()  # noqa: SIM905
)
"""Words that name nothing, in the registers' languages. Shorter words than these name nothing either."""
MOST_WORDS = 60
"""Words of title and description that are read."""
LONGEST_WINDOW = 200
"""Days to bid that are compared at most; the attribute has a text of its own for each of the first MOST_DAYS_APART."""
MOST_DAYS_APART = 60
CHUNK = 1_000
"""Tenders that are read at once: fact by fact, while they are in the processor's cache."""
MOST_REMEMBERED = 1 << 20
"""Texts whose hashes are kept."""


class Attribute(msgspec.Struct, frozen=True):
    """One attribute: what it is called in a sentence, where it stands in a release, and its theme."""

    words: str
    path: str
    theme: Theme = "procedure"


ATTRIBUTES: Mapping[str, Attribute] = {
    "window": Attribute("days to bid", "/tender/tenderPeriod"),
    "buyer": Attribute("buyer", "/buyer", "buyer"),
    "name": Attribute("buyer's name", "/buyer/name", "buyer"),
    "unit": Attribute("unit", "/tender/procuringEntity", "buyer"),
    "kind": Attribute("kind of contract", "/tender/mainProcurementCategory"),
    "method": Attribute("procedure", "/tender/procurementMethod"),
    "market": Attribute("market", "/tender/classification"),
    "group": Attribute("CPV category", "/tender/classification"),
    "branch": Attribute("CPV group", "/tender/classification"),
    "sector": Attribute("CPV division", "/tender/classification"),
    "place": Attribute("region", "/tender/items"),
    "locality": Attribute("locality", "/tender/items"),
    "month": Attribute("month of publication", "/tender/datePublished"),
    "weekday": Attribute("weekday of publication", "/tender/datePublished"),
    "band": Attribute("size", "/tender/value", "value"),
    "term": Attribute("term", "/tender/contractPeriod"),
    "fee": Attribute("price of the papers", "/tender/participationFees", "value"),
    "criteria": Attribute("award criteria", "/tender/awardCriteria"),
    "first": Attribute("first word of the title", "/tender/title", "wording"),
    "opening": Attribute("first two words of the title", "/tender/title", "wording"),
    "subject": Attribute("first three words of the title", "/tender/title", "wording"),
    "ending": Attribute("last two words of the title", "/tender/title", "wording"),
    "again": Attribute("call or re-tender", "/tenderRisk/retender"),
    "authority": Attribute("kind of authority", "/tenderRisk/codes/authority"),
    "form": Attribute("form of contract", "/tenderRisk/codes/form"),
    "division": Attribute("division", "/tenderRisk/codes/division", "buyer"),
    "topic": Attribute("topic", "/tenderRisk/codes/topic"),
    "urgency": Attribute("urgency", "/tenderRisk/codes/urgency"),
    "pricing": Attribute("pricing", "/tenderRisk/codes/pricing"),
    "system": Attribute("system", "/tenderRisk/codes/system"),
    "vehicle": Attribute("vehicle", "/tenderRisk/codes/vehicle", "buyer"),
    "service": Attribute("service", "/tenderRisk/codes/service", "buyer"),
    "instrument": Attribute("instrument", "/tenderRisk/codes/instrument"),
    "order": Attribute("kind of order", "/tenderRisk/codes/order"),
}
"""The attributes by name. Their order decides in which order the outcomes of one day are learnt: add at the end."""
NAMES = tuple(ATTRIBUTES)
FROM_FACTS = NAMES[NAMES.index("again") :]
"""The attributes that are read of `tenderRisk` alone."""


class HashedText(msgspec.Struct, frozen=True):
    """The words of one text of tenders: those of row i are `words[start[i]:start[i + 1]]`."""

    words: Hashes
    start: NDArray[np.int64]


class HashedAttributes(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The attributes of tenders as arrays, one row a tender.

    `hashes[name]` has shape (rows,), 0 for unknown; attributes that no row has are left out. The words of row i are
    `words[start[i]:start[i + 1]]`. `log_value`, `window` (days to bid) and `again` (1 for a re-tender) are numbers of
    shape (rows,), NaN for unknown. `own_texts` are declared columns of text by name (`tenders.own_columns`).
    """

    hashes: Mapping[str, Hashes]
    words: Hashes
    start: NDArray[np.int64]
    log_value: Floats
    window: Floats
    again: Floats
    own_texts: Mapping[str, HashedText] = {}

    @property
    def rows(self) -> int:
        """How many tenders."""
        return len(self.start) - 1

    @cached_property
    def log_window(self) -> Floats:
        """Logarithm of 1 + days to bid, shape (rows,)."""
        return np.log1p(np.clip(self.window, 0, LONGEST_WINDOW))


def hash_attributes(tenders: Iterable[Tender], own_texts: Sequence[str] = ()) -> HashedAttributes:
    """The attributes of tenders as of draft, in their order. Later facts are not read, but for `own_texts`, the names
    of declared columns of text: whoever reads these knows from which stage on they are known."""
    parts = list[tuple[Hashes, Hashes, NDArray[np.int64], Floats]]()
    texts: dict[str, list[HashedText]] = {name: [] for name in own_texts}
    with gc_paused():
        for chunk in chain(_chunks(iter(tenders)), [()]):
            if chunk or not parts:
                parts.append(_hash_chunk(chunk))
                for name, some in texts.items():
                    some.append(_hash_own_text(chunk, name))
    hashes, words, sizes, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
    log_value, window, again = np.ascontiguousarray(numbers.T)
    by_name = zip(NAMES, np.ascontiguousarray(hashes.T), strict=True)
    return HashedAttributes(
        hashes={name: column for name, column in by_name if column.any()},
        words=words,
        start=np.append(0, np.cumsum(sizes)),
        log_value=log_value,
        window=window,
        again=again,
        own_texts={name: _joined(some) for name, some in texts.items()},
    )


def _hash_own_text(tenders: Sequence[Tender], name: str) -> HashedText:
    """The words of a declared text of a few tenders; for now `start` is how many words each has."""
    spoken = [words(own_text(cell))[:MOST_WORDS] if cell is not None else () for cell in own_cells(tenders, name)]
    hashes = _hashes(list(chain.from_iterable(spoken)), 1)[:, 0]
    return HashedText(hashes, np.array(list(map(len, spoken)), dtype=np.int64))


def _joined(parts: Sequence[HashedText]) -> HashedText:
    sizes = np.concatenate([part.start for part in parts])
    return HashedText(np.concatenate([part.words for part in parts]), np.append(0, np.cumsum(sizes)))


def _chunks(tenders: Iterator[Tender]) -> Iterator[list[Tender]]:
    while chunk := list(islice(tenders, CHUNK)):
        yield chunk


def _hash_chunk(tenders: Sequence[Tender]) -> tuple[Hashes, Hashes, NDArray[np.int64], Floats]:
    """Of a few tenders: the hashes (tenders, NAMES), all words, how many each has, and three numbers (tenders, 3)."""
    windows = tender_period_days(of_tenders(tenders, "draft")).tolist()
    days = [None if math.isnan(window) else str(min(int(window), MOST_DAYS_APART)) for window in windows]
    # Rows of a register share their facts, so what the facts tell is read once.
    numbers, codes, stated = dict[int, int](), list[Codes](), list[str | None]()
    for tender in tenders:
        if id(tender.tender_risk) not in numbers:
            numbers[id(tender.tender_risk)] = len(codes)
            codes.append(own_codes(tender))
            stated += _stated(tender.tender_risk, codes[-1])
    shared = [numbers[id(tender.tender_risk)] for tender in tenders]
    own = [text for tender, at in zip(tenders, shared, strict=True) for text in _texts(tender, codes[at])]
    spoken = list(map(title_words, tenders))
    hashes = (
        _hashes(days, 1),
        _hashes(own, len(NAMES) - len(FROM_FACTS) - 1),
        _hashes(stated, len(FROM_FACTS))[shared],
    )
    return (
        np.concatenate(hashes, axis=1),
        _hashes(list(chain.from_iterable(spoken)), 1)[:, 0],
        np.array(list(map(len, spoken)), dtype=np.int64),
        np.array(list(map(_numbers, tenders, windows)), dtype=np.float64).reshape(-1, 3),
    )


def own_codes(tender: Tender) -> Codes:
    """The codes of a tender by the names of attributes, as its register's module reads them."""
    return attributes_of(tender.ocid)(tender.tender_risk.codes)


def _texts(tender: Tender, codes: Codes) -> Texts:
    """The attributes between `window` and FROM_FACTS, in the order of NAMES."""
    parties, route = _parties(tender), _route(tender, codes)
    return (
        *parties,
        *route,
        *market(tender, codes),
        *place(tender),
        *_day(tender),
        *_terms(tender, codes),
        *_title(tender),
    )


def _parties(tender: Tender) -> Texts:
    """The buyer by id (else name), its name, and the unit that buys."""
    buyer, unit = tender.buyer, tender.tender.procuring_entity
    if buyer is None:
        return None, None, None if unit is None else str(unit.id or unit.name)
    own = str(buyer.id) if buyer.id is not None else next(iter(BUYERS[buyer.name, unit.name if unit else None]), None)
    return own, buyer.name, own if unit is None or unit is buyer else str(unit.id or unit.name)


def _route(tender: Tender, codes: Codes) -> Texts:
    """Kind of contract and procedure."""
    procedure = tender.tender
    kind = codes.get("kind") or procedure.main_procurement_category
    return kind, procedure.procurement_method_details or procedure.procurement_method


def market(tender: Tender, codes: Codes | None = None) -> Texts:
    """What is bought: market, group, branch and sector, which are 8, 5, 3 and 2 digits of the code of the lot's first
    item, else of the tender's, else the register's own group. A code without digits stands for all four."""
    items, whole = tender.tender.items, tender.tender.classification
    own = items[0].classification if items else None
    classification = own if own and own.id is not None else whole
    if classification and classification.id is not None:
        number: str | None = str(classification.id)
    else:
        number = (own_codes(tender) if codes is None else codes).get("market")
    if number is None:
        return None, None, None, None
    return (number[:8], number[:5], number[:3], number[:2]) if number[:2].isdigit() else (number,) * 4


def place(tender: Tender) -> Texts:
    """Region and locality of the lot's first item. The locality stands in for an unknown region."""
    items = tender.tender.items
    if not items or not items[0].delivery_addresses:
        return None, None
    address = items[0].delivery_addresses[0]
    return address.region or address.locality, " ".join(words(address.locality)) or None


def _day(tender: Tender) -> Texts:
    """Month and weekday of publication."""
    day = dates.day(tender.tender.date_published)
    return (None, None) if day is None else (str(day.month), str(day.weekday()))


def worth(tender: Tender) -> Value | None:
    """The value of the case in its own currency: the lot's, else the tender's, else the budget's."""
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


def _terms(tender: Tender, codes: Codes) -> Texts:
    """The value band (each three times the one below), the term, the price of the papers, and the award criteria."""
    procedure, value = tender.tender, amount(tender)
    band = str(math.floor(math.log(value, 3))) if value else None
    period = procedure.contract_period
    term = str(period.duration_in_days) if period and period.duration_in_days else None
    papers = [f.value for f in procedure.participation_fees if "document" in f.type and f.value]
    fee = str(papers[0].amount) if papers else None
    criteria = codes.get("criteria") or procedure.award_criteria
    return band, term, fee, criteria if isinstance(criteria, str) else None


def _title(tender: Tender) -> Texts:
    """The first one, two and three and the last two content words of the title: they repeat when it is bought again."""
    own = tender.tender.lots[0].title if tender.tender.lots else None
    named = content_words(own or tender.tender.title)
    if not named:
        return None, None, None, None
    return named[0], " ".join(named[:2]), " ".join(named[:3]), " ".join(named[-2:])


def _stated(facts: Facts, codes: Codes) -> Texts:
    """FROM_FACTS: whether the same was called for before, whole or in part, and a register's own categories."""
    known = facts.retender is not None or facts.call_number is not None
    again = f"{bool(facts.retender)}|{codes.get('part_again', 'False')}" if known else None
    return again, *(codes.get(name) for name in FROM_FACTS[1:])


def _numbers(tender: Tender, window: float) -> tuple[float, float, float]:
    value, again = amount(tender), tender.tender_risk.retender
    return math.log(value) if value else math.nan, window, math.nan if again is None else float(again)


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


def title_words(tender: Tender) -> Sequence[str]:
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
        for mark in set(BEYOND_LATIN.findall(bare)):
            if unicodedata.combining(mark):
                bare = bare.replace(mark, "")
    return tuple((ASCII_WORD if bare.isascii() else WORD).findall(bare))


def content_words(text: str | None) -> list[str]:
    """The words of a text that name something."""
    return [word for word in words(text) if len(word) > 2 and word not in FUNCTION_WORDS]
