"""A register as a table: one row a case at a stage, read from the replay of its whole history, with its outcome.

The numbers of a row are the catalogue's features of the tender as of the stage, and what the register's records said on
its day. Where a register is a snapshot, in which nothing had ended when the rest was published, time tells nothing:
then each row reads what cases of other buyers showed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import Feature, known_at
from features.matrix import Matrix, measured
from features.track_records import attributes
from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.case_records import NO_RECORDS
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import HistoryCases, HistoryReading, RegisterHistory
from tenders.facts import Stage
from tenders.history import LabelledTender, Register
from tenders.registers.columns import gc_paused
from tenders.tender import Tender, bidders
from training.splits import grouped_folds, numbered

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

CALLED_OFF = ("cancel", "anulad", "desistimiento", "renuncia", "withdrawn", "terminated")
"""How kinds of ending begin that were the buyer's own decision, in the registers' languages."""
SAMPLE = 4000
"""Rows on which it is seen which features a register can tell at all."""
FOLDS = 5
MONTH, SCARCE = 30, 1000
"""A register was still kept at the end of a MONTH (days) with more than one in SCARCE of its outcomes, two at least."""
MOST_PASSES, OUTCOMES = 6, 50_000
"""The language models go over each outcome so often that they take OUTCOMES steps, at most MOST_PASSES times."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """All cases of one register for one outcome at one stage.

    `x` has shape (rows, names); `y` is NaN for censored rows; `key` names the case; `published` and `known` are days as
    ordinals; rows of one `fate` ended by one decision, rows of one `buyer` share it. `level` is the register's rate of
    the year before in log-odds, `drift` how far that of the quarter before stood from it. `gaps` are the source's;
    `groups` name what kind of case each row is, for figures by group. `state` has learnt everything.
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
    fate: Numbers
    buyer: Numbers
    level: Floats
    drift: Floats
    snapshot: bool
    gaps: tuple[str, ...]
    groups: Mapping[str, NDArray[np.str_]]
    state: RegisterHistory

    @property
    def told(self) -> NDArray[np.bool_]:
        """Rows whose outcome is known."""
        return ~np.isnan(self.y)


@gc_paused()
def frame(source: Register, past: Sequence[LabelledTender], outcome: str, stage: Stage) -> Frame:
    """The table of a register. `past` needs no order; rows keep theirs."""
    cases, buyer = cases_of(past, outcome), buyers(past)
    fate = numbered([case.cluster_id for case in past])
    if source.snapshot:
        cases = msgspec.structs.replace(cases, weight=np.bincount(fate)[fate] ** -0.5)
    state = fresh(cases)
    read = crossed(state, cases, buyer) if source.snapshot else histories.replay(state, cases)
    tenders = [case.as_of(stage) for case in past]
    stated = told_by([tenders[i] for i in range(0, len(tenders), max(1, len(tenders) // SAMPLE))], stage)
    found = register_features(read)
    level, drift = register_level(read)
    plain = measured(stated, tenders, [NO_RECORDS] * len(tenders), stage).astype(np.float32)
    x = np.concatenate([plain, *(column[:, None] for column in found.values())], axis=1, dtype=np.float32)
    return Frame(
        register=source.name,
        outcome=outcome,
        stage=stage,
        names=(*(each.name for each in stated), *found),
        x=x,
        y=cases.y,
        key=np.array(
            [attributes.hashed(f"{case.tender.ocid}|{case.lot}|{case.row}") for case in past], dtype=np.uint64
        ),
        published=cases.published,
        known=cases.known,
        fate=fate,
        buyer=buyer,
        level=level,
        drift=np.zeros(len(past)) if source.snapshot else drift,
        snapshot=source.snapshot,
        gaps=source.gaps_tell,
        groups=groups(past, buyer),
        state=state,
    )


def cases_of(past: Sequence[LabelledTender], outcome: str) -> HistoryCases:
    """What the replay walks: every case with its days, its outcome and what else its end showed."""
    y = np.array([_number(case.outcomes.get(outcome) if case.known_on else None) for case in past])
    published = np.array([case.published.toordinal() for case in past], dtype=np.int64)
    known = credible(
        np.array([case.known_on.toordinal() if case.known_on else 0 for case in past], dtype=np.int64), published
    )
    lag = np.where(np.isnan(y), 0, np.clip(known - published, 0, 200))
    other = [_other(case, outcome) for case in past]
    return HistoryCases(
        attributes=hash_attributes(case.tender for case in past),
        published=published,
        known=known,
        y=y,
        others=np.vstack([lag, other]).astype(np.float64),
        weight=np.ones(len(past)),
    )


def credible(known: Numbers, published: Numbers) -> Numbers:
    """Days (ordinals, 0 for none) on which outcomes became known, none after the register was copied.

    Registers have days of decades to come. What the copy tells was known by its own day: the last publication, or the
    last day that ends a month with outcomes enough. No row can read an outcome the sooner for it.
    """
    days = np.sort(known[known > 0])
    others = 1 + len(days) // SCARCE
    ends = days[others:][days[others:] - days[:-others] < MONTH]
    # Of a handful of outcomes no month has enough: then nothing shows when the register was copied.
    return np.minimum(known, max(ends.max(), published.max())) if len(ends) else known


def told_by(tenders: Sequence[Tender], stage: Stage) -> list[Feature]:
    """The catalogue's own features that differ between these tenders."""
    plain = known_at(stage)
    values = measured(plain, tenders, [NO_RECORDS] * len(tenders), stage).T
    return [each for each, column in zip(plain, values, strict=True) if len(np.unique(column)) > 1]


def fresh(cases: HistoryCases) -> RegisterHistory:
    """A state that knows nothing yet, for a history of this size."""
    told = max(1, int((~np.isnan(cases.y)).sum()))
    return RegisterHistory.empty(cases, int(np.clip(OUTCOMES // told, 1, MOST_PASSES)))


def crossed(state: RegisterHistory, cases: HistoryCases, group: Numbers) -> HistoryReading:
    """Every row reads what the rows of other groups showed, as if all of one day; in the end the state knows all."""
    read = histories.start_reading(state, timeless(cases))
    learnt = histories.learning_order(read.cases)
    day = int(read.cases.published[0]) + 1
    for others, rows in grouped_folds(group, FOLDS, 0):
        other = fresh(read.cases)
        _learn(other, read, others, learnt[np.isin(learnt, others)])
        histories.read_as_of(other, read, rows, day)
    _learn(state, read, np.arange(len(cases.y)), learnt)
    state.timeless = True
    return read


def timeless(cases: HistoryCases) -> HistoryCases:
    """The same cases as if published and ended on one day: the middle one, where the state begins to count."""
    middle = np.full(len(cases.y), int(np.median(cases.published)))
    return msgspec.structs.replace(cases, published=middle, known=middle)


def _learn(state: RegisterHistory, read: HistoryReading, published: Numbers, told: Numbers) -> None:
    histories.add_publications(state, read, published)
    histories.add_outcomes(state, read, told)
    histories.update_text_models(state, read, told)


def buyers(past: Sequence[LabelledTender]) -> Numbers:
    """A number a buyer; a case without one stands alone."""
    keys = [(c.tender.buyer and (c.tender.buyer.id or c.tender.buyer.name)) or f"row {c.row}" for c in past]
    names = list(map(str, keys))
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _number(value: bool | None) -> float:
    return np.nan if value is None else float(value)


def _other(case: LabelledTender, outcome: str) -> float:
    """For no_award whether the buyer called it off, for the rest the logarithm of the bidders; 0 if not told."""
    if outcome == "no_award":
        return float(case.kind.lower().startswith(CALLED_OFF))
    count = bidders(case.tender)
    return float(np.log(count)) if count else 0.0


def groups(past: Sequence[LabelledTender], buyer: Numbers) -> dict[str, NDArray[np.str_]]:
    """What figures are given by: year, category, value band, size of the buyer and kind of ending, each (rows,).

    `buyer` numbers the buyers, shape (rows,).
    """
    size = np.bincount(buyer)[buyer]
    small, large = np.quantile(size, [1 / 3, 2 / 3]) if len(past) else (0, 0)
    value = np.array([attributes.amount(case.tender) or np.nan for case in past], dtype=np.float64)
    thirds = np.nanquantile(value, [1 / 3, 2 / 3]) if (~np.isnan(value)).any() else (0.0, 0.0)
    return {
        "year": np.array([str(case.published.year) for case in past]),
        "category": np.array([case.tender.tender.main_procurement_category or "unknown" for case in past]),
        "value": _thirds(value, *thirds),
        "buyer": _thirds(size.astype(np.float64), small, large),
        "ending": np.array([case.kind for case in past]),
    }


def _thirds(value: Floats, low: float, high: float) -> NDArray[np.str_]:
    words = np.where(value <= low, "small", np.where(value <= high, "middle", "large"))
    return np.where(np.isnan(value), "unknown", words)
