"""What a register's records say, as files of a bundle: parquet, one a ledger and one a language model.

Freezing counts everything down to the last day that was seen and keeps 8 bits of each number: a rate moves by less
than a hundredth of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.track_records.counts import Ledger
from features.track_records.register_history import HALF_LIVES, State
from features.track_records.text_model import BITS, Language

PIECES = ("outcomes", "activity", "words", "profile")
FAINT = 0.012
"""Weights of words below this are forgotten."""
FADED = 0.04
"""Cases that count less than this are too: a rate is shrunk by a hundred times as many."""
SPLIT = (pa.float16(), pa.float32(), pa.int32())
"""Numbers whose first bytes are alike from row to row: they pack better byte by byte."""
LONGEST = 1000
"""Days beyond which it is all the same when a key was last written."""
ONCE, LONG_AGO = 1.5, 0.7
"""A key that stood for one case, half a year ago and more (its count over the last year is below LONG_AGO), is
forgotten: among the cases that its rate is shrunk by it moves a rate little, and every second key is such a one."""


def files(outcome: str) -> list[str]:
    """The names of the files of one outcome's state."""
    return [f"{outcome}.{piece}.parquet" for piece in PIECES]


def outcomes(names: Iterable[str]) -> list[str]:
    """The outcomes of which a bundle's own files, by their names, hold a state."""
    first = f".{PIECES[0]}.parquet"
    return sorted(name.removesuffix(first) for name in names if name.endswith(first) and "/" not in name)


def save(state: State, outcome: str, directory: Path) -> None:
    """Writes a state, frozen on its last day."""
    tables = (
        _ledger(state.outcomes, state.day, _rough),
        # A spread is a small difference of large sums of squares: these are kept as they are.
        _ledger(state.activity, state.day, _single),
        _language(state.words),
        _language(state.profile),
    )
    about = {
        "day": str(state.day),
        "rate": "" if state.rate is None else repr(state.rate),
        "timeless": str(int(state.timeless)),
        "passes": str(state.passes),
    }
    for name, table in zip(files(outcome), tables, strict=True):
        described = table.replace_schema_metadata({**about, **(table.schema.metadata or {})})
        split = [column.name for column in table.schema if column.type in SPLIT]
        pq.write_table(
            described,
            directory / name,
            compression="zstd",
            compression_level=12,
            use_dictionary=False,
            use_byte_stream_split=split,
            column_encoding={"key": "DELTA_BINARY_PACKED"} if "key" in table.column_names else None,
        )


class Held(Mapping[str, State]):
    """The states by outcome among the contents of a bundle's files, each made of them when it is first asked for: to
    score a tender of one register takes that register's only."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = {each: {name: contents[name] for name in files(each)} for each in outcomes(contents)}
        self._made: dict[str, State] = {}
        self._making = Lock()

    def __getitem__(self, outcome: str) -> State:
        with self._making:
            if outcome not in self._made:
                self._made[outcome] = load(outcome, self._contents[outcome])
                self._contents[outcome] = {}
        return self._made[outcome]

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)


def load(outcome: str, contents: Mapping[str, bytes]) -> State:
    """The state from the contents of the files that `save` wrote, by their names."""
    tables = [pq.read_table(pa.BufferReader(contents[name])) for name in files(outcome)]
    about = {key.decode(): value.decode() for key, value in tables[0].schema.metadata.items()}
    day = int(about["day"])
    return State(
        outcomes=_read_ledger(tables[0], day),
        activity=_read_ledger(tables[1], day),
        words=_read_language(tables[2], day),
        profile=_read_language(tables[3], day),
        rate=float(about["rate"]) if about["rate"] else None,
        day=day,
        passes=int(about["passes"]),
        timeless=about["timeless"] == "1",
    )


def _ledger(ledger: Ledger, day: int, kept_as: Callable[[NDArray[np.float64]], NDArray[np.float32]]) -> pa.Table:
    fades = [np.exp2(-(day - ledger.origin) / h) if h else 1.0 for h in ledger.half_lives]
    kept = (ledger.count[0] > ONCE) | (ledger.count[-1] * fades[-1] > LONG_AGO)
    columns: dict[str, object] = {"key": ledger.keys[kept].view(np.int64)}
    for h, fade in enumerate(fades):
        columns[f"count{h}"] = kept_as(ledger.count[h][kept] * fade)
        columns[f"total{h}"] = kept_as(ledger.total[h][kept] * fade)
    for m, also in enumerate(ledger.also):
        columns[f"also{m}"] = kept_as(also[kept] * fades[-1])
    last = ledger.last[kept]
    since = np.clip(day - ledger.origin - last, 0, LONGEST)
    columns["since"] = np.where(np.isfinite(last), since, -1).astype(np.int16)
    return pa.table(columns)


def _single(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    return numbers.astype(np.float32)


def _rough(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers with 8 bits of mantissa in place of 23, and none below FADED: the rest packs to nothing."""
    bits = np.where(np.abs(numbers) < FADED, 0.0, numbers).astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x4000)) & np.uint32(0xFFFF8000)).view(np.float32)


def _read_ledger(table: pa.Table, day: int) -> Ledger:
    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)

    since = column("since")
    measures = sum(name.startswith("also") for name in table.column_names)
    names = [f"{held}{h}" for held in ("count", "total") for h in range(len(HALF_LIVES))]
    names += [f"also{m}" for m in range(measures)]
    last = np.where(since >= 0, -since, -np.inf)
    return Ledger(
        half_lives=HALF_LIVES,
        keys=table["key"].to_numpy().view(np.uint64),
        held=np.stack([*map(column, names), last], axis=1),
        origin=day,
    )


def _language(model: Language) -> pa.Table:
    kept = np.flatnonzero(np.abs(model.weight) >= FAINT)
    table = pa.table({"slot": kept.astype(np.int32), "weight": model.weight[kept].astype(np.float16)})
    return table.replace_schema_metadata({"bias": repr(model.bias)})


def _read_language(table: pa.Table, day: int) -> Language:
    weight = np.zeros(1 << BITS, dtype=np.float32)
    weight[table["slot"].to_numpy()] = table["weight"].to_numpy()
    bias = float(table.schema.metadata[b"bias"].decode())
    return Language(weight=weight, damping=np.zeros(0), bias=bias, origin=day)
