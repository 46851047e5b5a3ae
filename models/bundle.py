"""Bundles: one released model with everything that scoring needs, on disk and in memory.

A bundle is a directory: `manifest.json`, one `.ubj` a booster, `calibration.json`, `track_records.parquet`,
`reference.json` (what it learnt from, for telling drift) and `MODEL_CARD.md`. It is the bundle of the UK, and holds one
directory of the same shape for every other register that was learnt from, with the register's records as parquet. The
manifest holds the digest of every file. No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost as xgb

from features.catalogue import Feature, catalogue
from features.track_records.case_records import Log, Resolved
from features.track_records.register_history import State
from models import register_histories
from models.calibration import Calibration
from models.training_profile import TrainingProfile
from tenders.errors import BundleError
from tenders.facts import STAGES, Stage
from tenders.history import beginnings

FORMAT = 3
READABLE = (2, FORMAT)
"""Formats that can be read: 2 is that of bundles without a training profile."""
RELEASED = Path(__file__).parent / "released"
POINTER = RELEASED / "current"
MANIFEST, CALIBRATION, RECORDS, CARD = "manifest.json", "calibration.json", "track_records.parquet", "MODEL_CARD.md"
TRAINING_PROFILE = "reference.json"
FAILURE_OUTCOMES = ("no_award", "early_end")
"""The outcomes that are failure."""
UNRELEASED = "unreleased"
"""The version of a bundle that was trained and not released."""
ANY = "any"
"""The register whose models have learnt from all others: for a register that the bundle does not know."""
PICTURES = ("reliability.svg",)


class ModelPart(msgspec.Struct, frozen=True, kw_only=True):
    """One booster: what it predicts, when, and the names of its columns in order.

    To its margin come `level` times the log-odds of the register's rate of the last year, and `drift` times how far the
    last quarter's stands from it, and `profile` times what the register's online model thinks: what its records say on
    the tender's day (`features.track_records.register_history`).
    """

    outcome: str
    stage: Stage
    features: tuple[str, ...]
    level: float = 0.0
    drift: float = 0.0
    profile: float = 0.0

    @property
    def name(self) -> str:
        """What it goes by wherever outcome and stage are one word."""
        return f"{self.outcome}-{self.stage}"

    @property
    def file(self) -> str:
        """Name of the booster's file."""
        return f"{self.name}.ubj"


class TrainingSource(msgspec.Struct, frozen=True, kw_only=True):
    """One history the bundle learnt from: its digest, rows, and the span of its publication dates."""

    name: str
    sha256: str
    rows: int
    first: str
    last: str


class BundleManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the bundle says of itself. `prefixes` begin its register's ocids; `digests` is filled on saving."""

    version: str
    created: str
    commit: str
    register: str
    parts: tuple[ModelPart, ...]
    data: tuple[TrainingSource, ...]
    metrics: dict[str, dict[str, float | None]]
    evidence: str
    registers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    format: int = FORMAT
    digests: dict[str, str] = msgspec.field(default_factory=dict)


class Bundle(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A bundle in memory; boosters by (outcome, stage), calibration by the same.

    `histories` are the register's records by outcome, `registers` the bundles of other registers by name, `pictures`
    those of the card by file name. `training_profile` is None for the model of unknown registers: no rows can be
    compared with it.
    """

    manifest: BundleManifest
    boosters: dict[tuple[str, Stage], xgb.Booster]
    calibration: dict[tuple[str, Stage], Calibration]
    log: Log = Log()
    histories: Mapping[str, State] = {}
    registers: dict[str, Bundle] = {}
    training_profile: TrainingProfile | None = None
    card: str = ""
    pictures: dict[str, bytes] = {}

    @cached_property
    def weighed(self) -> tuple[Feature, ...]:
        """Every feature that a booster reads, in catalogue order."""
        names = {name for part in self.manifest.parts for name in part.features}
        return tuple(feature for name, feature in catalogue().items() if name in names)

    def columns_of(self, part: ModelPart) -> list[int]:
        """The positions of a booster's columns in `weighed`."""
        names = [feature.name for feature in self.weighed]
        return [names.index(name) for name in part.features]

    def for_ocid(self, ocid: str | None) -> Bundle:
        """The bundle of the register whose name or prefix begins an ocid; this one for any other tender."""
        return next((self.by_prefix[start] for start in beginnings(ocid or "") if start in self.by_prefix), self)

    @cached_property
    def by_prefix(self) -> dict[str, Bundle]:
        """The bundles of other registers by their names and by the prefixes of their ocids."""
        prefixed = {prefix: other for other in self.registers.values() for prefix in other.manifest.prefixes or ()}
        return self.registers | prefixed

    def failure_outcomes(self, stage: Stage) -> tuple[str, ...]:
        """The failure outcomes that have a booster at a stage."""
        return self._outcomes_by_stage.get(stage, ())

    @cached_property
    def _outcomes_by_stage(self) -> dict[Stage, tuple[str, ...]]:
        return {
            stage: tuple(outcome for outcome in FAILURE_OUTCOMES if (outcome, stage) in self.boosters)
            for stage in STAGES
        }

    def part(self, outcome: str, stage: Stage) -> ModelPart:
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
    if bundle.training_profile:
        (directory / TRAINING_PROFILE).write_bytes(msgspec.json.encode(bundle.training_profile))
    for outcome, history in bundle.histories.items():
        register_histories.save(history, outcome, directory)
    (directory / CARD).write_text(bundle.card, encoding="utf-8")
    for name, picture in bundle.pictures.items():
        (directory / name).write_bytes(picture)
    for name, other in bundle.registers.items():
        _write(other, directory / name)
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    digests = {file.relative_to(directory).as_posix(): _digest(file.read_bytes()) for file in files}
    manifest = msgspec.structs.replace(bundle.manifest, digests=digests, registers=tuple(bundle.registers))
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def load(directory: Path) -> Bundle:
    """Reads and verifies a bundle. Raises BundleError that names every difference."""
    try:
        data = (directory / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"{directory}: no bundle there ({error.strerror})") from None
    manifest = _manifest(data, directory)
    return _read(_verified(directory, manifest), manifest, directory)


def _read(files: Mapping[str, bytes], manifest: BundleManifest, directory: Path) -> Bundle:
    """The bundle from the contents of its files, by their names in its directory."""
    boosters, calibration = {}, {}
    lines = msgspec.json.decode(files[CALIBRATION], type=dict[str, Calibration])
    for part in manifest.parts:
        booster = xgb.Booster({"nthread": 1})
        booster.load_model(bytearray(files[part.file]))
        if tuple(booster.feature_names or ()) != part.features:
            raise BundleError(f"{directory}: {part.file} reads other features than the manifest says")
        if part.name not in lines:
            raise BundleError(f"{directory}: {CALIBRATION} has no line for {part.name}")
        boosters[part.outcome, part.stage] = booster
        calibration[part.outcome, part.stage] = lines[part.name]
    return Bundle(
        manifest=manifest,
        boosters=boosters,
        calibration=calibration,
        log=_log(pq.read_table(pa.BufferReader(files[RECORDS]))),
        histories=register_histories.Held(files),
        training_profile=_training_profile(files[TRAINING_PROFILE], directory) if TRAINING_PROFILE in files else None,
        registers={name: _below(files, name, directory) for name in manifest.registers},
        pictures={name: files[name] for name in PICTURES if name in files},
        card=files[CARD].decode(),
    )


def _below(files: Mapping[str, bytes], name: str, directory: Path) -> Bundle:
    """The bundle of another register, in the directory of its name."""
    own = {path.removeprefix(f"{name}/"): content for path, content in files.items() if path.startswith(f"{name}/")}
    manifest = _manifest(own[MANIFEST], directory / name)
    if wrong := _unheard(manifest):
        raise BundleError(f"{directory / name}: {'; '.join(wrong)}")
    return _read(own, manifest, directory / name)


def _training_profile(data: bytes, directory: Path) -> TrainingProfile:
    try:
        return msgspec.json.decode(data, type=TrainingProfile)
    except msgspec.DecodeError as error:
        raise BundleError(f"{directory / TRAINING_PROFILE}: {error}") from None


def _manifest(data: bytes, directory: Path) -> BundleManifest:
    try:
        manifest = msgspec.json.decode(data, type=BundleManifest)
    except msgspec.DecodeError as error:
        raise BundleError(f"{directory / MANIFEST}: {error}") from None
    if manifest.format not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise BundleError(f"{directory}: bundle format {manifest.format}, this version reads {known}. Release it anew")
    return manifest


def _verified(directory: Path, manifest: BundleManifest) -> dict[str, bytes]:
    """The contents of all files, each read once: what is used later is what was verified."""
    files: dict[str, bytes] = {}
    wrong: list[str] = []
    for name, digest in manifest.digests.items():
        try:
            files[name] = (directory / name).read_bytes()
        except OSError:
            wrong.append(f"{name} is missing")
            continue
        if _digest(files[name]) != digest:
            wrong.append(f"{name} is not the file that was released")
    wrong += [f"{name} has no digest" for name in _needed(manifest) if name not in manifest.digests]
    wrong += _unheard(manifest)
    if wrong:
        raise BundleError(f"{directory}: {'; '.join(wrong)}")
    return files


def _needed(manifest: BundleManifest) -> list[str]:
    """The files that a bundle cannot do without."""
    below = [f"{name}/{MANIFEST}" for name in manifest.registers]
    outcomes = register_histories.outcomes(manifest.digests)
    histories = [name for outcome in outcomes for name in register_histories.files(outcome)]
    return [*(part.file for part in manifest.parts), CALIBRATION, RECORDS, CARD, *histories, *below]


def _unheard(manifest: BundleManifest) -> list[str]:
    read = ((part.file, name) for part in manifest.parts for name in part.features)
    return [f"{file} reads the unknown feature {name}" for file, name in read if name not in catalogue()]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _table(log: Log) -> pa.Table:
    """One row a resolved case, in time order."""
    names = Resolved.__struct_fields__
    return pa.table({name: [getattr(each, name) for each in log.resolved] for name in names})


def _log(table: pa.Table) -> Log:
    return Log(resolved=tuple(Resolved(**{**line, "keys": tuple(line["keys"])}) for line in table.to_pylist()))
