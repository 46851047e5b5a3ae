"""The data-quality report of a history: rows, cases, repeats, impossible dates, filled facts and rates by year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from tenders import dates
from tenders.history import UNDATED, HistoryFile, LabelledTender, Register
from tenders.money import stated
from tenders.own_columns import PLACE, filling_tells, telling_words
from tenders.tender import Tender

NAMED_PROBLEMS = 5
LONG_AFTER_DAYS = 3 * 365
FIRST_YEAR = 1990

Filled = Callable[[Tender], object]

FACTS: Mapping[str, Filled] = {
    "/buyer": lambda t: t.buyer,
    "/tender/title": lambda t: t.tender.title,
    "/tender/description": lambda t: t.tender.description,
    "/tender/value": lambda t: stated(t.tender.value) is not None,
    "/tender/lots": lambda t: t.tender.lots,
    "/tender/classification": lambda t: t.tender.classification or any(i.classification for i in t.tender.items),
    "/tender/mainProcurementCategory": lambda t: t.tender.main_procurement_category,
    "/tender/procurementMethod": lambda t: t.tender.procurement_method,
    "/tender/procuringEntity": lambda t: t.tender.procuring_entity,
    "/tender/datePublished": lambda t: t.tender.date_published,
    "/tender/tenderPeriod/endDate": lambda t: t.tender.tender_period and t.tender.tender_period.end_date,
    "/tender/contractPeriod": lambda t: t.tender.contract_period,
    "/tender/items/deliveryAddresses": lambda t: any(item.delivery_addresses for item in t.tender.items),
    "/tender/legalBasis": lambda t: t.tender.legal_basis,
    "/tender/participationFees": lambda t: t.tender.participation_fees,
    "/tenderRisk/callNumber": lambda t: t.tender_risk.call_number,
    "/tenderRisk/codes": lambda t: t.tender_risk.codes,
    "bids counted": lambda t: t.bids or t.tender.number_of_tenderers is not None,
    "/awards/value": lambda t: any(stated(award.value) is not None for award in t.awards),
    "/contracts/value": lambda t: any(stated(contract.value) is not None for contract in t.contracts),
}
"""The facts whose fill is reported, by OCDS path."""


class OutcomeRate(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome over some cases: how many state it, in how many it happened, how many are censored."""

    known: int
    happened: int
    censored: int

    @property
    def rate(self) -> float | None:
        """The share in which it happened, of the cases that state it; None without any."""
        return self.happened / self.known if self.known else None


class YearQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The cases published in one year: how many, the share in which each fact is filled, and each outcome."""

    cases: int
    fill: Mapping[str, float]
    outcomes: Mapping[str, OutcomeRate]


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a history holds, and what is doubtful in it.

    `rows` are the file's, `cases` those read of them; the difference is in `problems` (counts by kind, with
    `examples`), or rows that another of the same process replaces. `repeated` are cases with the id and lot of an
    earlier one. `years` go by publication; undated cases are under 0. `telling` names declared columns whose filling
    tells an outcome.
    """

    register: str
    rows: int
    cases: int
    undated: int
    repeated: int
    clusters: int
    first: str | None
    last: str | None
    kinds: Mapping[str, int]
    cohorts: Mapping[str, int]
    outcomes: Mapping[str, OutcomeRate]
    impossible: Mapping[str, int]
    problems: Mapping[str, int]
    examples: tuple[str, ...]
    fill: Mapping[str, float]
    years: Mapping[int, YearQuality]
    telling: tuple[str, ...] = ()


def quality_report(source: Register, path: Path) -> QualityReport:
    """The report on one file of a register. Raises as the source's reader does."""
    read = source.read(path)
    cases, names = read.cases, tuple(source.outcomes)
    dated = [case.published for case in cases if case.published != UNDATED]
    by_year: dict[int, list[LabelledTender]] = {}
    for case in cases:
        by_year.setdefault(0 if case.published == UNDATED else case.published.year, []).append(case)
    facts: dict[str, Filled] = {**FACTS, **{f"{PLACE}/{name}": partial(_own_cell, name) for name in read.columns}}
    counted = {year: _filled(some, facts) for year, some in sorted(by_year.items())}
    problems = Counter(problem.problem for problem in read.problems)
    return QualityReport(
        register=source.name,
        rows=read.rows,
        cases=len(cases),
        undated=len(cases) - len(dated),
        repeated=len(cases) - len({(case.tender.ocid or case.row, case.lot) for case in cases}),
        clusters=len({case.cluster_id for case in cases}),
        first=min(dated).isoformat() if dated else None,
        last=max(dated).isoformat() if dated else None,
        kinds=dict(Counter(case.kind for case in cases).most_common()),
        cohorts=dict(Counter(case.cohort for case in cases if case.cohort).most_common()),
        outcomes={name: _rate(cases, name) for name in names},
        impossible={name: count for name, count in _impossible(cases).items() if count},
        problems=dict(problems.most_common()),
        examples=tuple(str(problem) for problem in read.problems[:NAMED_PROBLEMS]),
        fill=_shares(sum(counted.values(), Counter[str]()), len(cases), facts),
        years={
            year: YearQuality(
                cases=len(by_year[year]),
                fill=_shares(counts, len(by_year[year]), facts),
                outcomes={name: _rate(by_year[year], name) for name in names},
            )
            for year, counts in counted.items()
        },
        telling=tuple(_telling(read)),
    )


def _own_cell(name: str, tender: Tender) -> bool:
    return name in tender.tender_risk.own


def _telling(read: HistoryFile) -> Iterator[str]:
    """Of the declared columns those whose filling tells an outcome, in words."""
    for name, column in read.columns.items():
        filled = np.array([_own_cell(name, case.tender) for case in read.cases], dtype=bool)
        for outcome in dict.fromkeys(outcome for case in read.cases for outcome in case.outcomes):
            ends = [case.outcomes.get(outcome) for case in read.cases]
            y = np.array([np.nan if end is None else float(end) for end in ends])
            if shares := filling_tells(filled, y):
                yield telling_words(name, column, outcome, shares)


def _filled(cases: Iterable[LabelledTender], facts: Mapping[str, Filled]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for case in cases:
        tender = case.tender
        counts.update(name for name, filled in facts.items() if filled(tender))
    return counts


def _shares(counts: Mapping[str, int], cases: int, facts: Mapping[str, Filled]) -> dict[str, float]:
    return {name: round(counts[name] / cases, 4) for name in facts if cases and counts.get(name)}


def _rate(cases: Iterable[LabelledTender], outcome: str) -> OutcomeRate:
    counted = Counter(case.outcomes.get(outcome) for case in cases)
    return OutcomeRate(known=counted[True] + counted[False], happened=counted[True], censored=counted[None])


def _impossible(cases: Iterable[LabelledTender]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for case in cases:
        known, published = case.known_on, case.published
        if published == UNDATED:
            continue
        counts["known before it was published"] += known is not None and known < published
        # A contract may run for decades before its end is known; an award may not.
        late = known is not None and (known - published).days > LONG_AFTER_DAYS and "early_end" not in case.outcomes
        counts["known over three years after publication"] += late
        counts[f"published before {FIRST_YEAR}"] += published.year < FIRST_YEAR
        period = case.tender.tender.tender_period
        if period and period.end_date:
            days = (dates.latest(period.end_date) - published).days
            counts["bids due before it was published"] += days < 0
            counts["bids due over three years after publication"] += days > LONG_AFTER_DAYS
    return counts
