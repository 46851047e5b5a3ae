"""DNCP, Paraguay: releases of calls to July 2025, one row a release. Outcome: no_award, open at draft.

| column | what it is | where it goes | known |
|---|---|---|---|
| `ocid` | release; ends in the moment it was written | orders releases; `known_on` | end |
| `id_llamado` | the call | `tender.id`; the last release of each call is the case | call |
| `titulo` | what is bought | `tender.title` | call |
| `monto_estimado` | estimate, PYG | `tender.value` | call |
| `presupuesto` | budget, PYG | `planning.budget.amount` | call |
| `fecha_publicacion` | publication | `tender.datePublished`, start of `tenderPeriod` | call |
| `fecha_cierre` | bids due | end of `tenderPeriod` | call |
| `modalidad` | OCDS method | `tender.procurementMethod` | call |
| `modalidad_detalle` | procedure by name | `tender.procurementMethodDetails` | call |
| `entidad` | the buyer | `buyer` | call |
| `estado` | complete, unsuccessful, cancelled, active | outcome and kind | end |
| `anio` | year of the file | unused | – |

Before October 2024 complete calls survive and failed ones hardly do, so those calls are censored, whatever they state.
Active ones are too. A call's figures are those of its last release: a deadline that was moved looks original.
Calls whose id begins with the same number are for one need, and form one cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers.columns import CellParser, as_day, as_number, as_text, iso, money, read_cells, text
from tenders.tender import Budget, OrganizationReference, Period, Planning, Procedure, Tender

NAME = "dncp_py"
WHOLE_SINCE = date(2024, 10, 1)
DAY = timedelta(days=1)

NO_AWARD = {"complete": False, "unsuccessful": True, "cancelled": True}
NEEDED: Mapping[str, CellParser] = {
    "ocid": as_text,
    "id_llamado": as_text,
    "estado": as_text,
    "fecha_publicacion": as_day,
}
WANTED: Mapping[str, CellParser] = {
    "titulo": as_text,
    "monto_estimado": as_number,
    "presupuesto": as_number,
    "fecha_cierre": as_day,
    "modalidad": as_text,
    "modalidad_detalle": as_text,
    "entidad": as_text,
}
Row = Mapping[str, Any]

_WRITTEN = re.compile(r"-(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[-+]\d\d:\d\d))$")
_SECONDS = re.compile(r"-(1\d{9})(?:\.\d+)?$")
_MILLISECONDS = re.compile(r"-(1\d{9})\d{3}$")
_NUMBER = re.compile(r"(\d{4,})-")


def read_dncp(path: Path) -> HistoryFile:
    """The last release of every call as a case. Raises as `Register` says."""
    cells = read_cells(path, NEEDED, WANTED)
    rows = list(cells.rows())
    last: dict[str, tuple[datetime, int]] = {}
    for number, row in enumerate(rows):
        if row["fecha_publicacion"] is None:
            cells.add_missing(number, "fecha_publicacion", "no publication day")
            continue
        call, written = str(row["id_llamado"] or row["ocid"]), written_at(str(row["ocid"]))
        release = (written or datetime.min.replace(tzinfo=UTC), number)
        last[call] = max(last.get(call, release), release)
    cases = [_case(number, rows[number]) for number in sorted(number for _, number in last.values())]
    return HistoryFile(cases=cases, rows=len(rows), problems=cells.problems)


def written_at(ocid: str) -> datetime | None:
    """When a release was written, by the end of its id; None if that does not say it."""
    if stamp := _WRITTEN.search(ocid):
        try:
            return datetime.fromisoformat(stamp[1]).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    seconds = _SECONDS.search(ocid) or _MILLISECONDS.search(ocid)
    return datetime.fromtimestamp(int(seconds[1]), UTC) if seconds else None


def _case(number: int, row: Row) -> LabelledTender:
    published: date = row["fecha_publicacion"]
    no_award = NO_AWARD.get(row["estado"]) if published >= WHOLE_SINCE else None
    written = written_at(str(row["ocid"]))
    known = max(written.date() if written else published, published + DAY)
    call = str(row["id_llamado"] or row["ocid"])
    root = _NUMBER.match(call)
    return LabelledTender(
        tender=_tender(call, row, published),
        published=published,
        known_on=None if no_award is None else known,
        outcomes={"no_award": no_award},
        kind=str(row["estado"]),
        cluster_id=root[1] if root else call,
        row=number,
    )


def _tender(call: str, row: Row, published: date) -> Tender:
    budget = money(row["presupuesto"], "PYG")
    return Tender(
        ocid=f"{NAME}-{call}",
        buyer=OrganizationReference(name=text(row["entidad"])),
        planning=Planning(budget=Budget(amount=budget)) if budget else None,
        tender=Procedure(
            id=call,
            title=text(row["titulo"]),
            date_published=iso(published),
            value=money(row["monto_estimado"], "PYG"),
            procurement_method=row["modalidad"],
            procurement_method_details=text(row["modalidad_detalle"]),
            tender_period=Period(start_date=iso(published), end_date=iso(row["fecha_cierre"])),
        ),
    )


REGISTER = Register(
    name=NAME,
    title="DNCP, Paraguay",
    credit=(
        "Calls to July 2025 of the Dirección Nacional de Contrataciones Públicas, Paraguay; copy: "
        "github.com/diegomezapy/tableroDNCPpy, CC BY 4.0."
    ),
    outcomes={"no_award": ("draft",)},
    read=read_dncp,
    called_off=("cancelled",),
)
