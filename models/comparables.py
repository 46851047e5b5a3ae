"""The casebook beside a tender: its nearest cases with known outcome, and the scores of the cases that a rule chose.

The distance is that of `models.case_matrix`, as of the same stage, and of the words of title and description
(`models.wording`), so that a draft that states nothing else finds its likes, too. Left out are cases too recent to
tell, and cases whose outcome is open to argument. Cohort and picked cases are both shown and say which they are: a
picked case is in the casebook because of how it ended, so the share of failures among comparables is no rate.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

import msgspec
import numpy as np

from features.table import TenderTable
from features.table_builder import of_tenders, one_row
from models import score as scoring
from models.bundle import Bundle
from models.case_matrix import CaseComparison, CaseMatrix, Likeness, case_matrix
from models.wording import WordIndex, word_index, words
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.facts import Stage
from tenders.process import Process
from tenders.stages import require_stage
from tenders.tender import Tender

NEAREST = 6
NOTE = (
    "These cases are examples. They do not show a rate: there are few of them, and some were chosen because of how "
    "they ended."
)


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A page where a case's facts are written."""

    title: str
    url: str


class Comparable(msgspec.Struct, frozen=True, kw_only=True):
    """One case beside a tender. `cohort` is `picked`, or the rule by which it entered the casebook.

    `recalled` says that its outcome, or the reason for it, was partly recalled by researchers and not read in a source.
    """

    case: str
    name: str
    buyer: str
    provider: str
    published: str
    failed: bool
    outcome: str
    outcome_date: str
    account: str
    cohort: str
    recalled: bool
    likeness: Likeness
    sources: tuple[Citation, ...]


class Comparables(msgspec.Struct, frozen=True, kw_only=True):
    """A tender's nearest cases at a stage, nearest first."""

    ocid: str | None
    stage: Stage
    cases: tuple[Comparable, ...]
    note: str = NOTE
    warnings: tuple[str, ...] = ()


class KnownCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case with known outcome: its tender as of a stage and whether it failed.

    Cases with the same `cluster_id` share one programme or buyer. `picked` cases were chosen by how they ended.
    """

    case: CasebookCase
    tender: Tender
    failed: bool
    cluster_id: str
    picked: bool


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """The failure probabilities of cohort cases that failed and of those that did not, lowest first."""

    stage: Stage
    failed: tuple[float, ...]
    held: tuple[float, ...]

    def below(self, failure: float) -> tuple[int, int]:
        """How many of the failed cases, and how many of the others, have a lower probability."""
        return bisect_left(self.failed, failure), bisect_left(self.held, failure)


def comparables(process: Process, stage: Stage | None = None, count: int = NEAREST) -> Comparables:
    """The `count` nearest cases of a process as of a stage (the latest known by default), without itself.

    Deterministic: ties go by case id. Raises DataError if the process cannot be read as a tender, and StageError if
    it has not reached the stage.
    """
    if stage:
        require_stage(process.has_reached, stage)
    at = stage or process.latest_stage()
    cases, comparison = known_cases(at), _compare(process, at)
    nearest = _nearest_rows(process, at, comparison)[:count]
    return Comparables(
        ocid=process.ocid,
        stage=at,
        cases=tuple(_comparable(cases[row], comparison.likeness(row)) for row in nearest),
    )


def nearest_cases(process: Process, stage: Stage) -> list[KnownCase]:
    """Every case with known outcome as of a stage, nearest first, without the case that the process is."""
    cases = known_cases(stage)
    return [cases[row] for row in _nearest_rows(process, stage, _compare(process, stage))]


@cache
def known_cases(stage: Stage) -> tuple[KnownCase, ...]:
    """Every case with known outcome, as of a stage, in the order of their ids."""
    known = []
    for row, case in enumerate(casebook.cases()):
        labelled = case.labelled(row)
        failed, tender = labelled.outcomes["failure"], labelled.as_of(stage)
        if failed is not None:
            known.append(
                KnownCase(case=case, tender=tender, failed=failed, cluster_id=labelled.cluster_id, picked=case.picked)
            )
    return tuple(sorted(known, key=lambda known: known.case.case_id))


@cache
def known_table(stage: Stage) -> TenderTable:
    """The tenders of `known_cases`, without track records."""
    return of_tenders([known.tender for known in known_cases(stage)], stage)


def peers(bundle: Bundle, stage: Stage) -> Peers:
    """Every cohort case with known outcome, scored as of a stage: some hundreds of scores.

    The level and the spread of the bundle's probabilities were fitted on these very cases, so a new tender may be
    placed less well among them.
    """
    cohort = [known for known in known_cases(stage) if not known.picked]
    scores = scoring.forecasts(
        [scoring.case(bundle, known.case.process(), stage, check_stage=False) for known in cohort]
    )
    ordered = sorted((score.failure, known.failed) for known, score in zip(cohort, scores, strict=True))
    return Peers(
        stage=stage,
        failed=tuple(failure for failure, failed in ordered if failed),
        held=tuple(failure for failure, failed in ordered if not failed),
    )


def citations(case: CasebookCase) -> Iterator[Citation]:
    """The case's sources that have a web address, with their titles where the casebook has one for each."""
    addresses = [address.strip() for address in case.sources.split(" | ") if address.strip()]
    titles = [title.strip() for title in case.source_titles.split(";")]
    for title, address in zip(titles if len(titles) == len(addresses) else addresses, addresses, strict=True):
        if address.startswith(("https://", "http://")):
            yield Citation(title=title, url=address)


def _compare(process: Process, stage: Stage) -> CaseComparison:
    tender = process.as_of(stage)
    text = " ".join(filter(None, (tender.tender.title, tender.description, tender.tender.description)))
    wording = _known_words().likeness(text) if any(words(text)) else None
    return CaseComparison(case_matrix(one_row(tender, stage)), _known_matrix(stage), wording)


def _nearest_rows(process: Process, stage: Stage, comparison: CaseComparison) -> list[int]:
    """The rows of `known_cases`, nearest first, without the case that the process is."""
    # Stable: of two at the same distance, the one whose id comes first.
    rows, cases, own = np.argsort(comparison.distances, kind="stable").tolist(), known_cases(stage), process.ocid
    return [row for row in rows if own is None or cases[row].tender.ocid != own]


@cache
def _known_matrix(stage: Stage) -> CaseMatrix:
    return case_matrix(known_table(stage))


@cache
def _known_words() -> WordIndex:
    """What was bought in each of `known_cases`, in words: the service and its sector say more of that than the name."""
    cases = (known.case for known in known_cases("draft"))
    return word_index([" ".join((case.name, *2 * (case.service, case.sector))) for case in cases])


def _comparable(known: KnownCase, likeness: Likeness) -> Comparable:
    case = known.case
    return Comparable(
        case=case.case_id,
        name=case.name,
        buyer=case.buyer,
        provider=case.provider,
        published=case.published,
        failed=known.failed,
        outcome=case.outcome,
        outcome_date=case.outcome_date,
        account=case.account,
        cohort=case.cohort,
        recalled=case.remembered == "yes",
        likeness=likeness,
        sources=tuple(citations(case)),
    )
