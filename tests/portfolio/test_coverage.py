"""`check` tells all that is wrong, and what the fields of each publisher allow at each stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue, factor_features
from features.table_builder import one_row
from portfolio import coverage as module
from portfolio.coverage import PublisherCoverage, by_share, check
from tenders.errors import DataError
from tenders.io.read import to_process
from tests import samples
from tests.portfolio import sample_files
from tests.tenders.io.containers import dumped

WRONG: dict[str, Any] = {
    "/tender/title": 5,
    "/tender/value": "much",
    "/tender/lots/1": "south",
    "/tender/lots/0/value/amount": "5",
    "/tender/tenderPeriod/endDate": "05/07/2025",
    "/tender/datePublished": "2024-02-30",
    "/parties/0/roles": "buyer",
    "/bids": [],
}
"""Wrong values by their path in a draft."""


def spoilt(paths: Any) -> dict[str, Any]:
    """A draft with wrong values."""
    release: Any = samples.draft(bids={})
    for path in paths:
        *steps, last = path.strip("/").split("/")
        inside = release
        for step in steps:
            inside = inside[int(step)] if isinstance(inside, list) else inside[step]
        inside[int(last) if isinstance(inside, list) else last] = WRONG[path]
    return dict(release)


@settings(max_examples=40)
@given(st.sets(st.sampled_from(sorted(WRONG)), min_size=1))
def test_all_that_is_wrong_with_a_release_is_told_by_its_path(paths: set[str]) -> None:
    with pytest.raises(DataError) as refused:
        to_process(spoilt(paths)).compiled()
    assert {problem.path for problem in refused.value.problems} == paths


def test_all_that_is_wrong_in_any_release_of_a_process_is_told() -> None:
    package = {"releases": [spoilt(["/tender/title"]), {**spoilt(["/tender/value", "/bids"]), "id": "2"}]}
    with pytest.raises(DataError) as refused:
        to_process(package).compiled()
    assert {problem.path for problem in refused.value.problems} == {
        "/releases/0/tender/title", "/releases/1/tender/value", "/releases/1/bids",
    }  # fmt: skip


def test_every_tender_of_a_file_is_told_of(tmp_path: Path) -> None:
    releases = [{**spoilt([path]), "ocid": f"ocds-aaaaaa-{i}"} for i, path in enumerate(["/tender/title", "/bids"])]
    path = sample_files.written(tmp_path, "a.json", dumped({"releases": [*releases, samples.draft()]}))
    report = check(path)
    assert (report.tenders, report.refused, report.unlisted) == (1, 2, 0)
    assert [problem.path for problem in report.problems] == ["/releases/0/tender/title", "/releases/1/bids"]
    assert [tender.ocid for tender in report.listed] == [samples.OCID]


def test_problems_and_tenders_beyond_the_bounds_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PROBLEMS", 2)
    monkeypatch.setattr(module, "MAX_LISTED", 1)
    bad = spoilt(["/tender/title", "/bids"])
    path = sample_files.written(tmp_path, "a.jsonl", sample_files.lines([bad, bad, *sample_files.releases(3)]))
    report = check(path)
    assert (len(report.problems), report.unlisted, report.refused) == (2, 2, 2)
    assert (len(report.listed), report.tenders) == (1, 3)


def only(path: Path) -> PublisherCoverage:
    """The coverage of a file of one publisher."""
    (coverage,) = check(path).coverage
    return coverage


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_what_is_known_is_counted_at_each_stage_that_was_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    drafts = sample_files.releases(3)
    drafts[2]["planning"] = {"budget": {"amount": {"amount": 1_000_000, "currency": "GBP"}}}
    counted = {**drafts[1], "bids": {"statistics": [{"id": "1", "measure": "bids", "value": 2}]}}
    coverage = only(sample_files.written(tmp_path, "a.jsonl", sample_files.lines([drafts[0], counted, drafts[2]])))
    assert coverage.stages == {"draft": 3, "bids_in": 1, "awarded": 0}
    known = {feature.feature: feature.known for feature in coverage.features}
    assert known["lot_count"] == {"draft": 1.0, "bids_in": 1.0, "awarded": None}
    assert known["value_to_budget"]["draft"] == pytest.approx(1 / 3)
    assert known["single_bidder"] == {"bids_in": 1.0, "awarded": None}
    by_outcome = {outcome.outcome: (outcome.known, outcome.share, outcome.occurred) for outcome in coverage.outcomes}
    assert by_outcome == {"no_award": (0, 0, 0), "early_end": (0, 0, 0), "single_bid": (1, pytest.approx(1 / 3), 0)}


def test_the_shares_are_those_of_the_features_themselves(tmp_path: Path) -> None:
    releases = sample_files.releases(4)
    coverage = only(sample_files.written(tmp_path, "a.jsonl", sample_files.lines(releases)))
    tables = [one_row(to_process(release).as_of("draft"), "draft") for release in releases]
    for feature in coverage.features:
        if feature.stage == "draft":
            measured = [catalogue()[feature.feature].measure(table)[0] for table in tables]
            assert feature.known["draft"] == sum(value == value for value in measured) / 4, feature.feature


def test_every_factor_of_the_tender_itself_is_covered_and_stands_in_one_group(tmp_path: Path) -> None:
    coverage = only(sample_files.written(tmp_path, "a.jsonl", sample_files.GOOD))
    factors = {feature.name for feature, _ in factor_features() if feature.reads == "tender"}
    assert {feature.feature for feature in coverage.features if feature.factor} == factors
    grouped = [feature.feature for group in by_share(coverage).values() for feature in group]
    assert sorted(grouped) == sorted(feature.feature for feature in coverage.features)
    assert "lot_count" in {feature.feature for feature in by_share(coverage)["most"]}


def test_publishers_are_told_apart_by_the_prefix_of_the_ocid(tmp_path: Path) -> None:
    ocids = ("ocds-aaaaaa-1", "ocds-bbbbbb-1", "ocds-aaaaaa-2", "TED-12-2024", None)
    releases = [samples.draft(ocid=ocid) for ocid in ocids]
    report = check(sample_files.written(tmp_path, "a.jsonl", sample_files.lines(releases)))
    assert {entry.publisher: entry.tenders for entry in report.coverage} == {
        "TED": 1, "no ocid": 1, "ocds-aaaaaa": 2, "ocds-bbbbbb": 1,
    }  # fmt: skip


def test_outcomes_are_those_that_the_releases_tell(tmp_path: Path) -> None:
    ended = {**samples.draft(), "date": "2024-05-01T00:00:00Z", "tag": ["tenderCancellation"], "id": "2"}
    ended["tender"] = {**ended["tender"], "status": "unsuccessful"}
    package = dumped({"releases": [samples.draft(), ended]})
    (no_award, *_) = only(sample_files.written(tmp_path, "a.json", package)).outcomes
    assert (no_award.outcome, no_award.known, no_award.occurred) == ("no_award", 1, 1)
