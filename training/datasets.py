"""Datasets to fit on: one row a case at a stage, with its features as known then, its outcome and its groups.

The casebook: cases with their weight, what they share with others, and the track records of their day.

A register: cases with what the register's own history said on their day, from a replay of the whole history. Where a
register is a snapshot, in which nothing had ended when the rest was published, time cannot order its cases. Then each
row reads the history of other buyers' cases (cross-fitting).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue, trained_at
from features.categorical import Categorical
from features.matrix import Matrix, TableFeatures, is_known_at
from features.own_features import own_features, texts_of
from features.table import TenderTable, TrackRecords
from features.table_builder import of_tenders
from features.track_records import delays
from features.track_records import register_history as histories
from features.track_records.attributes import amount, hash_attributes, hashed
from features.track_records.case_records import NO_RECORDS, CaseHistory
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import HistoryCases, HistoryReading, RegisterHistory
from features.track_records.resolutions import picked, resolved_cases
from models.bundle import TrainingSource
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.facts import STAGES, Stage
from tenders.held_cases import without_tenders
from tenders.history import UNDATED, LabelledTender, Register
from tenders.own_columns import PREFIX, OwnColumn, filling_tells, telling_words
from tenders.registers.columns import gc_paused
from tenders.tender import bidders
from training.recipe import Recipe
from training.splits import group_numbers, grouped_folds, linked_groups

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

STAGES_OF: Mapping[str, tuple[Stage, ...]] = {
    "no_award": ("draft", "bids_in"),
    "early_end": ("draft", "bids_in", "awarded"),
    "single_bid": ("draft",),
}
"""The outcomes that the casebook trains, and the stages at which each is still open."""
SAMPLE = 4000
"""Rows that show which features a register can tell at all."""
FOLDS = 5
"""Folds of buyers in a snapshot."""
YEAR = 365.25
MONTH, SCARCE = 30, 1000
"""A register was still kept at the end of a MONTH (days) with more than one in SCARCE of its outcomes, two at least."""
OF_SOME_TIME = ("_month", "_quarter", "_year")
"""How the names of rates end that count what is recent."""
MOST_PASSES, OUTCOMES = 6, 50_000
"""The text models pass over each outcome until they have taken OUTCOMES steps, at most MOST_PASSES times."""


class Casebook(msgspec.Struct, frozen=True, kw_only=True):
    """All dated cases of the casebook, with their features by stage and the log of their outcomes.

    `tables[stage]` are the cases as of a stage, each with the track records of its day. `x[stage]` has shape (cases,
    features known at the stage). `group` numbers the cases that may share their fate in
    any way, `cluster` those of one programme and buyer, `decision` those that ended by one decision.
    """

    cases: tuple[CasebookCase, ...]
    features: dict[Stage, tuple[str, ...]]
    tables: dict[Stage, TenderTable]
    x: dict[Stage, Matrix]
    picked: Flags
    group: Numbers
    cluster: Numbers
    decision: Numbers
    case_history: CaseHistory
    source: TrainingSource

    def labels(self, outcome: str) -> Floats:
        """1, 0 or NaN (censored or ambiguous) for every case, shape (cases,)."""
        return np.array([_number(getattr(case, outcome)) for case in self.cases])


class CasebookDataset(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of the casebook for one outcome at one stage.

    `x` has shape (rows, names); `y` is NaN where the outcome is not known. `weight` counts in the fit, `case_weight`,
    the share of a row in its decision, in metrics. `programme` numbers the programmes; picked cases stand alone.
    """

    outcome: str
    stage: Stage
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    picked: Flags
    weight: Floats
    case_weight: Floats
    group: Numbers
    cluster: Numbers
    programme: Numbers

    def take(self, rows: NDArray[np.int64] | Flags) -> CasebookDataset:
        """The dataset of some rows."""
        columns = ("x", "y", "picked", "weight", "case_weight", "group", "cluster", "programme")
        return msgspec.structs.replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def labelled(self) -> Flags:
        """Rows with a known outcome."""
        return ~np.isnan(self.y)

    @property
    def cohort(self) -> Numbers:
        """Numbers of the labelled rows that entered the casebook by a rule."""
        return np.flatnonzero(self.labelled & ~self.picked)


def load_casebook(cases: Sequence[CasebookCase] | None = None) -> Casebook:
    """The casebook, each case with the track records of its day. Cases without a date are left out: they have none."""
    processes = [(c, c.process()) for c in (casebook.cases() if cases is None else cases)]
    dated = [(c, process, day) for c, process in processes if (day := process.published_on())]
    chosen = [c for c, _, _ in dated]
    days = [day for _, _, day in dated]
    known = {stage: TableFeatures.of(stage) for stage in STAGES}
    history = CaseHistory.of(resolved_cases(case.labelled(row) for row, case in enumerate(chosen)))
    records = TrackRecords(cases=Categorical.of(days).map(history.as_of))
    tables = {
        stage: of_tenders([p.as_of(stage) for _, p, _ in dated], stage, days, records=records) for stage in STAGES
    }
    return Casebook(
        cases=tuple(chosen),
        tables=tables,
        features={stage: known[stage].names for stage in STAGES},
        x={stage: known[stage].matrix(tables[stage]) for stage in STAGES},
        picked=np.array([c.picked for c in chosen]),
        group=linked_groups([[_programme(c), f"buyer:{c.buyer}"] for c in chosen]),
        cluster=group_numbers([(_programme(c), c.buyer) for c in chosen]),
        decision=group_numbers([_decision(c) for c in chosen]),
        case_history=history,
        source=casebook_source(chosen, days),
    )


def casebook_source(cases: Sequence[CasebookCase], days: Sequence[date]) -> TrainingSource:
    """The fingerprint of the casebook's three files, its rows and dates."""
    files = (casebook.CASES, casebook.CHANGES, casebook.SECTORS)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return TrainingSource(
        name=casebook.NAME, sha256=digest, rows=len(cases), first=min(days).isoformat(), last=max(days).isoformat()
    )


def casebook_dataset(book: Casebook, outcome: str, stage: Stage, recipe: Recipe) -> CasebookDataset:
    """The eligible features of a stage with the labels of an outcome."""
    columns = eligible_columns(book.x[stage], book.features[stage], recipe)
    return CasebookDataset(
        outcome=outcome,
        stage=stage,
        names=tuple(book.features[stage][column] for column in columns),
        x=book.x[stage][:, columns],
        y=book.labels(outcome),
        picked=book.picked,
        weight=np.asarray(np.bincount(book.cluster)[book.cluster] ** -recipe.sharing, dtype=np.float64),
        case_weight=1 / np.bincount(book.decision)[book.decision],
        group=book.group,
        cluster=book.cluster,
        programme=group_numbers([_programme(case) for case in book.cases]),
    )


def eligible_columns(x: Matrix, names: Sequence[str], recipe: Recipe) -> list[int]:
    """Columns with a direction in the catalogue and enough known values that differ. Blind to the outcome.

    A few hundred cases cannot tell a direction from noise, so features without one stay out.
    """
    known_features = catalogue()
    columns = []
    for column, name in enumerate(names):
        if not known_features[name].direction:
            continue
        known = x[:, column][~np.isnan(x[:, column])]
        commonest = np.unique(known, return_counts=True)[1].max(initial=0)
        if len(known) >= recipe.known_cases and len(known) - commonest >= recipe.other_cases:
            columns.append(column)
    return columns


def _programme(case: CasebookCase) -> str:
    return f"case:{case.case_id}" if case.picked else f"cohort:{case.cohort}"


def _decision(case: CasebookCase) -> tuple[str, ...]:
    """Failures of one programme and buyer on one day are one decision; survivors survive one by one."""
    if case.picked or case.fail != "1":
        return (case.case_id,)
    return (case.cohort, case.buyer, case.outcome_date)


class RegisterDataset(msgspec.Struct, frozen=True, kw_only=True):
    """All cases of one register for one outcome at one stage.

    `x` has shape (rows, names); `y` is NaN for censored rows; `key` identifies the case; `published` and `known` are
    days as ordinals. Rows of one `cluster` ended by one decision, rows of one `buyer` share it. `level` is the
    register's rate of the year before in log-odds, `drift` the distance of the last quarter's rate from it. `gaps` are
    the source's; `subgroups` name the kinds of case that metrics are given for. `history` is the register's
    history at its end. `left_out` says which declared columns no model may read, and why.
    """

    register: str
    outcome: str
    stage: Stage
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    key: NDArray[np.uint64]
    published: Numbers
    known: Numbers
    cluster: Numbers
    buyer: Numbers
    level: Floats
    drift: Floats
    snapshot: bool
    gaps: tuple[str, ...]
    subgroups: Mapping[str, NDArray[np.str_]]
    history: RegisterHistory
    left_out: tuple[str, ...] = ()

    @property
    def labelled(self) -> Flags:
        """Rows with a known outcome."""
        return ~np.isnan(self.y)


@gc_paused()
def register_dataset(
    register: Register,
    cases: Sequence[LabelledTender],
    outcome: str,
    stage: Stage,
    columns: Mapping[str, OwnColumn] | None = None,
) -> RegisterDataset:
    """The dataset of a register. The cases need no order; rows keep theirs. `columns` are declared to be features."""
    columns = columns or {}
    buyer, cluster = buyer_numbers(cases), group_numbers([case.cluster_id for case in without_tenders(cases)])
    replayed = replay_cases(cases, outcome, register.called_off, texts_of(columns))
    if register.snapshot:
        replayed = msgspec.structs.replace(replayed, weight=np.bincount(cluster)[cluster] ** -0.5)
    history = empty_history(replayed)
    reading = cross_fit_history(history, replayed, buyer) if register.snapshot else histories.replay(history, replayed)
    known = {**catalogue(), **own_features(columns)}
    own = [feature for name, feature in known.items() if name not in catalogue() and feature.reads == "tender"]
    sample = [cases[row].as_of(stage) for row in range(0, len(cases), max(1, len(cases) // SAMPLE))]
    stated = TableFeatures.of(stage, [*trained_at(stage), *own]).that_differ(of_tenders(sample, stage))
    recorded = register_features(reading)
    if register.snapshot:
        # All is of one day: the rates of weeks, months and a year are those of ever, and only add noise.
        recorded = {name: column for name, column in recorded.items() if not name.endswith(OF_SOME_TIME)}
        level, drift = register_level(reading)
    else:
        level, drift = delays.levels(*clocks(replayed), replayed.published)
        history.level = delays.level_as_of(*clocks(replayed), history.day + 1)
    # The counts under all keys are the largest thing here, and all is read of them.
    del reading
    # A declared text may be of a later stage.
    recorded = {name: column for name, column in recorded.items() if is_known_at(known[name], stage)}
    features = TableFeatures.of(stage, [*stated.features, *(known[name] for name in recorded)])
    records = TrackRecords(cases=Categorical.single(NO_RECORDS, len(cases)), register=recorded)
    x = features.matrix(features.table((case.as_of(stage) for case in cases), records=records))
    x, names, left_out = without_telling(x, features.names, columns, outcome, replayed.y)
    return RegisterDataset(
        register=register.name,
        outcome=outcome,
        stage=stage,
        names=names,
        x=x,
        y=replayed.y,
        key=case_keys(cases),
        published=replayed.published,
        known=replayed.known,
        cluster=cluster,
        buyer=buyer,
        level=level,
        drift=np.zeros(len(cases)) if register.snapshot else drift,
        snapshot=register.snapshot,
        gaps=register.gaps_tell,
        subgroups=subgroups(cases, buyer),
        history=history,
        left_out=left_out,
    )


def without_telling(
    x: Matrix, names: Sequence[str], columns: Mapping[str, OwnColumn], outcome: str, y: Floats
) -> tuple[Matrix, tuple[str, ...], tuple[str, ...]]:
    """A matrix and the names of its columns without declared ones whose filling tells the outcome, and what is said of
    these."""
    kept, left_out = [], []
    for place, name in enumerate(names):
        own = columns.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        shares = filling_tells(~np.isnan(x[:, place]), y) if own else None
        if own and shares:
            left_out.append(telling_words(name.removeprefix(PREFIX), own, outcome, shares))
        else:
            kept.append(place)
    return (x[:, kept] if left_out else x), tuple(names[place] for place in kept), tuple(left_out)


def case_keys(cases: Iterable[LabelledTender]) -> NDArray[np.uint64]:
    """What identifies each case in every run, shape (cases,)."""
    return np.array([hashed(f"{case.tender.ocid}|{case.lot}|{case.row}") for case in cases], dtype=np.uint64)


def clocks(cases: HistoryCases) -> tuple[Numbers, Numbers, Floats, Floats]:
    """When cases were published and known, how they ended, and what each counts."""
    return cases.published, cases.known, cases.y, cases.weight


def replay_cases(
    cases: Sequence[LabelledTender], outcome: str, called_off: tuple[str, ...] = (), own_texts: Sequence[str] = ()
) -> HistoryCases:
    """What the replay of a register reads: every case with its days, its outcome and what else its end showed.

    That is the days until it was known, and for no_award whether the kind of ending begins like one of `called_off`,
    else the logarithm of the number of bidders (0 if not known).
    """
    published, known, y = outcome_days(cases, outcome)
    lag = np.where(np.isnan(y), 0, np.clip(known - published, 0, 200))
    if outcome == "no_award":
        other = [float(case.kind.lower().startswith(called_off)) for case in without_tenders(cases)]
    else:
        other = [_log_bidders(case) for case in cases]
    return HistoryCases(
        attributes=hash_attributes((case.tender for case in cases), own_texts),
        published=published,
        known=known,
        y=y,
        others=np.vstack([lag, other]).astype(np.float64),
        weight=np.ones(len(cases)),
    )


def outcome_days(cases: Sequence[LabelledTender], outcome: str) -> tuple[Numbers, Numbers, Floats]:
    """When cases were published and their outcome was known, as ordinals, and whether they had it (NaN for censored),
    shapes (cases,)."""
    cases = without_tenders(cases)
    y = np.array([_number(case.outcomes.get(outcome) if case.known_on else None) for case in cases])
    published = np.array([case.published.toordinal() for case in cases], dtype=np.int64)
    known = np.array([case.known_on.toordinal() if case.known_on else 0 for case in cases], dtype=np.int64)
    return published, credible_days(known, published), y


def early_end_horizon(cases: Iterable[LabelledTender], until: date | None = None) -> str:
    """What an early end means in time, in sentences: before the planned end, and how long contracts were followed.

    They were followed to the day that their end was known, or `until` a day where the source tells all ends as they
    stood then. Empty where no case with its days tells it. Picked cases do not count.
    """
    years = [
        ((until or case.known_on) - case.published).days / YEAR
        for case in cases
        if case.published > UNDATED
        and case.known_on
        and case.outcomes.get("early_end") is not None
        and not picked(case)
    ]
    if not years:
        return ""
    shortest, middle, longest = np.quantile(years, [0.1, 0.5, 0.9])
    return (
        "An early end is one before the planned end. Half of the contracts behind this were followed for "
        f"{middle:.0f} years or more after the call, nine of ten for {shortest:.0f} or more, one of ten for "
        f"{longest:.0f} or more."
    )


def credible_days(known: Numbers, published: Numbers) -> Numbers:
    """Days (ordinals, 0 for none) on which outcomes became known, none of them after the register was copied.

    Registers have days that lie decades ahead. What the copy says was known by the day of copying: the last
    publication, or the last day that ends a month with outcomes enough. No row can read an outcome earlier for it.
    """
    days = np.sort(known[known > 0])
    others = 1 + len(days) // SCARCE
    ends = days[others:][days[others:] - days[:-others] < MONTH]
    # Of a handful of outcomes no month has enough: then nothing shows when the register was copied.
    return np.minimum(known, max(ends.max(), published.max())) if len(ends) else known


def empty_history(cases: HistoryCases) -> RegisterHistory:
    """A register history before any case, sized for these."""
    labelled = max(1, int((~np.isnan(cases.y)).sum()))
    return RegisterHistory.empty(cases, int(np.clip(OUTCOMES // labelled, 1, MOST_PASSES)))


def cross_fit_history(history: RegisterHistory, cases: HistoryCases, group: Numbers) -> HistoryReading:
    """Every row reads what the rows of other groups showed, as if all were of one day. In the end `history` has all."""
    reading = histories.start_reading(history, on_one_day(cases))
    ordered = histories.learning_order(reading.cases)
    day = int(reading.cases.published[0]) + 1
    for train, test in grouped_folds(group, FOLDS, 0):
        other = empty_history(reading.cases)
        _add_cases(other, reading, train, ordered[np.isin(ordered, train)])
        histories.read_as_of(other, reading, test, day)
    _add_cases(history, reading, np.arange(len(cases.y)), ordered)
    history.timeless = True
    return reading


def on_one_day(cases: HistoryCases) -> HistoryCases:
    """The same cases as if published and ended on one day: the middle one, where the history begins to count."""
    middle = np.full(len(cases.y), int(np.median(cases.published)))
    return msgspec.structs.replace(cases, published=middle, known=middle)


def _add_cases(history: RegisterHistory, reading: HistoryReading, published: Numbers, labelled: Numbers) -> None:
    histories.add_publications(history, reading, published)
    histories.add_outcomes(history, reading, labelled)
    histories.update_text_models(history, reading, labelled)


def buyer_numbers(cases: Sequence[LabelledTender]) -> Numbers:
    """A number for each buyer; a case without one has its own."""
    keys = [(c.tender.buyer and (c.tender.buyer.id or c.tender.buyer.name)) or f"row {c.row}" for c in cases]
    names = list(map(str, keys))
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _number(value: bool | None) -> float:
    return np.nan if value is None else float(value)


def _log_bidders(case: LabelledTender) -> float:
    count = bidders(case.tender)
    return float(np.log(count)) if count else 0.0


def subgroups(cases: Sequence[LabelledTender], buyer: Numbers) -> dict[str, NDArray[np.str_]]:
    """Year, category, value band, size of the buyer and kind of ending of each case, each of shape (rows,).

    `buyer` numbers the buyers, shape (rows,).
    """
    size = np.bincount(buyer)[buyer]
    small, large = np.quantile(size, [1 / 3, 2 / 3]) if len(cases) else (0, 0)
    stated = [(amount(case.tender), case.tender.tender.main_procurement_category) for case in cases]
    value = np.array([worth or np.nan for worth, _ in stated], dtype=np.float64)
    cases = without_tenders(cases)
    thirds = np.nanquantile(value, [1 / 3, 2 / 3]) if (~np.isnan(value)).any() else (0.0, 0.0)
    return {
        "year": np.array([str(case.published.year) for case in cases]),
        "category": np.array([kind or "unknown" for _, kind in stated]),
        "value": _thirds(value, *thirds),
        "buyer": _thirds(size.astype(np.float64), small, large),
        "ending": np.array([case.kind for case in cases]),
    }


def _thirds(value: Floats, low: float, high: float) -> NDArray[np.str_]:
    words = np.where(value <= low, "small", np.where(value <= high, "middle", "large"))
    return np.where(np.isnan(value), "unknown", words)
