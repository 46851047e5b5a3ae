"""`Process`: everything published about one ocid, and the tender as it stood at any moment.

A compiled release overwrites history: an extended deadline looks original. So where releases exist, ocdsmerge compiles
the tender at a stage from the releases known then, and what changed between them counts as structure changes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace
from ocdsmerge.exceptions import DuplicateIdValueWarning
from ocdsmerge.merge import CompiledRelease

from tenders import dates, stages
from tenders.changes import find_changes
from tenders.codelists import AFTER_SIGNATURE_TAGS, AWARD_TAGS, CLOSING_TAGS, CONTRACT_TAGS
from tenders.defaults import is_credible
from tenders.errors import Problem
from tenders.facts import Stage
from tenders.io.conversion import value_at
from tenders.io.ocds import ReadRelease, read_parts, read_release, select_fields, to_tender
from tenders.settled import as_warnings, day_of_notice, start_is_left_out
from tenders.tender import Tender

Release = Mapping[str, Any]

# How long before the award, or the start, a tender is taken to have been published where its own date is not known:
# about the casebook's median where both dates are.
AWARD_LAG, START_LAG = timedelta(days=365), timedelta(days=545)

# The rules that the OCDS 1.1 schema states; arrays of objects with an id are merged by that id.
# Arrays of objects without an id would grow with every notice that repeats them, so they are replaced whole; so is
# tender.awardCriteria, a code in old notices and an object in new ones.
_WHOLE = (
    ("parties", "roles"),
    ("tender", "items", "additionalClassifications"),
    ("tender", "items", "deliveryAddresses"),
    ("tender", "lots", "awardCriteria", "criteria"),
    ("tender", "awardCriteria"),
    ("tender", "specialRegime"),
    ("awards", "relatedLots"),
    ("contracts", "relatedLots"),
    ("contracts", "terminationRationaleClassifications"),
    ("awards", "relatedBids"),
    ("relatedProcesses", "relationship"),
    ("tenderRisk", "advisers"),
    ("tenderRisk", "structureChanges"),
    ("tenderRisk", "assuranceHolds"),
)
MERGE_RULES: dict[tuple[str, ...], str] = {
    **dict.fromkeys([("id",), ("date",), ("tag",)], "omitWhenMerged"),
    **dict.fromkeys(_WHOLE, "wholeListMerge"),
}


class Process(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One ocid with its releases in time order (one, if only a compiled release is held).

    `where` is the JSON path of each release in the document; `warnings` are those of the reader, to which
    `all_warnings` adds what is said of the facts; `form` names the keys that were filled, if it was a flat form.
    `typed` is a valid release that was decoded straight into its types. It stands for `releases`, and can be scored but
    not explained, because the document is not kept.
    """

    releases: tuple[Release, ...] = ()
    where: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    form: tuple[str, ...] | None = None
    typed: Tender | None = None

    @classmethod
    def of_tender(cls, tender: Tender, warnings: tuple[str, ...] = ()) -> Process:
        """The process of a valid release that `tenders.io.ocds.decode_releases` decoded straight into its types.

        It is settled (`tenders.settled`), and `warnings` say what was found then.
        """
        return cls(where=("",), typed=tender, warnings=warnings)

    @property
    def ocid(self) -> str | None:
        ocid = self.typed.ocid if self.typed else self.releases[0].get("ocid")
        return ocid if isinstance(ocid, str) else None

    @property
    def is_one_release(self) -> bool:
        """Whether all that is known of it is one release: then what was known at a stage can be read of the whole."""
        return type(self) is Process and len(self.releases) <= 1

    def with_compiled(self, tender: Tender) -> Process:
        """This process, whose releases were made of `tender`: so it need not be compiled again."""
        self.__dict__["_compiled"] = tender
        return self

    def with_fields(self, fields: Sequence[dict[str, Any]]) -> Process:
        """This process, of whose releases the reader has selected the fields that are read."""
        self.__dict__["_fields"] = fields
        return self

    @cached_property
    def _fields(self) -> Sequence[dict[str, Any]]:
        return [select_fields(release, "")[0] for release in self.releases]

    def all_warnings(self) -> tuple[str, ...]:
        """The warnings of the reader, and of every fact that is not used or is used in another way than it stands.

        Raises DataError if a release cannot be read.
        """
        self.compiled()
        notes = [note for read in self._read.values() for note in read.notes]
        return (*self.warnings, *as_warnings([*notes, *self._notes]))

    @cached_property
    def _read(self) -> dict[int, ReadRelease]:
        """The releases that were read so far, by their index."""
        return {}

    @cached_property
    def _notes(self) -> list[Problem]:
        """What is said of all releases together."""
        return []

    def compiled(self) -> Tender:
        """Everything known today, statuses and outcome included."""
        return self.typed or self._compiled

    @cached_property
    def _compiled(self) -> Tender:
        return self._compile(range(len(self.releases)))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The compiled tender as JSON, without what is unknown. Copy it, do not change it."""
        return to_json(self.compiled())

    @cached_property
    def _merges(self) -> dict[tuple[int, ...], Tender]:
        return {}

    def as_of(self, moment: Stage | date) -> Tender:
        """The tender as it was known at a stage or at the end of a day.

        The bid count belongs to `bids_in`, though the notice of the award is the first to publish it.
        """
        if moment not in self._as_of:
            self._as_of[moment] = self._at(moment)
        return self._as_of[moment]

    @cached_property
    def _as_of(self) -> dict[Stage | date, Tender]:
        return {}

    def _at(self, moment: Stage | date) -> Tender:
        if len(self.releases) <= 1:
            return stages.as_of(self.compiled(), moment)
        tender = self._compile(self._known(moment))
        if moment == "bids_in":
            tender = _with_bids_of(tender, self._compile(self._known("awarded")))
        return stages.as_of(tender, moment)

    def published_on(self) -> date | None:
        """The first day on which the tender can have been published, as `published_on` says; None without any date."""
        written = (str(release.get("date") or "") for release in self.releases)
        credible = (text for text in written if text.strip() and is_credible(text))
        return published_on(self.compiled(), min(credible, default=""))

    def place_of(self, path: str) -> str:
        """Where a path of the compiled tender stands in the document: in the last release that states it."""
        if not self.releases:
            # Decoded straight into its types, so there is one.
            return self.where[-1] + path
        held = zip(reversed(self.releases), reversed(self.where), strict=True)
        stated = (where for release, where in held if value_at(release, path) is not None)
        return next(stated, self.where[-1]) + path

    def latest_stage(self) -> Stage:
        """The furthest stage of which the process holds a fact."""
        return stages.latest_stage(self.compiled())

    def has_reached(self, stage: Stage) -> bool:
        """Whether the process shows that it has reached a stage (`tenders.stages.has_reached`)."""
        return stages.has_reached(self.compiled(), stage)

    def _compile(self, indexes: Sequence[int]) -> Tender:
        if len(self.releases) == 1:
            if 0 not in self._read:
                self._read[0] = read_release(self.releases[0], self.where[0])
            return self._read[0].tender
        if (key := tuple(indexes)) not in self._merges:
            alone = key[0] if len(key) == 1 else None
            self._merges[key] = (
                self._merge(key) if alone is None else to_tender(self.releases[alone], self.where[alone])
            )
        return self._merges[key]

    def _merge(self, indexes: Sequence[int]) -> Tender:
        parts = self._parts(indexes)
        places = [self.where[i] for i in indexes]
        merged = _merge([part.document for part in parts])
        # What is wrong with one release is known. Together, a 0 may turn out to be no count.
        read = read_release(merged, places[-1])
        if len(indexes) == len(self.releases):
            self._notes[:] = [_in_releases(note, parts, places) for note in read.notes]
        tender = read.tender
        period = tender.tender.tender_period
        is_open = tender.tender.date_published is None and not (period and period.start_date)
        if is_open and (day := _first_notice(parts)):
            tender = replace(tender, tender=replace(tender.tender, date_published=day))
        changes = tender.tender_risk.structure_changes + find_changes([part.document for part in parts], places)
        facts = replace(tender.tender_risk, structure_changes=changes, changes_counted=True)
        return replace(tender, tender_risk=facts)

    def _parts(self, indexes: Sequence[int]) -> list[ReadRelease]:
        """What is read of some of several releases. Raises DataError with all that is wrong in any of them."""
        if missing := [index for index in indexes if index not in self._read]:
            fields, where = [self._fields[index] for index in missing], [self.where[index] for index in missing]
            self._read.update(zip(missing, read_parts(fields, where), strict=True))
        return [self._read[index] for index in indexes]

    def _known(self, moment: Stage | date) -> Sequence[int]:
        known = [i for i, release in enumerate(self.releases) if _known_at(release, moment)]
        if moment == "draft":
            opened = next((i for i in known if _opens(self.releases[i])), None)
            known = [i for i in known if opened is None or i <= opened]
        return known or (0,)


def to_json(tender: Tender) -> dict[str, Any]:
    """A tender as JSON. What is unknown is absent: None would stand in the way of what is set."""
    document: dict[str, Any] = _without_nones(msgspec.to_builtins(tender))
    return document


def _without_nones(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nones(inner) for key, inner in value.items() if inner is not None}
    return [_without_nones(inner) for inner in value] if isinstance(value, list | tuple) else value


def published_on(tender: Tender, first: str = "") -> date | None:
    """The first day on which a tender can have been published: as it states, else the date of the `first` of its
    releases, else its own date, else reckoned back from its award or start. None without any date.

    Track records are read as they stood on that day. So a partial date means its first day: nothing later than the
    tender can be known by then.
    """
    period = tender.tender.tender_period
    known = tender.tender.date_published or (period and period.start_date) or first or tender.date
    if known:
        return dates.earliest(known)
    for lag, texts in (
        (AWARD_LAG, [award.date for award in tender.awards]),
        (START_LAG, [contract.period and contract.period.start_date for contract in tender.contracts]),
    ):
        if days := [dates.earliest(text) for text in texts if text]:
            return min(days) - lag
    return None


def publication_days(tenders: Sequence[Tender]) -> list[date | None]:
    """`published_on` of many tenders, in a small part of the time: nearly all of them state it."""
    sections = [tender.tender for tender in tenders]
    stated = [
        section.date_published or ((period := section.tender_period) and period.start_date) or tender.date
        for section, tender in zip(sections, tenders, strict=True)
    ]
    days = dates.first_days(stated)
    return [day or published_on(tender) for day, tender in zip(days, tenders, strict=True)] if None in days else days


def _merge(releases: Sequence[Mapping[str, Any]]) -> Any:
    """The releases, in their order, as one compiled release."""
    compiled = CompiledRelease(merge_rules=MERGE_RULES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DuplicateIdValueWarning)
        for release in releases:
            compiled.append(release)
    return compiled.asdict()


def _in_releases(note: Problem, parts: Sequence[ReadRelease], places: Sequence[str]) -> Problem:
    """What is said of merged releases, said of the last of them that states it."""
    path = note.path.removeprefix(places[-1])
    for part, place in zip(reversed(parts), reversed(places), strict=True):
        if value_at(part.document, path) is not None:
            return replace(note, path=place + path)
    return note


def _first_notice(parts: Sequence[ReadRelease]) -> str | None:
    """The date of the first release that opens the procedure, unless a start of the tender period is stated."""
    if any(start_is_left_out(part.notes) for part in parts):
        return None
    opened = (day_of_notice(part.tender.tag, part.tender.date) for part in parts)
    return next(filter(None, opened), None)


def _with_bids_of(tender: Tender, later: Tender) -> Tender:
    counted, bids = tender.tender.number_of_tenderers, tender.bids
    # The award may show that a 0 was no count.
    if not counted:
        counted = later.tender.number_of_tenderers
    if bids is None or any(not statistic.value for statistic in bids.statistics):
        bids = later.bids
    return replace(tender, bids=bids, tender=replace(tender.tender, number_of_tenderers=counted))


def _tags(release: Release) -> frozenset[str]:
    return frozenset(release.get("tag") or ())


def _opens(release: Release) -> bool:
    """Whether the release is the notice that opens the procedure."""
    tags = _tags(release)
    return "tender" in tags or (not tags and release.get("tender") is not None)


def _known_at(release: Release, moment: Stage | date) -> bool:
    tags = _tags(release)
    if isinstance(moment, date):
        written = str(release.get("date") or "")
        if not written.strip() or not is_credible(written) or not tags.isdisjoint(CLOSING_TAGS):
            return False
        return dates.latest(written) <= moment
    if moment == "awarded":
        return tags.isdisjoint(AFTER_SIGNATURE_TAGS)
    return tags.isdisjoint(AFTER_SIGNATURE_TAGS | AWARD_TAGS | CONTRACT_TAGS)
