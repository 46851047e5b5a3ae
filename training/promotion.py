"""Which released bundle is served: champion and challenger, how they are compared, promotion and the way back.

A release is a bundle under `models/released`. The pointer file there names the one that is served, the champion; files
beside it name the former one and the challenger. MLflow knows the same by aliases. If the two disagree, the files are
right.

Two models are compared on the same cases, which neither had seen: every metric in every register, outcome and stage,
and in every large group of its cases. By chance alone some of so many differences would look bad. So the intervals,
from a bootstrap of whole clusters, are wide enough to hold all together 95 times in a hundred (Bonferroni).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import bundle as bundles
from models import signatures
from models.bundle import ANY, Bundle
from tenders import casebook
from tenders.errors import BundleError, DataError, Problem, UnreachableError, UsageError
from training import metrics, tracking
from training.rolling import Forecasts
from training.splits import bootstrap
from training.tracking import RegisteredModel

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

FORMER = "former"
LARGE, ENOUGH = 500, 30
"""A group is compared from so many common cases on, with so many of either outcome."""
FEWEST, LEAST, CLUSTERS = 50, 10, 10
"""Common cases, cases of either outcome, and clusters below which a whole register's outcome is not compared."""
DRAWS = 100
BY_OUTCOME = ("ending",)
"""Groups that cases are only in once they have ended: within one there is no outcome to tell apart."""
MEASURES: Mapping[str, metrics.Metric] = {"auc": metrics.auc, "brier": metrics.brier, "ece": metrics.ece}
BETTER = {"auc": 1, "brier": -1, "ece": -1}
"""1 if a higher value is better, -1 if a lower one is."""
NO_FORECASTS = "champion and challenger have no forecasts of common cases"
REMEDY = (
    "Train both on the same histories and release both, or accept what cannot be compared: "
    "tender-risk promote --uncompared"
)


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both models on the same cases; `difference` is challenger minus champion, with its interval.

    `group` is `all` or for example `year 2019`. `worse` if the whole interval lies on the bad side of 0.
    """

    register: str
    outcome: str
    stage: str
    group: str
    measure: str
    n: int
    positives: int
    champion: float
    challenger: float
    difference: float
    interval: tuple[float, float]
    worse: bool

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.measure} {self.challenger:.4f} against {self.champion:.4f}, {self.difference:+.4f} "
            f"({low:+.4f} to {high:+.4f}), on {self.n:,} cases"
        )

    @property
    def where(self) -> str:
        """What was compared, in words."""
        return f"{self.register}/{self.outcome}/{self.stage}, {self.group}"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All comparisons, and in words what could not be compared; `too_few` is what could tell no two models apart.

    `unchanged` are the registers of which the challenger has the champion's own models: there is nothing to compare.
    """

    compared: tuple[MetricComparison, ...]
    not_compared: tuple[str, ...]
    too_few: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def worse(self) -> tuple[MetricComparison, ...]:
        """Where the challenger is worse beyond the interval."""
        return tuple(row for row in self.compared if row.worse)


class PairedForecasts(msgspec.Struct, frozen=True, kw_only=True):
    """Both models' forecasts of the same cases; `labels` name the kind of each case."""

    name: tuple[str, str, str]
    group: str
    y: Floats
    champion: Floats
    challenger: Floats
    cluster: NDArray[np.int64]
    labels: Mapping[str, NDArray[np.str_]]

    def take(self, rows: NDArray[np.int64], group: str) -> PairedForecasts:
        """The forecasts of some cases, as a group of that name."""
        columns = ("y", "champion", "challenger", "cluster")
        return msgspec.structs.replace(
            self, group=group, labels={}, **{name: getattr(self, name)[rows] for name in columns}
        )

    def enough(self, rows: int, either: int) -> bool:
        """Whether there are enough cases, of either outcome, in enough clusters."""
        hits = int(self.y.sum())
        common = len(self.y) >= rows and min(hits, len(self.y) - hits) >= either
        return common and len(np.unique(self.cluster)) >= CLUSTERS


class ReleaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was released; `served` if it became champion at once, else `champion` still is.

    `directory` is where it was written, if that is a place of the user's: then it is neither champion nor challenger.
    """

    version: str
    served: bool
    champion: str
    directory: str = ""


class PromotionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison, and whether the challenger is now champion."""

    champion: str
    challenger: str
    promoted: bool
    comparison: Comparison

    def refusal(self) -> DataError:
        """Why the challenger was not promoted, one line for each reason."""
        problems = [Problem(path=row.where, problem=f"worse: {row}") for row in self.comparison.worse]
        if not self.comparison.worse:
            reasons = self.comparison.not_compared or (NO_FORECASTS,)
            problems = [Problem(path="/", problem=reason, remedy=REMEDY) for reason in reasons]
        return DataError([*problems, Problem(path="/", problem=f"{self.challenger} is not promoted")])


class RollbackResult(msgspec.Struct, frozen=True, kw_only=True):
    """The champion again, and the bundle that was taken out of service."""

    champion: str
    withdrawn: str


def release(run_id: str, today: datetime | None = None, key: Path | None = None) -> ReleaseResult:
    """Copies a run's bundle to models/released under the month's next version, as challenger of what is served.

    It is signed by the private key in the file `key`, or by this user's own. If nothing is served, it becomes champion
    at once. Raises UsageError if there is no such run or key, UnreachableError if the store cannot be reached,
    BundleError if this machine does not trust the key.
    """
    signing = signatures.signing_key(key)
    with tempfile.TemporaryDirectory() as scratch:
        trained = bundles.load(tracking.fetch(run_id, Path(scratch)), signed=False)
        version = next_version(today or datetime.now(UTC))
        bundles.save(with_version(trained, version), bundles.RELEASED / version, signing)
    try:
        bundles.load(bundles.RELEASED / version)
        champion = served()
        model = tracking.register(version, run_id)
        if champion is None:
            _serve(model, None)
        else:
            tracking.set_alias("champion", _registered(champion))
            _set_challenger(model)
    except BaseException:
        if served() != version:
            shutil.rmtree(bundles.RELEASED / version)
        raise
    return ReleaseResult(version=version, served=champion is None, champion=champion or version)


def write_bundle(run_id: str, to: Path, today: datetime | None = None, key: Path | None = None) -> ReleaseResult:
    """Copies a run's bundle to a directory of the user's, under the month's next version there. Nothing else changes.

    It is signed as by `release`. Raises UsageError if there is no such run or key or if the directory holds something
    else, UnreachableError.
    """
    signing = signatures.signing_key(key)
    if to.exists() and not ((to / bundles.MANIFEST).is_file() or (to.is_dir() and not any(to.iterdir()))):
        raise UsageError(f"{to} exists and is no bundle. Name a new or empty directory")
    with tempfile.TemporaryDirectory() as scratch:
        trained = bundles.load(tracking.fetch(run_id, Path(scratch)), signed=False)
        version = next_version(today or datetime.now(UTC))
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            bundles.save(with_version(trained, version), to, signing)
        except OSError as error:
            raise UnreachableError(f"{to}: {error.strerror}. Check the permissions") from None
    return ReleaseResult(version=version, served=False, champion=served() or "", directory=str(to))


def promote(uncompared: bool = False, progress: Progress = lambda _: None) -> PromotionResult:
    """Serves the challenger, unless it is worse than the champion somewhere, by more than chance.

    `uncompared` accepts what cannot be compared; a challenger that is worse is refused all the same.

    Raises UsageError without a challenger, BundleError if it does not verify, UnreachableError if the store cannot be
    reached.
    """
    challenger, champion = tracking.model_of("challenger"), served()
    if challenger is None:
        raise UsageError("there is no challenger. Release a run first: tender-risk release RUN_ID")
    bundles.load(bundles.RELEASED / challenger.version)
    comparison = Comparison(compared=(), not_compared=())
    promoted, former = True, None
    if champion is not None and champion != challenger.version:
        comparison = _compare_runs(champion, challenger, progress)
        unclear = not (comparison.compared or comparison.unchanged) or comparison.not_compared
        promoted = not comparison.worse and (uncompared or not unclear)
        former = _registered(champion)
    if promoted:
        _serve(challenger, former)
        _set_challenger(None)
    return PromotionResult(
        champion=champion or "", challenger=challenger.version, promoted=promoted, comparison=comparison
    )


def rollback() -> RollbackResult:
    """Serves the former champion again. What was served becomes challenger, unless another bundle is.

    Raises UsageError if no former champion is known, BundleError if it does not verify, UnreachableError if the store
    cannot be reached: then it is served all the same.
    """
    champion, former = served(), former_version()
    if champion is None or former is None:
        raise UsageError("no former champion is known: nothing has been promoted since the last rollback")
    bundles.load(bundles.RELEASED / former)
    write_pointer(bundles.POINTER, former)
    _former().unlink(missing_ok=True)
    try:
        tracking.set_alias("champion", _registered(former))
        tracking.set_alias("former", None)
        if tracking.model_of("challenger") is None:
            _set_challenger(_registered(champion))
    except UnreachableError as error:
        raise UnreachableError(f"{former} is served again, but its aliases were not moved: {error}") from None
    return RollbackResult(champion=former, withdrawn=champion)


def served() -> str | None:
    """The version that the pointer file names; None if nothing is served."""
    return _version_in(bundles.POINTER)


def challenger_version() -> str | None:
    """The version that the challenger's file names; None without one."""
    return _version_in(bundles.challenger_pointer())


def former_version() -> str | None:
    """The version to which `rollback` goes; None if none is known."""
    return _version_in(_former())


def next_version(today: datetime) -> str:
    """year.month.n, n counting the month's releases from 1."""
    month = f"{today.year}.{today.month}."
    taken = [path.name.removeprefix(month) for path in bundles.RELEASED.glob(f"{month}*") if path.is_dir()]
    return month + str(1 + max((int(n) for n in taken if n.isdigit()), default=0))


def with_version(bundle: Bundle, version: str) -> Bundle:
    """The bundle under a version; its registers' bundles get the same version, day and commit."""
    manifest = msgspec.structs.replace(bundle.manifest, version=version)
    same = {"version": version, "created": manifest.created, "commit": manifest.commit}
    registers = {
        name: msgspec.structs.replace(other, manifest=msgspec.structs.replace(other.manifest, **same))
        for name, other in bundle.registers.items()
    }
    return msgspec.structs.replace(bundle, manifest=manifest, registers=registers)


def write_pointer(pointer: Path, version: str) -> None:
    """Writes a pointer file whole or not at all."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    partial = pointer.with_name(f".{pointer.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(version + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(pointer)


def compare(
    champion: Mapping[str, Forecasts],
    challenger: Mapping[str, Forecasts],
    progress: Progress = lambda _: None,
    seed: int = 0,
    unchanged: Collection[str] = (),
) -> Comparison:
    """Compares everything that the champion forecasts. What only the challenger forecasts is left out.

    A register of which the challenger has `unchanged` models needs no forecasts of it.
    """
    pairs: list[PairedForecasts] = []
    missing: list[str] = []
    few: list[str] = []
    for name, before in champion.items():
        whole = pair_forecasts(before, challenger[name]) if name in challenger else None
        if whole is None and before.register in unchanged:
            continue
        if whole is None:
            missing.append(f"{name}: the challenger has no forecasts of it")
        elif not pair_forecasts(before, before).enough(FEWEST, LEAST):
            few.append(f"{name}: {len(before.y):,} cases, too few to tell models apart")
        elif not whole.enough(FEWEST, LEAST):
            missing.append(f"{name}: {len(whole.y):,} cases in common, too few")
        else:
            pairs += [whole, *large_groups(whole)]
    count = len(pairs) * len(MEASURES)
    rows: list[MetricComparison] = []
    for pair in pairs:
        progress(f"comparing {'/'.join(pair.name)}, {pair.group}")
        rows += compare_pair(pair, NormalDist().inv_cdf(1 - 0.025 / count), seed)
    return Comparison(
        compared=tuple(rows), not_compared=tuple(missing), too_few=tuple(few), unchanged=tuple(sorted(unchanged))
    )


def pair_forecasts(champion: Forecasts, challenger: Forecasts) -> PairedForecasts:
    """Cases that both forecast; outcomes and groups as in the challenger, which knows them later."""
    _, old, new = np.intersect1d(champion.key, challenger.key, return_indices=True)
    return PairedForecasts(
        name=(challenger.register, challenger.outcome, challenger.stage),
        group="all",
        y=challenger.y[new],
        champion=champion.p[old],
        challenger=challenger.p[new],
        cluster=challenger.cluster[new],
        labels={name: labels[new] for name, labels in challenger.groups.items()},
    )


def large_groups(whole: PairedForecasts) -> Iterator[PairedForecasts]:
    """The large groups of a pair's cases."""
    for kind, labels in whole.labels.items():
        names = [] if kind in BY_OUTCOME else sorted(set(labels) - {""})
        for name in names:
            rows = np.flatnonzero(labels == name)
            part = whole.take(rows, f"{kind} {name}")
            if len(rows) < len(whole.y) and part.enough(LARGE, ENOUGH):
                yield part


def compare_pair(pair: PairedForecasts, z: float, seed: int) -> Iterator[MetricComparison]:
    """Every metric of a pair, with the interval of its difference: `z` standard errors to either side."""
    ones = np.ones(len(pair.y))
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for rows in bootstrap(pair.cluster, DRAWS, seed):
        y, one = pair.y[rows], ones[rows]
        for name, metric in MEASURES.items():
            drawn[name].append(metric(y, pair.challenger[rows], one) - metric(y, pair.champion[rows], one))
    register, outcome, stage = pair.name
    for name, metric in MEASURES.items():
        before, after = metric(pair.y, pair.champion, ones), metric(pair.y, pair.challenger, ones)
        spread = z * float(np.nanstd(drawn[name]))
        difference = after - before
        low, high = difference - spread, difference + spread
        yield MetricComparison(
            register=register,
            outcome=outcome,
            stage=stage,
            group=pair.group,
            measure=name,
            n=len(pair.y),
            positives=int(pair.y.sum()),
            champion=before,
            challenger=after,
            difference=difference,
            interval=(low, high),
            worse=(high if BETTER[name] > 0 else -low) < 0,
        )


def _serve(champion: RegisteredModel, former: RegisteredModel | None) -> None:
    """Pointer files first: what is served must not depend on the store."""
    if former:
        write_pointer(_former(), former.version)
    write_pointer(bundles.POINTER, champion.version)
    tracking.set_alias("champion", champion)
    if former:
        tracking.set_alias("former", former)


def _set_challenger(model: RegisteredModel | None) -> None:
    tracking.set_alias("challenger", model)
    # Services look here for what to score by in the shadow: they know nothing of the store.
    pointer = bundles.challenger_pointer()
    if model:
        write_pointer(pointer, model.version)
    else:
        pointer.unlink(missing_ok=True)


def _compare_runs(champion: str, challenger: RegisteredModel, progress: Progress) -> Comparison:
    progress("reading the forecasts of both")
    both = [bundles.load(bundles.RELEASED / version) for version in (champion, challenger.version)]
    unchanged = unchanged_registers(*both)
    before, after = (tracking.run_forecasts(run) for run in (_registered(champion).run_id, challenger.run_id))
    if after is None:
        return Comparison(compared=(), not_compared=(f"{challenger.version}: its run has no forecasts",))
    of, by_served = tracking.asked_forecasts(challenger.run_id)
    seen = {**(by_served if of == champion else {}), **(before or {})}
    comparison = compare(seen, after, progress, unchanged=unchanged)
    missing = list(comparison.not_compared)
    if before is None and not (by_served and unchanged.issuperset(_judged_registers(both[0]))):
        missing.append(f"{champion}: its run has no forecasts")
    if by_served and of != champion:
        missing.append(f"{of} was served when {challenger.version} was trained, and {champion} is now. Train it again")
    return msgspec.structs.replace(comparison, not_compared=tuple(missing))


def unchanged_registers(champion: Bundle, challenger: Bundle) -> set[str]:
    """The registers, by the name of their forecasts, of which two bundles have the same models."""
    unchanged = {casebook.NAME} if _models(champion, "") == _models(challenger, "") else set[str]()
    common = champion.registers.keys() & challenger.registers.keys()
    return unchanged | {name for name in common if _models(champion, name) == _models(challenger, name)}


def _judged_registers(bundle: Bundle) -> set[str]:
    """The registers of which a bundle has forecasts of its own."""
    return {casebook.NAME, *bundle.registers} - {ANY}


def _models(bundle: Bundle, register: str) -> tuple[object, ...]:
    """What decides the forecasts of a register (of the UK without a name): files, parts, effects and rates."""
    manifest = (bundle.registers[register] if register else bundle).manifest
    prose = (bundles.MANIFEST, bundles.CARD, *bundles.PICTURES)
    digests = {
        name: digest
        for name, digest in bundle.manifest.digests.items()
        if name.rpartition("/")[0] == register and name.rpartition("/")[2] not in prose
    }
    return digests, manifest.parts, manifest.effects, manifest.rates


def _registered(version: str) -> RegisteredModel:
    """A released bundle's version in the store, to which it is written first if the store does not know it."""
    model = tracking.registered(version)
    if model:
        return model
    directory = bundles.RELEASED / version
    if not directory.is_dir():
        raise BundleError(f"{directory}: no bundle there, but {bundles.POINTER} or {_former()} names it")
    return tracking.register(version, tracking.adopt(directory))


def _former() -> Path:
    return bundles.POINTER.with_name(FORMER)


def _version_in(pointer: Path) -> str | None:
    try:
        return pointer.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
