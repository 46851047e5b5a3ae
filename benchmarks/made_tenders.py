"""Made-up OCDS releases of about 3.5 kB as JSON lines, for benchmarks: the same lines for the same seed.

They are shaped like notices of the UK's Find a Tender: several lots, items, parties and documents, most facts stated
and some left out. No outcome is in them and nothing is learnt from them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tenders.facts import Stage

WORDS = (
    "provision of integrated community care services for adults and children including supply installation and "
    "maintenance of equipment road works school transport cleaning catering consultancy framework regional hospital "
    "housing repair software licences energy waste collection"
).split()
DIVISIONS = ("85000000", "45000000", "72000000", "90000000", "60000000", "33000000", "79000000", "50000000")
METHODS = ("open", "selective", "limited", "direct")
REGIONS = ("UKC", "UKD", "UKE", "UKF", "UKG", "UKH", "UKI", "UKJ", "UKK", "UKL", "UKM", "UKN")
FIRST_DAY = date(2022, 1, 1)


def releases(count: int, seed: int = 7, stage: Stage = "draft") -> Iterator[dict[str, Any]]:
    """`count` releases of distinct ocids, each with facts up to a stage; what a draft says does not depend on it."""
    made, later = random.Random(seed), random.Random(seed)
    for number in range(count):
        release = _release(made, number)
        if stage != "draft":
            release["bids"] = {"statistics": [{"id": "1", "measure": "bids", "value": later.randrange(8)}]}
        if stage == "awarded":
            release.update(_award(later, release))
        yield release


def write(path: Path, count: int, seed: int = 7, stage: Stage = "draft") -> int:
    """Writes JSON lines and answers how many bytes they are."""
    with path.open("wb") as file:
        for release in releases(count, seed, stage):
            file.write(json.dumps(release, separators=(",", ":")).encode() + b"\n")
    return path.stat().st_size


def _prose(made: random.Random, words: int) -> str:
    return " ".join(made.choice(WORDS) for _ in range(words)).capitalize()


def _at(made: random.Random, day: date) -> str:
    """An instant of a day: registers note the second, so hardly two of them are one text."""
    return f"{day}T{made.randrange(24):02}:{made.randrange(60):02}:{made.randrange(60):02}Z"


def _period(made: random.Random, start: date, days: int) -> dict[str, str]:
    return {"startDate": _at(made, start), "endDate": _at(made, start + timedelta(days=days))}


def _release(made: random.Random, number: int) -> dict[str, Any]:
    published = FIRST_DAY + timedelta(days=made.randrange(1400))
    instant = _at(made, published)
    lots = made.choice((1, 1, 2, 3, 4))
    amount = round(10 ** made.uniform(4, 9), 2)
    code = made.choice(DIVISIONS)
    buyer = made.randrange(5000)
    tender: dict[str, Any] = {
        "id": f"t{number}",
        "title": _prose(made, 8),
        "description": _prose(made, 60),
        "status": "active",
        "datePublished": instant,
        "value": {"amount": amount, "currency": "GBP"},
        "procurementMethod": made.choice(METHODS),
        "procurementMethodDetails": "Open procedure (above threshold)",
        "mainProcurementCategory": made.choice(("services", "goods", "works")),
        "tenderPeriod": _period(made, published, made.randrange(10, 80)),
        "contractPeriod": _period(made, published + timedelta(days=200), made.randrange(300, 3000)),
        "lots": [_lot(made, index + 1, amount / lots) for index in range(lots)],
        "items": [_item(made, index + 1, code) for index in range(lots)],
        "documents": [
            {
                "id": f"d{index}",
                "documentType": "tenderNotice",
                "noticeType": "UK4",
                "format": "text/html",
                "url": f"https://example.org/notices/{number:09}/{index}",
                "datePublished": instant,
            }
            for index in range(2)
        ],
        "submissionMethod": ["electronicSubmission"],
        "submissionMethodDetails": "Through the portal at https://example.org/portal",
    }
    if made.random() < 0.3:
        del tender["value"]
    if made.random() < 0.2:
        del tender["contractPeriod"]
    return {
        "ocid": f"ocds-h6vhtk-{number:09}",
        "id": f"{number:09}-{published.year}",
        "date": instant,
        "tag": ["tender"],
        "initiationType": "tender",
        "language": "en",
        "buyer": {"id": f"GB-PPON-{buyer:05}", "name": f"Borough Council of Place {buyer}"},
        "parties": [_party(made, f"GB-PPON-{buyer:05}", f"Borough Council of Place {buyer}", "buyer"),
                    _party(made, "GB-PPON-COURT", "The High Court", "reviewBody")],
        "tender": tender,
    }  # fmt: skip


def _award(made: random.Random, release: dict[str, Any]) -> dict[str, Any]:
    awarded = date.fromisoformat(release["date"][:10]) + timedelta(days=made.randrange(60, 300))
    supplier = made.randrange(20_000)
    value = {"amount": round(10 ** made.uniform(4, 9), 2), "currency": "GBP"}
    award = {
        "id": "1",
        "status": "active",
        "date": _at(made, awarded),
        "value": value,
        "suppliers": [{"id": f"GB-COH-{supplier:08}", "name": f"Supplier {supplier} Limited"}],
    }
    term = _period(made, awarded + timedelta(days=made.randrange(10, 200)), made.randrange(300, 3000))
    contract = {"id": "1", "awardID": "1", "status": "active", "value": value, "period": term}
    return {"tag": ["award"], "awards": [award], "contracts": [contract]}


def _lot(made: random.Random, number: int, amount: float) -> dict[str, Any]:
    return {
        "id": str(number),
        "title": f"Lot {number}: {_prose(made, 4)}",
        "description": _prose(made, 20),
        "status": "active",
        "value": {"amount": round(amount, 2), "currency": "GBP"},
        "hasRenewal": made.random() < 0.3,
        "hasOptions": False,
    }


def _item(made: random.Random, number: int, code: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "description": _prose(made, 5),
        "classification": {"scheme": "CPV", "id": code, "description": "Services"},
        "deliveryAddresses": [{"region": made.choice(REGIONS), "countryName": "United Kingdom"}],
        "relatedLot": str(number),
    }


def _party(made: random.Random, identity: str, name: str, role: str) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "roles": [role],
        "identifier": {"scheme": "GB-PPON", "id": identity, "legalName": name},
        "address": {
            "streetAddress": f"{made.randrange(400)} High Street",
            "locality": "Anytown",
            "region": made.choice(REGIONS),
            "postalCode": "AB1 2CD",
            "countryName": "United Kingdom",
        },
        "contactPoint": {"name": "Procurement", "email": "procurement@example.org", "telephone": "+44 20 0000 0000"},
    }
