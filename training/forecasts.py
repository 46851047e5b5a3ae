"""What a run forecast of cases that it had not seen, as one table: what two runs are compared by.

One row a case, outcome and stage: of registers out of time, of the casebook's cohort rows out of fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.track_records.attributes import hashed
from tenders.facts import Stage
from training.result import Result

Floats = NDArray[np.float64]

FILE = "forecasts.parquet"
CASEBOOK = "casebook_uk"
GROUP = "group."
"""How columns begin that name what kind of case a row is."""


class Forecasts(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of one outcome at one stage of a register, shapes (rows,). `key` names the case in every run."""

    register: str
    outcome: str
    stage: Stage
    key: NDArray[np.uint64]
    y: Floats
    p: Floats
    cluster: NDArray[np.int64]
    groups: Mapping[str, NDArray[np.str_]]

    @property
    def name(self) -> str:
        """register/outcome/stage."""
        return f"{self.register}/{self.outcome}/{self.stage}"


def of(result: Result) -> Iterator[Forecasts]:
    """Everything that a run forecast of cases that it had not seen."""
    keys = np.array([hashed(each) for each in result.cases], dtype=np.uint64)
    both = {**result.trained, **{("failure", stage): each for stage, each in result.headline.items()}}
    for (outcome, stage), each in both.items():
        rows = each.table.cohort
        if len(keys) == len(each.table.y):
            yield Forecasts(
                register=CASEBOOK,
                outcome=outcome,
                stage=stage,
                key=keys[rows],
                y=each.table.y[rows],
                p=each.p,
                cluster=each.table.cluster[rows],
                groups={},
            )
    for judged in result.registers.judged if result.registers else ():
        yield Forecasts(**{name: getattr(judged, name) for name in Forecasts.__struct_fields__})


def table(parts: Sequence[Forecasts]) -> pa.Table:
    """Forecasts as one table; a group that a register does not tell is empty."""
    groups = list(dict.fromkeys(name for each in parts for name in each.groups))
    return pa.concat_tables([_table(each, groups) for each in parts])


def _table(each: Forecasts, groups: list[str]) -> pa.Table:
    n = len(each.key)
    words = {name: [getattr(each, name)] * n for name in ("register", "outcome", "stage")}
    kinds = {GROUP + name: each.groups.get(name, np.full(n, "")).tolist() for name in groups}
    packed = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in {**words, **kinds}.items()}
    numbers = {"key": each.key, "y": each.y.astype(np.int8), "p": each.p, "cluster": each.cluster}
    return pa.table({**packed, **numbers}).unify_dictionaries()


def read(found: pa.Table) -> dict[str, Forecasts]:
    """The table's parts by their name, each case once."""
    columns = {name: found[name].to_numpy(zero_copy_only=False) for name in found.column_names}
    parts: dict[str, Forecasts] = {}
    names = [f"{r}/{o}/{s}" for r, o, s in zip(columns["register"], columns["outcome"], columns["stage"], strict=True)]
    numbers = np.unique(names, return_inverse=True)[1] if names else np.zeros(0, dtype=np.int64)
    for number in range(int(numbers.max(initial=-1)) + 1):
        rows = np.flatnonzero(numbers == number)
        rows = rows[np.sort(np.unique(columns["key"][rows], return_index=True)[1])]
        part = Forecasts(
            register=str(columns["register"][rows[0]]),
            outcome=str(columns["outcome"][rows[0]]),
            stage=columns["stage"][rows[0]],
            key=columns["key"][rows].astype(np.uint64),
            y=columns["y"][rows].astype(np.float64),
            p=columns["p"][rows].astype(np.float64),
            cluster=columns["cluster"][rows].astype(np.int64),
            groups={name.removeprefix(GROUP): columns[name][rows] for name in columns if name.startswith(GROUP)},
        )
        parts[part.name] = part
    return parts
