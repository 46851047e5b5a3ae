"""Features of tenders in scikit-learn's pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from xgboost import XGBClassifier

import tender_risk
from benchmarks import made_tenders
from features.catalogue import catalogue, trained_at
from features.matrix import feature_values
from features.table_builder import of_tenders
from tender_risk import TenderFeatures
from tenders.errors import DataError, UsageError
from tenders.io.read import to_process
from tenders.process import to_json
from tests.training import made
from training.datasets import register_dataset

KEYS = (
    *("value", "tender_period_days", "enquiry_period_days", "term_years", "price_to_former_cost", "award_value"),
    *("title", "description", "buyer", "procuring_entity", "region", "risk_details", "supplier"),
)
EXPECTED_FAILURES: dict[str, str] = {}
"""scikit-learn's own checks that fail, each with its reason: none. They give arrays, so the columns are named."""


@parametrize_with_checks(
    [TenderFeatures(columns=KEYS, errors="coerce")], expected_failed_checks=lambda _: EXPECTED_FAILURES
)
def test_it_is_an_estimator_as_scikit_learn_means_it(estimator, check):
    assert len(EXPECTED_FAILURES) <= 10
    check(estimator)


@pytest.fixture(scope="module")
def releases():
    return list(made_tenders.releases(300, stage="draft"))


@pytest.fixture(scope="module")
def frame(releases) -> pd.DataFrame:
    return pd.json_normalize(releases)


@pytest.fixture(scope="module")
def y(frame) -> np.ndarray:
    """Failures, the more of them the larger the value."""
    rank = frame["tender.value.amount"].rank(pct=True).fillna(0.5)
    return (np.random.default_rng(0).random(len(frame)) < 0.1 + 0.6 * rank).astype(int).to_numpy()


def test_a_pipeline_runs_in_five_lines(frame, y):
    model = make_pipeline(TenderFeatures(), XGBClassifier(n_estimators=30, max_depth=3, n_jobs=1))
    folds = StratifiedGroupKFold(n_splits=3)
    auc = cross_val_score(model, frame, y, groups=frame["buyer.name"], cv=folds, scoring="roc_auc")
    assert auc.mean() > 0.55
    assert model.fit(frame, y).predict_proba(frame).shape == (len(frame), 2)


def test_it_gives_what_training_reads(releases):
    names = [feature.name for feature in trained_at("draft")]
    tenders = [to_process(release).as_of("draft") for release in releases]
    days = [to_process(release).published_on() for release in releases]
    transformer = TenderFeatures(features=names)
    expected = feature_values(trained_at("draft"), of_tenders(tenders, "draft", days))
    assert np.array_equal(transformer.fit_transform(releases), expected, equal_nan=True)
    assert list(transformer.get_feature_names_out()) == names


def test_its_matrix_is_that_of_training():
    """To the bit: the columns that training reads of the tenders themselves are those of the transformer."""
    cases = made.register(400)
    data = register_dataset(made.source(cases), cases, "no_award", "draft")
    documents = [to_json(case.as_of("draft")) for case in cases]
    transformer = TenderFeatures()
    frame = transformer.set_output(transform="pandas").fit_transform(documents)
    stated = [name for name in data.names if catalogue()[name].reads == "tender"]
    assert len(stated) > 10 and stated == [name for name in frame if catalogue()[name].reads == "tender"]
    own = data.x[:, [data.names.index(name) for name in stated]]
    assert np.array_equal(frame[stated].to_numpy(np.float32), own, equal_nan=True)


def test_a_frame_and_a_list_of_releases_give_the_same(releases, frame):
    transformer = TenderFeatures(features=["value_gbp", "single_block"])
    assert np.array_equal(transformer.fit_transform(frame), transformer.fit_transform(releases), equal_nan=True)


def test_it_gives_a_frame_if_it_is_asked(frame):
    result = TenderFeatures().set_output(transform="pandas").fit_transform(frame.set_index("ocid", drop=False))
    assert result.index.equals(pd.Index(frame.ocid, name="ocid")) and "value_gbp" in result.columns


def test_it_is_cloned_and_needs_to_be_fitted(frame):
    transformer = TenderFeatures(stage="awarded", features=["value_gbp"]).fit(frame)
    copy = clone(transformer)
    assert copy.get_params() == transformer.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(frame)
    with pytest.raises(NotFittedError):
        copy.get_feature_names_out()


def test_it_is_saved_without_pickle(frame, y, tmp_path: Path):
    known = frame.assign(known_on="2026-01-31")
    transformer = TenderFeatures(known_on="known_on").fit(known, y)
    transformer.save(tmp_path / "features.json")
    assert json.loads((tmp_path / "features.json").read_text())["params"]["stage"] == "draft"
    again = TenderFeatures.load(tmp_path / "features.json")
    assert again.get_params() == transformer.get_params()
    assert np.array_equal(again.transform(known), transformer.transform(known), equal_nan=True)


def test_what_is_wrong_is_said(frame):
    with pytest.raises(UsageError, match="no such features: colour"):
        TenderFeatures(features=["colour"]).fit(frame)
    with pytest.raises(DataError, match=r"row 1 .index 0., column 'value'"):
        TenderFeatures().fit(pd.DataFrame({"value": ["a lot"], "title": ["Care"]}))
    with pytest.raises(DataError, match="name them with columns="):
        TenderFeatures().fit(np.zeros((3, 2)))
    with pytest.raises(UsageError, match="no column 'known_on'"):
        TenderFeatures(known_on="known_on").fit(frame)


# Track records.


@pytest.fixture
def calls() -> pd.DataFrame:
    """A buyer's calls, one a month, each known to have failed or not two months later."""
    published = pd.date_range("2024-01-15", periods=12, freq="MS")
    return pd.DataFrame(
        {
            "title": "Care",
            "buyer": "Example Council",
            "published": published,
            "known_on": published + pd.DateOffset(months=2),
        }
    )


def records(transformer: TenderFeatures, calls: pd.DataFrame) -> pd.DataFrame:
    return transformer.set_output(transform="pandas").transform(calls)


def test_a_tender_reads_what_was_known_before_its_own_day(calls):
    names = [feature.name for feature in trained_at("draft") if feature.name.startswith("buyer_")]
    y = np.ones(12)
    fitted = TenderFeatures(features=names, known_on="known_on").fit(calls, y)
    before = records(fitted, calls)
    assert not before.iloc[0].equals(before.iloc[-1])
    for row in range(12):
        # Nothing that becomes known on the day of a call or after it can reach its features.
        later = calls.known_on >= calls.published[row]
        other = TenderFeatures(features=names, known_on="known_on").fit(calls, np.where(later, 0, y))
        pd.testing.assert_series_equal(records(other, calls).iloc[row], before.iloc[row])
    changed = TenderFeatures(features=names, known_on="known_on").fit(calls, np.zeros(12))
    assert not records(changed, calls).iloc[-1].equals(before.iloc[-1])


def test_a_tender_without_a_day_reads_no_record(calls):
    names = [feature.name for feature in trained_at("draft") if feature.name.startswith("buyer_")]
    fitted = TenderFeatures(features=names, known_on="known_on").fit(calls, np.ones(12))
    undated = calls.assign(published=pd.NaT)
    expected = TenderFeatures(features=names).fit(undated.drop(columns="known_on"))
    assert np.array_equal(
        fitted.transform(undated), expected.transform(undated.drop(columns="known_on")), equal_nan=True
    )


def test_tenders_whose_outcome_is_unknown_teach_nothing(calls):
    names = [feature.name for feature in trained_at("draft") if feature.name.startswith("buyer_")]
    some = TenderFeatures(features=names, known_on="known_on").fit(calls, np.where(np.arange(12) < 6, 1, np.nan))
    first = TenderFeatures(features=names, known_on="known_on").fit(calls[:6], np.ones(6))
    assert np.array_equal(some.transform(calls), first.transform(calls), equal_nan=True)
    with pytest.raises(UsageError, match="need outcomes"):
        TenderFeatures(known_on="known_on").fit(calls)


def test_it_is_part_of_the_face():
    assert tender_risk.TenderFeatures is TenderFeatures
