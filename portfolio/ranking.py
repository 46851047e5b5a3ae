"""The rank order of a portfolio's tenders and the choice of those to review.

It holds seven numbers a row in memory, whatever the rows hold: the texts of millions of rows are never held at once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from tenders.organisations import plain_name

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

KEY_COLUMNS = ("failure", "value_gbp", "buyer", "ocid", "file", "line", "place")
BATCH_ROWS = 16_384
NO_BUYER = -1
"""The buyer code of a row whose buyer is unknown. Unknown buyers are not counted as one buyer."""


class RankingKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that decide rank and choice: arrays of shape (rows,), in the order of the source.

    `failure` is a probability; `value` is in pounds, NaN if unknown. `tender` is a hash that all rows of one tender
    share, and `draw` a second, independent one for the random sample. `buyer` is a code per buyer, NO_BUYER if unknown.
    `file` (a code in the order of file names) and `line` are the row's place in the input.
    """

    failure: Floats
    value: Floats
    tender: Hashes
    draw: Hashes
    buyer: Indices
    file: Indices
    line: Indices


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Row numbers of the tenders to review: `by_risk` and `at_random`, each best first.

    `tenders` has one row for every tender of the portfolio, in rank order. `passed_over` counts the tenders that the
    limit per buyer kept off the list. `tied` counts the tenders that rank equal to the last one selected by risk,
    including itself; `tied_chosen` counts those of them that are on the list by risk.
    """

    tenders: Indices
    by_risk: Indices
    at_random: Indices
    passed_over: int
    tied: int
    tied_chosen: int

    @property
    def inclusion_probability(self) -> float:
        """The probability with which the random sample includes any tender."""
        return len(self.at_random) / max(len(self.tenders), 1)

    @property
    def rows(self) -> Indices:
        """All selected rows, first those selected by risk."""
        return np.concatenate([self.by_risk, self.at_random])


def read_ranking_keys(source: ds.Dataset, seed: int) -> RankingKeys:
    """Reads the ranking keys of scored rows, batch by batch. `seed` decides the hashes, and so ties and the draw."""
    buyers, files = _TextCodes(), _TextCodes()
    batches: list[tuple[NDArray[Any], ...]] = []
    for batch in scanner(source, KEY_COLUMNS).to_batches():
        hashes = _hashes(batch, seed)
        batches.append(
            (
                float_array(batch["failure"]),
                float_array(batch["value_gbp"]),
                hashes[:, 0],
                hashes[:, 1],
                buyers.encode(normalised_buyers(batch["buyer"])),
                files.encode(batch["file"]),
                pc.fill_null(batch["line"], 0).to_numpy(zero_copy_only=False),
            )
        )
    columns = map(np.concatenate, zip(*batches, strict=True)) if batches else _NO_ROWS
    failure, value, tender, draw, buyer, file, line = columns
    return RankingKeys(
        failure=failure,
        value=value,
        tender=tender,
        draw=draw,
        buyer=buyer,
        file=files.in_text_order(file),
        line=line,
    )


def scanner(source: ds.Dataset, columns: Iterable[str]) -> ds.Scanner:
    """A reader of some columns, in the order of the source, that holds few rows in memory at a time."""
    return source.scanner(columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1)


def float_array(column: pa.Array) -> Floats:
    """A column as floats, NaN where null."""
    floats: Floats = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    return floats


def tender_hashes(table: pa.Table, seed: int) -> Hashes:
    """One hash per row that stands for its tender, shape (rows,): by ocid, else by file, line and place.

    The hash is keyed with the seed. So neither the order of the input, nor anyone who writes an ocid without knowing
    the seed, decides which of several equal tenders comes first.
    """
    hashes = [_hashes(batch, seed)[:, 0] for batch in table.to_batches()]
    return np.concatenate([np.empty(0, dtype=np.uint64), *hashes])


def _hashes(batch: pa.RecordBatch, seed: int) -> Hashes:
    """Two independent hashes per row, shape (rows, 2): the tender's and the draw's."""
    names = batch["ocid"].to_pylist()
    if not all(names):
        places = zip(*(batch[name].to_pylist() for name in ("file", "line", "place")), strict=True)
        names = [name or "\0".join(map(str, place)) for name, place in zip(names, places, strict=True)]
    key = seed.to_bytes(8, "little")
    digests = b"".join([hashlib.blake2b(name.encode(), digest_size=16, key=key).digest() for name in names])
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2)


def normalised_buyers(column: pa.Array) -> pa.Array:
    """Buyers' names as track records normalise them, so that spellings of one buyer are equal; null where unknown."""
    encoded = column.dictionary_encode()
    names = [plain_name(name) or name.strip().casefold() or None for name in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def rank_order(keys: RankingKeys, by_loss: bool) -> Indices:
    """All row numbers, highest rank first: by failure, or by expected loss with unknown values last.

    Ties are broken by the tender's hash; equal rows of one tender by their place in the input.
    """
    unvalued = np.isnan(keys.value) if by_loss else np.zeros(len(keys.failure), dtype=bool)
    return np.lexsort((keys.line, keys.file, keys.tender, -_rank_value(keys, by_loss), unvalued))


def expected_loss(keys: RankingKeys) -> Floats:
    """Probability of failure x value, in pounds; NaN where the value is unknown."""
    return keys.failure * keys.value


def _rank_value(keys: RankingKeys, by_loss: bool) -> Floats:
    """What rows are ranked by: failure, or expected loss; failure again where no value is known."""
    if not by_loss:
        return keys.failure
    loss = expected_loss(keys)
    return np.where(np.isnan(loss), keys.failure, loss)


def distinct_tenders(keys: RankingKeys, by_loss: bool) -> Indices:
    """One row for every tender, in rank order: its highest-ranking row stands for its others."""
    ordered = rank_order(keys, by_loss)
    _, first = np.unique(keys.tender[ordered], return_index=True)
    tenders: Indices = ordered[np.sort(first)]
    return tenders


def select(keys: RankingKeys, by_loss: bool, capacity: int, sample_size: int, most_per_buyer: int | None) -> Selection:
    """Selects up to `capacity` tenders: `sample_size` of them at random from all, the others from the top.

    The random sample ignores the limit per buyer, or it would be no fair sample. The sampled tenders count towards
    the limit for those that are then selected by risk.
    """
    tenders = distinct_tenders(keys, by_loss)
    sampled = np.sort(np.argsort(keys.draw[tenders])[:sample_size])
    at_random = tenders[sampled]
    ranked = np.delete(tenders, sampled)
    room = capacity - len(at_random)
    by_risk, passed_over = _within_limit(ranked, keys.buyer, room, most_per_buyer, keys.buyer[at_random])
    tied = tied_chosen = 0
    if len(by_risk):
        last = by_risk[-1]
        value, unvalued = _rank_value(keys, by_loss), np.isnan(keys.value) & by_loss
        tied, tied_chosen = (
            int(((value[rows] == value[last]) & (unvalued[rows] == unvalued[last])).sum()) for rows in (ranked, by_risk)
        )
    return Selection(
        tenders=tenders,
        by_risk=by_risk,
        at_random=at_random,
        passed_over=passed_over,
        tied=tied,
        tied_chosen=tied_chosen,
    )


def _within_limit(
    ranked: Indices, buyer: Indices, room: int, most_per_buyer: int | None, sampled_buyers: Indices
) -> tuple[Indices, int]:
    """The first rows that there is room for within the limit per buyer, and how many rows the limit skipped."""
    if most_per_buyer is None:
        return ranked[:room], 0
    counts = Counter(sampled_buyers.tolist())
    selected: list[int] = []
    skipped = 0
    for row, code in zip(ranked.tolist(), buyer[ranked].tolist(), strict=True):
        if len(selected) == room:
            break
        if code != NO_BUYER and counts[code] >= most_per_buyer:
            skipped += 1
            continue
        counts[code] += 1
        selected.append(row)
    return np.array(selected, dtype=np.int64), skipped


class _TextCodes:
    """Integer codes for texts, the same over all batches."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, column: pa.Array) -> Indices:
        encoded = column.dictionary_encode()
        codes = [self._codes.setdefault(text, len(self._codes)) for text in encoded.dictionary.to_pylist()]
        indices: Indices = pc.fill_null(encoded.indices, len(codes)).to_numpy(zero_copy_only=False)
        return np.array([*codes, NO_BUYER], dtype=np.int64)[indices]

    def in_text_order(self, codes: Indices) -> Indices:
        """The codes replaced by others that sort as the texts do."""
        rank = {text: at for at, text in enumerate(sorted(self._codes))}
        return np.array([*(rank[text] for text in self._codes), NO_BUYER], dtype=np.int64)[codes]


_NO_ROWS = (
    *(np.empty(0),) * 2,
    *(np.empty(0, dtype=np.uint64),) * 2,
    *(np.empty(0, dtype=np.int64),) * 3,
)
