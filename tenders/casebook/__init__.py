"""The casebook: researched UK tenders and contracts with known outcomes and their sources.

`cases.csv` has the facts of 491 cases, `changes.csv` their structure changes, and `sectors.csv` a CPV code for each
sector; README.md says what the columns mean. `picked` cases entered because something is known about them, and their
share of failures follows from that; the others entered by a rule (a *cohort*). The two are never mixed blindly.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from tenders import dates
from tenders.columns import DAYS_A_YEAR
from tenders.history import UNDATED, LabelledTender
from tenders.process import Process

NAME = "casebook_uk"
"""The name of the casebook among the registers."""
HOME = Path(__file__).parent
CASES, CHANGES, SECTORS = HOME / "cases.csv", HOME / "changes.csv", HOME / "sectors.csv"
PICKED = "picked"

NO_AWARD = "abandoned procurement"
EARLY_END = frozenset({"collapsed", "terminated early", "not renewed after failure"})

Flag = Literal["yes", "no", ""]


class CasebookCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case: a row of `cases.csv`, every value as text, blank for unknown. README.md says what each is.

    `service_group` is one of some fifteen kinds of service, put by hand; the researchers' tables have none.
    """

    case_id: str
    name: str
    buyer: str
    provider: str
    sector: str
    service: str
    published: str
    bid_deadline: str
    award_date: str
    start_date: str
    end_planned: str
    end_actual: str
    value_gbp: str
    value_basis: str
    term_years: str
    single_block: Flag
    lots: str
    bidders_final: str
    bidders_interest: str
    route: Literal["competition", "direct", ""]
    vehicle: str
    advisers: str
    outcome_based_payment: Flag
    service_lines: str
    staff_transfer: Flag
    incumbents: str
    incumbent_kind: str
    market_engagement: Flag
    legal_challenge: Flag
    vat_unresolved: Flag
    regulatory_hold: Flag
    hold_stage: str
    vat_stage: str
    outcome: str
    outcome_date: str
    account: str
    loss_gbp: str
    sources: str
    source_titles: str
    confidence: str
    evidence: str
    remembered: str
    fail: Literal["1", "0", ""]
    censored: Literal["yes", ""]
    cohort: str
    outcome_checked: Literal["yes", "no", ""]
    service_group: str = ""

    @property
    def picked(self) -> bool:
        """Whether the case entered because something is known about it."""
        return self.cohort == PICKED

    @property
    def no_award(self) -> bool | None:
        """Whether no contract came of it. A known award decides that, also for a contract that is still running."""
        return None if not self.fail else self.outcome == NO_AWARD

    @property
    def early_end(self) -> bool | None:
        """Whether the contract ended early because it did not work; None without contract, or if too recent to tell."""
        if not self.fail or self.no_award or self.censored:
            return None
        return self.outcome in EARLY_END

    @property
    def single_bid(self) -> bool | None:
        """Whether a competition drew one bidder; None where the count is not known or nobody competed by design."""
        if not self.bidders_final or self.route == "direct":
            return None
        return self.bidders_final == "1"

    @property
    def failure(self) -> bool | None:
        """Whether it failed; None where either answer could be defended, or if too recent to tell."""
        return None if not self.fail or (self.censored and self.fail == "0") else self.fail == "1"

    def labelled(self, row: int) -> LabelledTender:
        """The case as a labelled tender. Raises DataError or ValueError if a cell cannot be what it should be."""
        process = self.process()
        return LabelledTender(
            tender=process.compiled(),
            published=process.published_on() or UNDATED,
            known_on=dates.latest(self.outcome_date) if self.outcome_date else None,
            outcomes={name: getattr(self, name) for name in ("no_award", "early_end", "single_bid", "failure")},
            kind=self.outcome or "not told",
            cluster_id=self.case_id if self.picked else f"{self.cohort}|{self.buyer}",
            row=row,
            cohort=self.cohort,
        )

    def process(self) -> Process:
        """The case as a process, whose `as_of` gives it at any stage. It holds no outcome."""
        return Process(releases=(self.release(),), where=("",))

    def release(self) -> dict[str, Any]:
        """The case as an OCDS release with the facts known at each stage, without its outcome.

        The title is what was bought, because case names tell of providers and of ends. Facts that came to light only
        later (see `*_stage` in the README) are left out.
        """
        release: dict[str, Any] = _without_blanks(
            {
                "ocid": f"casebook-{self.case_id}",
                "id": f"casebook-{self.case_id}",
                "title": self.name,
                "tag": ["tender"],
                "buyer": {"id": f"casebook-buyer-{self.buyer}", "name": self.buyer},
                "tender": _tender(self),
                "awards": _awards(self),
                "contracts": _contracts(self),
                "tenderRisk": _facts(self),
            }
        )
        return release


@cache
def cases() -> tuple[CasebookCase, ...]:
    """All cases, in the order of the file."""
    return tuple(msgspec.convert(row, CasebookCase) for row in _rows(CASES))


@cache
def case(case_id: str) -> CasebookCase:
    """One case by its id. Raises KeyError if there is none."""
    return {case.case_id: case for case in cases()}[case_id]


@cache
def _changes() -> Mapping[str, list[dict[str, str]]]:
    changes: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(CHANGES):
        changes[row["case_id"]].append(row)
    return changes


@cache
def _cpv() -> Mapping[str, dict[str, str]]:
    return {row["sector"]: row for row in _rows(SECTORS)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _tender(case: CasebookCase) -> dict[str, Any]:
    sector = _cpv().get(case.sector)
    cpv = sector and {"scheme": "CPV", "id": sector["cpv"], "description": sector["description"]}
    return {
        "id": case.case_id,
        "title": case.service,
        "datePublished": case.published,
        "value": _value(case),
        "items": [{"id": "1", "classification": cpv}] if cpv else [],
        "lots": [{"id": str(i + 1)} for i in range(int(case.lots or 0))],
        "tenderPeriod": {"startDate": case.published, "endDate": case.bid_deadline} if case.bid_deadline else {},
        "contractPeriod": {"durationInDays": float(case.term_years) * DAYS_A_YEAR} if case.term_years else {},
        "numberOfTenderers": int(case.bidders_final) if case.bidders_final else None,
    }


def _value(case: CasebookCase) -> dict[str, Any]:
    """The value of the whole term. A yearly figure needs the term; a programme's figure is not the contract's."""
    if not case.value_gbp or case.value_basis in ("programme", "framework"):
        return {}
    amount = float(case.value_gbp)
    if case.value_basis == "annual":
        if not case.term_years:
            return {}
        amount *= float(case.term_years)
    return {"amount": amount, "currency": "GBP"}


def _awards(case: CasebookCase) -> list[dict[str, Any]]:
    if case.no_award or not (case.provider or case.award_date) or (not case.outcome and not case.award_date):
        return []
    return [{"id": "1", "date": case.award_date, "suppliers": [{"id": "supplier-1", "name": case.provider}]}]


def _contracts(case: CasebookCase) -> list[dict[str, Any]]:
    period = {"startDate": case.start_date, "endDate": case.end_planned}
    return [{"id": "1", "awardID": "1", "period": period}] if _awards(case) and any(period.values()) else []


def _facts(case: CasebookCase) -> dict[str, Any]:
    known = ("bids_in", "awarded")
    return {
        # Cohorts are programmes and award lists of such services; a value is known of one case in three.
        "outsourcedService": True,
        "advisers": [{"name": name} for name in _names(case.advisers)],
        "structureChanges": [
            {"touches": c["touches"], "stage": c["stage"], "date": c["date"], "description": c["note"]}
            for c in _changes().get(case.case_id, ())
            if c["stage"] in known
        ],
        "assuranceHolds": [{"stage": case.hold_stage}] if case.hold_stage in known else [],
        "singleBlock": _flag(case.single_block) if not case.lots else None,
        "competition": {"competition": True, "direct": False}.get(case.route),
        "serviceLines": int(case.service_lines) if case.service_lines else None,
        "marketEngagement": _flag(case.market_engagement),
        "outcomeBasedPayment": _flag(case.outcome_based_payment),
        "staffTransfer": _flag(case.staff_transfer),
        "incumbents": _names(case.incumbents) if case.incumbent_kind != "none" else [],
        "incumbentKind": case.incumbent_kind,
        "biddersInterested": int(case.bidders_interest) if case.bidders_interest else None,
        "legalVehicle": case.vehicle,
        "taxUnresolved": True if case.vat_stage in known else None,
    }


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";") if name.strip()]


def _flag(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)


def _without_blanks(value: Any) -> Any:
    """Leaves out what is blank, empty or None, at every level: what is unknown is absent."""
    if isinstance(value, dict):
        filled = {key: _without_blanks(inner) for key, inner in value.items()}
        return {key: inner for key, inner in filled.items() if inner not in (None, "", [], {})}
    if isinstance(value, list):
        return [_without_blanks(item) for item in value]
    return value
