"""What people who know scikit-learn and pandas try first: load a model, score a tender or a frame, ask why.

Every number comes through `models.predict.predict`, by the way that a portfolio takes, so that a frame, a file, a
request and the command line cannot differ.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.reasons import margins_of
from models.score import Case, Score
from portfolio.columns import OUTPUT_SCHEMA, ScoredRows
from portfolio.drift import DriftReport, measure_drift
from portfolio.work import RefusedRow, RunOptions, score_rows
from tender_risk.cells import cell, encoded
from tender_risk.frames import CHUNK, DOCUMENT, OCID, FrameRows, decoded, facts, frame_rows, warn
from tenders.errors import DataError, Problem, UsageError
from tenders.facts import STAGES, Stage
from tenders.history import UNDATED, LabelledTender
from tenders.io.blocks import blocks
from tenders.io.read import to_process
from tenders.io.remote import local_copy, locate
from tenders.io.rows import LINE_BLOCKS, Row, read_rows, rows_of_line
from tenders.io.streams import BOUNDS, Block, block_lines
from tenders.outcomes import tender_outcomes
from tenders.process import Process, to_json
from tenders.registers import find_register
from tenders.tender import Tender

if TYPE_CHECKING:
    import shap

PROBABILITIES = ["failure", "no_award", "early_end", "single_bid"]
"""The columns of `predict_proba`. Failure is no award, or an award that ends early."""
SCORE_COLUMNS = [
    name
    for name in OUTPUT_SCHEMA.names
    if name not in ("file", "line", "place", "ocid", "title", "buyer", "category", "region", "published", "reasons")
]
"""The columns of `score_frame`: those of a portfolio (docs/columns.md) that say more than the frame itself."""
REASON_COLUMNS = ["feature", "value", "effect", "text", "path", "evidence"]
LABELS = ["no_award", "early_end", "single_bid"]
MOST_NAMED = 10
"""Problems that an error lists."""

Document = Mapping[str, Any]
"""A filled form, or an OCDS release, record or package of one tender."""
OnError = Literal["raise", "coerce"]


def load(source: str | os.PathLike[str] | None = None) -> Model:
    """A model that scores: of the released bundle, or of another source.

    `source` is the directory of a bundle, or the address of one in MLflow: `models:/tender-risk@champion`,
    `models:/tender-risk/3`, `runs:/RUN_ID`. Raises BundleError if the bundle does not verify, UnreachableError if it
    cannot be reached, UsageError if there is none at the address.
    """
    if source is None:
        return Model(bundles.load(bundles.released()))
    address = os.fspath(source)
    if address.startswith(("models:/", "runs:/")):
        # MLflow takes seconds to import.
        from training.tracking import fetch

        with tempfile.TemporaryDirectory() as scratch:
            # Runs are not signed: who trains here trusts the store of the runs.
            return Model(bundles.load(fetch(address, Path(scratch)), signed=False))
    return Model(bundles.load(Path(address)))


class Model:
    """A model of the risk that public tenders fail. `load` makes one."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __repr__(self) -> str:
        return f"<tender_risk.Model {self.version}>"

    @property
    def version(self) -> str:
        """The version of the bundle, such as 2026.11.5."""
        return self._bundle.manifest.version

    @property
    def card(self) -> str:
        """The model card, in Markdown: what it learnt from, how it was judged, and its limits."""
        return self._bundle.card

    @property
    def feature_names(self) -> list[str]:
        """The features that it weighs, in the order of the catalogue (docs/features.md)."""
        return [feature.name for feature in self._bundle.weighed]

    def score(self, tender: Document | pd.Series[Any], stage: str | None = None, explain: bool = True) -> Score:
        """The score of one tender, with its reasons: what `tender-risk score --json` prints.

        `tender` is a filled form, an OCDS document of one tender, or a row of a frame. `stage` is `draft`, `bids_in` or
        `awarded`: by default the latest of which it holds a fact. Raises DataError that names what is wrong.
        """
        if isinstance(tender, pd.Series):
            ((_, process),) = _processes(self._rows(tender.to_frame().T.infer_objects()), "raise")
        else:
            process = to_process(cell(tender))
        return scoring.score(self._bundle, process, as_stage(stage), explain)

    def predict_proba(
        self, frame: pd.DataFrame | Sequence[Document], stage: str | None = None, errors: OnError = "raise"
    ) -> pd.DataFrame:
        """The probabilities of many tenders: a row each, with the index of the frame, and the columns PROBABILITIES.

        Columns of the frame are keys of the form or OCDS paths; a list of releases or forms will do as well. `stage` is
        that of `score`, for every row its own by default. `single_bid` is NaN where it is not predicted.

        Raises DataError that names row, column and what to do for rows that cannot be scored; with `errors="coerce"`
        they are NaN, with a warning. Columns that are not known are not read, with a warning.
        """
        return self.score_frame(frame, stage, errors)[PROBABILITIES]

    def score_frame(
        self, frame: pd.DataFrame | Sequence[Document], stage: str | None = None, errors: OnError = "raise"
    ) -> pd.DataFrame:
        """As `predict_proba`, with all that a portfolio's output says: interval, band, base rate, class, warnings."""
        whole = as_frame(frame)
        if not len(whole):
            empty: pd.DataFrame = OUTPUT_SCHEMA.empty_table().select(SCORE_COLUMNS).to_pandas()
            return empty.set_index(whole.index)
        table = self._scored(self._rows(whole), as_stage(stage), errors)
        columns = {name: table[name].to_pandas().array for name in SCORE_COLUMNS}
        lines = table["line"].to_numpy()
        if len(lines) == len(whole):
            return pd.DataFrame(columns, index=whole.index)
        known = pd.DataFrame(columns, index=pd.Index(lines - 1))
        return known.reindex(pd.RangeIndex(len(whole))).set_index(whole.index)

    def explain(
        self, frame: pd.DataFrame | Sequence[Document], stage: str | None = None, errors: OnError = "raise"
    ) -> pd.DataFrame:
        """The reasons of many tenders: a row a reason, under the index of its tender, largest effect first.

        `effect` is in probability points: 0.06 raises the failure probability by 6. It takes some milliseconds a
        tender, so explain the rows that somebody will read. Raises as `predict_proba` does.
        """
        whole = as_frame(frame)
        rows = self._rows(whole)
        index: list[int] = []
        cells = []
        for place, one in self._cases(rows, as_stage(stage), errors):
            for reason in scoring.explained(one).reasons:
                index.append(place)
                cells.append([getattr(reason, name) for name in REASON_COLUMNS])
        reasons = pd.DataFrame(cells, columns=REASON_COLUMNS)
        return reasons.set_index(whole.index.take(np.array(index, dtype=np.int64)))

    def shap_values(
        self, frame: pd.DataFrame | Sequence[Document], outcome: str = "no_award", stage: str | None = None
    ) -> shap.Explanation:
        """What each feature adds to the log-odds of an outcome, for shap's plots, such as `shap.plots.beeswarm`.

        Values and base values sum to the margin before calibration. The rows have to be of one stage and register.
        Raises ImportError without shap, UsageError if the outcome is not predicted, DataError as `predict_proba` does.
        """
        try:
            import shap
        except ImportError:
            raise ImportError(
                "shap is not installed. Run 'pip install shap', or use explain(), which needs none"
            ) from None
        names, values, base, data = self.feature_names, [], [], []
        for _, one in self._cases(self._rows(as_frame(frame)), as_stage(stage), "raise"):
            ((_, predicted),) = scoring.predict_cases([one])
            margins = margins_of(predicted)
            if outcome not in margins:
                raise UsageError(f"{outcome!r} is not predicted at {one.stage}: use one of {', '.join(margins)}")
            weighed = [feature.name for feature in one.bundle.weighed]
            if weighed != names:
                raise UsageError("the rows are of several registers, whose models weigh other features")
            shares = [margins[outcome].contributions.get(name, 0.0) for name in names]
            values.append(shares)
            base.append(margins[outcome].margin - sum(shares))
            data.append(predicted.feature_values[0])
        return shap.Explanation(np.array(values), base_values=np.array(base), data=np.array(data), feature_names=names)

    def effects(self) -> pd.DataFrame:
        """The pooled effects that the UK model starts from: a row a feature and outcome, with its unit, odds ratio,
        95 % interval (`low`, `high`) and the layers of evidence. Empty without them."""
        rows = [
            (effect.feature, outcome, effect.unit, layered.pooled.odds_ratio, *layered.pooled.interval, layered.layers)
            for effect in self._bundle.manifest.effects
            for outcome, layered in effect.outcomes.items()
        ]
        return pd.DataFrame(rows, columns=["feature", "outcome", "unit", "odds_ratio", "low", "high", "layers"])

    def drift(self, frame: pd.DataFrame | Sequence[Document], stage: str | None = None) -> DriftReport:
        """How far tenders have moved from those that the models learnt from: what `tender-risk drift` says."""
        return measure_drift(
            self._bundle, (one for _, one in self._cases(self._rows(as_frame(frame)), as_stage(stage)))
        )

    def _rows(self, frame: pd.DataFrame) -> FrameRows:
        return frame_rows(frame, lambda ocid: self._bundle.for_ocid(ocid) is self._bundle)

    def _scored(self, rows: FrameRows, stage: Stage | None, errors: OnError) -> pa.Table:
        """The output of a portfolio for the rows of a frame, in their order, without those that are refused."""
        refused: list[RefusedRow] = []
        watch = rows.comparison.watch if rows.comparison else None
        table, _ = score_rows(self._bundle, RunOptions(bundle="", stage=stage), rows.block, refused, watch=watch)
        changed = rows.edited()
        if changed:
            table = table.filter(~np.isin(table["line"].to_numpy(), list(changed)))
        problems = [rows.problem(r.line, r.path, r.problem, r.remedy) for r in refused if r.line not in changed]
        cases: dict[int, Case] = {}
        for number, process in changed.items():
            try:
                cases[number] = scoring.case(self._bundle, process, stage)
            except DataError as error:
                problems += [rows.problem(number, p.path, p.problem, p.remedy) for p in error.problems]
        if problems:
            _refuse(problems, errors)
        if not cases:
            return table
        edited = ScoredRows("")
        edited.add_cases([(number, "") for number in cases], list(cases.values()), [None] * len(cases))
        whole = pa.concat_tables([table, edited.table()])
        return whole.take(np.argsort(whole["line"].to_numpy(), kind="stable"))

    def _cases(self, rows: FrameRows, stage: Stage | None, errors: OnError = "raise") -> Iterator[tuple[int, Case]]:
        for place, process in _processes(rows, errors):
            try:
                one = scoring.case(self._bundle, process, stage)
            except DataError as error:
                _refuse([rows.problem(place + 1, p.path, p.problem, p.remedy) for p in error.problems], errors)
                continue
            yield place, one


def _processes(rows: FrameRows, errors: OnError) -> Iterator[tuple[int, Process]]:
    """The process of each row, with its place from 0."""
    problems: list[Problem] = []
    by_line = dict(rows.edited())
    for row in read_rows(rows.block):
        if row.line in by_line:
            continue
        if row.process is None:
            problems += [rows.problem(row.line, p.path, p.problem, p.remedy) for p in row.problems]
        else:
            by_line[row.line] = row.process
    if problems:
        _refuse(problems, errors)
    for number in sorted(by_line):
        yield number - 1, by_line[number]


def row_processes(frame: pd.DataFrame, errors: OnError = "raise") -> Iterator[tuple[int, Process]]:
    """The tenders of a frame with their rows from 0. Raises DataError, or warns and leaves out, as `predict_proba`."""
    # Only a score asks which register a tender is of.
    return _processes(frame_rows(frame, lambda _: True), errors)


def read(path: str | os.PathLike[str], register: str | None = None) -> pd.DataFrame:
    """The facts of the tenders in a file or folder, here or at an address (docs/inputs.md), a row each.

    The index is the ocid. Columns are the keys of the form (docs/form.md), in dtypes that keep unknown apart from 0 and
    False, and at last `ocds`, the whole document as JSON: a release says more than a form. `predict_proba` scores the
    document, with every cell beside it that was changed, so a frame can be edited and scored again.

    With a `register`, tables have that register's own columns. Raises DataError, UnreachableError or UsageError.
    """
    with local_copy(locate(os.fspath(path))) as near:
        rows = list(_read(near, register))
    frame = facts([row.tender for row in rows])
    frame[DOCUMENT] = pd.Series([row.document for row in rows], dtype="str")
    return frame.set_index(_ocids(row.tender.ocid for row in rows))


def outcomes(path: str | os.PathLike[str], register: str | None = None) -> pd.DataFrame:
    """How the tenders in a file ended, a row each in the order of `read`: labels to learn from or to judge by.

    The index is the ocid. `no_award`, `early_end` and `single_bid` are nullable booleans, unknown where nothing tells;
    `failure` is no_award or early_end. `kind` is the kind of ending, `known_on` the day since which all is known,
    `published` the day of publication; `path` and `reason` say where it stands. Raises as `read` does.
    """
    with local_copy(locate(os.fspath(path))) as near:
        if register is not None:
            return _labels([_case_row(case) for case in _cases_of(near, register)])
        processes = [row.process or to_process(msgspec.json.decode(row.document)) for row in _read(near, None)]
    rows = []
    for process, outcome in zip(processes, tender_outcomes(processes), strict=True):
        row = {name: getattr(outcome, name) for name in ("ocid", *LABELS, "kind", "known_on", "path", "reason")}
        rows.append(row | {"published": process.published_on()})
    return _labels(rows)


def _case_row(case: LabelledTender) -> dict[str, Any]:
    labels = {name: case.outcomes.get(name) for name in LABELS}
    failure = {"failure": case.outcomes["failure"]} if "failure" in case.outcomes else {}
    published = None if case.published == UNDATED else case.published
    return {
        "ocid": case.tender.ocid,
        **labels,
        **failure,
        "kind": case.kind,
        "known_on": case.known_on,
        "published": published,
    }


def _labels(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["failure", *LABELS, "kind", "known_on", "published", "path", "reason"])
    for name in ("failure", *LABELS):
        frame[name] = frame[name].astype("boolean")
    if not any("failure" in row for row in rows):
        # Unknown or True is True, unknown or False is unknown.
        frame["failure"] = frame["no_award"] | frame["early_end"]
    for name in ("known_on", "published"):
        frame[name] = pd.to_datetime(pd.Series([_day(value) for value in frame[name]]), errors="coerce").astype(
            "datetime64[s]"
        )
    return frame.set_index(_ocids(row["ocid"] for row in rows))


def _day(value: Any) -> str | None:
    return None if value is None or value is pd.NaT else str(value)[:10]


def _ocids(ocids: Iterator[str | None]) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(pd.Series(list(ocids), dtype="str"), name=OCID)
    return index


class ReadRow(NamedTuple):
    """A tender that was read, with its document as JSON, and the process of it unless that is one release."""

    tender: Tender
    document: str
    process: Process | None


def _read(path: Path, register: str | None) -> Iterator[ReadRow]:
    if register is not None:
        for case in _cases_of(path, register):
            yield _read_row(case.process or _process_of(case.tender))
        return
    problems: list[Problem] = []
    for block in blocks(path):
        for row in _rows_of(block):
            if isinstance(row, ReadRow):
                yield row
                continue
            if row.process is not None:
                yield _read_row(row.process)
            for problem in row.problems:
                where = f"{block.file}, line {row.line}{problem.path.removeprefix(row.place)}"
                problems.append(msgspec.structs.replace(problem, path=where))
    if problems:
        _refuse(problems, "raise")


def _rows_of(block: Block) -> Iterator[ReadRow | Row]:
    """The rows of a block; releases of JSON lines are decoded straight into their types."""
    if block.kind not in LINE_BLOCKS:
        yield from read_rows(block)
        return
    lines = block_lines(block, BOUNDS)
    while some := list(islice(lines, CHUNK)):
        for (number, line), release in zip(some, decoded([line for _, line in some]), strict=True):
            if release is None:
                yield from rows_of_line(number, line, BOUNDS)
            else:
                yield ReadRow(release, line.decode().strip(), None)


def _read_row(process: Process) -> ReadRow:
    return ReadRow(process.compiled(), _document(process), process)


def _cases_of(path: Path, register: str) -> list[LabelledTender]:
    return sorted(find_register(register).cases(path), key=lambda case: case.row)


def _process_of(tender: Tender) -> Process:
    return Process(releases=(to_json(tender),), where=("",)).with_compiled(tender)


def _document(process: Process) -> str:
    """What was read of a tender, as JSON: its releases, whose order in time tells what was known at each stage."""
    if type(process) is not Process or not process.releases:
        return msgspec.json.encode(to_json(process.compiled())).decode()
    first, *others = process.releases
    return msgspec.json.encode({"releases": process.releases} if others else first).decode()


def as_frame(frame: pd.DataFrame | Sequence[Document]) -> pd.DataFrame:
    """A frame, or a list of documents as one. Raises UsageError for anything else."""
    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "to_pandas"):
        # Frames of Polars, tables of Arrow.
        whole: pd.DataFrame = frame.to_pandas()
        return whole
    if isinstance(frame, Mapping) or not isinstance(frame, Sequence | np.ndarray) or isinstance(frame, str):
        raise UsageError(f"expected a DataFrame or a list of tenders, got {type(frame).__name__}. Use score() for one")
    documents = [encoded(document).decode() for document in frame]
    return pd.DataFrame({DOCUMENT: pd.Series(documents, dtype="str")})


def as_stage(stage: str | None) -> Stage | None:
    """A stage by its name. Raises UsageError if there is none of that name."""
    for known in STAGES:
        if stage == known:
            return known
    if stage is not None:
        raise UsageError(f"{stage!r} is no stage. Use one of {', '.join(STAGES)}")
    return None


def _refuse(problems: Sequence[Problem], errors: OnError) -> None:
    """Raises DataError with the first problems, or warns of them."""
    if errors not in ("raise", "coerce"):
        raise UsageError(f"errors is {errors!r}. Use 'raise' or 'coerce'")
    listed = list(problems[:MOST_NAMED])
    if more := len(problems) - len(listed):
        listed.append(Problem(path="and", problem=f"{more:,} more", remedy='Leave such rows out with errors="coerce"'))
    if errors == "raise":
        raise DataError(listed)
    warn(f"not scored: {DataError(listed)}")
