"""Cases as the researchers wrote them, in their own columns, turned into `Case`.

Dates, names and figures are taken as they stand. Where ours is a category and theirs a phrase (the supplier's form, the
former holder, what a value measures), the rules below decide by its words; tests measure how far they agree with what
people decided for the 491 cases. When a hold or an open tax question came up is not in the phrase, so it is `after` and
reaches no stage. Changes of structure that are prose are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from tenders.casebook import Case

MARK = "year_advertised"
"""A column that only the researchers' format has."""

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


def converted(row: Mapping[str, str]) -> Case:
    """One row of the researchers' table. Raises msgspec.ValidationError if a cell holds no value of its kind."""
    cells = {name: (cell or "").strip() for name, cell in row.items()}
    kinds = {kind for name in _holders(cells["prior_incumbents"]) if (kind := _kind(HOLDER, name)) != "unknown"}
    given = {ours: cells[theirs] for ours, theirs in _SAME.items()}
    given |= {ours: _YES_NO.get(cells[theirs], "") for ours, theirs in _FLAGS.items()}
    given |= {
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
    return msgspec.convert(given, Case)


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
