"""What the service counts of scores and errors, and that the dashboard asks for nothing that it does not give."""

from __future__ import annotations

import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from models import score as scoring
from models.bundle import Bundle
from models.drift import MIN_TENDERS
from models.predict import Predictions
from serving import metering, middleware, served, shadow
from serving.audit import trail
from serving.jobs import worker
from serving.jobs.results import DamagedResultError
from tenders import errors
from tenders.io.read import to_process
from tests.serving.made import MANCHESTER

DASHBOARD = Path(__file__).parents[2] / "deployment" / "grafana.json"
DECLARING = (metering, middleware, served, shadow, trail, worker)
"""The modules that declare metrics."""
WORDS = {"sum", "max", "by", "rate", "increase", "histogram_quantile"}
"""Of Prometheus' language."""


def samples(http: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The value of each sample by its name and labels."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def value(values: dict[Any, float], name: str, **labels: str) -> float:
    return values.get((name, frozenset(labels.items())), 0.0)


def expressions() -> list[str]:
    """Every expression of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are(http: httpx.Client) -> None:
    kinds = dict(re.findall(r"^# TYPE (tender_risk_\w+) (\w+)$", http.get("/metrics").text, re.M))
    given = {name for name, kind in kinds.items() if kind in ("gauge", "counter")}
    given |= {
        name + end for name, kind in kinds.items() if kind == "histogram" for end in ("_bucket", "_count", "_sum")
    }
    labels = {
        label
        for module in DECLARING
        for declared in vars(module).values()
        if isinstance(declared, MetricWrapperBase)
        for label in declared._labelnames
    } | {"le"}
    assert len(expressions()) >= 20
    for expression in expressions():
        plain = re.sub(r'"[^"]*"|\[\w+\]', "", expression)
        words = set(re.findall(r"[a-z_]\w*", plain)) - WORDS
        metrics = {word for word in words if word.startswith("tender_risk_")}
        assert metrics and metrics <= given, expression
        assert words - metrics <= labels, expression


def test_scores_are_counted_by_band_with_what_is_unknown_of_them(http: httpx.Client) -> None:
    before = samples(http)
    score = http.post("/score", json={"tender": MANCHESTER, "stage": "draft"}).json()
    many = [{"tender": MANCHESTER, "stage": "draft", "explain": False}, {"tender": {"lots": -1}}]
    assert http.post("/score_many", json=many).status_code == 200
    after = samples(http)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("tender_risk_scores_total", stage="draft", band=score["band"]) == 2
    unknown = [fact for fact in score["unknown"] if not fact["why"].startswith("not known at")]
    of = {"register": "uk", "stage": "draft"}
    assert more("tender_risk_features_total", known="no", **of) == 2 * len(unknown)
    assert more("tender_risk_features_total", known="yes", **of) > 0
    assert more("tender_risk_errors_total", kind="DataError") == 1
    assert value(after, "tender_risk_recent_scores", **of) == min(
        value(before, "tender_risk_recent_scores", **of) + 2, metering.WINDOW
    )


def test_pages_and_endpoints_count_their_errors(http: httpx.Client) -> None:
    before = samples(http)
    assert http.post("/score", json={"tender": MANCHESTER, "stage": "signed"}).status_code == 400
    assert http.post("/answer", data={"title": "x", "lots": "none"}).status_code == 400
    after = samples(http)
    kind = {"kind": "DataError"}
    assert value(after, "tender_risk_errors_total", **kind) - value(before, "tender_risk_errors_total", **kind) == 2


def test_every_error_has_one_of_few_kinds() -> None:
    declared = [name for name, defined in inspect.getmembers(errors, inspect.isclass) if issubclass(defined, Exception)]
    assert {*metering.KINDS, "TenderRiskError"} == set(declared)

    def counted(kind: str) -> float:
        return float(metering.ERRORS.labels(kind)._value.get())

    for error, kind in (
        (DamagedResultError("x"), "UnreachableError"),
        (errors.BundleError("x"), "BundleError"),
        (errors.TooLargeError(errors.Problem(path="", problem="x")), "TooLargeError"),
        (ValueError("of nobody"), metering.UNEXPECTED_KIND),
        (None, metering.UNEXPECTED_KIND),
    ):
        before = counted(kind)
        metering.count_error(error)
        assert counted(kind) == before + 1


def test_the_level_is_that_of_the_last_scores_against_their_classes(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "_recent", {})
    of: list[Predictions] = []
    score = scoring.score(bundle, to_process(MANCHESTER), "draft", watch=of.append)
    drift = metering.DRIFT.labels("uk", "draft")
    drift.set(-1)
    for _ in range(MIN_TENDERS - 1):
        metering.note_prediction(of[0])
    metering.show_recent(bundle)
    # Of so few nothing is concluded.
    assert drift._value.get() == -1
    for _ in range(metering.WINDOW):
        metering.note_prediction(of[0])
    metering.show_recent(bundle)
    gauges = (metering.RECENT, metering.FORECAST, metering.EXPECTED, metering.SHIFT)
    recent, forecast, expected, shift = (gauge.labels("uk", "draft")._value.get() for gauge in gauges)
    assert recent == metering.WINDOW
    assert (forecast, expected) == (pytest.approx(score.failure, abs=1e-4), pytest.approx(score.base_rate, abs=1e-4))
    assert shift == pytest.approx(math.log(forecast / (1 - forecast)) - math.log(expected / (1 - expected)))
    # All are alike, so that at least half of the unseen cases lie on one side.
    assert 0.5 <= drift._value.get() <= 1
    assert 0.2 < metering.BOUND._value.get() < 0.5
