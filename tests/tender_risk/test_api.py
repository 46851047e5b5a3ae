"""`import tender_risk`, as people who know pandas and scikit-learn type it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

import tender_risk
from benchmarks import made_tenders
from tender_risk import frames
from tenders.errors import BundleError, DataError, StageError, UsageError
from tests import samples

EXAMPLES = Path(__file__).parents[2] / "examples"
MANCHESTER = EXAMPLES / "manchester-lco.json"
PROBABILITIES = ["failure", "no_award", "early_end", "single_bid"]


@pytest.fixture(scope="module")
def model() -> tender_risk.Model:
    return tender_risk.load()


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Three forms, in the dtypes that pandas gives them."""
    return pd.DataFrame(
        {
            "title": ["Community care", "A bridge", "Laptops"],
            "value": [240e6, np.nan, 90_000],
            "lots": pd.array([1, None, 3], dtype="Int64"),
            "category": pd.Categorical(["services", "works", None]),
            "framework": pd.array([False, None, True], dtype="boolean"),
            "published": pd.to_datetime(["2024-05-01", None, "2024-06-30"]),
        },
        index=["care", "bridge", "laptops"],
    )


# Load.


def test_the_module_imports_nothing_heavy():
    script = (
        "import sys, tender_risk; dir(tender_risk); print({'numpy', 'pandas', 'xgboost', 'mlflow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "set()"


def test_all_that_is_public_is_there():
    assert all(getattr(tender_risk, name) for name in tender_risk.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Scorer'"):
        tender_risk.Scorer  # noqa: B018


def test_a_model_is_loaded_from_a_directory_as_from_the_release(model, bundle):
    from models import bundle as bundles

    again = tender_risk.load(bundles.released())
    assert again.version == model.version == bundle.manifest.version
    assert repr(again) == f"<tender_risk.Model {model.version}>"
    assert "# " in model.card and "single_block" in model.feature_names
    with pytest.raises(BundleError):
        tender_risk.load("nowhere")


# One tender.


def test_a_form_is_scored_as_the_command_scores_it(model, bundle):
    from models import score as scoring
    from tenders.io.read import to_process

    form = {"title": "Community care", "value": "£240m", "lots": 1}
    assert model.score(form) == scoring.score(bundle, to_process(form))
    assert model.score(form).reasons and isinstance(model.score(form), tender_risk.Score)


def test_a_release_a_record_and_a_row_of_a_frame_are_scored(model, frame):
    release = json.loads(MANCHESTER.read_text())
    assert model.score(release, stage="draft").stage == "draft"
    assert model.score({"releases": [release]}).failure == model.score(release).failure
    assert model.score(frame.loc["laptops"]).failure == model.predict_proba(frame).failure["laptops"]


def test_a_form_with_what_pandas_calls_missing_is_a_form_without_it(model):
    form = {"title": "Care", "value": np.float64(240e6), "lots": pd.NA, "region": np.nan, "published": pd.NaT}
    assert model.score(form).failure == model.score({"title": "Care", "value": 240e6}).failure


def test_a_stage_that_is_none_is_refused(model):
    with pytest.raises(UsageError, match="Use one of draft, bids_in, awarded"):
        model.score({"title": "Care"}, stage="signed")
    with pytest.raises(StageError):
        model.score({"title": "Care", "value": 1e6}, stage="bids_in")


# Frames.


def test_a_frame_of_probabilities_keeps_the_index(model, frame):
    result = model.predict_proba(frame)
    assert list(result.columns) == PROBABILITIES and result.index.equals(frame.index)
    assert ((result > 0) & (result < 1)).all(axis=None)
    assert result.equals(model.score_frame(frame)[PROBABILITIES])


def test_each_row_is_what_score_says_of_it(model, frame):
    for name, row in model.predict_proba(frame).iterrows():
        score = model.score(frame.loc[name].dropna().to_dict())
        assert row.failure == score.failure
        assert tuple(row[1:]) == msgspec.structs.astuple(score.outcomes)


def test_a_score_frame_says_what_a_portfolio_says(model, frame):
    whole = model.score_frame(frame)
    assert whole.index.equals(frame.index) and (whole.bundle == model.version).all()
    assert ((whole.low <= whole.failure) & (whole.failure <= whole.high)).all()
    assert set(whole.band) <= {"low", "typical", "high", "very high"}


@pytest.mark.parametrize(
    ("name", "plain", "cells"),
    [
        ("value", 1.2e6, ["£1.2m", "1,200,000", "1200000", 1_200_000, np.float32(1.2e6)]),
        ("lots", 3, [3.0, "3", np.int8(3), pd.array([3], dtype="Int8")[0]]),
        ("published", "2024-06-30", [pd.Timestamp("2024-06-30"), pd.Timestamp("2024-06-30", tz="Europe/London")]),
        ("framework", "yes", [True, "Yes", "TRUE", 1, 1.0, np.True_]),
        ("category", "works", [pd.Categorical(["works"])[0]]),
        ("tender_period_days", 30, [pd.Timedelta(days=30), "30", 30.0]),
        ("cpv", "85000000", [85000000, 85000000.0]),
        ("lot_values", "100000; 200000", [[100000, 200000], (1e5, 2e5), np.array([1e5, 2e5])]),
        ("published", "2024-06", [pd.Period("2024-06")]),
    ],
)
def test_cells_may_have_any_type_that_says_the_same(model, name, plain, cells):
    expected = model.predict_proba(pd.DataFrame({"title": ["Care"], name: [plain]}))
    for cell in cells:
        alone = pd.Series([cell, None], dtype=None if np.isscalar(cell) else object)
        frame = pd.DataFrame({"title": ["Care", "Care"], name: alone})
        assert model.predict_proba(frame).iloc[0].equals(expected.iloc[0]), cell
        assert model.predict_proba(frame.iloc[:1].astype({name: object})).equals(expected), cell


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, "", "unknown"])
def test_a_missing_cell_is_unknown(model, missing):
    expected = model.predict_proba(pd.DataFrame({"title": ["Care"]})).iloc[0]
    for name in ("value", "lots", "framework", "published", "buyer"):
        frame = pd.DataFrame({"title": ["Care"], name: pd.Series([missing], dtype=object)})
        assert model.predict_proba(frame).iloc[0].equals(expected), name


def test_mixed_cells_of_one_column_are_read_one_by_one(model):
    frame = pd.DataFrame({"value": ["£1.2m", 1_200_000, None, 1.2e6, "1,200,000"], "title": "Care"})
    result = model.predict_proba(frame)
    assert result.drop(index=2).nunique().eq(1).all() and result.failure[2] != result.failure[0]


def test_a_wrong_cell_is_named_by_row_and_column(model, frame):
    wrong = frame.assign(value=["£240m", "a lot", 90_000], term_years=[5, 3, -1])
    with pytest.raises(DataError) as error:
        model.predict_proba(wrong)
    assert "row 2 (index 'bridge'), column 'value': expected an amount in pounds" in str(error.value)
    assert "row 3 (index 'laptops'), column 'term_years'" in str(error.value)
    with pytest.warns(UserWarning, match="row 2"):
        result = model.predict_proba(wrong, errors="coerce")
    assert result.index.equals(frame.index) and result.failure.isna().tolist() == [False, True, True]
    with pytest.raises(UsageError, match="'raise' or 'coerce'"):
        model.predict_proba(wrong, errors="ignore")


def test_the_first_of_many_problems_are_listed(model):
    with pytest.raises(DataError, match="490 more") as error:
        model.predict_proba(pd.DataFrame({"value": ["a lot"] * 500}))
    assert len(error.value.problems) == 11


def test_unknown_columns_warn_and_suggest(model, frame):
    with pytest.warns(UserWarning, match=r"'Tender period days' \(did you mean 'tender_period_days'\?\), 'colour'"):
        result = model.predict_proba(frame.assign(**{"Tender period days": 30, "colour": "red", "id": 7}))
    assert result.equals(model.predict_proba(frame))
    with pytest.warns(UserWarning, match="colour") as warned:
        model.score_frame(frame.assign(colour="red"))
    assert warned[0].filename == __file__
    with pytest.raises(DataError, match="none is known: 'Colour'"):
        model.predict_proba(pd.DataFrame({"Colour": ["red"]}))
    with pytest.raises(DataError, match=r"'value'.*Keep the one that is meant"):
        model.predict_proba(pd.concat([frame, frame[["value"]]], axis=1))


def test_an_empty_frame_has_no_probabilities(model, frame):
    result = model.predict_proba(frame.iloc[:0])
    assert list(result.columns) == PROBABILITIES and not len(result)


def test_a_table_of_arrow_is_a_frame_too(model, frame):
    import pyarrow as pa

    result = model.predict_proba(pa.Table.from_pandas(frame))
    assert result.reset_index(drop=True).equals(model.predict_proba(frame).reset_index(drop=True))


def test_something_that_is_no_frame_is_refused(model):
    for tenders in ({"title": "Care"}, "drafts.csv", 7):
        with pytest.raises(UsageError, match="expected a DataFrame or a list of tenders"):
            model.predict_proba(tenders)


# OCDS in frames.


@pytest.fixture(scope="module")
def releases() -> list[samples.Json]:
    return [*made_tenders.releases(30, stage="awarded"), samples.draft(), json.loads(MANCHESTER.read_text())]


@pytest.mark.parametrize("stage", [None, "draft", "bids_in", "awarded"])
def test_releases_are_scored_the_same_however_the_frame_was_made(model, releases, stage):
    some = releases if stage in (None, "draft") else releases[:30]
    expected = [model.score(release, stage, explain=False) for release in some]
    failure = [score.failure for score in expected]
    assert model.predict_proba(some, stage).failure.tolist() == failure
    assert model.predict_proba(pd.DataFrame(some), stage).failure.tolist() == failure
    assert model.predict_proba(pd.json_normalize(some), stage).failure.tolist() == failure
    assert model.predict_proba(pd.json_normalize(some, sep="/"), stage).failure.tolist() == failure


def test_ocds_paths_are_columns(model):
    paths = {
        "ocid": "ocds-h6vhtk-1",
        "tender/title": "Care",
        "/tender/value/amount": 9e5,
        "tender/value/currency": "GBP",
    }
    release = {"ocid": "ocds-h6vhtk-1", "tender": {"title": "Care", "value": {"amount": 9e5, "currency": "GBP"}}}
    assert model.predict_proba(pd.DataFrame([paths])).failure[0] == model.score(release).failure


def test_keys_and_paths_may_stand_side_by_side(model):
    frame = pd.DataFrame(
        {"value": ["£900k"], "framework": [True], "tender/lots/0/title": ["North"], "tender/title": ["Care"]}
    )
    release = {
        "tender": {
            "title": "Care",
            "value": {"amount": 9e5, "currency": "GBP"},
            "lots": [{"title": "North"}],
            "techniques": {"hasFrameworkAgreement": True},
        }
    }
    assert model.predict_proba(frame).failure[0] == model.score(release).failure
    with pytest.raises(DataError, match=r"row 1 .index 0., column 'value'"):
        model.predict_proba(frame.assign(value="much"))


def test_a_wrong_value_at_a_path_is_named(model, releases):
    frame = pd.json_normalize(releases[:2])
    frame.loc[1, "tender.datePublished"] = "31.31.2024"
    with pytest.raises(DataError, match=r"row 2 \(index 1\), column 'tender.datePublished': .*not a date"):
        model.predict_proba(frame)


def test_an_ocid_beside_keys_chooses_the_register(model, bundle):
    name = next(name for name, other in bundle.registers.items() if name != "any" and other.failure_outcomes("draft"))
    frame = pd.DataFrame({"ocid": [f"{name}-1", "ocds-h6vhtk-1", None], "title": "Roads", "value": 1e6})
    whole = model.score_frame(frame)
    assert whole.register.tolist() == [name, "uk", "uk"]
    alone = frame.drop(columns="ocid")
    assert whole.failure.tolist()[1:] == model.predict_proba(alone).failure.tolist()[1:]
    assert model.predict_proba(frame.iloc[1:]).equals(model.predict_proba(alone.iloc[1:]))


# Reading, changing, explaining.


@pytest.fixture(scope="module")
def facts(tmp_path_factory, releases) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("read") / "some.jsonl"
    path.write_text("\n".join(map(json.dumps, releases)))
    return tender_risk.read(path)


def test_facts_have_dtypes_that_know_unknown(facts, releases):
    assert facts.index.name == "ocid" and facts.index.tolist() == [release["ocid"] for release in releases]
    kinds = {"value": "float64", "lots": "Int64", "framework": "boolean", "published": "datetime64[s]", "title": "str"}
    assert {name: str(facts[name].dtype) for name in kinds} == kinds
    row = facts.loc[samples.OCID]
    assert (row.lots, row.lot_values, row.value, row.cpv) == (2, "500000; 400000", 900_000, "85141200")
    assert row.published == pd.Timestamp("2024-03-01") and row.bidders is pd.NA


@pytest.mark.parametrize("stage", [None, "draft"])
def test_what_was_read_is_scored_as_it_stands_in_the_file(model, facts, releases, stage):
    assert model.predict_proba(facts, stage).failure.tolist() == model.predict_proba(releases, stage).failure.tolist()


def test_a_frame_that_was_saved_is_scored_the_same(model, facts, tmp_path):
    facts.to_csv(tmp_path / "facts.csv")
    facts.to_parquet(tmp_path / "facts.parquet")
    for again in (pd.read_csv(tmp_path / "facts.csv", index_col="ocid"), pd.read_parquet(tmp_path / "facts.parquet")):
        assert model.predict_proba(again).equals(model.predict_proba(facts))


def test_a_cell_that_is_changed_changes_the_score_as_what_if_does(model, bundle, facts, releases):
    from models.what_if import what_if
    from tenders.io.read import to_process

    before, changed = model.predict_proba(facts), facts.copy()
    changed.loc[samples.OCID, ["value", "framework", "advisers"]] = [90e6, True, None]
    after = model.predict_proba(changed)
    result = what_if(
        bundle, to_process(samples.draft()), [{"value": "90m", "framework": "yes", "advisers": None}], None
    )
    assert after.failure[samples.OCID] == result.scenarios[0].score.failure != before.failure[samples.OCID]
    others = before.index != samples.OCID
    assert after[others].equals(before[others])
    with pytest.raises(DataError, match=f"row {len(releases) - 1} .index '{samples.OCID}'., column 'value'"):
        model.predict_proba(facts.assign(value=facts.value.astype(object).where(facts.index != samples.OCID, "much")))


def test_documents_are_compared_as_they_are_read_to_be_scored(model, facts, monkeypatch):
    read: list[bytes] = []
    monkeypatch.setattr(frames, "decoded", lambda lines: read.extend(lines) or [None] * len(lines))
    changed = facts.loc[[samples.OCID]].assign(value=90e6)
    assert model.predict_proba(changed).failure.item() != model.predict_proba(facts).failure[samples.OCID]
    assert not [line for line in read if samples.OCID.encode() in line]
    # Reasons need whole documents, so what the cells are compared with is read first.
    model.explain(changed)
    assert samples.OCID.encode() in read[-1]


def test_without_the_document_the_facts_alone_are_scored(model, facts):
    alone = facts.drop(columns="ocds")
    row = alone.loc[samples.OCID].dropna().to_dict()
    assert model.predict_proba(alone).failure[samples.OCID] == model.score(row).failure


def test_several_releases_of_one_procurement_are_read_as_of_each_stage(model, tmp_path):
    later = samples.draft(id="2", date="2024-06-01T00:00:00Z", tag=["award"])
    later["awards"] = [
        {"id": "1", "status": "active", "date": "2024-06-01", "suppliers": [{"id": "s", "name": "Nurses Ltd"}]}
    ]
    package = {"releases": [samples.draft(), later]}
    (tmp_path / "two.json").write_text(json.dumps(package))
    frame = tender_risk.read(tmp_path / "two.json")
    for stage in ("draft", "awarded"):
        assert model.predict_proba(frame, stage).failure.iloc[0] == model.score(package, stage).failure


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "wrong.csv").write_text("title,value\nCare,much\n")
    with pytest.raises(DataError, match=r"wrong.csv, line 2.*expected an amount"):
        tender_risk.read(tmp_path / "wrong.csv")


def test_outcomes_are_labels(tmp_path):
    ended = samples.draft(tag=["tenderCancellation"], date="2024-05-01T00:00:00Z")
    ended["tender"]["status"] = "cancelled"
    (tmp_path / "two.jsonl").write_text(json.dumps(ended) + "\n" + json.dumps(samples.draft(ocid="ocds-h6vhtk-2")))
    labels = tender_risk.outcomes(tmp_path / "two.jsonl")
    assert labels.index.equals(tender_risk.read(tmp_path / "two.jsonl").index)
    assert labels.failure.tolist() == [True, pd.NA] and str(labels.failure.dtype) == "boolean"
    assert labels.kind.iloc[0] == "cancelled" and labels.published.iloc[1] == pd.Timestamp("2024-03-01")


def test_a_history_of_ones_own_is_read_with_its_labels_in_the_same_order(model):
    mapping = EXAMPLES / "own-history" / "mapping.toml"
    facts, labels = tender_risk.read(mapping, register="own"), tender_risk.outcomes(mapping, register="own")
    assert facts.index.equals(labels.index)
    assert labels.no_award.tolist() == [False, True, False, True, pd.NA]
    assert labels.published.notna().all() and model.predict_proba(facts).failure.notna().all()


def test_reasons_are_a_frame(model, frame):
    reasons = model.explain(frame)
    assert list(reasons.columns) == ["feature", "value", "effect", "text", "path", "evidence"]
    assert set(reasons.index) <= set(frame.index)
    for name in frame.index:
        expected = model.score(frame.loc[name].dropna().to_dict()).reasons
        assert reasons.loc[[name]].effect.tolist() == [reason.effect for reason in expected]
        assert reasons.loc[[name]].text.tolist() == [reason.text for reason in expected]


def test_shap_values_sum_to_the_margin(model, frame, bundle, monkeypatch):
    made = []

    def explanation(values, **parts):
        made.append(SimpleNamespace(values=values, **parts))
        return made[-1]

    monkeypatch.setitem(sys.modules, "shap", SimpleNamespace(Explanation=explanation))
    for outcome in ("no_award", "early_end"):
        result = model.shap_values(frame, outcome)
        assert result.values.shape == result.data.shape == (3, len(result.feature_names))
        margin = result.values.sum(axis=1) + result.base_values
        calibrated = bundle.calibration[outcome, "draft"].probabilities(margin)
        assert np.allclose(calibrated, model.predict_proba(frame)[outcome], atol=1e-4)
    with pytest.raises(UsageError, match="use one of no_award, early_end"):
        model.shap_values(frame, "single_bid")


def test_without_shap_it_says_what_to_do(model, frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match="pip install shap"):
        model.shap_values(frame)
