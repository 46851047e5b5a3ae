"""The order of a portfolio's rows and which of them are chosen, in a few numbers a row whatever a row holds."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from features.track_records.keys import normal

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

COLUMNS = ("failure", "value_gbp", "buyer", "ocid", "file", "line", "place")
BATCH = 16_384
UNNAMED = -1
"""The code of a row whose buyer is unknown: unknown buyers are not one buyer."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What rows are ordered and chosen by, each array of shape (rows,), in the order of the source.

    `value` is in pounds, NaN if unknown. `tender` is one number for all rows of one tender and `draw` a second, both
    drawn by the seed. `file` and `line` are its place, files numbered in order of their names.
    """

    failure: Floats
    value: Floats
    tender: Hashes
    draw: Hashes
    buyer: Numbers
    file: Numbers
    line: Numbers


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Row numbers: `risk` and `random` are on the list, best first; `tenders` is one row each of all tenders, in order.

    `passed_over` counts rows that the limit a buyer kept off the list; `tied` the tenders that stand level with the
    last one chosen by risk, itself too, and `tied_chosen` those of them that are on the list by risk.
    """

    tenders: Numbers
    risk: Numbers
    random: Numbers
    passed_over: int
    tied: int
    tied_chosen: int


def standing(source: ds.Dataset, seed: int) -> Standing:
    """Reads the columns that rows are ordered by, batch by batch."""
    buyers, files = _Codes(), _Codes()
    parts: list[tuple[NDArray[Any], ...]] = []
    for batch in scanned(source, COLUMNS):
        drawn = hashed(batch, seed)
        parts.append(
            (
                floats(batch["failure"]),
                floats(batch["value_gbp"]),
                drawn[:, 0],
                drawn[:, 1],
                buyers.of(buyer_names(batch["buyer"])),
                files.of(batch["file"]),
                pc.fill_null(batch["line"], 0).to_numpy(zero_copy_only=False),
            )
        )
    failure, value, tender, draw, buyer, file, line = map(np.concatenate, zip(*parts, strict=True)) if parts else _NONE
    return Standing(
        failure=failure, value=value, tender=tender, draw=draw, buyer=buyer, file=files.sorted(file), line=line
    )


def scanned(source: ds.Dataset, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Batches of some columns in the order of the source, few of them in memory at a time."""
    yield from scanner(source, columns).to_batches()


def scanner(source: ds.Dataset, columns: Iterable[str]) -> ds.Scanner:
    """A reader of some columns that holds few rows at a time."""
    return source.scanner(columns=list(columns), batch_size=BATCH, batch_readahead=1, fragment_readahead=1)


def floats(column: pa.Array) -> Floats:
    """A column as numbers, NaN where null."""
    found: Floats = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    return found


def hashed(batch: pa.RecordBatch | pa.Table, seed: int) -> Hashes:
    """Two numbers a row that stand for its tender, shape (rows, 2): by ocid, else by file, line and place.

    They depend on the seed and on nothing else, so that neither the order of the input nor anyone who writes an ocid
    without knowing the seed decides who comes first among equals.
    """
    key = seed.to_bytes(8, "little")
    names = batch["ocid"].to_pylist()
    if not all(names):
        places = zip(*(batch[name].to_pylist() for name in ("file", "line", "place")), strict=True)
        names = [name or "\0".join(map(str, place)) for name, place in zip(names, places, strict=True)]
    digests = b"".join([hashlib.blake2b(name.encode(), digest_size=16, key=key).digest() for name in names])
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2)


def buyer_names(column: pa.Array) -> pa.Array:
    """Names of buyers as track records know them, so that spellings meet; null where there is none."""
    encoded = column.dictionary_encode()
    known = [normal(name) or name.strip().casefold() or None for name in encoded.dictionary.to_pylist()]
    return pa.array(known, pa.string()).take(encoded.indices)


def order(rows: Standing, by_loss: bool) -> Numbers:
    """All rows, first the one to look at first: by failure, or by failure x value with unknown values last.

    Equal rows follow the seed; rows of one tender that are equal too, their place in the input.
    """
    last = np.isnan(rows.value) if by_loss else np.zeros(len(rows.failure), dtype=bool)
    return np.lexsort((rows.line, rows.file, rows.tender, -key(rows, by_loss), last))


def key(rows: Standing, by_loss: bool) -> Floats:
    """What rows are ranked by: failure, or pounds expected to be lost; failure again where no value is known."""
    if not by_loss:
        return rows.failure
    loss = rows.failure * rows.value
    return np.where(np.isnan(loss), rows.failure, loss)


def tenders_of(rows: Standing, by_loss: bool) -> Numbers:
    """One row each of all tenders, in order: the first stands for the others of its tender."""
    ordered = order(rows, by_loss)
    _, first = np.unique(rows.tender[ordered], return_index=True)
    found: Numbers = ordered[np.sort(first)]
    return found


def choose(rows: Standing, by_loss: bool, capacity: int, drawn: int, most_per_buyer: int | None) -> Choice:
    """The rows of the list: `drawn` of them at random from all tenders, the others from the top of the order.

    A tender is on the list once, by its first row. The draw heeds no limit a buyer, or it would be no fair sample; what
    it drew counts towards the limit of those chosen by risk.
    """
    tenders = tenders_of(rows, by_loss)
    places = np.sort(np.argsort(rows.draw[tenders])[:drawn])
    random = tenders[places]
    ranked = np.delete(tenders, places)
    risk, passed_over = _limited(ranked, rows.buyer, capacity - len(random), most_per_buyer, rows.buyer[random])
    level = key(rows, by_loss)
    last = np.isnan(rows.value) & by_loss
    tied = tied_chosen = 0
    if len(risk):
        cut = risk[-1]
        tied, tied_chosen = (
            int(((level[among] == level[cut]) & (last[among] == last[cut])).sum()) for among in (ranked, risk)
        )
    return Choice(
        tenders=tenders, risk=risk, random=random, passed_over=passed_over, tied=tied, tied_chosen=tied_chosen
    )


def _limited(ranked: Numbers, buyer: Numbers, room: int, most: int | None, already: Numbers) -> tuple[Numbers, int]:
    """The first rows that there is room for, at most so many a buyer, and how many above the last were passed over."""
    if most is None:
        return ranked[:room], 0
    held = Counter(already.tolist())
    taken: list[int] = []
    passed = 0
    for row, name in zip(ranked.tolist(), buyer[ranked].tolist(), strict=True):
        if len(taken) == room:
            break
        if name != UNNAMED and held[name] >= most:
            passed += 1
            continue
        held[name] += 1
        taken.append(row)
    return np.array(taken, dtype=np.int64), passed


class _Codes:
    """Texts as numbers, the same over all batches."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, column: pa.Array) -> Numbers:
        encoded = column.dictionary_encode()
        codes = [self._known.setdefault(name, len(self._known)) for name in encoded.dictionary.to_pylist()]
        places: Numbers = pc.fill_null(encoded.indices, len(codes)).to_numpy(zero_copy_only=False)
        return np.array([*codes, UNNAMED], dtype=np.int64)[places]

    def sorted(self, codes: Numbers) -> Numbers:
        """The codes put so that they follow the texts."""
        place = {name: at for at, name in enumerate(sorted(self._known))}
        return np.array([*(place[name] for name in self._known), UNNAMED], dtype=np.int64)[codes]


_NONE = (
    *(np.empty(0),) * 2,
    *(np.empty(0, dtype=np.uint64),) * 2,
    *(np.empty(0, dtype=np.int64),) * 3,
)
