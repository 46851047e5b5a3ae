"""Releases that tests start from: one procurement of two lots, as its notices would tell it."""

from __future__ import annotations

import copy
import json
from typing import Any

from tenders.io.read import to_process
from tenders.process import Process

Json = dict[str, Any]

OCID = "ocds-h6vhtk-0a1b2c"


def draft(**changes: Any) -> Json:
    """The tender notice. `changes` replace top-level fields."""
    release: Json = {
        "ocid": OCID,
        "id": "000100-2024",
        "date": "2024-03-01T09:00:00Z",
        "tag": ["tender"],
        "language": "en",
        "buyer": {"id": "GB-PPON-AAAA-1111-BBBB", "name": "Example Integrated Care Board"},
        "parties": [
            {"id": "GB-PPON-AAAA-1111-BBBB", "name": "Example Integrated Care Board", "roles": ["buyer"]},
            {"id": "court", "name": "High Court", "roles": ["reviewBody"]},
        ],
        "planning": {"documents": [{"id": "p1", "noticeType": "UK2", "datePublished": "2023-11-01"}]},
        "tender": {
            "id": "t1",
            "title": "Community nursing",
            "description": "Nursing at home in two districts",
            "datePublished": "2024-03-01",
            "value": {"amount": 900_000, "currency": "GBP"},
            "procurementMethod": "open",
            "mainProcurementCategory": "services",
            "tenderPeriod": {"startDate": "2024-03-01", "endDate": "2024-04-15"},
            "contractPeriod": {"startDate": "2024-09-01", "endDate": "2027-08-31"},
            "items": [{"id": "i1", "classification": {"scheme": "CPV", "id": "85141200"}, "relatedLot": "north"}],
            "lots": [
                {"id": "north", "title": "North", "value": {"amount": 500_000, "currency": "GBP"}},
                {"id": "south", "title": "South", "value": {"amount": 400_000, "currency": "GBP"}},
            ],
            "documents": [{"id": "d1", "noticeType": "UK4", "datePublished": "2024-03-01"}],
        },
        "tenderRisk": {"singleBlock": False, "advisers": [{"name": "Adviser Ltd"}]},
    }
    return {**release, **changes}


def plain(**tender: Any) -> Json:
    """A tender notice without lots; `tender` are fields of the tender object."""
    release = draft()
    del release["tender"]["lots"]
    release["tender"]["items"][0].pop("relatedLot")
    release["tender"].update(tender)
    return release


def update(date: str, tag: str, number: int = 200, **sections: Any) -> Json:
    """A later notice of the same procurement that states `sections` only."""
    return {"ocid": OCID, "id": f"{number:06}-2024", "date": date, "tag": [tag], **sections}


def award(number: str = "a1", lots: list[str] | None = None, **fields: Any) -> Json:
    """An award in force, unless `fields` say otherwise."""
    content: Json = {
        "id": number,
        "status": "active",
        "date": "2024-06-01",
        "suppliers": [{"id": "s1", "name": "Supplier Ltd"}],
        **fields,
    }
    return {**content, "relatedLots": lots} if lots else content


def contract(number: str = "c1", award_id: str = "a1", **fields: Any) -> Json:
    """A contract in force from September 2024 to August 2027, unless `fields` say otherwise."""
    return {
        "id": number,
        "awardID": award_id,
        "status": "active",
        "dateSigned": "2024-07-01",
        "period": {"startDate": "2024-09-01", "endDate": "2027-08-31"},
        **fields,
    }


def count(value: float, lot: str | None = None, measure: str = "bids") -> Json:
    """One bid statistic."""
    statistic: Json = {"id": f"{measure}-{lot}-{value}", "measure": measure, "value": value}
    return {**statistic, "relatedLot": lot} if lot else statistic


def process(*releases: Json) -> Process:
    """One process, read as from a package if there are several releases."""
    given = copy.deepcopy(list(releases))
    return to_process(given[0] if len(given) == 1 else {"releases": given})


def data(document: Any) -> bytes:
    """The document as JSON."""
    return json.dumps(document).encode()
