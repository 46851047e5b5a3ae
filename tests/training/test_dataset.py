"""The casebook as tables: labels by the rules, kinds apart, nothing known before its day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.catalogue import known_at
from features.matrix import measured
from features.track_records.case_records import ResolvedCase
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.facts import STAGES
from training import dataset
from training.dataset import History

BLANK = dict.fromkeys(CasebookCase.__struct_fields__, "")


def case(**columns: str) -> CasebookCase:
    """A cohort case of 2015 that held, unless `columns` say otherwise."""
    held = {
        "case_id": "X1", "sector": casebook.case("NHS001").sector, "cohort": "somewhere", "buyer": "A", "provider": "P",
        "award_date": "2016", "published": "2015-01-01", "outcome": "completed", "outcome_date": "2018-01-01", "fail": "0",
    }  # fmt: skip
    return msgspec.convert({**BLANK, **held, **columns}, CasebookCase)


def learnt(cases: Sequence[CasebookCase]) -> tuple[ResolvedCase, ...]:
    """What the track records learn of these cases alone."""
    return dataset.history(cases).log.resolved


FAILED = {"fail": "1", "outcome": "collapsed"}


@pytest.mark.parametrize(
    ("columns", "no_award", "early_end", "failure"),
    [
        ({}, 0, 0, 0),
        (FAILED, 0, 1, 1),
        ({"fail": "1", "outcome": "terminated early"}, 0, 1, 1),
        ({"fail": "1", "outcome": "not renewed after failure"}, 0, 1, 1),
        ({"fail": "1", "outcome": "abandoned procurement"}, 1, None, 1),
        ({"outcome": "running", "censored": "yes"}, 0, None, None),
        ({**FAILED, "censored": "yes"}, 0, None, 1),
        ({"fail": "", "outcome": "ambiguous"}, None, None, None),
    ],
)
def test_labels(
    columns: dict[str, str], no_award: float | None, early_end: float | None, failure: float | None
) -> None:
    found = dataset.history([case(**columns)])
    for outcome, expected in (("no_award", no_award), ("early_end", early_end), ("failure", failure)):
        value = found.label(outcome)[0]
        assert (None if np.isnan(value) else value) == expected, outcome


@pytest.mark.parametrize(
    ("columns", "single"),
    [
        ({"bidders_final": "1"}, 1),
        ({"bidders_final": "3"}, 0),
        ({"bidders_final": ""}, None),
        ({"bidders_final": "1", "route": "direct"}, None),
    ],
)
def test_a_single_bid_is_one_bidder_in_a_competition(columns: dict[str, str], single: float | None) -> None:
    value = dataset.history([case(**columns)]).label("single_bid")[0]
    assert (None if np.isnan(value) else value) == single


def test_a_case_without_any_date_is_left_out(history: History) -> None:
    undated = case(case_id="X2", published="", award_date="", start_date="")
    assert [each.case_id for each in dataset.history([case(), undated]).cases] == ["X1"]
    assert len(history.cases) < len(casebook.cases())
    assert all(each.process().published_on() for each in history.cases)


def test_picked_and_cohort_cases_are_told_apart(history: History) -> None:
    assert list(history.picked) == [each.cohort == "picked" for each in history.cases]
    assert 0 < history.picked.sum() < len(history.cases)


def test_what_cluster_id_is_in_one_group(history: History) -> None:
    """Cases of one buyer, and cohort cases of one programme, are never split; picked cases are no programme."""
    for key in ("buyer", "cohort"):
        groups: dict[str, set[int]] = {}
        for each, group in zip(history.cases, history.group, strict=True):
            if key == "buyer" or not each.picked:
                groups.setdefault(getattr(each, key), set()).add(int(group))
        assert all(len(found) == 1 for found in groups.values())
    assert len(set(history.group)) > 20


def test_probation_contracts_that_ended_by_one_decision_are_learnt_once(history: History) -> None:
    failed = [each for each in history.cases if each.cohort == "TR_CRC_21" and each.fail == "1"]
    decisions = {(each.cohort, each.buyer, each.outcome_date) for each in failed}
    assert len(failed) > 15 and len(decisions) < 5
    assert len(learnt(failed)) == len(decisions)
    fates = Counter(fate for fate, each in zip(history.fate, history.cases, strict=True) if each in failed)
    assert len(fates) == len(decisions)


def test_survivors_survive_one_by_one() -> None:
    three = [case(case_id=f"X{i}") for i in range(3)]
    assert len(learnt(three)) == 3
    assert len(learnt([case(case_id=f"X{i}", **FAILED) for i in range(3)])) == 1


def test_what_is_learnt_has_a_day_a_kind_and_an_outcome(history: History) -> None:
    resolved = history.log.resolved
    assert [each.on for each in resolved] == sorted(each.on for each in resolved)
    assert {each.kind for each in resolved} == {"picked", "cohort"}
    assert sum(each.failed for each in resolved) < len(resolved)
    assert not learnt([case(outcome_date=""), case(case_id="X2", fail="")])


def test_a_case_that_is_too_recent_to_have_failed_is_not_learnt_as_one_that_held(history: History) -> None:
    recent = [each for each in history.cases if each.censored and each.fail == "0"]
    assert recent and not learnt(recent)


def test_rows_are_what_serving_would_have_read_on_the_day(history: History) -> None:
    for index in range(0, len(history.cases), 37):
        process = history.cases[index].process()
        for stage in STAGES:
            record = history.log.as_of(process.published_on())
            again = measured(known_at(stage), [process.as_of(stage)], [record], stage)
            assert history.x[stage][index] == pytest.approx(again[0].astype(np.float32), nan_ok=True)


def test_an_outcome_on_or_after_publication_does_not_reach_a_row() -> None:
    early = case(case_id="X1", outcome_date="2015-01-01", published="2010-01-01", **FAILED)
    late = case(case_id="X2", published="2015-01-01")
    later = case(case_id="X3", published="2015-01-02")
    found = dataset.history([early, late, later])
    column = found.features["draft"].index("buyer_record")
    assert np.isnan(found.x["draft"][1, column])
    assert found.x["draft"][2, column] > 1


def test_the_order_of_cases_changes_no_row(history: History) -> None:
    turned = dataset.history(history.cases[::-1][:60])
    straight = dataset.history(history.cases[-60:])
    for stage in STAGES:
        assert turned.x[stage][::-1] == pytest.approx(straight.x[stage], rel=1e-5, nan_ok=True)


def test_columns_are_those_known_at_the_stage(history: History) -> None:
    for stage in STAGES:
        assert history.features[stage] == tuple(each.name for each in known_at(stage))
        assert history.x[stage].shape == (len(history.cases), len(history.features[stage]))


def test_the_fingerprint_is_of_the_data(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2015, 1, 1), date(2016, 1, 1)]
    before = dataset.source(history.cases, days)
    assert before.sha256 == history.source.sha256
    assert (before.rows, before.first, before.last) == (len(history.cases), "2015-01-01", "2016-01-01")
    changed = tmp_path / "cases.csv"
    changed.write_bytes(casebook.CASES.read_bytes() + b"\n")
    monkeypatch.setattr(casebook, "CASES", changed)
    assert dataset.source(history.cases, days).sha256 != before.sha256


def test_every_outcome_is_trained_only_at_stages_where_it_is_open() -> None:
    assert set(dataset.STAGES_OF) == set(dataset.OUTCOMES)
    assert "awarded" not in dataset.STAGES_OF["no_award"]
    assert dataset.STAGES_OF["single_bid"] == ("draft",)
