"""A register's history as files of a bundle: Parquet, one for each kind of counts and one for each text model, and the
resolved cases of the UK as a table.

Saving counts everything down to the last day of the history and keeps 8 bits of each number: a rate moves by less than
a hundredth of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.track_records.case_records import CaseHistory, ResolvedCase
from features.track_records.register_history import HALF_LIVES, DecayedCounts, RegisterHistory
from features.track_records.text_model import BITS, TextModel
from models.bundle_files import reading

PIECES = ("outcomes", "activity", "words", "profile")
OWN_TEXT = "text"
"""How the piece begins that is the model of a declared text; the name of its column follows."""
FAINT = 0.012
"""Weights of words below this are left out."""
FADED = 0.04
"""Cases that count less than this are left out too: a rate is shrunk by a hundred times as many."""
SPLIT = (pa.float16(), pa.float32(), pa.int32())
"""Types whose first bytes are alike from row to row: they compress better byte by byte."""
LONGEST = 1000
"""Days beyond which it no longer matters when a key was last written."""
ONCE, LONG_AGO = 1.5, 0.7
"""A key with one case, half a year ago or more (its count over the last year is below LONG_AGO), is left out: every
second key is such a one, and it moves a rate little beside the cases that the rate is shrunk by."""


def files(outcome: str) -> list[str]:
    """The names of the files of the history of one outcome."""
    return [f"{outcome}.{piece}.parquet" for piece in PIECES]


def own_text_files(names: Iterable[str], outcome: str) -> dict[str, str]:
    """Of a bundle's own files those that hold a model of a declared text, each with the name of its column."""
    first, last = f"{outcome}.{OWN_TEXT}-", ".parquet"
    return {name: name.removeprefix(first).removesuffix(last) for name in names if name.startswith(first)}


def own_text_file(outcome: str, column: str) -> str:
    """The name of the file that holds the model of a declared text."""
    return f"{outcome}.{OWN_TEXT}-{column}.parquet"


def outcomes(names: Iterable[str]) -> list[str]:
    """The outcomes of which a bundle's own files, by their names, hold a history."""
    first = f".{PIECES[0]}.parquet"
    return sorted(name.removesuffix(first) for name in names if name.endswith(first) and "/" not in name)


def write(histories: Mapping[str, RegisterHistory], outcome: str, directory: Path) -> None:
    """Writes the history of an outcome; one that was read and not needed since, byte by byte as it was read."""
    contents = histories.unread(outcome) if isinstance(histories, LazyHistories) else {}
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    if not contents:
        save(histories[outcome], outcome, directory)


def save(history: RegisterHistory, outcome: str, directory: Path) -> None:
    """Writes a history as it stands on its last day."""
    tables = (
        _counts_table(history.outcomes, history.day, _rough),
        # A spread is a small difference of large sums of squares, so these keep all their bits.
        _counts_table(history.publications, history.day, _single),
        _text_model_table(history.words),
        _text_model_table(history.profile),
        *map(_text_model_table, history.own_texts.values()),
    )
    names = [*files(outcome), *(own_text_file(outcome, column) for column in history.own_texts)]
    about = {
        "day": str(history.day),
        "rate": "" if history.rate is None else repr(history.rate),
        "timeless": str(int(history.timeless)),
        "passes": str(history.passes),
    }
    if history.level is not None:
        about["level"] = " ".join(map(repr, history.level))
    for name, table in zip(names, tables, strict=True):
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


class LazyHistories(Mapping[str, RegisterHistory]):
    """The histories in a bundle's files by outcome, each loaded when it is first needed: scoring a tender of one
    register loads no other register."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = {
            outcome: {name: contents[name] for name in (*files(outcome), *own_text_files(contents, outcome))}
            for outcome in outcomes(contents)
        }
        self._loaded: dict[str, RegisterHistory] = {}
        self._lock = Lock()

    def __getitem__(self, outcome: str) -> RegisterHistory:
        with self._lock:
            if outcome not in self._loaded:
                # A KeyError for an outcome that there is not is a mapping's own; one while reading is damage.
                contents = self._contents[outcome]
                with reading(f"the history of {outcome}"):
                    self._loaded[outcome] = load(outcome, contents)
                self._contents[outcome] = {}
        return self._loaded[outcome]

    def unread(self, outcome: str) -> dict[str, bytes]:
        """The contents of the files of a history that has not been loaded; empty if it has."""
        with self._lock:
            return dict(self._contents[outcome])

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)


def load(outcome: str, contents: Mapping[str, bytes]) -> RegisterHistory:
    """The history from the contents of the files that `save` wrote, by their names."""
    tables = [pq.read_table(pa.BufferReader(contents[name])) for name in files(outcome)]
    about = {key.decode(): value.decode() for key, value in tables[0].schema.metadata.items()}
    day, level = int(about["day"]), about.get("level", "").split()
    return RegisterHistory(
        outcomes=_counts(tables[0], day),
        publications=_counts(tables[1], day),
        words=_text_model(tables[2], day),
        profile=_text_model(tables[3], day),
        rate=float(about["rate"]) if about["rate"] else None,
        day=day,
        passes=int(about["passes"]),
        timeless=about["timeless"] == "1",
        level=(float(level[0]), float(level[1])) if level else None,
        own_texts={
            column: _text_model(pq.read_table(pa.BufferReader(contents[name])), day)
            for name, column in sorted(own_text_files(contents, outcome).items())
        },
    )


def _counts_table(
    counts: DecayedCounts, day: int, rounded: Callable[[NDArray[np.float64]], NDArray[np.float32]]
) -> pa.Table:
    fades = [np.exp2(-(day - counts.origin) / h) if h else 1.0 for h in counts.half_lives]
    kept = (counts.count[0] > ONCE) | (counts.count[-1] * fades[-1] > LONG_AGO)
    columns: dict[str, object] = {"key": counts.keys[kept].view(np.int64)}
    for h, fade in enumerate(fades):
        columns[f"count{h}"] = rounded(counts.count[h][kept] * fade)
        columns[f"total{h}"] = rounded(counts.total[h][kept] * fade)
    for m, sums in enumerate(counts.others):
        columns[f"also{m}"] = rounded(sums[kept] * fades[-1])
    last = counts.last[kept]
    since = np.clip(day - counts.origin - last, 0, LONGEST)
    columns["since"] = np.where(np.isfinite(last), since, -1).astype(np.int16)
    return pa.table(columns)


def _single(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    return numbers.astype(np.float32)


def _rough(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers with 8 bits of mantissa in place of 23, and none below FADED: the rest compresses to nothing."""
    bits = np.where(np.abs(numbers) < FADED, 0.0, numbers).astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x4000)) & np.uint32(0xFFFF8000)).view(np.float32)


def _counts(table: pa.Table, day: int) -> DecayedCounts:
    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)

    since = column("since")
    measures = sum(name.startswith("also") for name in table.column_names)
    names = [f"{part}{h}" for part in ("count", "total") for h in range(len(HALF_LIVES))]
    names += [f"also{m}" for m in range(measures)]
    last = np.where(since >= 0, -since, -np.inf)
    return DecayedCounts(
        half_lives=HALF_LIVES,
        keys=table["key"].to_numpy().view(np.uint64),
        values=np.stack([*map(column, names), last], axis=1),
        origin=day,
    )


def _text_model_table(model: TextModel) -> pa.Table:
    kept = np.flatnonzero(np.abs(model.weight) >= FAINT)
    table = pa.table({"slot": kept.astype(np.int32), "weight": model.weight[kept].astype(np.float16)})
    return table.replace_schema_metadata({"bias": repr(model.bias)})


def _text_model(table: pa.Table, day: int) -> TextModel:
    weight = np.zeros(1 << BITS, dtype=np.float32)
    weight[table["slot"].to_numpy()] = table["weight"].to_numpy()
    bias = float(table.schema.metadata[b"bias"].decode())
    return TextModel(weight=weight, damping=np.zeros(0), bias=bias, origin=day)


def cases_table(history: CaseHistory) -> pa.Table:
    """One row a resolved case, in time order."""
    names = ResolvedCase.__struct_fields__
    return pa.table({name: [getattr(case, name) for case in history.resolved] for name in names})


def case_history(table: pa.Table) -> CaseHistory:
    """The resolved cases in such a table."""
    return CaseHistory(
        resolved=tuple(ResolvedCase(**{**line, "keys": tuple(line["keys"])}) for line in table.to_pylist())
    )
