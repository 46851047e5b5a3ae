"""The scored rows of a portfolio as a table: one row a tender, in the order of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.form_columns import LONGEST, FormTable
from features.value import pounds
from models.bundle import Bundle
from models.predict import Predictions, predict
from models.score import BatchScorer, Case, Scores
from tenders.facts import Stage
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


class ScoredRows:
    """Tenders that come some at a time and are let go, and are scored together: rows of SCHEMA."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._scorer = BatchScorer(also=(pounds,))
        self._read: dict[str, list[Any]] = {name: [] for name in (*_READ, "warnings")}

    def __len__(self) -> int:
        return len(self._scorer)

    def add_cases(
        self, places: Sequence[tuple[int, str]], cases: Sequence[Case], reasons: Sequence[str | None]
    ) -> None:
        """Takes more cases; of each the line and JSON path where it stood, and its reasons as one text."""
        self._scorer.add_cases(cases)
        self._describe([case.readable for case in cases])
        read = self._read
        read["line"] += [line for line, _ in places]
        read["place"] += [place for _, place in places]
        read["published"] += [case.published for case in cases]
        read["reasons"] += reasons
        read["warnings"] += [case.warnings for case in cases]

    def add_releases(self, bundle: Bundle, stage: Stage, lines: Sequence[int], tenders: Sequence[Tender]) -> None:
        """Takes releases with the numbers of their lines, to be scored by a bundle at a stage.

        Raises ValueError if one is not sound in the fields that are `checked`, and then takes none.
        """
        published = publication_days(tenders)
        self._scorer.add_tenders(bundle, stage, tenders, published)
        self._describe(tenders)
        read, count = self._read, len(tenders)
        read["line"] += lines
        read["published"] += published
        for name, value in (("place", ""), ("reasons", None), ("warnings", ())):
            read[name] += [value] * count

    def checked(self, bundle: Bundle, stage: Stage) -> frozenset[tuple[type, str]]:
        """The fields, by struct and name, of which `add_releases` notices what is wrong."""
        return self._scorer.checked(bundle, stage)

    def _describe(self, tenders: Sequence[Tender]) -> None:
        read, sections = self._read, [tender.tender for tender in tenders]
        read["ocid"] += [tender.ocid for tender in tenders]
        read["title"] += [section.title and section.title[:LONGEST] for section in sections]
        read["buyer"] += [
            tender.buyer.name[:LONGEST] if tender.buyer and tender.buyer.name else None for tender in tenders
        ]
        read["category"] += [section.main_procurement_category for section in sections]
        read["region"] += map(region, tenders)

    def table(self) -> pa.Table:
        """All of them, in their order, as a table of SCHEMA."""
        order: list[int] = []
        parts = []
        for rows, predicted in self._scorer.predictions():
            order += rows
            whole = len(rows) == len(self)
            read = self._read if whole else {name: [each[row] for row in rows] for name, each in self._read.items()}
            parts.append(_part(self._file, read, predicted))
        table = pa.concat_tables(parts or [SCHEMA.empty_table()])
        return table if len(parts) < 2 else table.take(np.argsort(order))


def score_forms(file: str, bundle: Bundle, forms: FormTable) -> pa.Table:
    """The scores of rows of a table of forms, as a table of SCHEMA."""
    table, numbers = forms.table, pa.array(forms.numbers)
    published = table.published_on
    read = {
        **{key: forms.cells.shown(key) for key in ("title", "buyer", "region", "category")},
        "line": numbers,
        "place": pc.binary_join_element_wise("row", numbers.cast(pa.string()), " "),
        "published": pa.array(published.categories, pa.date32()).take(pa.array(published.codes)),
        "ocid": pa.nulls(len(table), pa.string()),
        "reasons": pa.nulls(len(table), pa.string()),
        "warnings": [forms.warnings] * len(table),
    }
    return _part(file, read, predict(bundle, table))


def _part(file: str, read: Mapping[str, Any], predicted: Predictions) -> pa.Table:
    scores, manifest, table = Scores.of(predicted), predicted.bundle.manifest, predicted.table
    same = {
        "file": file,
        "register": manifest.register,
        "stage": table.stage,
        "base_rate": scores.base_rate,
        "bundle": manifest.version,
    }
    columns = {
        **{name: read[name] for name in _READ},
        **{name: pa.repeat(value, len(table)) for name, value in same.items()},
        **{name: getattr(scores, name) for name in _NUMBERS},
        "band": pa.array(scores.band.categories, pa.string()).take(pa.array(scores.band.codes)),
        "value_gbp": pounds(table),
        "unknown": pa.array(map(JOINT.join, scores.unknown.categories), pa.string()).take(
            pa.array(scores.unknown.codes)
        ),
        "warnings": _warnings(read["warnings"], scores.warnings),
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


def _warnings(read: Sequence[tuple[str, ...]], more: Mapping[int, tuple[str, ...]]) -> list[str]:
    """What has to be said of each tender as one text."""
    found = list(map(JOINT.join, read)) if any(read) else [""] * len(read)
    for row, texts in more.items():
        found[row] = JOINT.join((*read[row], *texts))
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
