"""The columns of a portfolio's output, and the rows that fill them: one row a tender, in the order of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.form_columns import LONGEST, FormTable
from features.table import TenderTable
from features.value import pounds
from models.bundle import Bundle
from models.predict import Predictions, predict
from models.score import BatchScorer, Case, Scores
from portfolio.output import OutputColumn, fill_columns, schema_of
from tenders.facts import Stage
from tenders.process import publication_days
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

JOINT = "; "
"""What separates the items of a list in one cell."""


class ScoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one file that one model scored together: what the columns of the output are filled from.

    `read` has what was kept of each row when it was read, by the names in KEPT.
    """

    file: str
    read: Mapping[str, Any]
    table: TenderTable
    scores: Scores


OUTPUT_COLUMNS: tuple[OutputColumn[ScoredBatch], ...] = (
    OutputColumn("file", pa.string(), "the file of the row, relative to `IN`", lambda rows: rows.file),
    OutputColumn("line", pa.int64(), "its line, row or record in the file, from 1", lambda rows: rows.read["line"]),
    OutputColumn("place", pa.string(), "its JSON path within the line", lambda rows: rows.read["place"]),
    OutputColumn("ocid", pa.string(), "its ocid", lambda rows: rows.read["ocid"]),
    OutputColumn("title", pa.string(), f"its title, up to {LONGEST} characters", lambda rows: rows.read["title"]),
    OutputColumn("buyer", pa.string(), "the name of the buyer", lambda rows: rows.read["buyer"]),
    OutputColumn("category", pa.string(), "`goods`, `works` or `services`", lambda rows: rows.read["category"]),
    OutputColumn(
        "region",
        pa.string(),
        "where it is delivered, else where the buyer is: a code or a name, as stated",
        lambda rows: rows.read["region"],
    ),
    OutputColumn(
        "published",
        pa.date32(),
        "the day of publication, or the first day on which it can have been published",
        lambda rows: rows.read["published"],
    ),
    OutputColumn(
        "value_gbp",
        pa.float64(),
        "its value in pounds, at the average rate of its year; empty if the value or the rate is unknown",
        lambda rows: pounds(rows.table),
    ),
    OutputColumn(
        "register",
        pa.string(),
        "the register whose model scored it",
        lambda rows: rows.scores.bundle.manifest.register,
    ),
    OutputColumn("stage", pa.string(), "`draft`, `bids_in` or `awarded`", lambda rows: rows.scores.stage),
    OutputColumn("failure", pa.float64(), "the probability that it fails", lambda rows: rows.scores.failure),
    OutputColumn("low", pa.float64(), "the lower end of its 95 % interval", lambda rows: rows.scores.low),
    OutputColumn("high", pa.float64(), "the upper end of its 95 % interval", lambda rows: rows.scores.high),
    OutputColumn(
        "band",
        pa.string(),
        "`low`, `typical`, `high` or `very high`, compared with `base_rate`",
        lambda rows: rows.scores.band,
    ),
    OutputColumn("base_rate", pa.float64(), "how often tenders of its class fail", lambda rows: rows.scores.base_rate),
    OutputColumn(
        "reference_class",
        pa.string(),
        "the class of tenders that the base rate is of",
        lambda rows: rows.scores.reference_class,
    ),
    OutputColumn(
        "no_award", pa.float64(), "the probability that it ends without a contract", lambda rows: rows.scores.no_award
    ),
    OutputColumn(
        "early_end",
        pa.float64(),
        "the probability that its contract, once awarded, ends early",
        lambda rows: rows.scores.early_end,
    ),
    OutputColumn(
        "single_bid",
        pa.float64(),
        "the probability of a single bid, 0 or 1 once bids are counted; empty if it is not predicted",
        lambda rows: rows.scores.single_bid,
    ),
    OutputColumn(
        "reasons",
        pa.string(),
        "the first reasons, with their effect in percentage points; empty if none were requested",
        lambda rows: rows.read["reasons"],
    ),
    OutputColumn(
        "unknown",
        pa.string(),
        "the features that the model uses and that are unknown",
        lambda rows: rows.scores.unknown.map(JOINT.join),
    ),
    OutputColumn(
        "warnings",
        pa.string(),
        "what to know before using the score",
        lambda rows: _warnings(rows.read["warnings"], rows.scores.warnings),
    ),
    OutputColumn("bundle", pa.string(), "the version of the bundle", lambda rows: rows.scores.bundle.manifest.version),
)
"""The columns of a portfolio's output, in their order. Lists are joined by JOINT."""
OUTPUT_SCHEMA = schema_of(OUTPUT_COLUMNS)

KEPT = ("line", "place", "ocid", "title", "buyer", "category", "region", "published", "reasons", "warnings")
"""What is kept of each row when it is read: its place, what describes it, its reasons, and its reader's warnings."""


class ScoredRows:
    """Collects tenders of one file and scores them together: a table of OUTPUT_SCHEMA.

    Tenders are added some at a time. Only what scores and outputs need is kept of them.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._scorer = BatchScorer(also=(pounds,))
        self._read: dict[str, list[Any]] = {name: [] for name in KEPT}

    def __len__(self) -> int:
        return len(self._scorer)

    def add_cases(
        self, places: Sequence[tuple[int, str]], cases: Sequence[Case], reasons: Sequence[str | None]
    ) -> None:
        """Adds cases, each with its line and JSON path, and its reasons as one text."""
        self._scorer.add_cases(cases)
        self._describe(TenderChunk([case.readable for case in cases]))
        read = self._read
        read["line"] += [line for line, _ in places]
        read["place"] += [place for _, place in places]
        read["published"] += [case.published for case in cases]
        read["reasons"] += reasons
        read["warnings"] += [case.warnings for case in cases]

    def add_releases(
        self,
        bundle: Bundle,
        stage: Stage,
        lines: Sequence[int],
        chunk: TenderChunk,
        warnings: Sequence[tuple[str, ...]],
    ) -> None:
        """Adds releases with the numbers of their lines and their warnings, to be scored by a bundle at a stage.

        Raises ValueError if a field that is `checked` is wrong in one of them; then none is added.
        """
        published = publication_days(chunk.tenders)
        self._scorer.add_tenders(bundle, stage, chunk, published)
        self._describe(chunk)
        read, count = self._read, len(chunk)
        read["line"] += lines
        read["published"] += published
        read["warnings"] += warnings
        for name, value in (("place", ""), ("reasons", None)):
            read[name] += [value] * count

    def checked(self, bundle: Bundle, stage: Stage) -> frozenset[tuple[type, str]]:
        """The fields, by struct and name, that `add_releases` checks."""
        return self._scorer.checked(bundle, stage)

    def _describe(self, chunk: TenderChunk) -> None:
        read, unknown = self._read, [None] * len(chunk)
        read["ocid"] += chunk.column("/ocid")
        read["title"] += [title and title[:LONGEST] for title in chunk.column("/tender/title")]
        read["buyer"] += [name[:LONGEST] if name else None for name in chunk.values("/buyer/name") or unknown]
        read["category"] += chunk.column("/tender/mainProcurementCategory")
        read["region"] += map(region, chunk.tenders)

    def table(self) -> pa.Table:
        """The scored tenders, in the order in which they were added."""
        order: list[int] = []
        parts = []
        for rows, predicted in self._scorer.predictions():
            order += rows
            whole = len(rows) == len(self)
            read = self._read
            if not whole:
                read = {name: [values[row] for row in rows] for name, values in self._read.items()}
            parts.append(_score_table(self._file, read, predicted))
        table = pa.concat_tables(parts or [OUTPUT_SCHEMA.empty_table()])
        return table if len(parts) < 2 else table.take(np.argsort(order))


def score_forms(file: str, bundle: Bundle, forms: FormTable) -> pa.Table:
    """The scores of rows of a table of forms, as a table of OUTPUT_SCHEMA."""
    numbers = pa.array(forms.numbers)
    read = {
        **{key: forms.cells.shown(key) for key in ("title", "buyer", "region", "category")},
        "line": numbers,
        "place": pc.binary_join_element_wise("row", numbers.cast(pa.string()), " "),
        "published": forms.table.published_on,
        "ocid": None,
        "reasons": None,
        "warnings": [(*forms.warnings, *more) if more else forms.warnings for more in forms.cells.warnings()],
    }
    return _score_table(file, read, predict(bundle, forms.table))


def _score_table(file: str, read: Mapping[str, Any], predicted: Predictions) -> pa.Table:
    batch = ScoredBatch(file=file, read=read, table=predicted.table, scores=Scores.of(predicted))
    return fill_columns(OUTPUT_COLUMNS, batch, len(predicted.table))


def _warnings(read: Sequence[tuple[str, ...]], more: Mapping[int, tuple[str, ...]]) -> list[str]:
    """The warnings of each row as one text: those of its reader, then those of its score."""
    warnings = list(map(JOINT.join, read)) if any(read) else [""] * len(read)
    for row, texts in more.items():
        warnings[row] = JOINT.join((*read[row], *texts))
    return warnings


def region(tender: Tender) -> str | None:
    """Where a tender is delivered, else where its buyer is: a code or a name, as stated."""
    for item in tender.tender.items:
        for address in item.delivery_addresses:
            if address.region:
                return address.region[:LONGEST]
    for party in tender.parties:
        if party.address and party.address.region and "buyer" in party.roles:
            return party.address.region[:LONGEST]
    return None
