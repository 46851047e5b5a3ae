"""Bundles: one released model with everything that scoring needs, on disk and in memory.

A bundle is a directory: `manifest.json`, one `.ubj` a booster, `calibration.json`, `track_records.parquet` and
`MODEL_CARD.md`. It is the bundle of the UK, and holds one directory of the same shape for every other register that was
learnt from, with the register's records as parquet. The manifest holds the digest of every file. No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import shutil
from functools import cached_property
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost as xgb

from features.catalogue import Feature, catalogue
from features.standing import State
from features.track_records import Log, Resolved
from models import states
from models.calibration import Calibration
from tenders.errors import BundleError
from tenders.facts import Stage
from tenders.tender import Tender

FORMAT = 2
RELEASED = Path(__file__).parent / "released"
POINTER = RELEASED / "current"
MANIFEST, CALIBRATION, RECORDS, CARD = "manifest.json", "calibration.json", "track_records.parquet", "MODEL_CARD.md"
UNRELEASED = "unreleased"
"""The version of a bundle that was trained and not released."""
ANY = "any"
"""The register whose models have learnt from all others: for a register that the bundle does not know."""
PICTURES = ("reliability.svg",)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One booster: what it predicts, when, and the names of its columns in order.

    To its margin come `level` times the log-odds of the register's rate of the last year, and `drift` times how far the
    last quarter's stands from it, and `profile` times what the register's online model thinks: what its records say on
    the tender's day (`features.standing`).
    """

    outcome: str
    stage: Stage
    features: tuple[str, ...]
    level: float = 0.0
    drift: float = 0.0
    profile: float = 0.0

    @property
    def file(self) -> str:
        """Name of the booster's file."""
        return f"{self.outcome}-{self.stage}.ubj"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One history the bundle learnt from: its digest, rows, and the span of its publication dates."""

    name: str
    sha256: str
    rows: int
    first: str
    last: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the bundle says about itself. `digests` is filled on saving."""

    version: str
    created: str
    commit: str
    register: str
    parts: tuple[Part, ...]
    data: tuple[Source, ...]
    metrics: dict[str, dict[str, float | None]]
    evidence: str
    registers: tuple[str, ...] = ()
    format: int = FORMAT
    digests: dict[str, str] = msgspec.field(default_factory=dict)


class Bundle(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A bundle in memory; boosters by (outcome, stage), calibration by the same.

    `states` are the register's records by outcome, `registers` the bundles of other registers by name; `pictures` the
    card's, by file name.
    """

    manifest: Manifest
    boosters: dict[tuple[str, Stage], xgb.Booster]
    calibration: dict[tuple[str, Stage], Calibration]
    log: Log = Log()
    states: dict[str, State] = {}
    registers: dict[str, Bundle] = {}
    card: str = ""
    pictures: dict[str, bytes] = {}

    @cached_property
    def weighed(self) -> tuple[Feature, ...]:
        """Every feature that a booster reads, in catalogue order."""
        names = {name for part in self.manifest.parts for name in part.features}
        return tuple(feature for name, feature in catalogue().items() if name in names)

    def places(self, part: Part) -> list[int]:
        """Where a booster's columns stand in `weighed`."""
        found = self._places.get(part)
        if found is None:
            names = [feature.name for feature in self.weighed]
            found = self._places[part] = [names.index(name) for name in part.features]
        return found

    @cached_property
    def _places(self) -> dict[Part, list[int]]:
        return {}

    def of(self, tender: Tender) -> Bundle:
        """The bundle of the register whose name begins the tender's ocid; this one for any other tender."""
        name = (tender.ocid or "").split("-")[0]
        return self.registers.get(name, self)

    def part(self, outcome: str, stage: Stage) -> Part:
        """The part for an outcome at a stage. Raises KeyError if the bundle has none."""
        for part in self.manifest.parts:
            if (part.outcome, part.stage) == (outcome, stage):
                return part
        raise KeyError((outcome, stage))


def released() -> Path:
    """The directory of the bundle that is served by default. Raises BundleError if none is released."""
    try:
        return RELEASED / POINTER.read_text(encoding="utf-8").strip()
    except OSError:
        raise BundleError("no bundle is released. Run 'tender-risk train' and 'tender-risk release'") from None


def save(bundle: Bundle, directory: Path) -> None:
    """Writes a bundle whole or not at all: into a sibling first, then renamed into place."""
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _write(bundle, partial)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def _write(bundle: Bundle, directory: Path) -> None:
    directory.mkdir(parents=True)
    for part in bundle.manifest.parts:
        bundle.boosters[part.outcome, part.stage].save_model(directory / part.file)
    lines = {f"{outcome}-{stage}": each for (outcome, stage), each in bundle.calibration.items()}
    (directory / CALIBRATION).write_bytes(msgspec.json.format(msgspec.json.encode(lines), indent=1))
    pq.write_table(_table(bundle.log), directory / RECORDS, compression="zstd")
    for outcome, state in bundle.states.items():
        states.save(state, outcome, directory)
    (directory / CARD).write_text(bundle.card, encoding="utf-8")
    for name, picture in bundle.pictures.items():
        (directory / name).write_bytes(picture)
    for name, other in bundle.registers.items():
        _write(other, directory / name)
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    digests = {file.relative_to(directory).as_posix(): _digest(file) for file in files}
    manifest = msgspec.structs.replace(bundle.manifest, digests=digests, registers=tuple(bundle.registers))
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def load(directory: Path) -> Bundle:
    """Reads and verifies a bundle. Raises BundleError that names every difference."""
    manifest = _manifest(directory)
    _verify(directory, manifest)
    return _read(directory, manifest)


def _read(directory: Path, manifest: Manifest) -> Bundle:
    boosters, calibration = {}, {}
    lines = msgspec.json.decode((directory / CALIBRATION).read_bytes(), type=dict[str, Calibration])
    for part in manifest.parts:
        booster = xgb.Booster({"nthread": 1})
        booster.load_model(directory / part.file)
        if tuple(booster.feature_names or ()) != part.features:
            raise BundleError(f"{directory}: {part.file} reads other features than the manifest says")
        if f"{part.outcome}-{part.stage}" not in lines:
            raise BundleError(f"{directory}: {CALIBRATION} has no line for {part.outcome}-{part.stage}")
        boosters[part.outcome, part.stage] = booster
        calibration[part.outcome, part.stage] = lines[f"{part.outcome}-{part.stage}"]
    return Bundle(
        manifest=manifest,
        boosters=boosters,
        calibration=calibration,
        log=_log(pq.read_table(directory / RECORDS)),
        states={outcome: states.load(outcome, directory) for outcome in _held(manifest)},
        registers={name: _read(directory / name, _manifest(directory / name)) for name in manifest.registers},
        pictures={name: (directory / name).read_bytes() for name in manifest.digests if name in PICTURES},
        card=(directory / CARD).read_text(encoding="utf-8"),
    )


def _held(manifest: Manifest) -> list[str]:
    """The outcomes of which the bundle holds a register's records."""
    return sorted(
        name.split(".")[0] for name in manifest.digests if "/" not in name and name.endswith(".words.parquet")
    )


def _manifest(directory: Path) -> Manifest:
    try:
        data = (directory / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"{directory}: no bundle there ({error.strerror})") from None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise BundleError(f"{directory / MANIFEST}: {error}") from None
    if manifest.format != FORMAT:
        raise BundleError(f"{directory}: bundle format {manifest.format}, this version reads {FORMAT}. Release it anew")
    return manifest


def _verify(directory: Path, manifest: Manifest) -> None:
    below = [f"{name}/{MANIFEST}" for name in manifest.registers]
    needed = [*(part.file for part in manifest.parts), CALIBRATION, RECORDS, CARD, *below]
    wrong = [f"{name} has no digest" for name in needed if name not in manifest.digests]
    for name, digest in manifest.digests.items():
        file = directory / name
        if not file.is_file():
            wrong.append(f"{name} is missing")
        elif _digest(file) != digest:
            wrong.append(f"{name} is not the file that was released")
    known = catalogue()
    for part in manifest.parts:
        wrong += [f"{part.file} reads the unknown feature {name}" for name in part.features if name not in known]
    if wrong:
        raise BundleError(f"{directory}: {'; '.join(wrong)}")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _table(log: Log) -> pa.Table:
    """One row a resolved case, in time order."""
    names = Resolved.__struct_fields__
    return pa.table({name: [getattr(each, name) for each in log.resolved] for name in names})


def _log(table: pa.Table) -> Log:
    return Log(resolved=tuple(Resolved(**{**line, "keys": tuple(line["keys"])}) for line in table.to_pylist()))
