"""`check`: everything that is wrong with a file or a history, and what scoring it is worth by what its fields tell.

Each feature that reads the tender's own facts is computed at every stage that a tender has reached. The share of
tenders of which it is known says what the fields allow; so does the share whose outcome the releases tell. Tenders are
counted by the publisher, which the ocid's prefix names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np

from features.catalogue import catalogue, trained_at
from features.feature import Feature
from features.table_builder import of_tenders
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io.blocks import blocks
from tenders.io.rows import Row, read_rows
from tenders.outcomes import outcome
from tenders.process import Process
from tenders.tender import Tender

BATCH = 1_000
"""Tenders of one publisher whose features are computed at once."""
MAX_LISTED, MAX_PROBLEMS = 100, 10_000
"""Tenders that are listed one by one, and problems that are: memory stays the same however many there are."""
OUTCOMES = ("no_award", "early_end", "single_bid")
NO_OCID = "no ocid"
_PREFIX = len("ocds-123456")


class FoundProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, in which row: `file`, `line` and `place` as in a portfolio's errors."""

    file: str
    line: int
    place: str
    path: str
    problem: str
    remedy: str


class MissingFeature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that cannot be computed, and where its fact would stand."""

    path: str
    feature: str
    label: str


class CheckedTender(msgspec.Struct, frozen=True, kw_only=True):
    """One tender that can be scored: what it lacks at the last stage that it tells of, and the reader's warnings."""

    ocid: str | None
    stage: Stage
    missing: tuple[MissingFeature, ...]
    warnings: tuple[str, ...]


class FeatureCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the tenders that reached a stage of which a feature is known there; None where none did.

    `factor` says that it is a documented factor, `stage` from when on its fact can be known.
    """

    feature: str
    label: str
    path: str
    factor: bool
    stage: Stage
    known: dict[Stage, float | None]


class OutcomeCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many tenders an outcome is told, the share that they are of all, and how many had it."""

    outcome: str
    known: int
    share: float
    occurred: int


class PublisherCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """The tenders of one publisher: how many reached each stage, and what their fields allow."""

    publisher: str
    tenders: int
    stages: dict[Stage, int]
    features: tuple[FeatureCoverage, ...]
    outcomes: tuple[OutcomeCoverage, ...]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `check` found. `unlisted` counts the problems beyond MAX_PROBLEMS; `listed` are the first tenders."""

    tenders: int
    refused: int
    problems: tuple[FoundProblem, ...]
    unlisted: int
    listed: tuple[CheckedTender, ...]
    coverage: tuple[PublisherCoverage, ...]


def check(source: Path) -> CheckReport:
    """Reads a file or folder to its end. Raises as `tenders.io.blocks.blocks` does."""
    problems: list[FoundProblem] = []
    listed: list[CheckedTender] = []
    counts: dict[str, _Counts] = defaultdict(_Counts)
    refused = unlisted = 0
    for file, row in _rows(source):
        wrong = row.problems
        if row.process:
            try:
                counts[_publisher(row.process)].add(row.process)
                if len(listed) < MAX_LISTED:
                    listed.append(checked_tender(row.process))
            except DataError as error:
                wrong = tuple(error.problems)
        refused += bool(wrong)
        room = MAX_PROBLEMS - len(problems)
        problems += [
            FoundProblem(file=file, line=row.line, place=row.place, path=p.path, problem=p.problem, remedy=p.remedy)
            for p in wrong[:room]
        ]
        unlisted += len(wrong[room:])
    coverage = tuple(counts[name].coverage(name) for name in sorted(counts) if counts[name].tenders)
    return CheckReport(
        tenders=sum(publisher.tenders for publisher in coverage),
        refused=refused,
        problems=tuple(problems),
        unlisted=unlisted,
        listed=tuple(listed),
        coverage=coverage,
    )


def checked_tender(process: Process) -> CheckedTender:
    """What a tender lacks at the last stage that it tells of. Raises DataError if it cannot be read."""
    stage = process.latest_stage()
    table = of_tenders([process.as_of(stage)], stage)
    own = [feature for feature in trained_at(stage) if feature.reads == "tender"]
    missing = [feature for feature in own if np.isnan(feature.measure(table)[0])]
    return CheckedTender(
        ocid=process.ocid,
        stage=stage,
        missing=tuple(MissingFeature(path=f.path, feature=f.name, label=f.label) for f in missing),
        warnings=process.all_warnings(),
    )


def _rows(source: Path) -> Iterator[tuple[str, Row]]:
    for block in blocks(source):
        for row in read_rows(block):
            yield block.file, row


def _publisher(process: Process) -> str:
    """The prefix that OCDS gave to the publisher, or what stands before the first dash of another id."""
    ocid = process.ocid
    if not ocid:
        return NO_OCID
    return ocid[:_PREFIX] if ocid.startswith("ocds-") else ocid.partition("-")[0][:40]


def _features() -> Iterable[Feature]:
    """The features that read the tender's own facts: only those can be missing because of a publisher."""
    return [feature for feature in catalogue().values() if feature.reads == "tender"]


class _Counts:
    """What is known of one publisher's tenders, counted as they come."""

    def __init__(self) -> None:
        self.tenders = 0
        self._reached = dict.fromkeys(STAGES, 0)
        self._known: dict[Stage, dict[str, int]] = {stage: defaultdict(int) for stage in STAGES}
        self._resolved, self._occurred = dict.fromkeys(OUTCOMES, 0), dict.fromkeys(OUTCOMES, 0)
        self._pending: dict[Stage, list[Tender]] = {stage: [] for stage in STAGES}

    def add(self, process: Process) -> None:
        """Counts a tender. Raises DataError if it cannot be read; then nothing of it is counted."""
        reached = STAGES[: STAGES.index(process.latest_stage()) + 1]
        # What was known of one release at a stage can be read of the whole.
        whole = process.is_one_release
        seen = {stage: process.compiled() if whole else process.as_of(stage) for stage in reached}
        ended = outcome(process)
        self.tenders += 1
        for name in OUTCOMES:
            value = getattr(ended, name)
            self._resolved[name] += value is not None
            self._occurred[name] += value is True
        for stage, tender in seen.items():
            self._pending[stage].append(tender)
            if len(self._pending[stage]) == BATCH:
                self._count(stage)

    def _count(self, stage: Stage) -> None:
        tenders, self._pending[stage] = self._pending[stage], []
        self._reached[stage] += len(tenders)
        table = of_tenders(tenders, stage)
        for feature in _features():
            if STAGES.index(feature.stage) <= STAGES.index(stage):
                self._known[stage][feature.name] += int(np.count_nonzero(~np.isnan(feature.measure(table))))

    def coverage(self, publisher: str) -> PublisherCoverage:
        """What was counted."""
        for stage, tenders in self._pending.items():
            if tenders:
                self._count(stage)
        return PublisherCoverage(
            publisher=publisher,
            tenders=self.tenders,
            stages=dict(self._reached),
            features=tuple(map(self._of_feature, _features())),
            outcomes=tuple(
                OutcomeCoverage(
                    outcome=name,
                    known=self._resolved[name],
                    share=self._resolved[name] / self.tenders,
                    occurred=self._occurred[name],
                )
                for name in OUTCOMES
            ),
        )

    def _of_feature(self, feature: Feature) -> FeatureCoverage:
        stages = STAGES[STAGES.index(feature.stage) :]
        return FeatureCoverage(
            feature=feature.name,
            label=feature.label,
            path=feature.path,
            factor=feature.factor is not None,
            stage=feature.stage,
            known={s: self._known[s][feature.name] / self._reached[s] if self._reached[s] else None for s in stages},
        )


def by_share(coverage: PublisherCoverage) -> Mapping[str, list[FeatureCoverage]]:
    """The features in three groups by their best share over the stages: `most`, `some` and `none` of the tenders."""
    groups: dict[str, list[FeatureCoverage]] = {"most": [], "some": [], "none": []}
    for feature in coverage.features:
        best = max((share for share in feature.known.values() if share is not None), default=0.0)
        groups["most" if best >= 0.5 else "some" if best else "none"].append(feature)
    return groups
