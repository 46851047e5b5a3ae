"""FPDS, United States: contracts and orders of the Department of Defense begun in fiscal years 2000 to 2010, sampled by
money spent. Outcome: early_end, open at award.

| column | what it is | where it goes | known |
|---|---|---|---|
| `piid` | number of the contract or order | `contracts[].id`; parsed, see below | award |
| `idvpiid` | number of its vehicle | `codes.vehicle`; parsed, see below | award |
| `extentcompeted` | competition | `tender.procurementMethod`, `procurementMethodDetails` | award |
| `TypeOfContractPricing` | fixed price, cost plus and so on | `codes.pricing` | award |
| `systemequipmentcode` | weapon system | `codes.system` | award |
| `statutoryexceptiontofairopportunity` | why an order was not competed | `codes.fair_opportunity` | award |
| `SumOfUnmodifiedbaseandalloptionsvalue` | ceiling at signing | `tender.value` | award |
| `SumOfUnmodifiedbaseandexercisedoptionsvalue` | base at signing | `awards[].value` | award |
| `SumOfUnmodifiedobligatedAmount` | committed at signing | `contracts[].value` | award |
| `MinOfEffectiveDate` | signing | `date`, `contracts[].dateSigned`, `published` | award |
| `MaxOfEffectiveDate` | last action | `known_on` | end |
| `IsTerminated` | ended early | outcome and kind | end |
| `UnmodifiedNumberOfOffersReceived` | filled where nothing was modified later | unused | **leaks** |
| `ContractingOfficeID`, `ContractingAgencyID`, `IsFixedPrice` | empty where they varied later | unused | **leaks** |
| `Sum…`, `Max…`, `ChangeOrder…`, `NewWork…`, `ObligatedAmount`, `maxoffiscal_year`, `IsClosed`, `IsModified` | \
the contract's life | unused | end |
| `CSIScontractID`, `CSISidvpiidID`, `StartFiscal_Year`, `IsIDV` | keys; what PIID and date say too | unused | – |
| the columns that are always empty | – | unused | – |

A code is empty where it took several values over the contract's life, and such contracts end early three times as
often. So an empty code counts as the commonest one and cannot be told from it. The office comes from the PIID:
office (6), fiscal year (2), instrument (1), number; orders under a vehicle have a short number of their own.
Contracts still running in 2013 count as held. Orders under one vehicle form one cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import CellParser, as_clock, as_day, as_number, as_text, money, read_cells
from tenders.tender import Award, Contract, OrganizationReference, Procedure, Tender

NAME = "fpds_dod_us"
CEILING, BASE = "SumOfUnmodifiedbaseandalloptionsvalue", "SumOfUnmodifiedbaseandexercisedoptionsvalue"
COMMITTED = "SumOfUnmodifiedobligatedAmount"
COMMONEST = {"TypeOfContractPricing": "J", "systemequipmentcode": "000", "extentcompeted": "A"}
METHODS = {"A": "open", "D": "selective", "E": "direct", "F": "open", "B": "direct", "C": "direct", "G": "direct"}
NEEDED: Mapping[str, CellParser] = {
    "piid": as_text,
    "idvpiid": as_text,
    "MinOfEffectiveDate": as_day,
    "MaxOfEffectiveDate": as_clock,
    "IsTerminated": as_number,
}
WANTED: Mapping[str, CellParser] = {
    **dict.fromkeys(COMMONEST, as_text),
    "statutoryexceptiontofairopportunity": as_text,
    CEILING: as_number,
    BASE: as_number,
    COMMITTED: as_number,
}
Row = Mapping[str, Any]

_PIID = re.compile(r"(?P<office>[A-Z0-9]{6})(?P<year>\d\d)(?P<instrument>[A-Z])[A-Z0-9]{4,6}$")
_SCHEDULE = re.compile(r"(?P<office>GS\d\d)(?P<instrument>[A-Z])[A-Z0-9]{5}$")


def read_fpds(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    cases: list[LabelledTender] = []
    for number, row in enumerate(cells.rows()):
        signed, last = row["MinOfEffectiveDate"], row["MaxOfEffectiveDate"]
        if signed is None or last is None:
            column, what = ("MaxOfEffectiveDate", "last action") if signed else ("MinOfEffectiveDate", "signing")
            cells.add_missing(number, column, f"no day of {what}")
            continue
        cases.append(_case(number, row, signed, last))
    return HistoryFile(cases=cases, rows=len(cells.columns["piid"]), problems=cells.problems)


def _case(number: int, row: Row, signed: date, last: date) -> LabelledTender:
    ended = row["IsTerminated"]
    early = None if ended is None else bool(ended)
    return LabelledTender(
        tender=_tender(row, signed),
        published=signed,
        known_on=None if early is None else max(signed, last),
        outcomes={"early_end": early},
        kind="terminated" if early else "held",
        cluster_id=str(row["idvpiid"] or row["piid"]),
        row=number,
    )


def _tender(row: Row, signed: date) -> Tender:
    vehicle, number = row["idvpiid"], str(row["piid"])
    competed = _code(row, "extentcompeted")
    codes = number_codes(vehicle, number)
    office = codes.pop("office", None)
    codes |= {"pricing": _code(row, "TypeOfContractPricing"), "system": _code(row, "systemequipmentcode")}
    stated = {"fair_opportunity": row["statutoryexceptiontofairopportunity"], "vehicle": vehicle}
    codes |= {name: str(code) for name, code in stated.items() if code}
    day, base, committed = signed.isoformat(), money(row[BASE], "USD"), money(row[COMMITTED], "USD")
    return Tender(
        ocid=f"{NAME}-{vehicle or ''}-{number}",
        date=day,
        buyer=OrganizationReference(id=f"US-DODAAC-{office}", name=office) if office else None,
        tender=Procedure(
            id=number,
            value=money(row[CEILING], "USD"),
            procurement_method=METHODS.get(competed),
            procurement_method_details=competed,
        ),
        awards=(Award(id="1", date=day, value=base),),
        contracts=(Contract(id=number, award_id="1", date_signed=day, value=committed),),
        tender_risk=Facts(codes=codes),
    )


def _code(row: Row, column: str) -> str:
    code = row[column]
    return str(code) if code not in (None, "", ":") else COMMONEST[column]


def number_codes(vehicle: str | None, number: str) -> dict[str, str]:
    """The codes in the numbers: office, service, instrument, fiscal year, kind of order. Unknown shapes give fewer."""
    own, above = _PIID.match(number), _match(vehicle)
    codes = {"order": _order(vehicle, number)}
    for match in filter(None, (above, own)):
        codes |= {name: part for name, part in match.groupdict().items() if name != "year"}
        if "year" in match.groupdict():
            codes["fiscal_year"] = match["year"]
    if above:
        codes["instrument"] = above["instrument"]
    if office := codes.get("office"):
        codes["service"] = office[:2] if office[0] in "DHGS" else office[0]
    return codes


def _match(vehicle: str | None) -> re.Match[str] | None:
    return (_PIID.match(vehicle) or _SCHEDULE.match(vehicle)) if vehicle else None


def _order(vehicle: str | None, number: str) -> str:
    if not vehicle:
        return "no"
    return "numbered" if number.isdigit() else "lettered" if len(number) < 9 else "own number"


REGISTER = Register(
    name=NAME,
    title="FPDS, Department of Defense, United States",
    credit=(
        "Contracts of the Department of Defense begun in fiscal years 2000 to 2010, sampled by money spent, from the "
        "Federal Procurement Data System; copy: github.com/CSISdefense/Fixed-price, which states no licence for it."
    ),
    outcomes={"early_end": ("awarded",)},
    read=read_fpds,
    gaps_tell=("/contracts/0/value",),
)
