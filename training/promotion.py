"""Which released bundle is served: champion and challenger, promotion and the way back.

A release is a bundle under `models/released`. The pointer file there says which is served: the champion; a file beside
it names the former one. MLflow knows the same by aliases; where the two disagree, the files are right.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from models import bundle as bundles
from models.bundle import Bundle
from tenders.errors import BundleError, DataError, Problem, UnreachableError, UsageError
from training import tracking
from training.comparing import Comparison, compare
from training.tracking import Registered

Progress = Callable[[str], None]

FORMER = "former"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was released; `served` if it became champion at once, else `champion` still is."""

    version: str
    served: bool
    champion: str


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a promotion: the comparison, and whether the challenger is now champion."""

    champion: str
    challenger: str
    promoted: bool
    comparison: Comparison

    def refused(self) -> DataError:
        """Why the challenger was not promoted, a line a reason."""
        problems = [Problem(path=each.where, problem=f"worse: {each}") for each in self.comparison.worse]
        if not self.comparison.worse:
            problems = [
                Problem(path="/", problem=each, remedy=REMEDY) for each in self.comparison.not_compared or (NOTHING,)
            ]
        return DataError([*problems, Problem(path="/", problem=f"{self.challenger} is not promoted")])


NOTHING = "champion and challenger have no forecasts of common cases"
REMEDY = (
    "Train both on the same histories and release both, or accept what cannot be compared: "
    "tender-risk promote --uncompared"
)


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """The champion again, and the bundle that was taken out of service."""

    champion: str
    withdrawn: str


def release(run_id: str, today: datetime | None = None) -> Release:
    """Takes a run's bundle into models/released under the month's next version, as challenger of what is served.

    If nothing is served, it is champion and served at once. Raises UsageError if there is no such run,
    UnreachableError if the store cannot be reached.
    """
    with tempfile.TemporaryDirectory() as scratch:
        trained = bundles.load(tracking.fetch(run_id, Path(scratch)))
        version = next_version(today or datetime.now(UTC))
        bundles.save(renamed(trained, version), bundles.RELEASED / version)
    try:
        champion = served()
        made = tracking.register(version, run_id)
        if champion is None:
            _serve(made, None)
        else:
            tracking.name("champion", _known(champion))
            tracking.name("challenger", made)
    except BaseException:
        if served() != version:
            shutil.rmtree(bundles.RELEASED / version)
        raise
    return Release(version=version, served=champion is None, champion=champion or version)


def promote(uncompared: bool = False, progress: Progress = lambda _: None) -> Promotion:
    """Serves the challenger, if it is nowhere worse than the champion beyond what chance would do.

    `uncompared` accepts what cannot be compared; what is worse is refused all the same. Raises UsageError without a
    challenger, BundleError if the challenger does not verify, UnreachableError if the store cannot be reached.
    """
    challenger, champion = tracking.named("challenger"), served()
    if challenger is None:
        raise UsageError("there is no challenger. Release a run first: tender-risk release RUN_ID")
    bundles.load(bundles.RELEASED / challenger.version)
    comparison = Comparison(compared=(), not_compared=())
    if champion is not None and champion != challenger.version:
        comparison = _compared(champion, challenger, progress)
        unclear = not comparison.compared or comparison.not_compared
        if comparison.worse or (unclear and not uncompared):
            return _promotion(champion, challenger, False, comparison)
    former = _known(champion) if champion is not None and champion != challenger.version else None
    _serve(challenger, former)
    tracking.name("challenger", None)
    return _promotion(champion or "", challenger, True, comparison)


def rollback() -> Rollback:
    """Serves the former champion again. What was served stands as challenger, unless another does.

    Raises UsageError if no former champion is known, BundleError if it does not verify, UnreachableError if the store
    cannot be reached: then it is served all the same.
    """
    champion, former = served(), _named_in(_former())
    if champion is None or former is None:
        raise UsageError("no former champion is known: nothing has been promoted since the last rollback")
    bundles.load(bundles.RELEASED / former)
    write(bundles.POINTER, former)
    _former().unlink(missing_ok=True)
    try:
        tracking.name("champion", _known(former))
        tracking.name("former", None)
        if tracking.named("challenger") is None:
            tracking.name("challenger", _known(champion))
    except UnreachableError as error:
        raise UnreachableError(f"{former} is served again, but its aliases were not moved: {error}") from None
    return Rollback(champion=former, withdrawn=champion)


def served() -> str | None:
    """The version that the pointer file names; None if nothing is served."""
    return _named_in(bundles.POINTER)


def next_version(today: datetime) -> str:
    """year.month.n, n counting the month's releases from 1."""
    month = f"{today.year}.{today.month}."
    taken = [path.name.removeprefix(month) for path in bundles.RELEASED.glob(f"{month}*") if path.is_dir()]
    return month + str(1 + max((int(n) for n in taken if n.isdigit()), default=0))


def renamed(bundle: Bundle, version: str) -> Bundle:
    """The bundle under a version; its registers' bundles are of the same version, day and commit."""
    manifest = msgspec.structs.replace(bundle.manifest, version=version)
    made = {"version": version, "created": manifest.created, "commit": manifest.commit}
    registers = {
        name: msgspec.structs.replace(each, manifest=msgspec.structs.replace(each.manifest, **made))
        for name, each in bundle.registers.items()
    }
    return msgspec.structs.replace(bundle, manifest=manifest, registers=registers)


def write(pointer: Path, version: str) -> None:
    """Writes a pointer file whole or not at all."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    partial = pointer.with_name(f".{pointer.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(version + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(pointer)


def _serve(champion: Registered, former: Registered | None) -> None:
    """Pointer files first: what is served must not depend on the store."""
    if former:
        write(_former(), former.version)
    write(bundles.POINTER, champion.version)
    tracking.name("champion", champion)
    if former:
        tracking.name("former", former)


def _compared(champion: str, challenger: Registered, progress: Progress) -> Comparison:
    progress("reading the forecasts of both")
    known = _known(champion)
    before, after = (tracking.forecasts_of(each.run_id) for each in (known, challenger))
    without = [
        f"{version}: its run has no forecasts"
        for version, found in ((champion, before), (challenger.version, after))
        if found is None
    ]
    if before is None or after is None:
        return Comparison(compared=(), not_compared=tuple(without))
    return compare(before, after, progress)


def _known(version: str) -> Registered:
    """A released bundle's version in the store, where it is written first if the store does not know it."""
    found = tracking.registered(version)
    if found:
        return found
    directory = bundles.RELEASED / version
    if not directory.is_dir():
        raise BundleError(f"{directory}: no bundle there, but {bundles.POINTER} or {_former()} names it")
    return tracking.register(version, tracking.adopt(directory))


def _promotion(champion: str, challenger: Registered, promoted: bool, comparison: Comparison) -> Promotion:
    return Promotion(champion=champion, challenger=challenger.version, promoted=promoted, comparison=comparison)


def _former() -> Path:
    return bundles.POINTER.with_name(FORMER)


def _named_in(pointer: Path) -> str | None:
    try:
        return pointer.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
