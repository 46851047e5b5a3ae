"""UK notices: procurements of Find a Tender, Contracts Finder, Scotland and Wales with how they ended. Outcomes:
no_award (draft, bids in), early_end (every stage), single_bid (draft).

A file is a table of records that were read off stored public pages, or OCDS as `tender-risk pull` brings it (then
`tenders.outcomes` reads the outcomes, and each stage is rebuilt from its releases). The table:

| column | what it is | where it goes | known |
|---|---|---|---|
| `ocid` | one procurement under one ocid | `ocid` | call |
| `source` | fts, cf, pcs or s2w | `tenderRisk.codes.source` | call |
| `title`, `buyer`, `region` | as published | `tender.title`, `buyer`, `items[].deliveryAddresses` | call |
| `cpv` | CPV code, in part cut short | `tender.classification` | call |
| `category` | goods, works, services | `mainProcurementCategory` | call |
| `method` | OCDS method | `procurementMethod` | call |
| `method_details` | the procedure by name | `procurementMethodDetails` | call |
| `regime` | the law | `tender.legalBasis` | call |
| `framework`, `lots` | yes or no; how many | `techniques`, `lots` | call |
| `value_gbp`, `value_basis` | pounds; what they measure | `tender.value`, gross where the basis says so | call |
| `published`, `deadline` | days | `tender.datePublished`, `tenderPeriod` | call |
| `contract_start`, `contract_end`, `term_months` | planned | `tender.contractPeriod` | call |
| `renewal_months` | how much longer it may run | `lots[].hasRenewal`, where there are lots | call |
| `price_weight` | weight of the price, of 100 | `tenderRisk.codes.price_weight` | call |
| `bids` | bids counted | `tender.numberOfTenderers`; single_bid | bids in |
| `stages` | dated releases, `Tag@day;…` | corrects `published` | – |
| `outcome`, `outcome_date` | how it ended, and when | outcomes and kind; `known_on` | end |
| `outcome_basis`, `reissue`, `reason_code` | how sure; published again; why | kind | end |
| `entry` | blind, or targeted: looked for because it failed | `cohort` | – |
| `group` | one title and buyer | `cluster_id`, and twins | – |
| `planning`, `sme`, `form` | traces of the page | unused | – |
| `last_release`, `updates_before_outcome` | traces of the end | unused | later |

- **Blind rows** came from searches that knew nothing of the end: rates and figures are theirs. Targeted rows are
  `picked`, as in the casebook.
- **Part** (some lots awarded) and completed are awarded. Open is censored. A notice withdrawn within days to be
  published again, or said to be a correction, is `re_issued` and censored, as `tenders.outcomes` has it.
- **Twins**, one procurement under two ocids, are one case: rows of a group published within a month of each other, or
  that ended alike within a month where one has no day of publication. The row with a call, an outcome and a firm basis
  stays; it is picked only if all of them are. Other rows of a group (calls for the same need, years apart) share a
  `cluster_id`.
- **Rows without a day of publication** are awards without a call. They teach records (`dated_only`).
- **Which facts are filled tells the outcome**, because it depends on the page: see `gaps_tell`.
- Before 24 February 2025 cancellations were rarely published: rates of those years tell a habit of publishing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from tenders import casebook
from tenders.facts import Facts
from tenders.history import UNDATED, HistoryFile, LabelledTender, Register
from tenders.io.detection import split_suffix
from tenders.lot_outcomes import WITHDRAWN_WITHIN_DAYS
from tenders.registers.columns import (
    CellParser,
    as_clock,
    as_day,
    as_number,
    as_text,
    cell_problem,
    count,
    iso,
    money,
    read_cells,
    text,
)
from tenders.registers.own import read_ocds, with_days
from tenders.tender import (
    Address,
    Classification,
    Item,
    LegalBasis,
    Lot,
    OrganizationReference,
    Period,
    Procedure,
    Techniques,
    Tender,
    Value,
)

NAME = "uk_notices"
TABLES = (".csv", ".parquet")
TWIN_DAYS = 31
"""Twins are published, or known to have ended, within as many days of each other."""
DAYS_A_MONTH = 30.44
MOST_LOTS = 10_000
MIGRATED = ("cf", date(2016, 11, 18))
"""A source, and the day on which it took over its older notices: it is the day of none of them."""

ENDED: Mapping[str, Mapping[str, bool]] = {
    "awarded": {"no_award": False},
    "part": {"no_award": False},
    "completed": {"no_award": False, "early_end": False},
    "early_end": {"no_award": False, "early_end": True},
    "no_award": {"no_award": True},
    "open": {},
}
REGIMES: Mapping[str, LegalBasis] = {
    "PA2023": LegalBasis(scheme="UKPGA", id="2023/54"),
    "PA2023 light touch": LegalBasis(scheme="UKPGA", id="2023/54", description="light touch"),
    "PCR2015": LegalBasis(scheme="CELEX", id="32014L0024"),
    "light touch": LegalBasis(scheme="CELEX", id="32014L0024", description="light touch"),
    "UCR2016": LegalBasis(scheme="CELEX", id="32014L0025"),
    "CCR2016": LegalBasis(scheme="CELEX", id="32014L0023"),
    "DSPCR2011": LegalBasis(scheme="CELEX", id="32009L0081"),
    "PSR": LegalBasis(description="Provider Selection Regime, SI 2023/1348"),
    "Scotland": LegalBasis(description="Public Contracts (Scotland) Regulations 2015"),
}
YES_NO = {"yes": True, "no": False}
METHODS = ("open", "selective", "limited", "direct")
CATEGORIES = ("goods", "works", "services")
DIGITS = re.compile(r"\d{2,8}")
OPENED = re.compile(r"Tender(?:Update|Amendment)?@(\d{4}-\d\d-\d\d)")

NEEDED: Mapping[str, CellParser] = dict.fromkeys(("ocid", "outcome", "entry"), as_text) | {"published": as_day}
WANTED: Mapping[str, CellParser] = {
    **dict.fromkeys(("source", "title", "buyer", "region", "cpv", "category", "method", "method_details"), as_text),
    **dict.fromkeys(("regime", "framework", "value_basis", "price_weight", "stages", "group"), as_text),
    **dict.fromkeys(("outcome_basis", "reissue", "reason_code"), as_text),
    **dict.fromkeys(("lots", "value_gbp", "term_months", "renewal_months", "bids"), as_number),
    **dict.fromkeys(("deadline", "contract_start", "contract_end"), as_day),
    "outcome_date": as_clock,
}
Row = Mapping[str, Any]


def read_notices(path: Path) -> HistoryFile:
    """Every procurement of a table or an OCDS file as a case, twins once. Raises as `Register` says."""
    if split_suffix(path)[0] in TABLES:
        return _read_table(path)
    history = read_ocds(path)
    cases = [msgspec.structs.replace(case, cluster_id=_title_and_buyer(case)) for case in history.cases]
    return msgspec.structs.replace(history, cases=once(cases))


def _read_table(path: Path) -> HistoryFile:
    cells = read_cells(path, NEEDED, WANTED)
    cases = []
    for number, row in enumerate(cells.rows()):
        if row["ocid"] is None:
            cells.add_missing(number, "ocid", "no ocid")
        elif row["outcome"] not in ENDED:
            cells.problems.append(cell_problem(number, "outcome", f"{row['outcome']!r} is no known outcome"))
        else:
            cases.append(_case(number, row))
    rows = len(cells.columns["ocid"])
    history = with_days(HistoryFile(cases=cases, rows=rows, problems=cells.problems))
    return msgspec.structs.replace(history, cases=once(history.cases))


def once(cases: Iterable[LabelledTender]) -> list[LabelledTender]:
    """The cases in the order of their rows, of twins the one that tells most."""
    clusters: dict[str, list[LabelledTender]] = defaultdict(list)
    for case in cases:
        clusters[case.cluster_id].append(case)
    kept = []
    for cluster in clusters.values():
        groups: list[list[LabelledTender]] = []
        for case in sorted(cluster, key=_tells_most):
            twins = next((group for group in groups if _are_twins(group[0], case)), None)
            if twins is None:
                groups.append([case])
            else:
                twins.append(case)
        kept += [_with_cohort_of(group) for group in groups]
    return sorted(kept, key=lambda case: case.row)


def _tells_most(case: LabelledTender) -> tuple[bool, bool, bool, date, int]:
    unknown = all(value is None for value in case.outcomes.values())
    return case.published == UNDATED, unknown, "weak" in case.kind, case.published, case.row


def _are_twins(one: LabelledTender, other: LabelledTender) -> bool:
    if UNDATED not in (one.published, other.published):
        return abs((one.published - other.published).days) <= TWIN_DAYS
    if one.known_on is None or other.known_on is None:
        return False
    alike = one.outcomes.get("no_award") == other.outcomes.get("no_award")
    return alike and abs((one.known_on - other.known_on).days) <= TWIN_DAYS


def _with_cohort_of(twins: list[LabelledTender]) -> LabelledTender:
    """The first, as blind as the least picked of its twins."""
    blind = any(not case.cohort for case in twins)
    return msgspec.structs.replace(twins[0], cohort="") if blind and twins[0].cohort else twins[0]


def _title_and_buyer(case: LabelledTender) -> str:
    buyer = case.tender.buyer.name if case.tender.buyer else None
    words = [" ".join(re.findall(r"\w+", part.casefold())) for part in (case.tender.tender.title or "", buyer or "")]
    return "|".join(words) if all(words) else case.cluster_id


def _case(number: int, row: Row) -> LabelledTender:
    published = _published(row)
    outcomes = dict.fromkeys(("no_award", "early_end", "single_bid")) | dict(ENDED[row["outcome"]])
    bids = count(row["bids"])
    outcomes["single_bid"] = bids == 1 if bids and outcomes["no_award"] is not None else None
    kind = str(row["outcome"])
    if outcomes["no_award"] and _is_correction(row, published):
        outcomes, kind = dict.fromkeys(outcomes), "re_issued"
    elif row["outcome_basis"] == "weak":
        kind += ", on a weak basis"
    known = row["outcome_date"] if any(value is not None for value in outcomes.values()) else None
    return LabelledTender(
        tender=_tender(row, published, bids),
        published=published or UNDATED,
        known_on=max(known, published) if known and published else known,
        outcomes=outcomes,
        kind=kind,
        cluster_id=str(row["group"] or row["ocid"]),
        row=number,
        cohort="" if row["entry"] == "blind" else casebook.PICKED,
    )


def _published(row: Row) -> date | None:
    """The day of the call: of its first release, should the table have a later one; None where it is not its own."""
    published: date | None = row["published"]
    if published is None or (row["source"], published) == MIGRATED:
        return None
    return min([published, *map(date.fromisoformat, OPENED.findall(_readable(row["stages"])))])


def _readable(stages: str | None) -> str:
    """The releases of which the day can be one."""
    parts = (stages or "").split(";")
    return ";".join(part for part in parts if _is_day(part.partition("@")[2]))


def _is_day(cell: str) -> bool:
    try:
        return as_day(cell) is not None
    except ValueError:
        return False


def _is_correction(row: Row, published: date | None) -> bool:
    if row["reason_code"] == "reissued_corrected":
        return True
    known = row["outcome_date"]
    return bool(row["reissue"] == "yes" and known and published and (known - published).days <= WITHDRAWN_WITHIN_DAYS)


def _tender(row: Row, published: date | None, bids: int | None) -> Tender:
    region, buyer, codes = text(row["region"]), text(row["buyer"]), {}
    for name in ("source", "price_weight"):
        if row[name]:
            codes[name] = str(row[name])
    return Tender(
        ocid=str(row["ocid"]),
        buyer=OrganizationReference(name=buyer) if buyer else None,
        tender=Procedure(
            title=text(row["title"]),
            date_published=iso(published),
            value=_value(row),
            procurement_method=row["method"] if row["method"] in METHODS else None,
            procurement_method_details=text(row["method_details"]),
            main_procurement_category=row["category"] if row["category"] in CATEGORIES else None,
            tender_period=Period(start_date=iso(published), end_date=iso(row["deadline"])) if row["deadline"] else None,
            contract_period=_contract_period(row),
            number_of_tenderers=bids,
            classification=_classification(row["cpv"]),
            items=(Item(id="1", delivery_addresses=(Address(region=region),)),) if region else (),
            lots=_lots(row),
            legal_basis=REGIMES.get(row["regime"] or ""),
            techniques=Techniques(has_framework_agreement=YES_NO[row["framework"]])
            if row["framework"] in YES_NO
            else None,
        ),
        tender_risk=Facts(codes=codes),
    )


def _value(row: Row) -> Value | None:
    value = money(row["value_gbp"], "GBP")
    if value and "gross" in (row["value_basis"] or ""):
        return Value(amount_gross=value.amount, currency="GBP")
    return value


def _contract_period(row: Row) -> Period | None:
    start, end, months = row["contract_start"], row["contract_end"], row["term_months"]
    days = round(months * DAYS_A_MONTH) if months and 0 < months < 1200 else None
    if start is None and end is None and days is None:
        return None
    return Period(start_date=iso(start), end_date=iso(end), duration_in_days=days)


def _lots(row: Row) -> tuple[Lot, ...]:
    lots, months = count(row["lots"]), row["renewal_months"]
    renewal = None if months is None else months > 0
    known = lots if lots and lots <= MOST_LOTS else 0
    return tuple(Lot(id=str(number + 1), has_renewal=renewal) for number in range(known))


def _classification(cpv: str | None) -> Classification | None:
    """The code, filled up with zeros where only its first digits are known."""
    return Classification(scheme="CPV", id=cpv.ljust(8, "0")) if cpv and DIGITS.fullmatch(cpv) else None


REGISTER = Register(
    name=NAME,
    title="UK notices",
    credit=(
        "Notices of Find a Tender, Contracts Finder, Public Contracts Scotland and Sell2Wales, published under the "
        "Open Government Licence v3; facts read off stored public pages."
    ),
    outcomes={
        "no_award": ("draft", "bids_in"),
        "early_end": ("draft", "bids_in", "awarded"),
        "single_bid": ("draft",),
    },
    read=read_notices,
    gaps_tell=("/",),
    called_off=("cancelled", "withdrawn", "terminated"),
    uk=True,
    dated_only=True,
)
