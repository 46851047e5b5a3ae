"""What metrics say of scores and refusals: bands, what is unknown, and whether forecasts keep the level that they had.

Labels are registers of the bundle, stages, bands and names of our errors: none comes from a request.

**Level.** The mean forecast of the last WINDOW tenders of a register at a stage, against the mean base rate of their
own classes: what the bundle expects of such tenders before it knows anything else. The difference is in log-odds, as
`models.level` has it, which also says how far a level may lie away before intervals are too narrow (`BOUND`).

**Drift.** How far their probabilities are from those that the models gave to cases they had not seen, as `models.drift`
measures it: the largest difference in share, from 0 to 1; of the outcome that moved most.
"""

from __future__ import annotations

import threading
from collections import deque

import msgspec
import numpy as np
import prometheus_client

from features.matrix import is_known_at
from models.bundle import Bundle
from models.drift import MIN_TENDERS, ColumnCounts
from models.effects import Z95
from models.level import served_variance
from models.predict import Predictions
from models.score import Score
from tenders.errors import TenderRiskError
from tenders.facts import Stage

WINDOW = 500
"""Tenders of a register and stage of which the means are shown."""

SCORES = prometheus_client.Counter(
    "tender_risk_scores", "Answers of /score, and those in /score_many.", ("stage", "band")
)
FEATURES = prometheus_client.Counter(
    "tender_risk_features",
    "Features that the bundle weighs at the stage, over all scored tenders, by whether they were known.",
    ("register", "stage", "known"),
)
ERRORS = prometheus_client.Counter(
    "tender_risk_errors", "Refusals and failures by their kind, also of single tenders in /score_many.", ("kind",)
)
_COUNTERS = {"tender_risk_scores": SCORES, "tender_risk_features": FEATURES, "tender_risk_errors": ERRORS}
RECENT = prometheus_client.Gauge(
    "tender_risk_recent_scores",
    f"Tenders that the means are of: the last {WINDOW} at most.",
    ("register", "stage"),
    multiprocess_mode="livemostrecent",
)
FORECAST = prometheus_client.Gauge(
    "tender_risk_recent_forecast",
    "Mean failure probability of these tenders.",
    ("register", "stage"),
    multiprocess_mode="livemostrecent",
)
EXPECTED = prometheus_client.Gauge(
    "tender_risk_recent_expected",
    "Mean base rate of the classes of these tenders.",
    ("register", "stage"),
    multiprocess_mode="livemostrecent",
)
SHIFT = prometheus_client.Gauge(
    "tender_risk_level_shift_log_odds",
    "How far the mean forecast lies above what is expected, in log-odds.",
    ("register", "stage"),
    multiprocess_mode="livemostrecent",
)
BOUND = prometheus_client.Gauge(
    "tender_risk_level_bound_log_odds",
    "How far a level may lie away before intervals no longer allow for it.",
    multiprocess_mode="livemostrecent",
)
DRIFT = prometheus_client.Gauge(
    "tender_risk_score_drift",
    f"Largest difference in share (0 to 1) from the scores of unseen cases, from {MIN_TENDERS} tenders on.",
    ("register", "stage"),
    multiprocess_mode="livemostrecent",
)
KINDS = ("DataError", "StageError", "TooLargeError", "UsageError", "UnreachableError", "BundleError")
"""The errors that are counted by name; others count as the one of these that they are a kind of."""
UNEXPECTED_KIND = "unexpected"


class _Forecast(msgspec.Struct, frozen=True):
    """One tender that was scored: failure, the base rate of its class, and the probability of each outcome."""

    failure: float
    base_rate: float
    outcomes: dict[str, float]


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """What another process has counted and noted, to be added here: by metric and labels, and by register and stage."""

    counts: list[tuple[str, dict[str, str], float]] = []
    recent: list[tuple[str, Stage, str, list[_Forecast]]] = []


_recent: dict[tuple[str, Stage], tuple[str, deque[_Forecast]]] = {}
_noting = threading.Lock()


def count_score(score: Score) -> None:
    """Counts an answer by its stage and band."""
    SCORES.labels(score.stage, score.band).inc()


def count_error(error: Exception | None) -> None:
    """Counts an error by its kind; None, and what is none of our errors, is unexpected."""
    names = [kind.__name__ for kind in type(error).__mro__] if isinstance(error, TenderRiskError) else []
    ERRORS.labels(next((name for name in names if name in KINDS), UNEXPECTED_KIND)).inc()


def note_prediction(predicted: Predictions) -> None:
    """Notes what was predicted of one tender."""
    bundle, stage = predicted.bundle, predicted.table.stage
    register, values = bundle.manifest.register, predicted.feature_values[0]
    weighed = bundle.made_once.get(("weighed", stage))
    if weighed is None:
        weighed = bundle.made_once["weighed", stage] = sum(is_known_at(feature, stage) for feature in bundle.weighed)
    # What is known at a later stage only is unknown here, and is not counted.
    known = len(values) - int(np.count_nonzero(np.isnan(values)))
    FEATURES.labels(register, stage, "yes").inc(known)
    FEATURES.labels(register, stage, "no").inc(weighed - known)
    forecast = _Forecast(
        float(predicted.failure[0]),
        float(predicted.base_rate[0]),
        {name: float(p[0]) for name, p in predicted.probability.items()},
    )
    with _noting:
        _keep(register, stage, bundle.manifest.version, [forecast])


def _keep(register: str, stage: Stage, version: str, forecasts: list[_Forecast]) -> None:
    kept = _recent.get((register, stage))
    if kept is None or kept[0] != version:
        # Another bundle expects something else.
        kept = _recent[register, stage] = (version, deque(maxlen=WINDOW))
    kept[1].extend(forecasts)


def take() -> Metered:
    """What this process has counted and noted since it was last taken."""
    counts: list[tuple[str, dict[str, str], float]] = []
    for counter in _COUNTERS.values():
        (family,) = counter.collect()
        totals = (sample for sample in family.samples if sample.name.endswith("_total"))
        counts += [(family.name, dict(sample.labels), sample.value) for sample in totals]
        counter.clear()
    with _noting:
        recent = [(register, stage, version, list(noted)) for (register, stage), (version, noted) in _recent.items()]
        _recent.clear()
    return Metered(counts=counts, recent=recent)


def add(metered: Metered) -> None:
    """Adds what another process has counted and noted."""
    for name, labels, count in metered.counts:
        _COUNTERS[name].labels(**labels).inc(count)
    with _noting:
        for register, stage, version, forecasts in metered.recent:
            _keep(register, stage, version, forecasts)


def show_recent(bundle: Bundle) -> None:
    """Sets the gauges of the last tenders; `bundle` is the one that is served."""
    BOUND.set(Z95 * served_variance() ** 0.5)
    with _noting:
        recent = {key: list(noted) for key, (version, noted) in _recent.items() if version == bundle.manifest.version}
    for (register, stage), forecasts in recent.items():
        failure = np.array([forecast.failure for forecast in forecasts])
        expected = np.array([forecast.base_rate for forecast in forecasts])
        RECENT.labels(register, stage).set(len(forecasts))
        FORECAST.labels(register, stage).set(failure.mean())
        EXPECTED.labels(register, stage).set(expected.mean())
        SHIFT.labels(register, stage).set(_log_odds(failure.mean()) - _log_odds(expected.mean()))
        moved = _moved(bundle.registers.get(register, bundle), stage, forecasts)
        if moved is not None:
            DRIFT.labels(register, stage).set(moved)


def _moved(bundle: Bundle, stage: Stage, forecasts: list[_Forecast]) -> float | None:
    """How far the probabilities of one outcome are from those of unseen cases; None where that cannot be said."""
    profile = bundle.training_profile
    if profile is None or len(forecasts) < MIN_TENDERS:
        return None
    sizes = []
    for outcome in forecasts[0].outcomes:
        unseen = profile.scores.get(f"{outcome}-{stage}", ())
        if unseen:
            counts = ColumnCounts(np.asarray(unseen))
            counts.add(np.array([forecast.outcomes[outcome] for forecast in forecasts]))
            sizes.append(counts.distance()[0] if counts.known else 0.0)
    return max(sizes, default=None)


def _log_odds(rate: float) -> float:
    rate = min(max(rate, 1e-6), 1 - 1e-6)
    return float(np.log(rate / (1 - rate)))
