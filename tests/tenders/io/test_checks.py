"""A tender that is read is one that a score can be built on; every other is refused with the place."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from tenders.codelists import CURRENCIES, STANDARD_FIELDS
from tenders.errors import DataError, TenderRiskError
from tenders.io import checks
from tenders.io.reading import read
from tenders.tender import Part, Tender
from tests import samples
from tests.bad_input import BAD, Bad, ids, too_large


@pytest.mark.parametrize("bad", BAD, ids=ids)
def test_refused_with_the_place(bad: Bad) -> None:
    began = time.perf_counter()
    with pytest.raises(DataError) as refused:
        [process.compiled() for process in read(bad.data, bad.suffix)]
    assert refused.value.problems[0].path == bad.path
    assert refused.value.http_status == bad.status
    # A refusal is quick whatever was sent: ten times what the slowest takes.
    assert time.perf_counter() - began < 5


def test_refused_above_the_limit() -> None:
    with pytest.raises(TenderRiskError) as refused:
        read(too_large().data)
    assert refused.value.http_status == too_large().status


def test_the_table_of_bad_input_names_each_kind_once() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 40


def test_all_wrong_values_are_named_at_once() -> None:
    release = samples.draft()
    release["tender"]["value"]["currency"] = "POUNDS"
    release["tender"]["tenderPeriod"]["endDate"] = "2024-02-30"
    release["parties"].append({"id": "other", "roles": ["buyer"]})
    with pytest.raises(DataError) as refused:
        checks.converted(release, "/releases/3")
    assert [problem.path for problem in refused.value.problems] == [
        "/releases/3/tender/value/currency",
        "/releases/3/tender/tenderPeriod/endDate",
        "/releases/3/parties/2/roles",
    ]
    assert all(problem.remedy for problem in refused.value.problems)


@pytest.mark.parametrize(
    "null", ["value", "lots", "items", "title", "techniques", "tenderPeriod", "numberOfTenderers", "unheardOf"]
)
def test_null_means_absent(null: str) -> None:
    release = samples.draft()
    release["tender"].pop(null, None)
    absent = checks.converted(release)
    assert checks.converted({**release, "tender": {**release["tender"], null: None}}) == absent


def test_a_wrong_type_is_named_though_a_null_comes_before_it() -> None:
    with pytest.raises(DataError) as refused:
        checks.converted({"tender": {"items": None, "lots": "two"}})
    assert refused.value.problems[0].path == "/tender/lots"


def test_one_body_may_be_buyer_twice() -> None:
    again = {"id": "GB-PPON-AAAA-1111-BBBB", "name": "The same, spelt otherwise", "roles": ["buyer", "payer"]}
    release = samples.draft()
    assert checks.converted({**release, "parties": [*release["parties"], again]}).parties[-1].name == again["name"]


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
    assert checks.unread_fields({**samples.draft(), **change}) == unread


def test_every_ocds_field_that_is_read_is_a_standard_field() -> None:
    names = {field.encode_name for part in _structs(Tender) for field in msgspec.structs.fields(part)}
    assert names - STANDARD_FIELDS <= {"tenderRisk"}


def _structs(part: type) -> set[type]:
    inside = {inner for inner in checks._parts(part).values() if inner and issubclass(inner, Part)}
    return {part}.union(*map(_structs, inside))


def test_currencies_have_three_capitals() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)


def test_a_release_is_converted_in_well_under_a_millisecond() -> None:
    release = samples.draft()
    checks.converted(release)
    times = []
    for _ in range(50):
        began = time.perf_counter()
        checks.converted(release)
        times.append(time.perf_counter() - began)
    # About 15 microseconds; the bound leaves room for a busy machine and fails if fields are worked out anew.
    assert min(times) < 0.0005
