"""TED, Germany: award notices 2008 to 2014, one row a notice or lot, without its id. Outcome: single_bid at draft.

| column | what it is | where it goes | known |
|---|---|---|---|
| `YEAR` | year of the notice | `tender.datePublished` (the year alone) | call |
| `AWARD_QUARTER` | quarter of the award | both clocks | award |
| `TYPE_OF_CONTRACT` | W works, U supplies, S services | `tender.mainProcurementCategory` | call |
| `TOP_TYPE` | type of procedure | `tender.procurementMethod`, `procurementMethodDetails` | call |
| `CRIT_PRICE_WEIGHT` | weight of the price, per cent | `tender.awardCriteria`, `codes.price_weight` | call |
| `CRIT_PRICE_WEIGHT_MISSING` | flag of the source, meaning unclear | `codes.price_weight_flag` | call |
| `CPV_GROUP`, `CAE_CATEGORY` | group of CPV codes; kind of authority | `codes.cpv_group`, `codes.authority` | call |
| `TOPIC_ID`, `TOPIC_NAME` | topic that the source found in the text | `codes.topic` | call (?) |
| `NUMBER_OFFERS` | offers received | outcome; `tender.numberOfTenderers` | bids in |
| `AWARD_VALUE_EURO` | price | `awards[].value`, never earlier | award |
| `DAYS_TO_AWARD`, `DAYS_TO_AWARD_MISSING` | how long it took | unused | award |

Only the quarter of the award is known: a case counts as published on its first day and known on its last, so that no
result of a quarter reaches another case of it. The quarter is a clock and never a fact. There is no buyer and no notice
id, but rows stand in the order of their notices: neighbours that agree in all facts of the call have the same outcome
far more often than rows that agree and lie apart, so they form one cluster. Two equal notices may stand together, and
then intervals are too wide rather than too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import (
    CellParser,
    Interner,
    as_day,
    as_number,
    as_text,
    codes_as,
    count,
    gc_paused,
    money,
    read_cells,
)
from tenders.tender import Award, Procedure, Tender

NAME = "ted_de"
CATEGORIES = {"W": "works", "U": "goods", "S": "services"}
METHODS = {
    "OPE": "open",
    "RES": "selective",
    "NIC": "selective",
    "NIP": "selective",
    "COD": "selective",
    "NOC": "limited",
    "NOP": "limited",
    "AWP": "direct",
}
ALONE: Mapping[str, bool | None] = {"single_bid": True}
RIVALS: Mapping[str, bool | None] = {"single_bid": False}
UNKNOWN: Mapping[str, bool | None] = {"single_bid": None}


def _as_year(cell: Any) -> int | None:
    year = count(as_number(cell))
    first = as_day(year and f"{year:04}-01-01")
    return first.year if first else None


NEEDED: Mapping[str, CellParser] = {"YEAR": _as_year, "NUMBER_OFFERS": as_number}
WANTED: Mapping[str, CellParser] = {
    "AWARD_QUARTER": as_number,
    "TYPE_OF_CONTRACT": as_text,
    "TOP_TYPE": as_text,
    "CRIT_PRICE_WEIGHT": as_number,
    "CRIT_PRICE_WEIGHT_MISSING": as_number,
    "CPV_GROUP": as_text,
    "CAE_CATEGORY": as_text,
    "TOPIC_NAME": as_text,
    "AWARD_VALUE_EURO": as_number,
}


def read_ted(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    shared = Interner()
    cases: list[LabelledTender] = []
    notice, before = "", None
    with gc_paused():
        for row, (year, offers, quarter, *facts, price) in enumerate(zip(*cells.columns.values(), strict=True)):
            if year is None:
                cells.add_missing(row, "YEAR", "no year")
                continue
            if (year, facts) != before:
                notice, before = f"notice at row {row}", (year, facts)
            clocks = shared(_clocks, year, count(quarter))
            cases.append(_case(row, notice, year, clocks, count(offers), facts, price, shared))
    return HistoryFile(cases=cases, rows=len(cells.columns["YEAR"]), problems=cells.problems)


def _clocks(year: int, quarter: int | None) -> tuple[date, date]:
    """The first and the last day of a quarter, of the year where there is no such quarter."""
    first, last = (quarter, quarter) if quarter in (1, 2, 3, 4) else (1, 4)
    return date(year, 3 * first - 2, 1), date(year, 3 * last, 31 if last in (1, 4) else 30)


def _case(
    row: int,
    notice: str,
    year: int,
    clocks: tuple[date, date],
    offers: int | None,
    facts: list[Any],
    price: Any,
    shared: Interner,
) -> LabelledTender:
    outcomes = ALONE if offers == 1 else RIVALS if offers else UNKNOWN
    kind, route, weight, flag, group, authority, topic = facts
    value = money(price, "EUR")
    return LabelledTender(
        tender=Tender(
            ocid=f"{NAME}-{row + 1}",
            tender=shared(_procedure, year, offers or None, kind, route, weight),
            awards=(Award(id="1", value=value),) if value else (),
            tender_risk=shared(_facts, weight, flag, group, authority, topic),
        ),
        published=clocks[0],
        known_on=clocks[1] if offers else None,
        outcomes=outcomes,
        kind="awarded",
        cluster_id=notice,
        row=row,
    )


def _procedure(year: int, offers: int | None, kind: str | None, route: str | None, weight: float | None) -> Procedure:
    return Procedure(
        date_published=str(year),
        procurement_method=METHODS.get(route or ""),
        procurement_method_details=None if route == "Unknown" else route,
        main_procurement_category=CATEGORIES.get(kind or ""),
        award_criteria=None if weight is None else "priceOnly" if weight == 100 else "ratedCriteria",
        number_of_tenderers=offers,
    )


def _facts(
    weight: float | None, flag: float | None, group: str | None, authority: str | None, topic: str | None
) -> Facts:
    codes = {
        "price_weight": weight,
        "price_weight_flag": flag,
        "cpv_group": group,
        "authority": authority,
        "topic": topic,
    }
    return Facts(codes={name: str(as_text(code)) for name, code in codes.items() if code is not None})


def read_attributes(codes: Mapping[str, str]) -> dict[str, str]:
    """The codes by the names of attributes. What decides is the weight of the price with the source's flag."""
    attributes = codes_as(market="cpv_group", authority="authority", topic="topic")(codes)
    if weight := codes.get("price_weight"):
        attributes["criteria"] = f"{weight}|{codes.get('price_weight_flag')}"
    return attributes


REGISTER = Register(
    name=NAME,
    title="TED, Germany",
    credit=(
        "Award notices of German buyers in Tenders Electronic Daily, 2008 to 2014, © European Union; copy: "
        "github.com/datascience-faina/public-procurement-support, EU open data."
    ),
    outcomes={"single_bid": ("draft",)},
    read=read_ted,
    attributes=read_attributes,
)
