"""Cases: processes made ready for a bundle at a stage, and measured as they come.

Which bundle and stage can tell something of a tender is decided here, once for a page, a portfolio and an evaluation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property

import msgspec

from features.track_records.case_records import TrackRecord
from models.bundle import Bundle
from models.knowing import records_of
from models.predict import Batch, Predictions, predictions
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.process import Process
from tenders.tender import Tender


def case(bundle: Bundle, process: Process, stage: Stage | None = None) -> Case:
    """A process ready to be scored at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    bundle, at, limits = _able(bundle, bundle.for_ocid(process.ocid), stage or process.latest_stage())
    said = (*process.warnings, *limits)
    made = Case(process=process, bundle=bundle, stage=at, published=process.published_on(), said=said)
    if process.typed is None:
        # Releases that are sound each can make a tender that is not.
        made.tender  # noqa: B018
    return made


def _able(bundle: Bundle, own: Bundle, asked: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage at which failure can be told of a tender of its `own`, and what has to be said of that.

    A register tells what it records: some nothing of contracts, some nothing after the call, some no failure at all.
    """
    name = own.manifest.register
    for at in reversed(STAGES[: STAGES.index(asked) + 1]):
        told = own.failure_outcomes(at)
        if told and own is bundle:
            return bundle, at, ()
        if told:
            said = [f"{name} has no model at {asked}: this is its score at {at}"] if at != asked else []
            if len(told) == 1 and at != "awarded":
                said.append(f"failure counts {told[0]} alone: {name} tells no other")
            return own, at, tuple(said)
    return bundle, asked, (f"{name} tells no failure at {asked}: this is scored as a tender of no known register",)


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A process made ready for a bundle at a stage, with the day of its track records and what has to be said of it."""

    process: Process
    bundle: Bundle
    stage: Stage
    published: date | None
    said: tuple[str, ...]

    @property
    def at_any_stage(self) -> Tender:
        """The tender, to read only what is the same at every stage; then what came later need not be taken away."""
        return self.process.compiled() if self.process.typed else self.tender

    @cached_property
    def tender(self) -> Tender:
        """The tender as of the stage."""
        return self.process.as_of(self.stage)


class Queue:
    """Cases measured as they come and told together: those of one bundle and stage are predicted at once.

    The cases need not be held. But a register's records are read for many at once, so its tenders are held until then.
    With `only`, no other outcomes are told.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self._only = only
        self._groups: dict[tuple[str, Stage], _Group] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, cases: Sequence[Case]) -> None:
        """Takes more cases."""
        together: dict[tuple[str, Stage], list[int]] = defaultdict(list)
        for place, each in enumerate(cases):
            together[each.bundle.manifest.register, each.stage].append(place)
        for places in together.values():
            first = cases[places[0]]
            group = self._group(first.bundle, first.stage)
            group.add([cases[place] for place in places])
            group.places += [self._size + place for place in places]
        self._size += len(cases)

    def add_strangers(
        self, bundle: Bundle, stage: Stage, tenders: Sequence[Tender], records: Sequence[TrackRecord]
    ) -> None:
        """Takes more tenders of no known register, to be scored at one of the stages of `read_by_column`.

        Raises ValueError if columns cannot be read of them (`features.table_builder.CHECKED`), and then takes none.
        """
        group = self._group(bundle, stage)
        group.batch.add_strangers(tenders, records)
        group.places += range(self._size, self._size + len(tenders))
        self._size += len(tenders)

    def _group(self, bundle: Bundle, stage: Stage) -> _Group:
        key = bundle.manifest.register, stage
        if key not in self._groups:
            self._groups[key] = _Group(Batch(bundle, stage, self._only))
        return self._groups[key]

    def told(self) -> Iterator[tuple[list[int], Batch, Predictions]]:
        """What is predicted of each group of them, with their places in the order in which they came."""
        for group in self._groups.values():
            yield group.places, *group.told()


def read_by_column(bundle: Bundle) -> Mapping[Stage, Stage]:
    """The stages asked for at which a tender of no known register is scored by what `features.table` holds of it, and
    nothing else; with each the stage that speaks for it."""
    if bundle.histories:
        return {}
    able = {asked: _able(bundle, bundle, asked) for asked in STAGES}
    return {asked: at for asked, (_, at, said) in able.items() if not said and Batch(bundle, at).by_column}


class _Group:
    """Cases of one bundle and stage."""

    def __init__(self, batch: Batch) -> None:
        self.places: list[int] = []
        self.batch = batch
        self._held: list[Case] = []

    def add(self, cases: Sequence[Case]) -> None:
        if self.batch.bundle.histories:
            self._held += cases
        else:
            self._measure(cases)

    def told(self) -> tuple[Batch, Predictions]:
        if self._held:
            self._measure(self._held)
            self._held = []
        return self.batch, predictions(self.batch)

    def _measure(self, cases: Sequence[Case]) -> None:
        batch = self.batch
        tenders = [each.at_any_stage if batch.by_column else each.tender for each in cases]
        batch.add(tenders, records_of(batch.bundle, tenders, [each.published for each in cases]))
