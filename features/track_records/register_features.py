"""What models read of track records: rates against the register's own, counts, loads and comparisons with peers.

`columns` turns what rows read (`features.track_records.register_history`) into
numbers; the catalogue lists every one of them as a feature
like any other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.track_records.counts import Seen
from features.track_records.register_history import GUESS, HALF_LIVES, PRIOR_BELOW, PRIOR_TOP, YEAR, Read

Column = NDArray[np.float32]
Floats = NDArray[np.float64]
SPANS = {0: "ever", 30: "month", 90: "quarter", 365: "year"}
QUARTER = 2
STEADY = 50.0
"""Cases at the year's rate that stand behind the quarter's: a handful of outcomes is no drift."""
ABOVE: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("unit",): (("division",), ("buyer",)),
    ("division",): (("buyer",),),
}
ALSO = ("lag", "other")
"""What else the end of a case shows, in the order of `Cases.also`: days until it was known; a measure of the register's
own (the share called off for `no_award`, the logarithm of the bidders for `single_bid`)."""


WORDS = {
    "buyer": "buyer", "name": "buyer's name", "division": "division", "unit": "unit", "kind": "kind of contract",
    "method": "procedure", "again": "call or re-tender", "first": "first word of the title",
    "opening": "first two words of the title", "subject": "first three words of the title",
    "ending": "last two words of the title", "place": "region", "locality": "locality", "sector": "CPV division",
    "branch": "CPV group", "group": "CPV category", "market": "market", "authority": "kind of authority",
    "criteria": "award criteria", "topic": "topic", "band": "size", "form": "form of contract", "term": "term",
    "fee": "price of the papers", "pricing": "pricing", "system": "system", "vehicle": "vehicle", "service": "service",
    "instrument": "instrument",
}  # fmt: skip
"""What the parts of a key are called."""
PATHS = {
    "buyer": "/buyer", "name": "/buyer/name", "unit": "/tender/procuringEntity", "method": "/tender/procurementMethod",
    "kind": "/tender/mainProcurementCategory", "place": "/tender/items", "locality": "/tender/items",
    "band": "/tender/value", "term": "/tender/contractPeriod", "fee": "/tender/participationFees",
    "criteria": "/tender/awardCriteria", "again": "/tenderRisk/retender",
}  # fmt: skip
TITLE, CLASS = ("first", "opening", "subject", "ending"), ("sector", "branch", "group", "market")
LAGGING = (("buyer",), ("unit",), ("unit", "kind"))
"""The keys whose usual delay until the end is read."""


def columns(read: Read) -> Iterator[tuple[str, Column]]:
    """Name and values (rows,) of every number that these rows can have; the names are those of the catalogue."""
    yield from _rates(read)
    yield from _activity(read)
    yield "value_in_register", read.cases.described.log_value.astype(np.float32)
    yield "words_score", (read.said[0] - read.bias[0]).astype(np.float32)
    yield "profile_score", (read.said[1] - read.bias[1]).astype(np.float32)


def level(read: Read) -> Floats:
    """The register's rate of the last year in log-odds, and how far the last quarter's is from it: shape (2, rows)."""
    total, count, year = read.outcomes.total[:, 0], read.outcomes.count[:, 0], _usual(read.outcomes)
    quarter = (total[QUARTER] + STEADY * year) / (count[QUARTER] + STEADY)
    usual = np.log(year / (1 - year))
    return np.asarray([usual, np.log(quarter / (1 - quarter)) - usual], dtype=np.float64)


def _usual(seen: Seen) -> Column:
    """The register's own rate of the last year, GUESS before any case, shape (rows,)."""
    return np.asarray((seen.total[YEAR, 0] + GUESS) / (seen.count[YEAR, 0] + 1))


def label(table: tuple[str, ...]) -> str:
    """The part of a feature's name that names its key."""
    return "_".join(table)


def _rates(read: Read) -> Iterator[tuple[str, Column]]:
    seen, usual = read.outcomes, _usual(read.outcomes)
    usual_also = [total[0] / (seen.count[YEAR, 0] + 1) for total in seen.also]
    shrunk: dict[tuple[str, ...], Column] = {}
    for place, table in enumerate(read.cases.outcome_keys.tables, start=1):
        if not (read.outcome_places[place] >= 0).any():
            continue
        above = next((shrunk[each] for each in (*ABOVE.get(table, ()), table[:-1]) if each in shrunk), None)
        prior, worth = (usual, PRIOR_TOP) if above is None else (above, PRIOR_BELOW)
        count, total = seen.count[:, place], seen.total[:, place]
        for span, half_life in enumerate(HALF_LIVES):
            rate = (total[span] + worth * prior) / (count[span] + worth)
            yield f"rate_{label(table)}_{SPANS[half_life]}", (rate - usual).astype(np.float32)
        shrunk[table] = (total[YEAR] + worth * prior) / (count[YEAR] + worth)
        yield f"cases_{label(table)}", np.log1p(count[0])
        for name, total_also, mean in zip(ALSO, seen.also, usual_also, strict=True):
            if name == "lag" and table not in LAGGING:
                continue
            level = (total_also[place] + PRIOR_TOP * mean) / (count[YEAR] + PRIOR_TOP)
            yield f"{name}_{label(table)}", (level - mean).astype(np.float32)


def _activity(read: Read) -> Iterator[tuple[str, Column]]:
    seen, kept = read.activity, read.cases.outcome_keys.tables
    described = read.cases.described
    own = (np.log1p(np.clip(described.window, 0, 200)), described.log_value)
    usual = seen.total[YEAR, 0] / (seen.count[YEAR, 0] + 1)
    for place, table in enumerate(read.cases.activity_keys.tables, start=1):
        if not (read.activity_places[place] >= 0).any():
            continue
        name, count = label(table), seen.count[:, place]
        yield f"load_{name}", np.log1p(count[1])
        yield f"trend_{name}", (np.log1p(count[1] / 30) - np.log1p(count[YEAR] / 365)).astype(np.float32)
        yield f"since_{name}", seen.last[place]
        again = (seen.total[YEAR, place] + PRIOR_BELOW * usual) / (count[YEAR] + PRIOR_BELOW)
        yield f"again_{name}", (again - usual).astype(np.float32)
        for word, number, at in zip(("window", "value"), own, (0, 3), strict=True):
            known, total, square = (seen.also[at + i, place] for i in range(3))
            mean = total / np.maximum(known, 1e-9)
            spread = np.sqrt(np.maximum(square / np.maximum(known, 1e-9) - mean**2, 0.05))
            compared = np.where(known > 1, (number - mean) / spread, np.nan)
            yield f"{word}_to_{name}", compared.astype(np.float32)
        if table in kept:
            pending = count[0] - read.outcomes.count[0, 1 + kept.index(table)]
            yield f"open_{name}", np.log1p(np.maximum(pending, 0))
