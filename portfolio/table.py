"""The scored rows of a portfolio as a table: one row a tender, in the order of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from features.form_columns import LONGEST
from features.value import pounds
from models.bundle import Bundle
from models.cases import Case, Queue
from models.predict import Batch, predictions
from models.score import Told, told
from portfolio.flat import Flat
from portfolio.releases import Releases
from tenders.process import publication_days
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


class Lines:
    """Tenders that are measured as they come and scored together: the lines of a table."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._queue = Queue()
        self._read: dict[str, list[Any]] = {name: [] for name in (*_READ, "said")}

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, places: Sequence[tuple[int, str]], cases: Sequence[Case], reasons: Sequence[str | None]) -> None:
        """Takes more cases; of each the line and JSON path where it stood, and its reasons as one text."""
        self._queue.add(cases)
        self._about([case.at_any_stage for case in cases])
        read = self._read
        read["line"] += [line for line, _ in places]
        read["place"] += [place for _, place in places]
        read["published"] += [case.published for case in cases]
        read["reasons"] += reasons
        read["said"] += [case.said for case in cases]

    def add_releases(self, bundle: Bundle, given: Releases) -> None:
        """Takes tenders that are measured by column as of their stage.

        Raises ValueError if one is not sound where reading its columns notices it, and then takes none.
        """
        tenders = given.tenders
        published = publication_days(tenders)
        self._queue.add_strangers(bundle, given.stage, tenders, bundle.log.as_of_each(published))
        self._about(tenders)
        self._alike({"line": given.lines, "published": published}, {"place": "", "reasons": None, "said": ()})

    def _about(self, tenders: Sequence[Tender]) -> None:
        read, sections = self._read, [tender.tender for tender in tenders]
        read["ocid"] += [tender.ocid for tender in tenders]
        read["title"] += [section.title and section.title[:LONGEST] for section in sections]
        read["buyer"] += [
            tender.buyer.name[:LONGEST] if tender.buyer and tender.buyer.name else None for tender in tenders
        ]
        read["category"] += [section.main_procurement_category for section in sections]
        read["region"] += map(region, tenders)

    def _alike(self, read: Mapping[str, Sequence[Any]], of_all: Mapping[str, Any]) -> None:
        """Takes columns of rows, and what is the same in all of these."""
        count = len(read["line"])
        for name, values in read.items():
            self._read[name] += values
        for name, value in of_all.items():
            self._read[name] += [value] * count

    def table(self) -> pa.Table:
        """All of them, in their order, as a table of SCHEMA."""
        order: list[int] = []
        parts = []
        for places, batch, found in self._queue.told():
            order += places
            whole = len(places) == len(self)
            read = self._read if whole else {name: [each[i] for i in places] for name, each in self._read.items()}
            parts.append(_part(self._file, read, batch, told(batch, found)))
        table = pa.concat_tables(parts or [SCHEMA.empty_table()])
        return table if len(parts) < 2 else table.take(np.argsort(order))


def of_flat(file: str, bundle: Bundle, flat: Flat) -> pa.Table:
    """The scores of tenders that were read by column, as a table of SCHEMA."""
    batch = Batch(bundle, flat.stage)
    batch.add_columns(replace(flat.columns, records=flat.published.map(bundle.log.as_of)))
    count = len(batch)
    published = pa.array(flat.published.categories, pa.date32()).take(pa.array(flat.published.codes))
    read = {
        **flat.about,
        "line": flat.numbers,
        "place": pc.binary_join_element_wise("row", pa.array(flat.numbers).cast(pa.string()), " "),
        "published": published,
        "ocid": pa.nulls(count, pa.string()),
        "reasons": pa.nulls(count, pa.string()),
        "said": [flat.warnings] * count,
    }
    return _part(file, read, batch, told(batch, predictions(batch)))


def _part(file: str, read: Mapping[str, Any], batch: Batch, found: Told) -> pa.Table:
    manifest = batch.bundle.manifest
    of_all = {
        "file": file,
        "register": manifest.register,
        "stage": batch.stage,
        "base_rate": found.base_rate,
        "bundle": manifest.version,
    }
    columns = {
        **{name: read[name] for name in _READ},
        **{name: pa.repeat(value, len(batch)) for name, value in of_all.items()},
        **{name: getattr(found, name) for name in _NUMBERS},
        "band": pa.array(found.band.categories, pa.string()).take(pa.array(found.band.codes)),
        "value_gbp": pounds(batch.columns),
        "unknown": pa.array(map(JOINT.join, found.unknown.categories), pa.string()).take(pa.array(found.unknown.codes)),
        "warnings": _warnings(read["said"], found.warnings),
    }
    arrays = [_array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


_READ = ("line", "place", "ocid", "title", "buyer", "category", "region", "published", "reasons")
_NUMBERS = ("failure", "low", "high", "no_award", "early_end", "single_bid")


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    # NaN is null in an array of numbers, and not looked for in a list of texts.
    return pa.array(values, type=kind, from_pandas=isinstance(values, np.ndarray))


def _warnings(said: Sequence[tuple[str, ...]], more: Mapping[int, tuple[str, ...]]) -> list[str]:
    """What has to be said of each tender as one text."""
    found = list(map(JOINT.join, said)) if any(said) else [""] * len(said)
    for place, texts in more.items():
        found[place] = JOINT.join((*said[place], *texts))
    return found


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
