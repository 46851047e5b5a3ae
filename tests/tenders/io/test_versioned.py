"""Versioned releases: the releases come back, so a record with only its history is read as one with releases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocdsmerge import Merger

from tenders.errors import DataError
from tenders.io.reading import one

MERGER = Merger(merge_rules={("id",): "omitWhenMerged", ("date",): "omitWhenMerged", ("tag",): "omitWhenMerged"})

LOT = st.fixed_dictionaries({"id": st.sampled_from("abc"), "title": st.text("xy", min_size=1, max_size=3)})
SECTION = st.fixed_dictionaries(
    {"title": st.text("tuv", min_size=1, max_size=4)},
    optional={
        "value": st.fixed_dictionaries({"amount": st.integers(1, 9), "currency": st.just("GBP")}),
        "lots": st.lists(LOT, min_size=1, max_size=3, unique_by=lambda lot: lot["id"]),
        "numberOfTenderers": st.integers(0, 5),
    },
)


def history(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tags = ["tender", *["tenderUpdate"] * (len(sections) - 1)]
    return [
        {"ocid": "ocds-1", "id": f"r{i}", "date": f"2024-01-{i + 1:02}T00:00:00Z", "tag": [tag], "tender": section}
        for i, (tag, section) in enumerate(zip(tags, sections, strict=True))
    ]


@given(st.lists(SECTION, min_size=1, max_size=4))
def test_a_record_with_only_its_history_is_read_as_one_with_its_releases(sections: list[dict[str, Any]]) -> None:
    releases = history(sections)
    plain = one({"ocid": "ocds-1", "releases": releases})
    versioned = one({"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)})
    for stage in ("draft", "bids_in", "awarded"):
        expected, found = plain.as_of(stage).tender, versioned.as_of(stage).tender
        assert (found.title, found.value, found.number_of_tenderers) == (
            expected.title, expected.value, expected.number_of_tenderers,
        )  # fmt: skip
        assert sorted(found.lots, key=str) == sorted(expected.lots, key=str)


def test_an_object_with_nothing_but_an_id_is_there_in_the_last_release() -> None:
    releases = history([{"title": "a"}, {"title": "b", "lots": [{"id": "1"}]}])
    process = one({"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)})
    assert [len(process.as_of(stage).tender.lots) for stage in ("draft", "bids_in")] == [0, 1]


def test_an_extended_deadline_is_a_structure_change() -> None:
    releases = history([{"tenderPeriod": {"endDate": "2024-02-01"}}, {"tenderPeriod": {"endDate": "2024-03-01"}}])
    process = one({"records": [{"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)}]})
    assert [c.touches for c in process.as_of("bids_in").tender_risk.structure_changes] == ["deadline"]
    draft = process.as_of("draft").tender.tender_period
    assert draft is not None
    assert draft.end_date == "2024-02-01"


@pytest.mark.parametrize(
    ("versioned", "path"),
    [
        ({"tender": {"title": "x"}}, "/versionedRelease/tender/title"),
        ({"tender": {"lots": ["x"]}}, "/versionedRelease/tender/lots/0"),
        ({"tender": {"title": [{"releaseID": "1", "value": "x"}]}}, "/versionedRelease/tender/title/0/releaseDate"),
        ([], "/versionedRelease"),
    ],
)
def test_what_is_no_history_is_refused_at_its_place(versioned: Any, path: str) -> None:
    with pytest.raises(DataError) as refused:
        one({"ocid": "ocds-1", "versionedRelease": versioned})
    assert refused.value.problems[0].path == path
