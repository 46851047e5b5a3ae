"""One door: whatever holds a tender gives the same tender, and nothing that is sent breaks the door."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tenders.errors import DataError, TenderRiskError, TooLargeError, UnreachableError
from tenders.facts import STAGES
from tenders.io import read
from tenders.io.detection import CODECS
from tenders.io.read import read_bytes, read_file, to_process, to_processes
from tenders.io.xlsx import template_xlsx
from tenders.outcomes import outcome, outcomes, relaunches
from tenders.process import Process
from tests import samples

KEYS = st.sampled_from(
    [
        "ocid",
        "date",
        "tag",
        "tender",
        "releases",
        "records",
        "compiledRelease",
        "parties",
        "awards",
        "contracts",
        "bids",
        "id",
        "roles",
        "lots",
        "value",
        "amount",
        "status",
        "documents",
        "tenderRisk",
        "title",
        "advisers",
        "x",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2024-03-01", "2024-02-30", "active", "cancelled", "buyer", "tender", "GBP", "yes", 10**40, -1])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)


def _full() -> dict[str, Any]:
    """A release with everything that a reader reads."""
    return samples.draft(
        bids={"statistics": [samples.count(2, "north")]},
        awards=[samples.award(lots=["north"])],
        contracts=[samples.contract(dateTerminated="2025-01-01", documents=[{"id": "x", "noticeType": "UK11"}])],
    )


WHOLE: list[Any] = [
    _full(),
    {"releases": [samples.draft(), samples.update("2024-04-01", "tenderUpdate", tender={"id": "t1"}), _full()]},
    {"records": [{"ocid": "a", "releases": [samples.draft(), {**_full(), "date": "2025-02-01", "tag": ["award"]}]}]},
    {"title": "Nursing", "lots": 2, "lot_values": [3, 4], "advisers": ["A"], "published": "2024-03-01"},
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield from _places(child, (*path, key))


def _at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


# Values that do stand under each name, so that what is changed is often still a tender.
USUAL: dict[Any, list[Any]] = {"status": ["cancelled", "terminated", "unsuccessful", "complete", "pending"]}
for _document in WHOLE:
    for _place in _places(_document):
        if _place:
            USUAL.setdefault(_place[-1], []).append(_at(_document, _place))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A document that is right but for a few places."""
    document = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        *above, last = draw(st.sampled_from([place for place in _places(document) if place] or [()]))
        target = _at(document, tuple(above))
        change = draw(st.sampled_from(["any", "usual", "usual", "none"]))
        if change == "none":
            del target[last]
            if not document:
                break
        else:
            target[last] = copy.deepcopy(draw(JSON if change == "any" else st.sampled_from(USUAL.get(last, [None]))))
    return document


def _use(processes: list[Process]) -> None:
    """Everything that the package does with a process."""
    for process in processes:
        uses: list[Callable[[], object]] = [process.compiled, process.latest_stage, process.published_on]
        uses += [partial(outcome, process), partial(outcomes, process)]
        uses += [partial(process.as_of, moment) for moment in (*STAGES, date(2024, 6, 1))]
        for use in uses:
            with suppress(TenderRiskError):
                use()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
@example([[[]]])
def test_any_json_is_read_or_refused(document: Any) -> None:
    _read_or_refuse(json.dumps(document).encode())


@settings(max_examples=800, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_release_with_anything_in_any_place_is_read_or_refused(document: Any) -> None:
    _read_or_refuse(json.dumps(document).encode())


@given(mutated())
def test_a_decoded_document_is_read_or_refused(document: Any) -> None:
    try:
        _use(to_processes(document))
    except TenderRiskError:
        return


@given(st.binary(max_size=60) | st.text("{}[]:,-&*!?|>\"'#%@ \n\tab1.\0", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for suffix in (".json", ".yaml", ".csv"):
        _read_or_refuse(data, suffix)
        _read_or_refuse(b"title,lots\n" + data, suffix)


def _read_or_refuse(data: bytes, suffix: str = ".json") -> None:
    try:
        processes = read_bytes(data, suffix)
    except TenderRiskError:
        return
    _use(processes)
    try:
        relaunches(processes)
    except TenderRiskError:
        return


@pytest.mark.parametrize("depth", [50, 300, 900, 2000])
@pytest.mark.parametrize(
    "place", ["/tender/lots", "/tender/title", "/x", "/tender/x", "/ocid", "/date", "/tag", "/title"]
)
def test_depth_is_read_or_refused_in_every_place(depth: int, place: str) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    release = samples.draft()
    *above, last = place.strip("/").split("/")
    (release[above[0]] if above else release)[last] = deep
    for document in (release, {"releases": [release, {**release, "date": "2025-01-01"}]}, {last: deep}):
        try:
            _use(to_processes(document))
        except TenderRiskError:
            continue


def _wrapped(release: dict[str, Any]) -> dict[str, Any]:
    pretty = json.dumps(release, indent=2).encode()
    line = samples.data(release)
    return {
        "a release": line,
        "a release on many lines": pretty,
        "a byte order mark before it": b"\xef\xbb\xbf" + line,
        "a list": samples.data([release]),
        "a package": samples.data({"uri": "x", "releases": [release]}),
        "a record": samples.data({"ocid": samples.OCID, "compiledRelease": release}),
        "a record with releases": samples.data({"ocid": samples.OCID, "releases": [release]}),
        "a record package": samples.data({"records": [{"ocid": samples.OCID, "compiledRelease": release}]}),
        "releases before the compiled one": samples.data(
            {"records": [{"releases": [release], "compiledRelease": {"tender": {}}}]}
        ),
        "linked releases beside the compiled one": samples.data(
            {"records": [{"releases": [{"url": "https://x"}], "compiledRelease": release}]}
        ),
        "YAML": line,
    }


@pytest.mark.parametrize("form", list(_wrapped(samples.draft())))
def test_the_same_tender_comes_out_of(form: str) -> None:
    processes = read_bytes(_wrapped(samples.draft())[form], ".yaml" if form == "YAML" else ".json")
    assert [process.compiled() for process in processes] == [to_process(samples.draft()).compiled()]


def test_json_lines_hold_one_tender_a_line() -> None:
    releases = [samples.draft(ocid=f"ocds-{i}") for i in range(3)]
    lines = b"\n\n".join(map(samples.data, releases)) + b"\n"
    assert [p.compiled() for p in read_bytes(lines, ".jsonl")] == [
        to_process(release).compiled() for release in releases
    ]


def test_a_separator_inside_a_text_is_no_end_of_line() -> None:
    line = '{"tender": {"title": "one\u2028two"}}\n'.encode()
    assert [p.compiled().tender.title for p in read_bytes(line * 2)] == ["one\u2028two"] * 2


def test_releases_of_one_ocid_are_one_process_and_the_others_stand_alone() -> None:
    other = samples.draft(ocid="ocds-other")
    nameless = {"tender": {"title": "x"}}
    later = samples.update("2024-04-01T09:00:00Z", "tenderUpdate", tender={"title": "New"})
    processes = to_processes({"releases": [later, other, nameless, samples.draft(), nameless]})
    assert [len(process.releases) for process in processes] == [2, 1, 1, 1]
    assert processes[0].where == ("/releases/3", "/releases/0")
    assert processes[0].ocid == samples.OCID
    assert processes[2].ocid is None


def test_unknown_names_are_a_warning_with_their_place() -> None:
    release = samples.draft(colour="red", **{f"f{i}": i for i in range(30)})
    (warning,) = to_process({"releases": [release]}).warnings
    assert "/releases/0/colour" in warning
    assert warning.endswith("and 11 more")


def test_a_wild_number_is_refused_only_where_it_is_read() -> None:
    assert read_bytes(b'{"tender": {"title": "x"}, "x_score": 1e999}')[0].compiled().tender.title == "x"


def test_every_wrong_csv_row_is_named() -> None:
    with pytest.raises(DataError) as refused:
        read_bytes(b"title,value,lots\na,1,1\nb,many,1\nc,1,some\n", ".csv")
    assert [p.path for p in refused.value.problems] == ["row 3, column value", "row 4, column lots"]


def test_a_yaml_date_is_the_text_it_is() -> None:
    (process,) = read_bytes(b"tender: {datePublished: 2024-03-01}\n", ".yaml")
    assert process.compiled().tender.date_published == "2024-03-01"


@pytest.mark.parametrize("key", ["no", "2024", "~", "1.5", ""])
def test_a_yaml_key_is_the_text_it_is(key: str) -> None:
    (process,) = read_bytes(f"tender: {{title: x}}\n? {key}\n: 1\n".encode(), ".yaml")
    assert any(key in warning for warning in process.warnings)


def test_one_means_one() -> None:
    with pytest.raises(DataError) as refused:
        to_process([samples.draft(), samples.draft()])
    assert "2 tenders" in str(refused.value)


@pytest.mark.parametrize("ending", ["json", "JSON", "jsonl"])
def test_a_file_is_read_by_its_ending(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"tender.{ending}"
    file.write_bytes(samples.data(samples.draft()))
    assert read_file(file)[0].compiled() == to_process(samples.draft()).compiled()


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_unreachable(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Check the name"):
        read_file(tmp_path / name)


def test_a_file_above_the_limit_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_BYTES", 10)
    (tmp_path / "large.json").write_bytes(b" " * 11)
    with pytest.raises(TooLargeError):
        read_file(tmp_path / "large.json")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.yaml", "a.xlsx"])
@pytest.mark.parametrize("codec", ["", ".gz", ".zst"])
def test_every_format_is_read_also_compressed(name: str, codec: str, tmp_path: Path) -> None:
    form = {"title": "Nursing", "lots": "2"}
    content = {
        "a.csv": b"title,lots\nNursing,2\n", "a.yaml": b"title: Nursing\nlots: 2\n", "a.xlsx": template_xlsx(form)
    }.get(name, json.dumps(form).encode())  # fmt: skip
    file = tmp_path / f"{name}{codec}"
    file.write_bytes(pa.compress(content, codec=CODECS[codec], asbytes=True) if codec else content)
    assert [process.compiled() for process in read_file(file)] == [to_process(form).compiled()]


def test_what_unpacks_to_more_than_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * (read.MAX_BYTES + 1)))
    with pytest.raises(TooLargeError, match="it unpacks to more than 32 MB"):
        read_file(tmp_path / "bomb.json.gz")
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b'{"title": "x"}')[:-9])
    with pytest.raises(DataError, match="damaged"):
        read_file(tmp_path / "cut.json.gz")
