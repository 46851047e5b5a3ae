"""NICGEP, India (Assam, Odisha, Himachal Pradesh): awarded tenders to 2023, one row a tender. Outcome: single_bid at
draft.

| column | what it is | where it goes | known |
|---|---|---|---|
| `Organisation Chain` | department to division | buyer; first two → `codes.division`; last → `procuringEntity` | call |
| `Tender ID` | year, office, number, package | `tender.id`; without package: the cluster | call |
| `Tender Type` | route | `tender.procurementMethod`, `procurementMethodDetails` | call |
| `Tender Category` | works, goods, services | `tender.mainProcurementCategory` | call |
| `Product Category` | what kind of thing | `tender.classification`, scheme IN-NICGEP | call |
| `Title`, `Work Description` | what is bought | `tender.title`, `tender.description` | call |
| `Tender Value in ₹` | estimate | `tender.value`, INR | call |
| `EMD Amount in ₹`, `Tender Fee in ₹` | bid security; papers | `participationFees`, deposit and document | call |
| `Form of contract`, `No. of Covers`, `Payment Mode`, … | categories | `codes` (see CODES) | call |
| `Contract Type` | tender, rate contract, empanelment | `techniques.hasFrameworkAgreement`, `codes` | call |
| `Period Of Work(Days)` | term | `tender.contractPeriod.durationInDays` | call |
| `Bid Validity(Days)` | bids stand | `tender.submissionTerms.bidValidityPeriod` | call |
| `Pre Bid Meeting Date` | meeting | `tender.clarificationMeetings` | call |
| `Publish Date`, `Bid Submission Start/End Date` | the bid window | `datePublished`, `tenderPeriod` | call |
| `Clarification Start/End Date` | questions | `tender.enquiryPeriod` | call |
| `Location`, `state` | where | item's delivery address | call |
| `Bid Opening Date` | bids opened | `known_on`, a day later | bids in |
| `n_bidders` | bidders, recounted from bid lists; 0 is not known | outcome; `numberOfTenderers` | bids in |
| `Contract Date :`, `Awarded Value`, `Contract Value :` | the award | `awards[]`, never earlier | award |
| `n_rows`, `statuses`, `Tender Stage`, `Work Completion Period in days :` | the end | unused | end |
| `committee_members` | people on the committee; when is not known | unused | ? |
| `Document Download / Sale …`, `Sub category`, `EMD Percentage` | repeat the above or mostly empty | unused | call |

No cancelled tender is in it, so it shows nothing on no_award. The package number at the end of the id partly counts
awards. Money has Indian commas (`8,45,000`); awarded values are sometimes a rate or a token of 1 and not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import (
    Interner,
    as_day,
    as_text,
    cell_problem,
    codes_as,
    count,
    gc_paused,
    iso,
    money,
    read_cells,
    text,
)
from tenders.tender import (
    Address,
    Award,
    Classification,
    Item,
    Meeting,
    OrganizationReference,
    ParticipationFee,
    Period,
    Procedure,
    SubmissionTerms,
    Techniques,
    Tender,
    Value,
)

NAME = "nicgep_in"
DAY = timedelta(days=1)
METHODS = {
    "Open Tender": "open",
    "National Competitive Bid": "open",
    "Global Tenders": "open",
    "Open Limited": "selective",
    "Limited": "limited",
    "Single": "direct",
}
CODES = {
    "form_of_contract": "Form of contract",
    "covers": "No. of Covers",
    "payment_mode": "Payment Mode",
    "contract_type": "Contract Type",
    "emd_fee_type": "EMD Fee Type",
    "emd_exemption": "EMD Exemption Allowed",
    "general_technical_evaluation": "General Technical Evaluation Allowed",
    "itemwise_technical_evaluation": "ItemWise Technical Evaluation Allowed",
    "two_stage": "Allow Two Stage Bidding",
    "withdrawal": "Withdrawal Allowed",
}
ALONE: Mapping[str, bool | None] = {"single_bid": True}
RIVALS: Mapping[str, bool | None] = {"single_bid": False}
UNKNOWN: Mapping[str, bool | None] = {"single_bid": None}

NEEDED = ("Tender ID", "Organisation Chain", "Publish Date", "Bid Opening Date", "n_bidders", "state")
WANTED = (
    "Tender Type",
    "Tender Category",
    "Product Category",
    "Title",
    "Work Description",
    "Tender Value in ₹",
    "EMD Amount in ₹",
    "Tender Fee in ₹",
    "Period Of Work(Days)",
    "Bid Validity(Days)",
    "Pre Bid Meeting Date",
    "Bid Submission Start Date",
    "Bid Submission End Date",
    "Clarification Start Date",
    "Clarification End Date",
    "Location",
    "Contract Date :",
    "Awarded Value",
    "Contract Value :",
    *CODES.values(),
)
Row = Mapping[str, Any]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"(\d{1,2})-([A-Z][a-z]{2})-(\d{4})\b")


def read_nicgep(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    cells = read_cells(path, dict.fromkeys(NEEDED, as_text), dict.fromkeys(WANTED, as_text))
    shared, problems = Interner(), cells.problems
    cases: list[LabelledTender] = []
    with gc_paused():
        for number, row in enumerate(cells.rows()):
            published = day(row["Publish Date"])
            if published is None:
                problems.append(cell_problem(number, "Publish Date", f"{row['Publish Date']!r} is no date"))
                continue
            cases.append(_case(number, row, published, shared))
    return HistoryFile(cases=cases, rows=len(cells.columns["state"]), problems=problems)


@lru_cache(maxsize=65536)
def day(written: str | None) -> date | None:
    """`10-Apr-2018 11:00 AM`, or a day as ISO 8601 has it, as its day; None if it is no date."""
    parts = _DATE.match((written or "").strip())
    try:
        if not parts or parts[2] not in _MONTHS:
            return as_day(written)
        return as_day(date(int(parts[3]), _MONTHS.index(parts[2]) + 1, int(parts[1])))
    except ValueError:
        return None


def rupees(written: str | None) -> Value | None:
    """`8,45,000` or `INR 14,073,143` as money; None if it is nothing or no number."""
    try:
        return money(float((written or "0").replace("INR", "").replace(",", "")), "INR")
    except ValueError:
        return None


def _case(number: int, row: Row, published: date, shared: Interner) -> LabelledTender:
    bidders = count(row["n_bidders"]) or None
    outcomes = ALONE if bidders == 1 else RIVALS if bidders else UNKNOWN
    opened = day(row["Bid Opening Date"]) or day(row["Bid Submission End Date"]) or published
    return LabelledTender(
        tender=_tender(row, published, bidders, shared),
        published=published,
        known_on=None if bidders is None else max(opened, published) + DAY,
        outcomes=outcomes,
        kind="awarded",
        cluster_id=f"{row['state']}:{str(row['Tender ID']).rsplit('_', 1)[0]}",
        row=number,
    )


def _tender(row: Row, published: date, bidders: int | None, shared: Interner) -> Tender:
    state, chain = row["state"], row["Organisation Chain"] or ""
    buyer = shared(_organization, state, chain.split("||")[0])
    return Tender(
        ocid=f"{NAME}-{row['state']}-{row['Tender ID']}",
        buyer=buyer,
        tender=Procedure(
            id=row["Tender ID"],
            title=text(row["Title"]),
            description=text(row["Work Description"]),
            date_published=shared(iso, published),
            procuring_entity=shared(_organization, state, chain) if "||" in chain else buyer,
            value=rupees(row["Tender Value in ₹"]),
            procurement_method=METHODS.get(row["Tender Type"] or ""),
            procurement_method_details=row["Tender Type"],
            main_procurement_category=(row["Tender Category"] or "").lower() or None,
            tender_period=_period(row, "Bid Submission", shared),
            enquiry_period=_period(row, "Clarification", shared),
            contract_period=shared(_lasting, row["Period Of Work(Days)"]),
            number_of_tenderers=bidders,
            classification=shared(_classification, text(row["Product Category"])),
            items=shared(_items, state, text(row["Location"])),
            techniques=shared(_techniques, row["Contract Type"]),
            participation_fees=_fees(row),
            submission_terms=shared(_terms, row["Bid Validity(Days)"]),
            clarification_meetings=shared(_meetings, day(row["Pre Bid Meeting Date"])),
        ),
        awards=_awards(row),
        tender_risk=shared(_facts, _division(chain), *(row[column] for column in CODES.values())),
    )


def _organization(state: str, chain: str) -> OrganizationReference:
    levels = [level.strip() for level in chain.split("||")]
    return OrganizationReference(id=f"IN-{state}:{'/'.join(levels)}", name=levels[-1] or None)


def _period(row: Row, which: str, shared: Interner) -> Period | None:
    start, end = day(row[f"{which} Start Date"]), day(row[f"{which} End Date"])
    return Period(start_date=shared(iso, start), end_date=shared(iso, end)) if start or end else None


def _lasting(days: str | None) -> Period | None:
    number = _number(days)
    return Period(duration_in_days=number) if number else None


def _terms(days: str | None) -> SubmissionTerms | None:
    lasting = _lasting(days)
    return SubmissionTerms(bid_validity_period=lasting) if lasting else None


def _number(written: str | None) -> float | None:
    try:
        number = float(written or 0)
    except ValueError:
        return None
    return number if 0 < number < 1e6 else None


def _classification(category: str | None) -> Classification | None:
    return Classification(scheme="IN-NICGEP", id=category) if category else None


def _items(state: str, place: str | None) -> tuple[Item, ...]:
    return (Item(id="1", delivery_addresses=(Address(region=state, locality=place, country_name="India"),)),)


def _techniques(kind: str | None) -> Techniques | None:
    return Techniques(has_framework_agreement=kind != "Tender") if kind else None


def _meetings(on: date | None) -> tuple[Meeting, ...]:
    return (Meeting(date=iso(on)),) if on else ()


def _fees(row: Row) -> tuple[ParticipationFee, ...]:
    amounts = (("deposit", rupees(row["EMD Amount in ₹"])), ("document", rupees(row["Tender Fee in ₹"])))
    return tuple(ParticipationFee(id=kind, type=(kind,), value=value) for kind, value in amounts if value)


def _awards(row: Row) -> tuple[Award, ...]:
    value = rupees(row["Awarded Value"]) or rupees(row["Contract Value :"])
    return (Award(id="1", date=iso(day(row["Contract Date :"])), value=value),)


def _division(chain: str) -> str | None:
    levels = [level.strip() for level in chain.split("||")]
    return "||".join(levels[:2]) if len(levels) > 1 else None


def _facts(division: str | None, *codes: str | None) -> Facts:
    stated = {name: code.removesuffix(".0") for name, code in zip(CODES, codes, strict=True) if code}
    return Facts(codes=stated | {"division": division} if division else stated)


REGISTER = Register(
    name=NAME,
    title="NICGEP, India",
    credit=(
        "Awarded tenders of Assam, Odisha and Himachal Pradesh to 2023 from the Government eProcurement System, India; "
        "copy: CivicDataLab, github.com/CivicDataLab/flood-data-ecosystem, code AGPL, data ODbL."
    ),
    outcomes={"single_bid": ("draft",)},
    read=read_nicgep,
    attributes=codes_as(kind="contract_type", form="form_of_contract", division="division"),
)
