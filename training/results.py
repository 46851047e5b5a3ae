"""What a training run gave: the bundle, its metrics, and its forecasts of unseen cases as a table.

The table is what two runs are compared by: one row a case, outcome and stage. Forecasts of registers are out of time,
those of the casebook's cohort rows out of fold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from features.track_records.attributes import hashed
from models.bundle import Bundle
from tenders import casebook
from tenders.facts import Stage
from training.recipe import Recipe
from training.registers import RegistersResult
from training.rolling import Forecasts
from training.validate import CasebookFit, CasebookMetrics

FORECASTS, ASKED = "forecasts.parquet", "served.parquet"
"""A run's own forecasts, and those of the bundle that was served then."""
BUNDLE = "bundle"
GROUP = "group."
"""Prefix of the columns that name the kind of a case."""


class CaseCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The casebook's cases in one set of counts: `researched`, of these `dated`, of these with known failure at draft.

    `cohort` and `picked` are the two parts of the last, `failed` those of the cohort that failed.
    """

    researched: int
    dated: int
    cohort: int
    picked: int
    failed: int

    @property
    def known(self) -> int:
        """Dated cases of which it is known whether they failed."""
        return self.cohort + self.picked


class TrainingResult(msgspec.Struct, frozen=True, kw_only=True):
    """A trained bundle and everything known about it.

    `fits` are the casebook's models by outcome and stage, `headline` the failure by stage, which is put together from
    two of them. `cases` are the ids of the casebook's rows.
    """

    bundle: Bundle
    fits: dict[tuple[str, Stage], CasebookFit]
    headline: dict[Stage, CasebookFit]
    recipe: Recipe
    counts: CaseCounts
    cases: tuple[str, ...] = ()
    registers: RegistersResult | None = None

    @property
    def fresh_metrics(self) -> dict[str, dict[str, float | None]]:
        """The metrics of the models that this run has fitted: all, or those beside models that were kept."""
        everything = self.bundle.manifest.metrics
        if self.fits or not self.registers:
            return everything
        return {name: row for name, row in everything.items() if name.partition("/")[0] in self.registers.bundles}


def flat_metrics(row: CasebookMetrics) -> dict[str, float | None]:
    """Metrics with the interval as two numbers, and NaN as None, since JSON has no NaN."""
    values = msgspec.structs.asdict(row)
    values["auc_low"], values["auc_high"] = values.pop("auc_ci")
    return {name: None if value is None or math.isnan(value) else float(value) for name, value in values.items()}


def unseen_forecasts(result: TrainingResult) -> Iterator[Forecasts]:
    """Everything that a run forecast of cases that its models had not seen."""
    keys = np.array([hashed(case_id) for case_id in result.cases], dtype=np.uint64)
    fits = {**result.fits, **{("failure", stage): fit for stage, fit in result.headline.items()}}
    for (outcome, stage), fit in fits.items():
        rows = fit.data.cohort
        if len(keys) == len(fit.data.y):
            yield Forecasts(
                register=casebook.NAME,
                outcome=outcome,
                stage=stage,
                key=keys[rows],
                y=fit.data.y[rows],
                p=fit.p,
                cluster=fit.data.cluster[rows],
                groups={},
            )
    if result.registers:
        yield from result.registers.forecasts


def forecasts_table(parts: Sequence[Forecasts], version: str = "") -> pa.Table:
    """Forecasts of a bundle's `version` as one table; a group that a register does not have is empty."""
    groups = list(dict.fromkeys(name for part in parts for name in part.groups))
    return pa.concat_tables([_table(part, groups) for part in parts]).replace_schema_metadata({BUNDLE: version})


def forecasts_of(table: pa.Table) -> str:
    """The version of the bundle that forecast."""
    return ((table.schema.metadata or {}).get(BUNDLE.encode()) or b"").decode()


def _table(part: Forecasts, groups: list[str]) -> pa.Table:
    n = len(part.key)
    words = {name: [getattr(part, name)] * n for name in ("register", "outcome", "stage")}
    kinds = {GROUP + name: part.groups.get(name, np.full(n, "")).tolist() for name in groups}
    texts = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in {**words, **kinds}.items()}
    numbers = {"key": part.key, "y": part.y.astype(np.int8), "p": part.p, "cluster": part.cluster}
    return pa.table({**texts, **numbers}).unify_dictionaries()


def read_forecasts(table: pa.Table) -> dict[str, Forecasts]:
    """The parts of a table by their name, each case once."""
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    names = [f"{r}/{o}/{s}" for r, o, s in zip(columns["register"], columns["outcome"], columns["stage"], strict=True)]
    numbers = np.unique(names, return_inverse=True)[1] if names else np.zeros(0, dtype=np.int64)
    parts: dict[str, Forecasts] = {}
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
