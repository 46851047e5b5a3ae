"""The UK casebook: researched tenders and contracts, one row a case. Outcomes: no_award (draft, bids in), early_end and
failure (every stage), single_bid (draft).

Reads the casebook's own columns (tenders/casebook/README.md is their dictionary) or those of the researchers (columns
such as `year_advertised`); the header shows which. `CasebookCase` has the rules of outcomes, and its `release` decides
what is a fact and when it was known; it leaves out every column that is marked as later.

- `cohort` is kept: `picked` rows entered because something is known about them, the others by a rule. Their figures
  stand apart.
- `failure` is the case's label; None where either answer could be defended, or if it is too recent to have failed.
- `known_on` is the last day that `outcome_date` can mean.
- Many cases have no publication day: it is reckoned back from award or start, and without those it is UNDATED.
- Cases of one cohort and buyer are one cluster.
- That a cell is filled shows how much was written about a case: see `gaps_tell`.

The researchers' dates, names and figures are taken as they stand. Where the casebook has a category and they have a
phrase (the supplier's form, the former holder, what a value measures), the rules below decide by its words; tests
measure how far they agree with what people decided for the 491 cases. The phrases do not say when a hold or an open tax
question came up, so it is `after` and reaches no stage. Changes of structure in prose are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tenders.casebook import NAME, CasebookCase
from tenders.errors import DataError, Problem
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import read_csv

RESEARCH_MARK = "year_advertised"
"""A column that only the researchers' table has."""

_SAME = {
    "case_id": "case_id",
    "name": "name",
    "buyer": "buyer",
    "provider": "provider",
    "sector": "sector",
    "service": "service",
    "bid_deadline": "date_eoi_deadline",
    "award_date": "award_date",
    "start_date": "start_date",
    "end_planned": "end_date_planned",
    "end_actual": "end_date_actual",
    "value_gbp": "value_gbp",
    "term_years": "duration_years",
    "lots": "lots",
    "bidders_final": "bidders_count_final",
    "bidders_interest": "bidders_eoi",
    "service_lines": "integrated_services_count",
    "incumbents": "prior_incumbents",
    "outcome": "outcome",
    "outcome_date": "outcome_date",
    "account": "outcome_reason",
    "loss_gbp": "loss_gbp",
    "sources": "source_url",
    "source_titles": "source_title",
    "confidence": "confidence",
    "evidence": "evidence",
    "fail": "label_fail",
    "cohort": "cohort",
}
_FLAGS = {
    "outcome_based_payment": "outcomes_based_payment",
    "staff_transfer": "staff_transferred",
    "market_engagement": "market_engagement",
    "legal_challenge": "legal_challenge",
    "vat_unresolved": "vat_tax_issue_unresolved",
    "regulatory_hold": "signoff_regulatory_hold",
    "single_block": "single_block",
    "outcome_checked": "outcome_checked",
}
_YES_NO = {"y": "yes", "yes": "yes", "n": "no", "no": "no"}

_Rules = Sequence[tuple[str, re.Pattern[str]]]


def _rules(*rules: tuple[str, str]) -> _Rules:
    return tuple((kind, re.compile(pattern, re.I)) for kind, pattern in rules)


# The first rule that finds its words decides.
VALUE_BASIS = _rules(
    ("framework", r"\bframework\b"),
    ("computed", r"^computed|^half of|^about £.* a year for|a year, up to"),
    ("programme", r"^programme|(areas|regions) together|^all lots|scheme cost|(both|three) trusts|three-trust"),
    ("programme", r"^MoJ range|^whole .*programme|^part of"),
    ("net_present_value", r"net present value"),
    ("other", r"^(pooled|adult social|.*turnover c\.|two contracts|after|subsidy|six-year)|saving"),
    ("lifetime", r"^(2\.5-year|three lots)|\b(lifetime|life of)\b"),
    ("annual", r"\bper year|\bannual\b|\ba year\b"),
    ("lifetime", r"^(initial|award|final value|(five|seven|ten|15|12)[- ]|lot value|over, all lots|two lots|revised)"),
    ("lifetime", r"^(each|at least|reported|top of £4)|at award|over the longest term|over three years"),
    ("other", r"."),
)
VEHICLE = _rules(
    ("", r"buying group|shared with|partnership of .* trusts"),
    ("limited_liability_partnership", r"\bLLP\b"),
    ("consortium", r"alliance or"),
    ("alliance", r"alliance"),
    ("joint_venture", r"joint[- ]venture"),
    ("special_purpose_company", r"\bPFI\b|special[- ]purpose|project company"),
    ("private_lead_with_partners", r"^(private lead|company|partnership) with|^private lead"),
    ("consortium", r"."),
)
HOLDER = _rules(
    ("none", r"^none\b"),
    ("unknown", r"^(several|two|three|four|five|six) (providers|suppliers|firms)$"),
    ("mixed", r"providers$|^same |separate contracts|\bthe trusts\b"),
    ("charity_or_mutual", r"social enterprise|charit|mutual|humankind|locala|livewell|seqol|care plus|\bIC24\b"),
    ("charity_or_mutual", r"london central and west|waythrough|\bcollege\b"),
    ("private", r"\b(ltd|limited|plc)\b"),
    ("in_house", r"in[- ]house|hm prison service|\band council\b"),
    ("public_body", r"\b(NHS|FT|trusts?|hospitals?|ambulance service|SECAmb|EPUT|MPFT|barts health)\b|\(public\)"),
    ("private", r"."),
)


def read_casebook(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    names, rows = read_csv(path)
    to_case = _converter(path, names)
    cases: list[LabelledTender] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        try:
            cases.append(to_case(dict(zip(names, row, strict=True))).labelled(number))
        except (ValueError, KeyError, TypeError) as error:
            problems += _problems(number, error)
    return HistoryFile(cases=cases, rows=len(rows), problems=problems)


def _converter(path: Path, names: list[str]) -> Callable[[dict[str, str]], CasebookCase]:
    if RESEARCH_MARK in names:
        return case_of_research
    if missing := [name for name in CasebookCase.__struct_fields__ if name not in names]:
        raise DataError.at(path.name, f"no column {', '.join(missing)}", "See tenders/casebook/README.md")
    return lambda row: msgspec.convert(row, CasebookCase)


def _problems(row: int, error: Exception) -> list[Problem]:
    if isinstance(error, DataError):
        return [msgspec.structs.replace(p, path=f"row {row + 1}, {p.path}") for p in error.problems]
    return [Problem(path=f"row {row + 1}", problem=str(error) or type(error).__name__)]


def case_of_research(row: Mapping[str, str]) -> CasebookCase:
    """The case in one row of the researchers' table. Raises msgspec.ValidationError if a cell has a wrong value."""
    cells = {name: (cell or "").strip() for name, cell in row.items()}
    kinds = {kind for name in _holders(cells["prior_incumbents"]) if (kind := _kind(HOLDER, name)) != "unknown"}
    values = {ours: cells[theirs] for ours, theirs in _SAME.items()}
    values |= {ours: _YES_NO.get(cells[theirs], "") for ours, theirs in _FLAGS.items()}
    values |= {
        "published": cells["date_advertised"] or cells["year_advertised"],
        "value_basis": _kind(VALUE_BASIS, cells["value_note"]),
        "route": _route(cells["procurement_route"]),
        "vehicle": _kind(VEHICLE, cells["consortium_spv"]),
        "advisers": "; ".join(_advisers(cells["adviser"])),
        "incumbent_kind": kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "",
        "hold_stage": "after" if cells["signoff_regulatory_hold"] == "y" else "",
        "vat_stage": "after" if cells["vat_tax_issue_unresolved"] == "y" else "",
        "remembered": _remembered(cells["remembered_fields"]),
        "censored": "yes" if cells["censored"] == "y" else "",
    }
    return msgspec.convert(values, CasebookCase)


def _kind(rules: _Rules, phrase: str) -> str:
    return next((kind for kind, pattern in rules if phrase and pattern.search(phrase)), "")


def _route(phrase: str) -> str:
    """Direct if it ended so; what was asked for first does not count."""
    return "direct" if re.search(r"direct|most[- ]capable", phrase) else "competition" if phrase else ""


def _holders(phrase: str) -> list[str]:
    names = re.split(r";| with (?!Serco\))", re.sub(r"\((?!public|the trusts).*?\)", "", phrase))
    return [name.strip() for name in names if name.strip()]


def _advisers(phrase: str) -> list[str]:
    """The names, without what a bidder's adviser is called and what is said of each."""
    parts = [part.strip() for part in phrase.split(";") if "(bidder)" not in part]
    return [re.sub(r"\s*\(.*?\)|\s+framework$", "", part) for part in parts if part]


def _remembered(fields: str) -> str:
    about_outcome = re.search(r"\boutcome", fields)
    return "yes" if about_outcome else "other" if fields else ""


REGISTER = Register(
    name=NAME,
    title="the UK casebook",
    credit="The project's own cases, with their sources.",
    outcomes={
        "no_award": ("draft", "bids_in"),
        "early_end": ("draft", "bids_in", "awarded"),
        "single_bid": ("draft",),
        "failure": ("draft", "bids_in", "awarded"),
    },
    read=read_casebook,
    called_off=("terminated",),
    gaps_tell=("/",),
    uk=True,
)
