"""Made-up registers: files with the columns of the real ones and rows that nobody published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenders.history import HistoryFile, LabelledTender
from tenders.registers import find_register

Row = dict[str, Any]


def table(folder: Path, rows: Sequence[Row], name: str = "register.parquet") -> Path:
    """The rows as a parquet file."""
    path = folder / name
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def read(register: str, folder: Path, *rows: Row) -> HistoryFile:
    """What the register's reader makes of the rows."""
    return find_register(register).read(table(folder, rows))


def one(register: str, folder: Path, row: Row) -> LabelledTender:
    """The only case of the row."""
    (case,) = read(register, folder, row).cases
    return case


def at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def sicoes(cuce: str = "15-0099-00-500001-1-1", estado: str = "Contratado", **changes: Any) -> Row:
    row: Row = {
        "cuce": cuce, "entidad": "Municipio Inventado", "tipo_de_contratacion": "Obras", "modalidad": "ANPE",
        "objeto_de_contratacion": "Puente  peatonal", "estado": estado, "subasta": "No",
        "fecha_presentacion": at("2015-03-20"), "fecha_publicacion": at("2015-03-10"),
        "fecha_adjudicacion_desierta": at("2015-04-01"), "departamento": "Tarija", "normativa": "NB-SABS (X)",
    }  # fmt: skip
    return row | changes


def placsp(lot: str = "Sin lotes", result: str = "Adjudicado", bids: float | None = 3, **changes: Any) -> Row:
    row: Row = {
        "id": 900, "lot_id": lot, "lot_title": f"Parte {lot}", "title": "Limpieza de escuelas", "lot_value_eur": 1000.0,
        "estimated_value_eur": 5000.0, "budget_net_eur": 4000.0, "lot_cpv": "90910000;90911000;", "cpv": "90910000;",
        "result": result, "status": "Resuelta", "decision_date": at("2021-08-30"), "published": at("2021-06-01"),
        "bids_received": bids, "contract_type": "Servicios", "buyer_type": "Local", "procedure": "Abierto",
        "contracting_system": "No aplica", "urgency": "Urgente", "submission_form": "Manual", "directive": "2014/24/EU",
        "buyer": "Ayuntamiento Inventado", "postal_code": "8006", "subcontracting": "Se admite", "nuts": "ES300 - Madrid",
    }  # fmt: skip
    return row | changes


def dncp(ocid: str = "call-1-1750000000", estado: str = "complete", **changes: Any) -> Row:
    row: Row = {
        "ocid": ocid, "id_llamado": "call-1", "estado": estado, "titulo": "Útiles", "monto_estimado": 1e8,
        "fecha_publicacion": "2025-05-02T08:00:00-04:00", "fecha_cierre": "2025-05-20T09:00:00-04:00",
        "modalidad": "open", "modalidad_detalle": "Especiales\tSubasta", "entidad": "Municipalidad Inventada",
        "presupuesto": 0.0, "anio": 2025,
    }  # fmt: skip
    return row | changes


def nicgep(bidders: str | None = "3", **changes: Any) -> Row:
    row: Row = {
        "Organisation Chain": "Works||Circle One||Division Two", "Tender ID": "2021_WRKS_100_7",
        "Tender Type": "Open Tender", "Form of contract": "Item Rate", "Tender Category": "Works", "No. of Covers": "2.0",
        "General Technical Evaluation Allowed": "No", "ItemWise Technical Evaluation Allowed": "No",
        "Payment Mode": "Online", "Allow Two Stage Bidding": "No", "Withdrawal Allowed": "Yes",
        "Publish Date": "10-Apr-2021 11:00 AM", "Bid Opening Date": "28-Apr-2021 09:00 AM",
        "Clarification Start Date": None, "Clarification End Date": None,
        "Bid Submission Start Date": "10-Apr-2021 11:00 AM", "Bid Submission End Date": "24-Apr-2021 05:00 PM",
        "EMD Amount in ₹": "8,450", "EMD Exemption Allowed": None, "EMD Fee Type": "fixed", "Tender Fee in ₹": "500.0",
        "Title": "A culvert", "Work Description": "Culvert at km 3", "Tender Value in ₹": "8,45,000",
        "Product Category": "Civil Works", "Contract Type": "Tender", "Bid Validity(Days)": "90.0",
        "Period Of Work(Days)": "180.0", "Location": "Riverside", "Pre Bid Meeting Date": "15-Apr-2021 12:00 PM",
        "Contract Date :": "17-Jun-2021", "Contract Value :": "INR 700,000", "Awarded Value": "779,254", "n_rows": "3",
        "n_bidders": bidders, "statuses": "x", "state": "Assam", "committee_members": 4,
    }  # fmt: skip
    return row | changes


def fpds(terminated: int = 0, **changes: Any) -> Row:
    row: Row = {
        "piid": "W31ZZZ08C0021", "idvpiid": None, "extentcompeted": "D", "TypeOfContractPricing": "U",
        "systemequipmentcode": "ABC", "statutoryexceptiontofairopportunity": None, "IsFixedPrice": False,
        "ContractingOfficeID": "OTHER", "ContractingAgencyID": "2100", "UnmodifiedNumberOfOffersReceived": 4.0,
        "SumOfUnmodifiedbaseandalloptionsvalue": 300.0, "SumOfUnmodifiedbaseandexercisedoptionsvalue": 200.0,
        "SumOfUnmodifiedobligatedAmount": 100.0, "SumofObligatedAmount": 999.0, "IsModified": 1,
        "MinOfEffectiveDate": "2007-12-27 00:00:00.0000000", "MaxOfEffectiveDate": "2011-06-11 00:00:00.0000000",
        "IsTerminated": terminated,
    }  # fmt: skip
    return row | changes


def ted(offers: int | None = 2, **changes: Any) -> Row:
    row: Row = {
        "YEAR": 2012, "TYPE_OF_CONTRACT": "W", "TOP_TYPE": "OPE", "AWARD_VALUE_EURO": 5000.0, "CRIT_PRICE_WEIGHT": 60,
        "NUMBER_OFFERS": offers, "AWARD_QUARTER": 3, "DAYS_TO_AWARD": 73, "DAYS_TO_AWARD_MISSING": 0,
        "CRIT_PRICE_WEIGHT_MISSING": 1, "CPV_GROUP": "Works", "CAE_CATEGORY": "Ministry", "TOPIC_ID": 0,
        "TOPIC_NAME": "Lots",
    }  # fmt: skip
    return row | changes


def uk_notice(ocid: str = "ocds-h6vhtk-1", **changes: Any) -> Row:
    row: Row = {
        "ocid": ocid, "source": "fts", "title": "Grounds maintenance", "buyer": "A Council", "region": "UKJ22",
        "cpv": "77", "category": "services", "method": "open", "method_details": "Open procedure", "regime": "PA2023",
        "framework": "no", "lots": 2.0, "value_gbp": 60000.0, "value_basis": "tender", "planning": "no",
        "published": "2025-09-01", "deadline": "2025-10-01", "contract_start": "2026-04-01", "contract_end": None,
        "term_months": 36.0, "renewal_months": 24.0, "sme": "yes", "price_weight": "40.0", "bids": "3",
        "updates_before_outcome": "0", "stages": "Tender@2025-09-01;Award@2026-01-05", "outcome": "awarded",
        "outcome_date": "2026-01-05", "outcome_basis": "firm", "reissue": None, "reason_code": None, "entry": "blind",
        "form": "a", "last_release": "2026-01-05", "group": ocid,
    }  # fmt: skip
    return row | changes


def dos(status: str = "awarded", **changes: Any) -> Row:
    row: Row = {
        "id": "1", "opportunity": "Developer", "framework": "digital-outcomes-and-specialists-2",
        "category": "digital-specialists", "specialist": "developer", "organisation": "Home Office",
        "buyer_domain": "homeoffice.gov.uk", "location": "London", "published": "2017-05-01", "open_for": "2 weeks",
        "expected_length": "2 years", "applications_sme": 6.0, "applications_large": 2.0, "applications": 8.0,
        "status": status, "winner": "Firm Ltd", "winner_size": "small", "contract_amount": 200000.0,
        "contract_start": "2017-08-07",
    }  # fmt: skip
    return row | changes
