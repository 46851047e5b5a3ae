"""A release that is read is one that a score can be built on; every other is refused with the place, however it is read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocdsmerge import Merger

from tenders.codelists import CURRENCIES, STANDARD_FIELDS
from tenders.errors import DataError, TenderRiskError
from tenders.facts import STAGES
from tenders.io.checks import struct_in
from tenders.io.ocds import decode_releases, to_tender, unread_fields
from tenders.io.read import read_bytes, to_process
from tenders.process import Process
from tenders.tender import Part, Tender
from tests import samples
from tests.bad_input import BAD, Bad, ids, too_large


@pytest.mark.parametrize("bad", BAD, ids=ids)
def test_refused_with_the_place(bad: Bad) -> None:
    began = time.perf_counter()
    with pytest.raises(DataError) as refused:
        [process.compiled() for process in read_bytes(bad.data, bad.suffix)]
    assert refused.value.problems[0].path == bad.path
    assert refused.value.http_status == bad.status
    # A refusal is quick whatever was sent: ten times what the slowest takes.
    assert time.perf_counter() - began < 5


def test_refused_above_the_limit() -> None:
    with pytest.raises(TenderRiskError) as refused:
        read_bytes(too_large().data)
    assert refused.value.http_status == too_large().status


def test_the_table_of_bad_input_names_each_kind_once() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 40


def test_all_wrong_values_are_named_at_once() -> None:
    release = samples.draft()
    release["tender"]["value"]["currency"] = "POUNDS"
    release["tender"]["tenderPeriod"]["endDate"] = "2024-02-30"
    with pytest.raises(DataError) as refused:
        to_tender(release, "/releases/3")
    assert [problem.path for problem in refused.value.problems] == [
        "/releases/3/tender/value/currency",
        "/releases/3/tender/tenderPeriod/endDate",
    ]
    assert all(problem.remedy for problem in refused.value.problems)


@pytest.mark.parametrize(
    "null", ["value", "lots", "items", "title", "techniques", "tenderPeriod", "numberOfTenderers", "unheardOf"]
)
def test_null_means_absent(null: str) -> None:
    release = samples.draft()
    release["tender"].pop(null, None)
    absent = to_tender(release)
    assert to_tender({**release, "tender": {**release["tender"], null: None}}) == absent


def test_a_wrong_type_is_named_though_a_null_comes_before_it() -> None:
    with pytest.raises(DataError) as refused:
        to_tender({"tender": {"items": None, "lots": "two"}})
    assert refused.value.problems[0].path == "/tender/lots"


def test_one_body_may_be_buyer_twice() -> None:
    again = {"id": "GB-PPON-AAAA-1111-BBBB", "name": "The same, spelt otherwise", "roles": ["buyer", "payer"]}
    release = samples.draft()
    assert to_tender({**release, "parties": [*release["parties"], again]}).parties[-1].name == again["name"]


@pytest.mark.parametrize(
    ("change", "unread"),
    [
        ({"colour": "red"}, ["/colour"]),
        ({"x_local": 1, "publisher": {"anything": 1}}, []),
        ({"tender": {"lots": [{"id": "1"}, {"mood": 1}]}}, ["/tender/lots/1/mood"]),
        ({"tender": {"value": {"vatt": 1}}}, ["/tender/value/vatt"]),
        ({"tender": "no object"}, []),
    ],
)
def test_unknown_names_are_listed_by_place(change: dict[str, Any], unread: list[str]) -> None:
    assert unread_fields({**samples.draft(), **change}) == unread


def test_every_ocds_field_that_is_read_is_a_standard_field() -> None:
    names = {field.encode_name for part in _structs(Tender) for field in msgspec.structs.fields(part)}
    assert names - STANDARD_FIELDS <= {"tenderRisk"}


def _structs(part: type) -> set[type]:
    kinds = (struct_in(field.type) for field in msgspec.structs.fields(part))
    inside = {inner for inner in kinds if inner and issubclass(inner, Part)}
    return {part}.union(*map(_structs, inside))


def test_currencies_have_three_capitals() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)


def test_a_release_is_converted_in_well_under_a_millisecond() -> None:
    release = samples.draft()
    to_tender(release)
    times = []
    for _ in range(50):
        began = time.perf_counter()
        to_tender(release)
        times.append(time.perf_counter() - began)
    # About 15 microseconds; the bound leaves room for a busy machine and fails if fields are worked out anew.
    assert min(times) < 0.0005


EXAMPLES = sorted(Path("examples").glob("*.json"))


def facts_read(process: Process) -> list[object]:
    """Everything that a score reads of a process, at every stage."""
    known = [process.as_of(stage) for stage in STAGES]
    facts = [getattr(tender, name) for tender in known for name in Tender.__struct_fields__]
    return [*facts, process.ocid, process.published_on(), process.latest_stage()]


def same(text: bytes) -> bool:
    """Whether both ways read the text alike; a text that is left alone is."""
    (tender,) = decode_releases([text]).rows
    return tender is None or facts_read(Process.of_tender(tender)) == facts_read(read_bytes(text)[0])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_release_is_read_as_the_door_reads_it(example: Path) -> None:
    text = example.read_bytes()
    assert decode_releases([text]).rows != [None]
    assert same(text)


@pytest.mark.parametrize("bad", [sample for sample in BAD if sample.suffix == ".json"], ids=ids)
def test_what_the_door_refuses_is_left_to_it(bad: Bad) -> None:
    try:
        processes = [process for process in read_bytes(bad.data) if process.compiled()]
    except DataError:
        processes = []
    assert processes or decode_releases([bad.data]).rows == [None]


@pytest.mark.parametrize(
    "document",
    [
        {"releases": [samples.draft()]},
        {"records": [{"ocid": "x", "releases": [samples.draft()]}]},
        {"ocid": "x", "compiledRelease": samples.draft()},
        {"title": "a form", "lots": 2},
        {"ocid": "x"},
        [samples.draft()],
    ],
    ids=["release package", "record package", "record", "form", "no tender", "list"],
)
def test_what_is_no_release_is_left_alone(document: object) -> None:
    assert decode_releases([json.dumps(document).encode()]).rows == [None]


def test_one_unsound_release_costs_no_other() -> None:
    good, bad = samples.data(samples.draft()), samples.data(samples.draft(date="2024-02-31"))
    rows = decode_releases([good, bad, b"{", good]).rows
    assert [row is None for row in rows] == [False, True, True, False]


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
    plain = to_process({"ocid": "ocds-1", "releases": releases})
    versioned = to_process({"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)})
    for stage in ("draft", "bids_in", "awarded"):
        expected, tender = plain.as_of(stage).tender, versioned.as_of(stage).tender
        assert (tender.title, tender.value, tender.number_of_tenderers) == (
            expected.title, expected.value, expected.number_of_tenderers,
        )  # fmt: skip
        assert sorted(tender.lots, key=str) == sorted(expected.lots, key=str)


def test_an_object_with_nothing_but_an_id_is_there_in_the_last_release() -> None:
    releases = history([{"title": "a"}, {"title": "b", "lots": [{"id": "1"}]}])
    process = to_process({"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)})
    assert [len(process.as_of(stage).tender.lots) for stage in ("draft", "bids_in")] == [0, 1]


def test_an_extended_deadline_is_a_structure_change() -> None:
    releases = history([{"tenderPeriod": {"endDate": "2024-02-01"}}, {"tenderPeriod": {"endDate": "2024-03-01"}}])
    process = to_process(
        {"records": [{"ocid": "ocds-1", "versionedRelease": MERGER.create_versioned_release(releases)}]}
    )
    assert [c.touches for c in process.as_of("bids_in").tender_risk.structure_changes] == ["deadline"]
    draft = process.as_of("draft").tender.tender_period
    assert draft is not None
    assert draft.end_date == "2024-02-01"


@pytest.mark.parametrize(
    ("versioned", "path"),
    [
        ({"tender": {"title": "x"}}, "/versionedRelease/tender/title"),
        ({"tender": {"lots": ["x"]}}, "/versionedRelease/tender/lots"),
        ({"tender": {"title": [{"releaseID": "1", "value": "x"}]}}, "/versionedRelease/tender/title/0/releaseDate"),
        ([], "/versionedRelease"),
    ],
)
def test_what_is_no_history_is_refused_at_its_place(versioned: Any, path: str) -> None:
    with pytest.raises(DataError) as refused:
        to_process({"ocid": "ocds-1", "versionedRelease": versioned})
    assert refused.value.problems[0].path == path
