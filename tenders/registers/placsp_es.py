"""PLACSP, Spain: lots resolved in one week of 2021, one row a lot. Outcomes: no_award, open at draft and when bids are
in, and single_bid.

| column | what it is | where it goes | known |
|---|---|---|---|
| `id` | the tender | `tender.id`; lots of one tender are a cluster | call |
| `lot_id` | the lot; *Sin lotes* is one block | `tender.lots[].id`; `tenderRisk.singleBlock` | call |
| `title`, `lot_title` | what is bought | `tender.title`, `tender.lots[].title` | call |
| `lot_value_eur` | budget of the lot | `tender.lots[].value` | call |
| `estimated_value_eur` | value with options, without VAT | `tender.value` | call |
| `budget_net_eur` | base budget without VAT | `planning.budget.amount` | call |
| `cpv`, `lot_cpv` | CPV codes | `tender.classification`, `tender.items[]` by lot | call |
| `contract_type` | kind of contract | `tender.mainProcurementCategory`, `codes` | call |
| `procedure` | route by name | `tender.procurementMethod`, `procurementMethodDetails` | call |
| `contracting_system` | framework, call-off or neither | `tender.techniques.hasFrameworkAgreement`, `codes` | call |
| `urgency`, `submission_form`, `buyer_type` | categories | `codes` | call |
| `directive` | directive, if any applies | `tender.legalBasis`, as CELEX | call |
| `buyer`, `postal_code`, `nuts` | the buyer and where | `buyer`, `parties[].address`, items' delivery region | call |
| `published` | first publication | `published`, the clock; **not** `tender.datePublished` | call |
| `bids_received` | bids counted | `bids.statistics` of the lot; `tender.numberOfTenderers` of its case | bids in |
| `result` | how the lot ended | outcome and kind | end |
| `decision_date` | when | `known_on` | end |
| `status`, `subcontracting` | state today; terms of unknown date | unused | end |

A week of resolutions over-draws old calls that took long, so the day of publication would tell the result.
`bids_received` is empty for Desistimiento and Renuncia alone (the buyer gave up), so the gap tells the outcome: the
median of the tender's other lots stands in where there is one, and `gaps_tell` warns of the rest. The lots known are
those resolved that week: a lower bound. A row that repeats its lot (one a winner) is a case, and one lot in the tender.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import (
    CellParser,
    as_clock,
    as_day,
    as_number,
    as_text,
    cell_problem,
    codes_as,
    count,
    money,
    read_cells,
    text,
)
from tenders.tender import (
    Address,
    Bids,
    BidStatistic,
    Budget,
    Classification,
    Item,
    LegalBasis,
    Lot,
    OrganizationReference,
    Party,
    Planning,
    Procedure,
    Techniques,
    Tender,
)

NAME = "placsp_es"
ONE_BLOCK = "Sin lotes"
DAY = timedelta(days=1)

NO_AWARD = {"Adjudicado": False, "Formalizado": False, "Desierto": True, "Desistimiento": True, "Renuncia": True}
METHODS = {
    "Abierto": "open",
    "Abierto simplificado": "open",
    "Restringido": "selective",
    "Negociado con publicidad": "selective",
    "Licitación con negociación": "selective",
    "Derivado de acuerdo marco": "selective",
    "Negociado sin publicidad": "limited",
}
CATEGORIES = {
    "Suministros": "goods",
    "Obras": "works",
    "Concesión de Obras": "works",
    "Concesión de Obras Públicas": "works",
    "Servicios": "services",
    "Concesión de Servicios": "services",
    "Gestión de Servicios Públicos": "services",
    "Administrativo especial": "services",
}
CELEX = {"2014/23/EU": "32014L0023", "2014/24/EU": "32014L0024", "2014/25/EU": "32014L0025", "2009/81/EC": "32009L0081"}
FRAMEWORK = {"Establecimiento del Acuerdo Marco": True}
CODES = ("buyer_type", "contract_type", "contracting_system", "submission_form", "urgency")

NEEDED: Mapping[str, CellParser] = {"id": as_text, "lot_id": as_text, "result": as_text, "published": as_day}
WANTED: Mapping[str, CellParser] = {
    "lot_title": as_text,
    "title": as_text,
    "lot_value_eur": as_number,
    "estimated_value_eur": as_number,
    "budget_net_eur": as_number,
    "lot_cpv": as_text,
    "cpv": as_text,
    "decision_date": as_clock,
    "bids_received": as_number,
    "procedure": as_text,
    "directive": as_text,
    "buyer": as_text,
    "postal_code": as_text,
    "nuts": as_text,
    **dict.fromkeys(CODES, as_text),
}
Row = Mapping[str, Any]


def read_placsp(path: Path) -> HistoryFile:
    """Every row of the file as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    rows = list(cells.rows())
    by_tender: dict[object, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row["published"] is None:
            cells.add_missing(number, "published", "no publication day")
        elif row["result"] not in NO_AWARD:
            cells.problems.append(cell_problem(number, "result", f"{row['result']!r} is no known result"))
        else:
            by_tender[row["id"]].append(number)
    last = max((row["decision_date"] for row in rows if row["decision_date"]), default=date.max)
    cases = [case for numbers in by_tender.values() for case in _cases(numbers, [rows[i] for i in numbers], last)]
    return HistoryFile(cases=sorted(cases, key=lambda case: case.row), rows=len(rows), problems=cells.problems)


def _cases(numbers: Sequence[int], rows: Sequence[Row], last: date) -> list[LabelledTender]:
    lots = {str(row["lot_id"]): row for row in rows if row["lot_id"] != ONE_BLOCK}
    known = [row["bids_received"] for row in lots.values() if row["bids_received"] is not None]
    counts = {lot: row["bids_received"] for lot, row in lots.items()}
    if known:
        counts = {lot: median(known) // 1 if bids is None else bids for lot, bids in counts.items()}
    return [_case(number, row, lots, counts, last) for number, row in zip(numbers, rows, strict=True)]


def _case(
    number: int, row: Row, lots: Mapping[str, Row], counts: Mapping[str, float | None], last: date
) -> LabelledTender:
    own = None if row["lot_id"] == ONE_BLOCK else str(row["lot_id"])
    bids = row["bids_received"]
    no_award = NO_AWARD[row["result"]]
    return LabelledTender(
        tender=_tender(row, own, lots, counts),
        published=row["published"],
        known_on=max(row["decision_date"] or last, row["published"] + DAY),
        outcomes={"no_award": no_award, "single_bid": bids == 1 if bids else None},
        kind=row["result"],
        cluster_id=str(row["id"]),
        row=number,
        lot=own,
    )


def _tender(row: Row, own: str | None, lots: Mapping[str, Row], counts: Mapping[str, float | None]) -> Tender:
    ordered = [] if own is None else [own, *(lot for lot in lots if lot != own)]
    codes = _cpv(row["cpv"])
    counted = counts[own] if own else row["bids_received"]
    statistics = [_bids(lot, counts[lot]) for lot in ordered] or [_bids(None, counted)]
    basis = CELEX.get(row["directive"] or "")
    budget = money(row["budget_net_eur"], "EUR")
    place = (Address(region=region),) if (region := str(row["nuts"] or "").split(" ")[0]) else ()
    return Tender(
        ocid=f"{NAME}-{row['id']}",
        buyer=OrganizationReference(name=text(row["buyer"])),
        parties=_parties(row),
        planning=Planning(budget=Budget(amount=budget)) if budget else None,
        tender=Procedure(
            id=str(row["id"]),
            title=text(row["title"]),
            value=money(row["estimated_value_eur"], "EUR"),
            procurement_method=METHODS.get(row["procedure"] or ""),
            procurement_method_details=row["procedure"],
            main_procurement_category=CATEGORIES.get(row["contract_type"] or ""),
            number_of_tenderers=count(counted),
            classification=codes[0] if codes else None,
            items=_items(own, row, ordered, lots, place),
            lots=tuple(_lot(lot, lots[lot]) for lot in ordered),
            legal_basis=LegalBasis(scheme="CELEX", id=basis) if basis else None,
            techniques=_techniques(row["contracting_system"]),
        ),
        bids=Bids(statistics=stated) if (stated := tuple(filter(None, statistics))) else None,
        tender_risk=Facts(single_block=own is None, codes={name: row[name] for name in CODES if row[name]}),
    )


def _items(
    own: str | None, row: Row, ordered: Sequence[str], lots: Mapping[str, Row], place: tuple[Address, ...]
) -> tuple[Item, ...]:
    if own is None:
        return (_item(None, row, place),)
    return tuple(_item(lot, lots[lot], place) for lot in ordered)


def _item(lot: str | None, row: Row, place: tuple[Address, ...]) -> Item:
    codes = _cpv(row["lot_cpv"] or row["cpv"])
    return Item(
        id=lot or "1",
        classification=codes[0] if codes else None,
        additional_classifications=codes[1:],
        related_lot=lot,
        delivery_addresses=place,
    )


def _cpv(codes: str | None) -> tuple[Classification, ...]:
    return tuple(Classification(scheme="CPV", id=code) for code in (codes or "").split(";") if code.strip())


def _lot(lot: str, row: Row) -> Lot:
    return Lot(id=lot, title=text(row["lot_title"]), value=money(row["lot_value_eur"], "EUR"))


def _bids(lot: str | None, bids: float | None) -> BidStatistic | None:
    return None if bids is None else BidStatistic(id=lot or "1", measure="bids", value=bids, related_lot=lot)


def _parties(row: Row) -> tuple[Party, ...]:
    code = str(row["postal_code"] or "")
    address = Address(postal_code=code.zfill(5), country_name="Spain") if code else None
    return (Party(id="buyer", name=text(row["buyer"]), roles=("buyer",), address=address),)


def _techniques(system: str | None) -> Techniques | None:
    return None if system is None else Techniques(has_framework_agreement=FRAMEWORK.get(system, False))


REGISTER = Register(
    name=NAME,
    title="PLACSP, Spain",
    credit=(
        "Lots resolved in one week of 2021 on the Plataforma de Contratación del Sector Público, Spain, a sample of "
        "its buyers; copy: github.com/Pedrodpj92/DatosAbiertos_OpenPLACSP, which states no licence for the data."
    ),
    outcomes={"no_award": ("draft", "bids_in"), "single_bid": ("draft",)},
    read=read_placsp,
    called_off=("desistimiento", "renuncia"),
    gaps_tell=("/bids/statistics",),
    snapshot=True,
    attributes=codes_as(kind="contract_type", authority="buyer_type", form="contracting_system", urgency="urgency"),
)
