"""Bundles: one released model with everything that scoring needs, on disk and in memory.

A bundle is a directory: `manifest.json`, one `.ubj` file for each booster, `calibration.json`, `track_records.parquet`,
`reference.json` (the training profile, for drift) and `MODEL_CARD.md`. It is the bundle of the UK. For every other
register that was trained on it holds a directory of the same shape, with the register's records as parquet. The
manifest holds the digest of every file. No pickle anywhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost as xgb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.catalogue import catalogue
from features.feature import THEMES, Feature
from features.form_columns import keys_read
from features.own_features import own_features, texts_of
from features.table_builder import columns_asked
from features.track_records.case_records import CaseHistory
from features.track_records.register_history import RegisterHistory
from models import register_histories
from models.boosters import checked_boosters, join_boosters
from models.bundle_files import MANIFEST as MANIFEST  # noqa: PLC0414 - as bundles.MANIFEST it is used
from models.bundle_files import file_digest, is_name, manifest_bytes, own_bytes, pointed_version, reading, sha256
from models.calibration import Calibration
from models.effects import LAYERS, EffectTable, FactorEffect, Layer
from models.reference_classes import ClassRates, placement
from models.signatures import sign_manifest, signer_of
from models.training_profile import TrainingProfile
from tenders.codelists import UK_OCIDS
from tenders.errors import BundleError
from tenders.facts import STAGES, Stage
from tenders.history import ocid_prefixes
from tenders.own_columns import OwnColumn

FORMAT = 4
READABLE = (2, 3, FORMAT)
"""Formats that can be read. Those of format 2 have no training profile, those of format 3 no effects."""
RELEASED = Path(os.environ.get("TENDER_RISK_BUNDLES") or Path(__file__).parent / "released")
POINTER = RELEASED / "current"
"""The file that holds the version of the bundle that is served."""
CHOSEN = "TENDER_RISK_BUNDLE"
"""The variable that names another directory than the released bundle's."""
CARD, CALIBRATION = "MODEL_CARD.md", "calibration.json"
TRACK_RECORDS, TRAINING_PROFILE = "track_records.parquet", "reference.json"
FAILURE_OUTCOMES = ("no_award", "early_end")
"""The outcomes that count as failure."""
UNRELEASED = "unreleased"
"""The version of a bundle that was trained but not released."""
ANY = "any"
"""The bundle whose models learnt from all registers, for tenders of a register that has no bundle of its own."""
OWN_LEVEL = "The level is this register's own."
UNKNOWN_LEVEL = "Its level is not known: it is taken to be the mean of theirs, and the interval spans theirs."
CASEBOOK = "casebook"
"""How the ids of the UK's researched cases begin."""
PICTURES = ("reliability.svg", *(f"effects-{theme}.svg" for theme in THEMES))


class ModelPart(msgspec.Struct, frozen=True, kw_only=True):
    """One booster: what it predicts, at which stage, and the names of its columns in order.

    Three terms are added to its margin, read from the register's history as of the tender's day
    (`features.track_records.register_history`): `level` times the log-odds of the register's rate of the last year,
    `drift` times the last quarter's log-odds less those of the year, and `profile` times the log-odds of the register's
    online model. A part without features has no booster: pooled effects say all that it knows.
    """

    outcome: str
    stage: Stage
    features: tuple[str, ...]
    level: float = 0.0
    drift: float = 0.0
    profile: float = 0.0

    @property
    def name(self) -> str:
        """Outcome and stage in one word."""
        return f"{self.outcome}-{self.stage}"

    @property
    def file(self) -> str:
        """Name of the booster's file."""
        return f"{self.name}.ubj"


class TrainingSource(msgspec.Struct, frozen=True, kw_only=True):
    """One history that the bundle learnt from: its digest, rows, and first and last publication dates (ISO)."""

    name: str
    sha256: str
    rows: int
    first: str
    last: str


class BundleManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a bundle. `prefixes` begin its register's ocids; `save` fills `digests`.

    `effects` are what its models start from, `rates` those of its reference classes. Both are empty for registers
    with models of their own. `own_columns` are those that the mapping of its history declares to be features, by name.
    """

    version: str
    created: str
    commit: str
    register: str
    parts: tuple[ModelPart, ...]
    data: tuple[TrainingSource, ...]
    metrics: dict[str, dict[str, float | None]]
    evidence: str
    registers: tuple[str, ...] = ()
    effects: tuple[FactorEffect, ...] = ()
    rates: ClassRates = {}
    prefixes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    own_columns: dict[str, OwnColumn] | msgspec.UnsetType = msgspec.UNSET
    format: int = FORMAT
    digests: dict[str, str] = msgspec.field(default_factory=dict)


class Bundle(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A bundle in memory, with boosters and calibration by (outcome, stage).

    `histories` are the register's records by outcome, `registers` the bundles of other registers by name, `pictures`
    those of the card by file name, `sha256` the digest of the manifest that it was read from, and `signer` the name of
    the key that signed it. The bundle for unknown registers has no `training_profile`: there are no rows to compare
    with.
    """

    manifest: BundleManifest
    boosters: dict[tuple[str, Stage], xgb.Booster]
    calibration: dict[tuple[str, Stage], Calibration]
    case_history: CaseHistory = CaseHistory()
    histories: Mapping[str, RegisterHistory] = {}
    registers: dict[str, Bundle] = {}
    training_profile: TrainingProfile | None = None
    card: str = ""
    pictures: dict[str, bytes] = {}
    sha256: str = ""
    signer: str = ""

    @cached_property
    def features(self) -> Mapping[str, Feature]:
        """All features that it can read: the catalogue, and what the mapping of its history declares."""
        return known_features(self.manifest)

    @cached_property
    def own_texts(self) -> tuple[str, ...]:
        """The declared columns of text."""
        return texts_of(self.manifest.own_columns or {})

    @cached_property
    def weighed(self) -> tuple[Feature, ...]:
        """Every feature that a booster or an effect reads, in catalogue order."""
        names = {name for part in self.manifest.parts for name in part.features}
        names |= {name for effect in self.manifest.effects for name in effect.reads}
        return tuple(feature for name, feature in self.features.items() if name in names)

    @cached_property
    def effect_table(self) -> EffectTable | None:
        """The effects as arrays, over the columns of `weighed`; None without effects."""
        names = [feature.name for feature in self.weighed]
        return EffectTable.of(self.manifest.effects, names) if self.manifest.effects else None

    def effect_of(self, feature: str) -> FactorEffect | None:
        """The pooled effects of a feature; None if it has none."""
        return self._effects.get(feature)

    @cached_property
    def _effects(self) -> dict[str, FactorEffect]:
        return {effect.feature: effect for effect in self.manifest.effects}

    def layers(self, feature: str, outcomes: Collection[str]) -> tuple[Layer, ...]:
        """Where the weight of a feature comes from, in the models of some outcomes."""
        effect = self.effect_of(feature)
        layers = {layer for o in outcomes if effect and o in effect.outcomes for layer in effect.outcomes[o].layers}
        if any(feature in part.features for part in self.manifest.parts if part.outcome in outcomes):
            # Its trees learnt from the UK's cases, those of other bundles from registers.
            layers.add("cases" if self.manifest.effects or self.manifest.register == "uk" else "registers")
        return tuple(layer for layer in LAYERS if layer in layers)

    def joint_booster(self, parts: Sequence[ModelPart]) -> xgb.Booster | None:
        """One booster that gives the margins of several parts, a column each; None if it cannot be made.

        What a booster costs for one tender is nearly all the call. Made once.
        """
        keys = tuple((part.outcome, part.stage) for part in parts)
        if keys not in self._joint:
            self._joint[keys] = join_boosters([self.boosters[key] for key in keys])
        return self._joint[keys]

    @cached_property
    def _joint(self) -> dict[tuple[tuple[str, Stage], ...], xgb.Booster | None]:
        return {}

    def columns_of(self, part: ModelPart) -> list[int]:
        """The positions of a booster's columns in `weighed`."""
        names = [feature.name for feature in self.weighed]
        return [names.index(name) for name in part.features]

    def columns_read(self, stage: Stage) -> frozenset[str]:
        """The columns of tenders that its features ask for at a stage."""
        columns: frozenset[str] | None = self.made_once.get(("columns", stage))
        if columns is None:
            known = STAGES[: STAGES.index(stage) + 1]
            measures = [feature.measure for feature in self.weighed if feature.stage in known]
            classes = [placement] if self.manifest.rates else []
            columns = self.made_once["columns", stage] = columns_asked([*measures, *classes], stage)
        return columns

    @cached_property
    def made_once(self) -> dict[tuple[str, Stage], Any]:
        """What is made of it once for each stage, by what it is, also by other modules."""
        return {}

    @cached_property
    def moving_fields(self) -> frozenset[str]:
        """The fields of the form, by key, that can move its failure probability at some stage."""
        names = {name for part in self.manifest.parts if part.outcome in FAILURE_OUTCOMES for name in part.features}
        for effect in self.manifest.effects:
            if any(of_outcome.coefficient and o in FAILURE_OUTCOMES for o, of_outcome in effect.outcomes.items()):
                names |= set(effect.reads)
        measures = [feature.measure for feature in self.weighed if feature.name in names]
        return keys_read(columns_asked([*measures, *([placement] if self.manifest.rates else [])], STAGES[-1]))

    def for_ocid(self, ocid: str | None) -> Bundle:
        """The bundle of the register that owns an ocid: here alone it is decided which one that is.

        Another register owns those that begin with its name or prefix; this bundle's own are those of the UK's
        publishers, and tenders without an ocid, for a draft has none. Nobody has learnt of any other: for these it is
        `any`, or this one if there is none (`is_foreign`).
        """
        if not ocid:
            return self
        starts = ocid_prefixes(ocid)
        for start in starts:
            if start in self.by_prefix:
                return self.by_prefix[start]
        return self if self.own_prefixes.intersection(starts) else self.unknown_register

    @cached_property
    def unknown_register(self) -> Bundle:
        """The bundle for a register of which nothing is known, not even its level: this one if there is no `any`."""
        if ANY not in self.registers:
            return self
        pooled, others = self.registers[ANY], [other for name, other in self.registers.items() if name != ANY]
        evidence = f"{pooled.manifest.evidence.removesuffix(OWN_LEVEL)}{UNKNOWN_LEVEL}"
        return msgspec.structs.replace(
            pooled,
            manifest=msgspec.structs.replace(pooled.manifest, evidence=evidence),
            calibration={
                key: line.at_unknown_level([o.calibration[key].base_rate for o in others if key in o.calibration])
                for key, line in pooled.calibration.items()
            },
        )

    def is_foreign(self, ocid: str | None) -> bool:
        """Whether no register that this bundle has learnt owns an ocid."""
        known = self.by_prefix.keys() - {ANY} | self.own_prefixes
        return bool(ocid) and known.isdisjoint(ocid_prefixes(ocid or ""))

    @cached_property
    def own_prefixes(self) -> frozenset[str]:
        """The beginnings of the ocids of this bundle's own register."""
        return frozenset(self.manifest.prefixes or (*UK_OCIDS, CASEBOOK))

    @cached_property
    def by_prefix(self) -> dict[str, Bundle]:
        """The bundles of other registers by their names and by the prefixes of their ocids."""
        prefixed = {prefix: other for other in self.registers.values() for prefix in other.manifest.prefixes or ()}
        return self.registers | prefixed

    def failure_outcomes(self, stage: Stage) -> tuple[str, ...]:
        """The failure outcomes that are predicted at a stage."""
        return self._outcomes_by_stage.get(stage, ())

    @cached_property
    def _outcomes_by_stage(self) -> dict[Stage, tuple[str, ...]]:
        return {
            stage: tuple(outcome for outcome in FAILURE_OUTCOMES if (outcome, stage) in self.predicted)
            for stage in STAGES
        }

    @property
    def class_title(self) -> str:
        """Its reference class where tenders have none of their own: all tenders of its register."""
        return "tenders of all registers" if self.manifest.register == ANY else f"tenders of {self.manifest.register}"

    @cached_property
    def predicted(self) -> frozenset[tuple[str, Stage]]:
        """The outcomes and stages of its parts."""
        return frozenset((part.outcome, part.stage) for part in self.manifest.parts)

    def part(self, outcome: str, stage: Stage) -> ModelPart:
        """The part for an outcome at a stage. Raises KeyError if the bundle has none."""
        for part in self.manifest.parts:
            if (part.outcome, part.stage) == (outcome, stage):
                return part
        raise KeyError((outcome, stage))


def released() -> Path:
    """The directory of the bundle that is served by default: that of TENDER_RISK_BUNDLE, else the released one.

    Raises BundleError if none is released.
    """
    if chosen := os.environ.get(CHOSEN):
        return Path(chosen)
    version = pointed_version(POINTER)
    if version is None:
        raise BundleError("no bundle is released. Run 'tender-risk train' and 'tender-risk release'")
    return RELEASED / version


def challenger_pointer() -> Path:
    """The file that holds the version of the challenger, if there is one."""
    return POINTER.with_name("challenger")


def challenger() -> Path | None:
    """The directory of the challenger; None if there is none. Raises BundleError."""
    version = pointed_version(challenger_pointer())
    return RELEASED / version if version else None


def save(bundle: Bundle, directory: Path, key: Ed25519PrivateKey | None = None) -> None:
    """Writes a bundle whole or not at all, into a sibling directory that is then renamed; signed if a key is given."""
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _write(bundle, partial)
    if key:
        sign_manifest(partial, key)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def _write(bundle: Bundle, directory: Path) -> None:
    directory.mkdir(parents=True)
    for part in bundle.manifest.parts:
        if part.features:
            bundle.boosters[part.outcome, part.stage].save_model(directory / part.file)
    calibration = {f"{outcome}-{stage}": fitted for (outcome, stage), fitted in bundle.calibration.items()}
    (directory / CALIBRATION).write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1))
    pq.write_table(register_histories.cases_table(bundle.case_history), directory / TRACK_RECORDS, compression="zstd")
    if bundle.training_profile:
        (directory / TRAINING_PROFILE).write_bytes(msgspec.json.encode(bundle.training_profile))
    for outcome in bundle.histories:
        register_histories.write(bundle.histories, outcome, directory)
    (directory / CARD).write_text(bundle.card, encoding="utf-8")
    for name, picture in bundle.pictures.items():
        (directory / name).write_bytes(picture)
    for name, other in bundle.registers.items():
        _write(other, directory / name)
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    digests = {file.relative_to(directory).as_posix(): file_digest(file) for file in files}
    manifest = msgspec.structs.replace(bundle.manifest, digests=digests, registers=tuple(bundle.registers))
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def load(directory: Path, signed: bool = True) -> Bundle:
    """Reads and verifies a bundle. Raises BundleError that names every difference.

    Boosters that no trusted key has signed are checked in a process of their own before they are loaded.

    `signed=False` is for what this machine's own training has just written: a release has to be signed.
    """
    data = manifest_bytes(directory)
    signer = signer_of(directory, data) if signed else ""
    manifest = _manifest(data, directory)
    files = _verified(directory, manifest)
    if not signer:
        # Nobody that this machine trusts vouches for them.
        files |= _checked_boosters(files, directory)
    with reading(f"{directory}: a file of it"):
        bundle = _read(files, manifest, directory)
    return msgspec.structs.replace(bundle, sha256=sha256(data), signer=signer)


def _checked_boosters(files: Mapping[str, bytes], directory: Path) -> dict[str, bytes]:
    try:
        return checked_boosters({name: content for name, content in files.items() if name.endswith(".ubj")})
    except BundleError as error:
        raise BundleError(f"{directory}: {error}") from None


def sign(directory: Path, key: Ed25519PrivateKey) -> None:
    """Signs a bundle that lies in a directory. Raises BundleError if it does not verify otherwise."""
    load(directory, signed=False)
    sign_manifest(directory, key)


def _read(files: Mapping[str, bytes], manifest: BundleManifest, directory: Path) -> Bundle:
    """The bundle from the contents of its files, by their names in its directory."""
    boosters, calibration = {}, {}
    fitted = msgspec.json.decode(files[CALIBRATION], type=dict[str, Calibration])
    for part in manifest.parts:
        if part.name not in fitted:
            raise BundleError(f"{directory}: {CALIBRATION} has no line for {part.name}")
        if part.features:
            booster = xgb.Booster({"nthread": 1})
            booster.load_model(bytearray(files[part.file]))
            if tuple(booster.feature_names or ()) != part.features:
                raise BundleError(f"{directory}: {part.file} reads other features than the manifest says")
            boosters[part.outcome, part.stage] = booster
        calibration[part.outcome, part.stage] = fitted[part.name]
    return Bundle(
        manifest=manifest,
        boosters=boosters,
        calibration=calibration,
        case_history=register_histories.case_history(pq.read_table(pa.BufferReader(files[TRACK_RECORDS]))),
        histories=register_histories.LazyHistories(files),
        training_profile=_training_profile(files[TRAINING_PROFILE], directory) if TRAINING_PROFILE in files else None,
        registers={name: _register_bundle(files, name, directory) for name in manifest.registers},
        pictures={name: files[name] for name in PICTURES if name in files},
        card=files[CARD].decode(),
    )


def _register_bundle(files: Mapping[str, bytes], name: str, directory: Path) -> Bundle:
    """The bundle of another register, from the files in the directory of its name."""
    own = {path.removeprefix(f"{name}/"): content for path, content in files.items() if path.startswith(f"{name}/")}
    manifest = _manifest(own[MANIFEST], directory / name)
    if wrong := _unknown_features(manifest):
        raise BundleError(f"{directory / name}: {'; '.join(wrong)}")
    return _read(own, manifest, directory / name)


def _training_profile(data: bytes, directory: Path) -> TrainingProfile:
    with reading(directory / TRAINING_PROFILE):
        return msgspec.json.decode(data, type=TrainingProfile)


def _manifest(data: bytes, directory: Path) -> BundleManifest:
    with reading(directory / MANIFEST):
        manifest = msgspec.json.decode(data, type=BundleManifest)
    if manifest.format not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise BundleError(f"{directory}: bundle format {manifest.format}, this version reads {known}. Release it anew")
    return manifest


def _verified(directory: Path, manifest: BundleManifest) -> dict[str, bytes]:
    """The contents of all files. Each is read once, so that what is used is what was verified."""
    files: dict[str, bytes] = {}
    wrong: list[str] = []
    for name, digest in manifest.digests.items():
        try:
            content = own_bytes(directory, name) if is_name(name) else None
        except OSError:
            wrong.append(f"{name} is missing")
            continue
        if content is None:
            wrong.append(f"{name[:80]!r} is no file of the bundle's own")
            continue
        files[name] = content
        if sha256(content) != digest:
            wrong.append(f"{name} is not the file that was released")
    wrong += [f"{name} has no digest" for name in _required_files(manifest) if name not in manifest.digests]
    wrong += _unknown_features(manifest)
    if wrong:
        raise BundleError(f"{directory}: {'; '.join(wrong)}")
    return files


def _required_files(manifest: BundleManifest) -> list[str]:
    """The files that a bundle must have."""
    manifests = [f"{name}/{MANIFEST}" for name in manifest.registers]
    outcomes = register_histories.outcomes(manifest.digests)
    histories = [name for outcome in outcomes for name in register_histories.files(outcome)]
    texts = texts_of(manifest.own_columns or {})
    histories += [register_histories.own_text_file(outcome, text) for outcome in outcomes for text in texts]
    return [
        *(part.file for part in manifest.parts if part.features),
        CALIBRATION,
        TRACK_RECORDS,
        CARD,
        *histories,
        *manifests,
    ]


def _unknown_features(manifest: BundleManifest) -> list[str]:
    read = [(part.file, name) for part in manifest.parts for name in part.features]
    read += [(MANIFEST, name) for effect in manifest.effects for name in effect.reads]
    known = known_features(manifest)
    return [f"{file} reads the unknown feature {name}" for file, name in read if name not in known]


def known_features(manifest: BundleManifest) -> Mapping[str, Feature]:
    """The catalogue, and the features that a manifest declares."""
    return {**catalogue(), **own_features(manifest.own_columns)} if manifest.own_columns else catalogue()
