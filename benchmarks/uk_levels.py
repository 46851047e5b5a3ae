"""Do the levels of UK tenders hold, class by class? `python -m benchmarks.uk_levels`

The blind cases of each UK register are forecast on folds of buyers: rates of classes and effects come from the
casebook and from the UK cases of all other buyers, what registers show from the released bundle. Track records are
those of the day. For every stratum (year, reference class, source, form of the page) the expected number of calls
without an award stands beside the observed one and its exact 95 % Poisson interval. Of digital call-offs most ends were
never told, and the share that was told grows: a second table shows the rate among those told and among all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from benchmarks.histories import HISTORY
from benchmarks.tables import CONSOLE, ResultTable, Row, add_output_options, show, write
from features.categorical import Categorical
from features.table import TrackRecords
from features.table_builder import of_tenders
from features.track_records.case_records import CaseHistory
from features.track_records.resolutions import resolved_cases
from models.bundle import Bundle, released
from models.bundle import load as load_bundle
from models.effects import Z95, Estimate
from models.predict import predict
from models.reference_classes import placement
from tenders.errors import TenderRiskError
from tenders.facts import Stage
from tenders.history import LabelledTender
from tenders.registers.columns import as_text, read_cells
from training import metrics
from training.datasets import Casebook, buyer_numbers, load_casebook
from training.evidence.documented import LogOdds
from training.evidence.levels import UkHistory
from training.evidence.registers import RegisterEstimate
from training.registers import history_files
from training.splits import grouped_folds
from training.uk import UkEvidence, uk_bundle, uk_histories

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

OUTCOME = "no_award"
FOLDS, SEED = 5, 0
WITHIN = 0.01
"""How far the mean forecast may lie from the rate."""
TERMS = ((100, "to 100 days"), (190, "100 to 190 days"), (370, "190 to 370 days"), (36_500, "above 370 days"))
OF_PAGE = "form"
"""A column of the table of notices that no reader uses: which kind of page a record was read off."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The blind cases of one UK register: what was forecast of each without its buyer, and the strata it is in."""

    history: UkHistory
    stage: Stage
    y: Floats
    p: Floats
    buyer: NDArray[np.int64]
    strata: Mapping[str, Texts]


def poisson_interval(count: float) -> tuple[float, float]:
    """The exact 95 % interval of the mean of a Poisson count (Garwood 1936)."""
    return (chi2.ppf(0.025, 2 * count) / 2 if count else 0.0), chi2.ppf(0.975, 2 * count + 2) / 2


def register_layer(bundle: Bundle) -> list[RegisterEstimate]:
    """What registers show of the factors, as a bundle has it. None of them holds a UK tender."""
    return [
        RegisterEstimate(register=register, feature=effect.feature, outcome=outcome, log_odds=log_odds(odds), rows=0)
        for effect in bundle.manifest.effects
        for outcome, of_outcome in effect.outcomes.items()
        for register, odds in of_outcome.by_register.items()
    ]


def log_odds(estimate: Estimate) -> LogOdds:
    """An odds ratio with its interval as a log odds ratio with its standard error."""
    low, high = np.log(estimate.interval)
    return LogOdds(float(np.log(estimate.odds_ratio)), float(high - low) / (2 * Z95))


def forecasts(
    book: Casebook,
    histories: Sequence[UkHistory],
    number: int,
    registers: Sequence[RegisterEstimate],
    stage: Stage,
) -> tuple[Floats, Texts]:
    """What is forecast of the blind cases of one history without their buyers, and the class of each, (cases,)."""
    judged = histories[number]
    p, titles = np.full(len(judged.cases), np.nan), np.full(len(judged.cases), "", dtype="U120")
    for _, test in grouped_folds(buyer_numbers(judged.cases), FOLDS, SEED):
        held_out = {buyer_name(judged.cases[row]) for row in test}
        others = [
            UkHistory(
                history.register, [case for case in history.every if buyer_name(case) not in held_out], history.source
            )
            for history in histories
        ]
        evidence = UkEvidence(book, others, registers)
        bundle = uk_bundle(*evidence.model(np.arange(len(book.cases))), book.case_history)
        p[test], titles[test] = scored(bundle, judged, [judged.cases[row] for row in test], stage)
    return p, titles


def scored(bundle: Bundle, history: UkHistory, cases: Sequence[LabelledTender], stage: Stage) -> tuple[Floats, Texts]:
    """The probability and the class of each case, with the track records of its day."""
    days = [case.published for case in cases]
    known = CaseHistory.of(resolved_cases(history.every))
    records = TrackRecords(cases=Categorical.of(days).map(known.as_of))
    table = of_tenders([case.as_of(stage) for case in cases], stage, days, records=records)
    return predict(bundle, table, only=[OUTCOME]).of(OUTCOME), np.array(list(placement(table).title.rows()))


def buyer_name(case: LabelledTender) -> str:
    """The buyer as written in small letters; a case without one is its own."""
    buyer = case.tender.buyer
    return (buyer.name or "").casefold() if buyer and buyer.name else f"{case.tender.ocid}"


def strata_of(history: UkHistory, titles: Texts, forms: Mapping[int, str]) -> dict[str, Texts]:
    """The year, class, source and form of each blind case of a history."""
    codes = [case.tender.tender_risk.codes if case.tender.tender_risk else {} for case in history.cases]
    columns = {
        "year": [str(case.published.year) for case in history.cases],
        "class": [title.partition(", published")[0] for title in titles],
        "source": [code.get("source", "") for code in codes],
        "form": [forms.get(case.row, "") for case in history.cases],
        "category": [code.get("category", "") for code in codes],
        "term": [term_band(case) for case in history.cases],
        "applicants": [count_band(case.tender.tender.number_of_tenderers) for case in history.cases],
    }
    return {name: np.array(labels) for name, labels in columns.items() if any(labels)}


def term_band(case: LabelledTender) -> str:
    """How long the contract of a call-off is to run; empty where no number of days is stated."""
    period = case.tender.tender.contract_period
    days = period.duration_in_days if period else None
    return next((name for most, name in TERMS if days is not None and days <= most), "")


def count_band(number: int | None) -> str:
    """How many applied: one, two, or several."""
    return "" if number is None else str(number) if number <= 2 else "3 to 8" if number <= 8 else "9 and more"


def page_forms(file: Path) -> dict[int, str]:
    """The form of the page of each row of a table, where the table tells it."""
    if file.suffix not in (".csv", ".parquet"):
        return {}
    column = read_cells(file, {}, {OF_PAGE: as_text}).columns[OF_PAGE]
    return {row: str(form) for row, form in enumerate(column) if form}


def stratum_rows(judged: Judged) -> Iterator[Row]:
    """The whole, and every stratum: the cases, what was expected, what came, and whether it lies in the interval."""
    parts = [("all", "", np.ones(len(judged.y), dtype=bool))]
    parts += [
        (name, str(one), labels == one) for name, labels in judged.strata.items() for one in np.unique(labels) if one
    ]
    for name, one, rows in parts:
        observed, expected = float(judged.y[rows].sum()), float(judged.p[rows].sum())
        low, high = poisson_interval(observed)
        yield {
            "stratum": f"{name} {one}".strip(),
            "cases": int(rows.sum()),
            "expected": round(expected, 1),
            "observed": int(observed),
            "95 % Poisson": (round(low, 1), round(high, 1)),
            "inside": "yes" if low <= expected <= high else "no",
        }


def notes(judged: Judged) -> list[str]:
    """The mean beside the rate, and the order, in sentences."""
    ones = np.ones(len(judged.y))
    measures = metrics.compute_metrics(judged.y, judged.p, judged.buyer)
    low, high = measures.auc_ci
    gap = float(judged.p.mean() - judged.y.mean())
    order = "order is not proven" if low <= 0.5 <= high else "better than a coin" if low > 0.5 else "worse than a coin"
    base = metrics.brier(judged.y, np.full(len(judged.y), judged.y.mean()), ones)
    return [
        f"Mean forecast {judged.p.mean():.1%}, rate {judged.y.mean():.1%}: {100 * gap:+.1f} points, "
        f"{'within' if abs(gap) <= WITHIN else 'not within'} one point.",
        f"AUC {measures.auc:.3f} ({low:.3f} to {high:.3f}, by buyer) on {measures.positives} of {measures.n}: {order}.",
        f"Brier score {measures.brier:.4f}; that of the rate of these very rows is {base:.4f}.",
    ]


def call_off_rows(file: Path) -> Iterator[Row]:
    """Digital call-offs by half-year of their call: how many ends were told, and two rates of no award."""
    cells = read_cells(file, {}, {"published": as_text, "status": as_text}).columns
    days, status = np.array([str(day) for day in cells["published"]]), np.array([str(cell) for cell in cells["status"]])
    halves = np.array([f"{day[:4]}, {'first' if day[5:7] < '07' else 'second'} half" for day in days])
    failed, resolved = np.isin(status, ("cancelled", "unsuccessful")), status != "closed"
    for half in np.unique(halves):
        rows = halves == half
        yield {
            "published": str(half),
            "call-offs": int(rows.sum()),
            "told": float(resolved[rows].mean()),
            "no award, of those told": float(failed[rows].sum() / max(resolved[rows].sum(), 1)),
            "no award, of all": float(failed[rows].mean()),
        }


def main() -> None:
    """Measures, prints, writes what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--history", type=Path, default=HISTORY, help="directory of files named after their register")
    add_output_options(parser)
    options = parser.parse_args()
    try:
        files = {register.name: file for register, file in history_files(options.history)}
        histories = uk_histories(options.history)
    except TenderRiskError as error:
        CONSOLE.print(f"No data, so nothing was measured: {error}")
        return
    registers = register_layer(load_bundle(released()))
    book, tables = load_casebook(), []
    for number, history in enumerate(histories):
        forms = page_forms(files[history.register.name])
        for stage in history.register.outcomes[OUTCOME]:
            p, titles = forecasts(book, histories, number, registers, stage)
            y = np.array([float(bool(case.outcomes[OUTCOME])) for case in history.cases])
            strata = strata_of(history, titles, forms)
            judged = Judged(history=history, stage=stage, y=y, p=p, buyer=buyer_numbers(history.cases), strata=strata)
            title = f"{history.register.name} {OUTCOME} {stage}"
            tables.append(ResultTable(title=title, rows=list(stratum_rows(judged)), notes=notes(judged)))
            show(tables[-1])
    if "dos_uk" in files:
        tables.append(ResultTable(title="digital call-offs", rows=list(call_off_rows(files["dos_uk"]))))
        show(tables[-1])
    write("uk_levels", tables, options)


if __name__ == "__main__":
    main()
