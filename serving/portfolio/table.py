"""The scored rows of a portfolio as a table: one row a tender, in the order of the input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from features.value import pounds_of_tender
from models.scoring import Case, Numbers
from tenders.tender import Tender

SCHEMA = pa.schema(
    [
        # Where it stood in the input.
        ("file", pa.string()),
        ("line", pa.int64()),
        ("place", pa.string()),
        # What it is.
        ("ocid", pa.string()),
        ("title", pa.string()),
        ("buyer", pa.string()),
        ("category", pa.string()),
        ("region", pa.string()),
        ("published", pa.date32()),
        ("value_gbp", pa.float64()),
        # What is said of it.
        ("register", pa.string()),
        ("stage", pa.string()),
        ("failure", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("band", pa.string()),
        ("base_rate", pa.float64()),
        ("no_award", pa.float64()),
        ("early_end", pa.float64()),
        ("single_bid", pa.float64()),
        ("reasons", pa.string()),
        ("unknown", pa.string()),
        ("warnings", pa.string()),
        ("bundle", pa.string()),
    ]
)
"""`value_gbp` is in pounds at the rate of the tender's year, null if unknown; `line` counts lines, rows or records of
the file from 1, `place` is a JSON path within; lists are joined by JOINT; `reasons` is null where none were asked."""

JOINT = "; "
LONGEST = 200
"""Characters of a title or name that are kept."""

Row = tuple[Any, ...]


def row(place: tuple[str, int, str], case: Case, told: Numbers, reasons: str | None = None) -> Row:
    """One scored tender, in the order of SCHEMA; `place` is its file, line and JSON path."""
    tender = case.tender
    about = tender.tender
    return (
        *place,
        case.process.ocid,
        about.title and about.title[:LONGEST],
        tender.buyer and tender.buyer.name and tender.buyer.name[:LONGEST],
        about.main_procurement_category,
        region(tender),
        case.published,
        pounds_of_tender(tender),
        case.bundle.manifest.register,
        case.stage,
        told.failure,
        told.low,
        told.high,
        told.band,
        told.base_rate,
        told.no_award,
        told.early_end,
        None if math.isnan(told.single_bid) else told.single_bid,
        reasons,
        _joined(told.unknown),
        _joined(case.warned(told)),
        case.bundle.manifest.version,
    )


@lru_cache(maxsize=4096)
def _joined(texts: tuple[str, ...]) -> str:
    return JOINT.join(texts)


def table(rows: Sequence[Row], metadata: Mapping[str, str] | None = None) -> pa.Table:
    """Rows as a table of SCHEMA."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata(dict(metadata or {})))


def region(tender: Tender) -> str | None:
    """Where it is delivered, else where the buyer is: as stated, a code or a name."""
    for item in tender.tender.items:
        for address in item.delivery_addresses:
            if address.region:
                return address.region[:LONGEST]
    for party in tender.parties:
        if party.address and party.address.region and "buyer" in party.roles:
            return party.address.region[:LONGEST]
    return None
