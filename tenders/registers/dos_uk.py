"""Digital Outcomes and Specialists, United Kingdom: every opportunity that was closed, one row each. Outcome: no_award
(draft, bids in).

| column | what it is | where it goes | known |
|---|---|---|---|
| `id` | the opportunity | `ocid`, `tender.id` | call |
| `opportunity` | its title | `tender.title` | call |
| `framework` | which of the frameworks it is called off | `procurementMethodDetails` | call |
| `category`, `specialist` | outcome, specialist or research; the role | `tenderRisk.codes` | call |
| `organisation` | the buyer | `buyer` | call |
| `buyer_domain` | of its mail; some share one | unused | call |
| `location` | where | `items[].deliveryAddresses` | call |
| `published`, `open_for` | day; one or two weeks | `tender.datePublished`, `tenderPeriod` | call |
| `expected_length` | free text | `tender.contractPeriod`, if a length is its first number | call |
| `applications` | how many applied | `tender.numberOfTenderers` | bids in |
| `applications_sme`, `applications_large` | of which small, large | unused | bids in |
| `status` | awarded, cancelled, unsuccessful, closed | outcome and kind | end |
| `winner`, `winner_size`, `contract_amount`, `contract_start` | the contract | unused | end |

- **Complete, and every fact is filled alike**: here a gap tells nothing.
- **Closed** says that applications are over and nobody said what came of it: censored. Most were awarded.
- **No day of outcome**: an ending counts as known on the day of the copy, or a year after the call if that is later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import (
    CellParser,
    as_day,
    as_number,
    as_text,
    cell_problem,
    codes_as,
    count,
    iso,
    read_cells,
    text,
)
from tenders.tender import Address, Item, OrganizationReference, Period, Procedure, Tender

NAME = "dos_uk"
COPIED = date(2018, 7, 31)
"""The day from which the endings in the copy are known at the latest."""
LATE = timedelta(days=365)

NO_AWARD: Mapping[str, bool | None] = {"awarded": False, "cancelled": True, "unsuccessful": True, "closed": None}
OPEN_DAYS = {"1 week": 7, "2 weeks": 14}
CODES = ("category", "specialist")
DAYS_OF = {"day": 1.4, "week": 7, "month": 30.44, "year": 365.25}
"""Days of the calendar: a day of work is one of five in seven."""
LENGTH = re.compile(r"\D*?(\d+(?:\.\d+)?)\s*(?:working\s+)?(day|week|month|year)", re.I)
WORDS = {word: str(number) for number, word in enumerate("one two three four five six seven eight nine".split(), 1)}  # noqa: SIM905
NUMBER_WORD = re.compile(rf"\b({'|'.join(WORDS)})\b", re.I)
LONGEST_DAYS = 3650

NEEDED: Mapping[str, CellParser] = {"id": as_text, "published": as_day, "status": as_text}
WANTED: Mapping[str, CellParser] = {
    **dict.fromkeys(("opportunity", "framework", "organisation", "location", *CODES), as_text),
    **dict.fromkeys(("open_for", "expected_length"), as_text),
    "applications": as_number,
}
Row = Mapping[str, Any]


def read_opportunities(path: Path) -> HistoryFile:
    """Every opportunity as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    cases = []
    for number, row in enumerate(cells.rows()):
        if row["published"] is None:
            cells.add_missing(number, "published", "no publication day")
        elif row["status"] not in NO_AWARD:
            cells.problems.append(cell_problem(number, "status", f"{row['status']!r} is no known status"))
        else:
            cases.append(_case(number, row))
    return HistoryFile(cases=cases, rows=len(cells.columns["id"]), problems=cells.problems)


def _case(number: int, row: Row) -> LabelledTender:
    published: date = row["published"]
    no_award = NO_AWARD[row["status"]]
    name = str(row["id"] or f"row {number + 1}")
    return LabelledTender(
        tender=_tender(name, row),
        published=published,
        known_on=None if no_award is None else max(COPIED, published + LATE),
        outcomes={"no_award": no_award},
        kind=str(row["status"]),
        cluster_id=f"{row['organisation']}|{row['opportunity']}|{published}" if row["opportunity"] else name,
        row=number,
    )


def _tender(name: str, row: Row) -> Tender:
    published: date = row["published"]
    days, length, location = OPEN_DAYS.get(row["open_for"] or ""), length_days(row["expected_length"]), row["location"]
    buyer = text(row["organisation"])
    return Tender(
        ocid=f"{NAME}-{name}",
        buyer=OrganizationReference(name=buyer) if buyer else None,
        tender=Procedure(
            id=name,
            title=text(row["opportunity"]),
            date_published=iso(published),
            procurement_method="selective",
            procurement_method_details=f"Call-off: {row['framework']}" if row["framework"] else "Call-off",
            main_procurement_category="services",
            tender_period=Period(start_date=iso(published), end_date=iso(published + timedelta(days)))
            if days
            else None,
            contract_period=Period(duration_in_days=length) if length else None,
            number_of_tenderers=count(row["applications"]),
            items=(Item(id="1", delivery_addresses=(Address(region=location),)),) if location else (),
        ),
        tender_risk=Facts(codes={code: str(row[code]) for code in CODES if row[code]}),
    )


def length_days(length: str | None) -> int | None:
    """The days of the calendar that a free text gives first, as "220 days + option"; None where it gives none first."""
    stated = NUMBER_WORD.sub(lambda word: WORDS[word[1].lower()], length or "")
    match = LENGTH.match(stated)
    days = round(float(match[1]) * DAYS_OF[match[2].lower()]) if match else 0
    return days if 0 < days <= LONGEST_DAYS else None


REGISTER = Register(
    name=NAME,
    title="Digital Outcomes and Specialists, United Kingdom",
    credit=(
        "The Digital Marketplace's open data, April 2016 to 2018, Open Government Licence v3; copy: "
        "github.com/andrewl-wunder/digital-marketplace-dashboard."
    ),
    outcomes={"no_award": ("draft", "bids_in")},
    read=read_opportunities,
    called_off=("cancelled",),
    attributes=codes_as(kind="category", topic="specialist"),
    uk=True,
)
