"""SICOES, Bolivia: competitive calls (ANPE, ANPP, LP), one row a call. Outcome: no_award, open at draft.

| column | what it is | where it goes | known |
|---|---|---|---|
| `cuce` | `YY-entity-unit-number-call-subcall` | `tender.id`; entity → buyer, unit → procuring entity | call |
| call, subcall | 2 and more: tendered again | `tenderRisk.callNumber`, `retender`, `codes.subcall` | call |
| `entidad` | name of the body | `buyer.name`, `tender.procuringEntity.name` | call |
| `tipo_de_contratacion` | kind of contract | `codes.tipo_de_contratacion`, `tender.mainProcurementCategory` | call |
| `modalidad` | ANPE, ANPP (small), LP (large), all open | `tender.procurementMethodDetails` | call |
| `objeto_de_contratacion` | what is bought | `tender.title` | call |
| `subasta` | electronic auction | `tender.techniques.hasElectronicAuction` | call |
| `fecha_publicacion` | publication | `tender.datePublished`, start of `tenderPeriod` | call |
| `fecha_presentacion` | bids due | end of `tenderPeriod` | call |
| `departamento` | department | region of the item's delivery address | call |
| `normativa` | rules that apply | `tender.legalBasis` | call |
| `estado` | how it ended | outcome and kind | end |
| `fecha_adjudicacion_desierta` | day of award or failure | `known_on` only: it is filled because it ended | end |

Censored: running, suspended, never reported, and endings in part. A call without a usable end date counts as known
120 days after publication, when 99 of 100 dated ones are; an unsuccessful one already when it was called again. Calls
of one unit on one day form one cluster. There are no values, bids or lots.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from tenders.facts import Facts
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import (
    CellParser,
    Interner,
    RegisterCells,
    as_clock,
    as_day,
    as_text,
    cell_problem,
    codes_as,
    gc_paused,
    iso,
    read_cells,
    text,
)
from tenders.tender import (
    Address,
    Item,
    LegalBasis,
    OrganizationReference,
    Period,
    Procedure,
    Techniques,
    Tender,
)

NAME = "sicoes_bo"
KNOWN_AFTER = timedelta(days=120)

AWARDED: Mapping[str, bool | None] = {"no_award": False}
FAILED: Mapping[str, bool | None] = {"no_award": True}
CENSORED: Mapping[str, bool | None] = {"no_award": None}
OUTCOMES = {
    "Contratado": AWARDED,
    "Adjudicado": AWARDED,
    "Desierto": FAILED,
    "Cancelado": FAILED,
    "Anulado": FAILED,
    "Anulado desde la convocatoria": FAILED,
    "En curso": CENSORED,
    "Vigente": CENSORED,
    "Suspendido": CENSORED,
    "No Informado": CENSORED,
    "Sin documentacion": CENSORED,
    "Sin documentacion de cierre": CENSORED,
    "Desierto Parcial": CENSORED,
    "Anulado Parcial": CENSORED,
    "Suspendido Parcial": CENSORED,
}
WORKS = frozenset({"Obras"})
GOODS = frozenset({"Bienes", "Bienes muebles y de consumo", "Bienes inmuebles", "Medicamentos"})
AUCTION = {"False": False, "No": False, "True": True, "Si": True, "Sí": True}

NEEDED: Mapping[str, CellParser] = {"cuce": as_text, "estado": as_text, "fecha_publicacion": as_day}
WANTED: Mapping[str, CellParser] = {
    "fecha_adjudicacion_desierta": as_clock,
    "fecha_presentacion": as_day,
    "entidad": as_text,
    "tipo_de_contratacion": as_text,
    "modalidad": as_text,
    "objeto_de_contratacion": as_text,
    "subasta": as_text,
    "departamento": as_text,
    "normativa": as_text,
}


class _Reader:
    """Makes cases of rows. It keeps the objects that rows share, and adds problems to the cells."""

    def __init__(self, cells: RegisterCells) -> None:
        self.cells = cells
        self.again = _calls(cells.columns["cuce"], cells.columns["fecha_publicacion"])
        self.shared = Interner()

    def case(self, row: int, cuce: str, estado: str, published: date | None, *rest: object) -> LabelledTender | None:
        parts = cuce.split("-")
        if len(parts) != 6 or not (parts[4].isdigit() and parts[5].isdigit()):
            self.cells.problems.append(
                cell_problem(row, "cuce", f"{cuce[:40]!r} is not YY-entity-unit-number-call-subcall")
            )
            return None
        if published is None:
            self.cells.add_missing(row, "fecha_publicacion", "no publication day")
            return None
        outcomes = OUTCOMES.get(estado)
        if outcomes is None:
            self.cells.problems.append(
                cell_problem(row, "estado", f"{estado!r} is no known state", "Taken as censored")
            )
            outcomes = CENSORED
        decided, *facts = rest
        unit = f"{parts[1]}-{parts[2]}"
        return LabelledTender(
            tender=self._tender(cuce, parts, published, *facts),
            published=published,
            known_on=None if outcomes is CENSORED else self._known_on(row, parts, published, decided, outcomes),
            outcomes=outcomes,
            kind=estado,
            cluster_id=f"{unit}|{published}",
            row=row,
        )

    def _known_on(
        self, row: int, parts: list[str], published: date, decided: object, outcomes: Mapping[str, bool | None]
    ) -> date:
        if isinstance(decided, date):
            if decided >= published:
                return decided
            problem = "decided before it was published"
            self.cells.problems.append(cell_problem(row, "fecha_adjudicacion_desierta", problem, "Taken as undated"))
        latest = published + KNOWN_AFTER
        if outcomes is FAILED:
            called = self.again.get("-".join(parts[:4]), ())
            return min([day for call, day in called if call > int(parts[4]) and day > published] + [latest])
        return latest

    def _tender(self, cuce: str, parts: list[str], published: date, *facts: object) -> Tender:
        deadline, name, kind, method, what, auction, department, rules = facts
        shared, day = self.shared, self.shared(iso, published)
        due = shared(iso, deadline) if isinstance(deadline, date) else None
        buyer = shared(_organization, parts[1], name)
        return Tender(
            ocid=f"{NAME}-{cuce}",
            buyer=buyer,
            tender=Procedure(
                id=cuce,
                title=text(what),
                date_published=day,
                procuring_entity=buyer if parts[2] == "00" else shared(_organization, f"{parts[1]}-{parts[2]}", name),
                procurement_method="open",
                procurement_method_details=text(method),
                main_procurement_category=_category(str(kind)) if kind else None,
                tender_period=Period(start_date=day, end_date=due),
                items=shared(_items, department) if department else (),
                legal_basis=shared(_legal_basis, rules) if rules else None,
                techniques=shared(_techniques, auction),
            ),
            tender_risk=shared(_facts, parts[4], parts[5], kind),
        )


def _organization(number: str, name: str | None) -> OrganizationReference:
    return OrganizationReference(id=f"BO-SICOES-{number}", name=text(name))


def _category(kind: str) -> str:
    return "works" if kind in WORKS else "goods" if kind in GOODS else "services"


def _items(department: str) -> tuple[Item, ...]:
    return (Item(id="1", delivery_addresses=(Address(region=department, country_name="Bolivia"),)),)


def _legal_basis(rules: str) -> LegalBasis:
    return LegalBasis(scheme="BO-SICOES", id=rules)


def _techniques(auction: object) -> Techniques:
    return Techniques(has_electronic_auction=AUCTION.get(str(auction)))


def _facts(call: str, subcall: str, kind: str | None) -> Facts:
    codes = {"subcall": subcall, "tipo_de_contratacion": kind}
    number = int(call) or None
    return Facts(call_number=number, retender=int(call) > 1, codes={k: v for k, v in codes.items() if v})


def _calls(cuces: list[str], published: list[date | None]) -> dict[str, list[tuple[int, date]]]:
    """The second and later calls of each process: call number and publication day."""
    calls: dict[str, list[tuple[int, date]]] = {}
    for cuce, day in zip(cuces, published, strict=True):
        parts = (cuce or "").split("-")
        if len(parts) == 6 and parts[4] != "1" and parts[4].isdigit() and day:
            calls.setdefault("-".join(parts[:4]), []).append((int(parts[4]), day))
    return calls


def read_sicoes(path: Path) -> HistoryFile:
    """Every call of the file as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    columns = cells.columns
    reader = _Reader(cells)
    with gc_paused():
        rows = zip(*(columns[name] for name in (*NEEDED, *WANTED)), strict=True)
        made = (reader.case(number, cuce or "", *rest) for number, (cuce, *rest) in enumerate(rows))
        cases = [case for case in made if case]
    return HistoryFile(cases=cases, rows=len(columns["cuce"]), problems=cells.problems)


def read_attributes(codes: Mapping[str, str]) -> dict[str, str]:
    """The codes by the names of attributes. A second subcall calls again for a part."""
    return codes_as(kind="tipo_de_contratacion")(codes) | {"part_again": str(codes.get("subcall", "1") != "1")}


REGISTER = Register(
    name=NAME,
    title="SICOES, Bolivia",
    credit=(
        "Competitive calls published 2008 to 2020 on SICOES, the procurement system of the Bolivian state; copy: "
        "github.com/sociedatos/bo-convocatorias_publicas, which states no licence for the data."
    ),
    outcomes={"no_award": ("draft",)},
    read=read_sicoes,
    called_off=("anulado", "cancelado"),
    attributes=read_attributes,
)
