"""What one command reads, every command reads: one history in every container gives the same tenders and scores, and a
container that is damaged is refused with its place, or costs only the rows that it lost."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.score import score
from tenders.errors import DataError, TooLargeError
from tenders.io.blocks import blocks
from tenders.io.ocds import decode_releases
from tenders.io.read import decode, read_bytes, read_file, to_processes
from tenders.io.rows import read_rows
from tenders.io.streams import BOUNDS, Bounds
from tenders.tender import Tender
from tests import samples
from tests.portfolio import sample_files
from tests.tenders.io.containers import as_1_0, as_csv, as_xlsx, containers, dumped, linked, tables, tarred, zipped

Json = dict[str, Any]


def notice(number: int) -> Json:
    """A release with objects in arrays, and arrays in them; its parties are the organisations that act."""
    release = samples.draft(ocid=f"ocds-h6vhtk-{number:06}")
    release["parties"] = release["parties"][:1]
    release["parties"][0]["identifier"] = {"scheme": "GB-PPON", "id": "AAAA-1111-BBBB"}
    release["buyer"]["name"] = release["parties"][0]["name"]
    release["tender"] |= {"title": f"Nursing, {number}", "techniques": {"hasFrameworkAgreement": bool(number % 2)}}
    release["tender"]["items"][0]["additionalClassifications"] = [{"scheme": "CPV", "id": "85000000"}]
    release["bids"] = {"statistics": [{"id": "1", "measure": "bids", "value": number + 1}]}
    return release


NOTICES = [notice(number) for number in range(3)]
CONTAINERS = containers(NOTICES)
ONE = {"one.csv": as_csv(tables(NOTICES[:1])["releases"])}


def plain(tender: Tender) -> Any:
    """A tender as JSON: a line that was decoded straight into its types has further names."""
    names = [field.encode_name for field in msgspec.structs.fields(Tender)]
    return {name: value for name, value in msgspec.to_builtins(tender).items() if name in names}


def tenders_of(path: Path, bounds: Bounds = BOUNDS, whole: bool = True) -> list[Any]:
    """The tenders of a portfolio's file."""
    rows = [row for block in blocks(path, bounds=bounds) for row in read_rows(block, bounds, whole)]
    assert [row.problems for row in rows if row.process is None] == []
    return [plain(row.process.compiled()) for row in rows if row.process]


EXPECTED = [plain(process.compiled()) for process in to_processes({"releases": NOTICES})]


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_tenders_by_both_doors(tmp_path: Path, name: str) -> None:
    path = sample_files.written(tmp_path, name, CONTAINERS[name])
    assert [plain(process.compiled()) for process in read_file(path)] == EXPECTED
    assert tenders_of(path) == EXPECTED
    assert tenders_of(path, Bounds(block=700, documents=2, rows=2)) == EXPECTED
    assert tenders_of(path, whole=False) == EXPECTED


@pytest.mark.parametrize("name", ["1_0.jsonl", "pretty.json", "flat.zip", "export.csv.tar.gz", "results.json"])
def test_every_container_gives_the_same_scores(tmp_path: Path, bundle: Bundle, name: str) -> None:
    expected = [score(bundle, process, "bids_in") for process in to_processes({"releases": NOTICES})]
    scores = [score(bundle, process, "bids_in") for process in read_bytes(CONTAINERS[name], name)]
    assert [(s.failure, s.outcomes) for s in scores] == [(s.failure, s.outcomes) for s in expected]


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_pages_decode_every_container(name: str) -> None:
    document = decode(CONTAINERS[name], name)
    assert [plain(process.compiled()) for process in to_processes(document)] == EXPECTED


@settings(max_examples=25)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True), st.sampled_from(sorted(CONTAINERS)))
def test_any_notices_are_the_same_in_any_container(numbers: list[int], name: str) -> None:
    notices = [notice(number) for number in numbers]
    processes = read_bytes(containers(notices)[name], name)
    assert [process.compiled() for process in processes] == [p.compiled() for p in to_processes({"releases": notices})]


def test_a_form_is_read_from_every_container_too(tmp_path: Path) -> None:
    forms = sample_files.FORMS
    expected = [process.compiled() for process in to_processes(forms)]
    for name, content in {
        "forms.parquet": sample_files.as_parquet(forms),
        "forms.zip": zipped({"forms.csv": sample_files.as_csv(forms)}),
        "forms.json": b"".join(dumped(form, indent=1) + b"\n" for form in forms),
    }.items():
        path = sample_files.written(tmp_path, name, content)
        assert [process.compiled() for process in read_file(path)] == expected, name
        assert sample_files.tenders(sample_files.read(path)) == expected, name


# Damage.


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(CONTAINERS)), share=st.floats(0.02, 0.98), data=st.data())
def test_a_truncated_container_is_an_error_or_fewer_tenders_and_never_another_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, share: float, data: st.DataObject
) -> None:
    content = CONTAINERS[name]
    cut = content[: max(1, int(share * len(content)))]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        cut = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
    path = sample_files.written(tmp_path_factory.mktemp("cut"), name, cut)
    for read in (lambda: read_file(path), lambda: sample_files.read(path)):
        # Anything but a refusal in words would be raised.
        with suppress(DataError):
            assert len(read()) <= 40


def test_a_broken_document_among_several_costs_only_itself(tmp_path: Path) -> None:
    for name, sound in {"a.json": True, "b.json": False}.items():
        parts = [dumped(release, indent=2) for release in NOTICES]
        parts[1 if sound else 0] = parts[1 if sound else 0].replace(b'"tender": {', b'"tender": ', 1)
        path = sample_files.written(tmp_path, name, b"\n".join(parts))
        rows = sample_files.read(path)
        assert [row.process is not None for row in rows] == ([True, False, True] if sound else [False, True, True])
        with pytest.raises(DataError, match=r"^line \d+: not JSON"):
            read_file(path)


def test_a_file_of_an_archive_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    files = {"1.json": dumped(NOTICES[0]), "2.json": b"{", "README.md": b"# About", "3.json": dumped(NOTICES[2])}
    path = sample_files.written(tmp_path, "a.zip", zipped(files))
    rows = [(block.file, row) for block in blocks(path) for row in read_rows(block)]
    assert [(file, row.process is not None) for file, row in rows] == [
        ("a.zip/1.json", True), ("a.zip/2.json", False), ("a.zip/3.json", True), ("a.zip/README.md", False),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"^2\.json"):
        read_file(path)


def test_a_row_of_a_flattened_table_that_is_wrong_costs_only_its_release(tmp_path: Path) -> None:
    content = b"ocid,id,date,tender/title,tender/value/amount\na,1,2024-01-01,Road,5\nb,1,2024-01-01,Bridge,many\n"
    rows = sample_files.read(sample_files.written(tmp_path, "a.csv", content + b"c,1,2024-01-01,Nursing,7,8\n"))
    assert [row.process is not None for row in rows] == [True, False, False]
    assert sample_files.message(rows[1]).startswith("row 3/tender/value/amount: expected float")
    assert sample_files.message(rows[2]).startswith("row 4: 6 cells where there are 5 columns")


def test_bombs_are_refused(tmp_path: Path) -> None:
    zeros = b"0" * (40 * 2**20)
    for name, content in {
        "bomb.zip": zipped({"a.json": zeros}),
        "bomb.tar.gz": gzip.compress(tarred({"a.json": zeros}), 1),
        "bomb.json": gzip.compress(zeros, 1),
        "compressed within.zip": zipped({"a.json.gz": gzip.compress(zeros)}),
        "many.zip": zipped({f"{i}.json": b"{}" for i in range(1001)}),
    }.items():
        with pytest.raises(TooLargeError):
            read_bytes(content, name)
    path = sample_files.written(tmp_path, "bomb.zip", zipped({"a.json": zeros}))
    with pytest.raises(TooLargeError, match="unpacks to more than"):
        list(blocks(path, bounds=Bounds(unpacked=2**20, ratio=1)))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_long_header_of_a_tar_is_refused_before_it_is_read(kind: bytes) -> None:
    header = tarfile.TarInfo("a.json")
    header.type, header.size = kind, 2**30
    with pytest.raises(TooLargeError, match=r"a name or header of 1,024 MB"):
        read_bytes(header.tobuf(tarfile.GNU_FORMAT), "long.tar")


def test_a_long_name_in_a_tar_is_read() -> None:
    name = "/".join(["folder"] * 100) + "/a.json"
    assert len(read_bytes(tarred({name: dumped(NOTICES[0])}), "a.tar")) == 1


def test_an_archive_within_an_archive_and_a_password_are_refused_with_the_place() -> None:
    inner = zipped({"a.json": dumped(NOTICES[0])})
    with pytest.raises(DataError, match=r"inner\.zip: an archive within an archive"):
        read_bytes(zipped({"inner.zip": inner}), "outer.zip")
    with pytest.raises(DataError, match="the archive is empty"):
        read_bytes(zipped({}), "empty.zip")
    encrypted = bytearray(inner)
    # The flags of the entry, in its header and in the directory.
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"cannot be unpacked.*password"):
        read_bytes(bytes(encrypted), "locked.zip")


def test_where_a_name_leads_in_an_archive_does_not_matter(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../outside.json", dumped(NOTICES[0]))
    path = sample_files.written(tmp_path, "in/a.zip", out.getvalue())
    assert len(tenders_of(path)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["in"]


# Flattened tables.


def test_one_table_may_repeat_a_release_for_each_object_of_an_array() -> None:
    content = (
        "ocid,id,tag,tender/title,tender/lots/0/id,tender/lots/0/value/amount,tender/lots/0/value/currency\n"
        "x-1,1,tender,Road,1,5,GBP\nx-2,1,tender,Bridge,1,6,GBP\nx-1,1,tender,Road,2,7,GBP\n"
    )
    first, second = (process.compiled() for process in read_bytes(content.encode(), "a.csv"))
    assert [(lot.id, lot.value.amount) for lot in first.tender.lots if lot.value] == [("1", 5.0), ("2", 7.0)]
    assert (first.tag, second.tender.title, len(second.tender.lots)) == (("tender",), "Bridge", 1)


def test_releases_of_one_ocid_in_a_table_are_one_process() -> None:
    content = (
        "ocid,id,date,tag,tender/title,awards/0/id,awards/0/status\n"
        "x-1,1,2024-01-01T00:00:00Z,tender,Road,,\nx-1,2,2024-05-01T00:00:00Z,award,,a,unsuccessful\n"
    )
    (process,) = read_bytes(content.encode(), "a.csv")
    assert (len(process.releases), process.compiled().awards[0].status) == (2, "unsuccessful")
    assert process.as_of("draft").awards == ()


def test_when_and_what_a_release_is_may_stand_in_a_sheet_of_its_own() -> None:
    sheets = {
        "Sheet1": [],
        "0. Releases >>": [{"ocid": "x-1", "id": "1", "date": "2024-01-01T00:00:00Z", "tag": "tender"}],
        "Tender": [{"ocid": "x-1", "id": "1", "tender/title": "Road"}],
        "Meta": [{"version": 1.1}],
    }
    (process,) = read_bytes(as_xlsx(sheets), "a.xlsx")
    tender = process.compiled()
    assert (tender.date, tender.tag, tender.tender.title) == ("2024-01-01T00:00:00Z", ("tender",), "Road")
    (form,) = read_bytes(b"ocid,date,title,value\nx-1,2024-01-01,Road,5\n", "a.csv")
    assert form.form and form.compiled().tender.title == "Road"


def test_what_a_table_holds_beside_ocds_is_named(tmp_path: Path) -> None:
    content = b"ocid,id,tender/title,tender/mood,x_ours,tender/hasEnquiries\nx-1,1,Road,good,a,false\n"
    (process,) = read_bytes(content, "a.csv")
    assert process.warnings == ("not part of the score, because the name is unknown: row 2/tender/mood",)
    assert tenders_of(sample_files.written(tmp_path, "a.csv", content)) == [plain(process.compiled())]


def test_children_without_their_releases_are_refused() -> None:
    rows = linked(NOTICES)["tender_items"]
    with pytest.raises(DataError, match=r"without the releases that own them\. Give the whole export"):
        read_bytes(as_csv(rows), "tender_items.csv")
    broken = {"main.csv": as_csv(linked(NOTICES)["main"][:1]), "tender_items.csv": as_csv(rows)}
    with pytest.raises(DataError, match="tender_items, row 3: no row of the table main"):
        read_bytes(zipped(broken), "a.zip")


def test_rows_whose_place_in_the_release_holds_something_else_are_refused() -> None:
    main = [{"_link": "1", "ocid": "x-1", "id": "1", "tender_title": "Road"}]
    items = [{"_link": "1.a", "_link_main": "1", "id": "a"}]
    files = {"main": main, "awards": items, "awards_suppliers": items}
    with pytest.raises(DataError, match="awards_suppliers, row 2: the row of the table main has no place for this"):
        read_bytes(zipped({f"{name}.csv": as_csv(rows) for name, rows in files.items()}), "a.zip")


def test_the_registry_joins_by_ocid_where_there_are_no_links() -> None:
    main = [{"ocid": "x-1", "id": "1", "tender_title": "Road"}]
    files = {
        "main": main,
        "awards": [{"main_ocid": "x-1", "id": "a", "status": "pending"}, {"main_ocid": "x-1", "id": "b"}],
        "awards_suppliers": [{"main_ocid": "x-1", "awards_id": "b", "id": "s", "name": "Supplier"}],
        "buyer_additionalIdentifiers": [{"main_ocid": "x-1", "id": "9"}],
    }
    (process,) = read_bytes(zipped({f"{name}.csv": as_csv(rows) for name, rows in files.items()}), "csv.zip")
    awards = process.compiled().awards
    assert [(award.id, [s.name for s in award.suppliers]) for award in awards] == [("a", []), ("b", ["Supplier"])]


def test_a_long_name_of_an_array_is_cut_in_a_workbook() -> None:
    (process, *_) = read_bytes(as_xlsx(linked(NOTICES)), "a.xlsx")
    assert process.compiled().tender.items[0].additional_classifications[0].id == "85000000"


@pytest.mark.parametrize(
    ("header", "refused"),
    [
        ("section,path,title,description,type", True),
        ("code,title,extension,status,currency", True),
        ("title,description,section", False),
        ("title,reference,department,value", False),
        ("buyer,reference,department,year", False),
    ],
)
def test_a_table_that_only_shares_a_heading_with_the_form_is_refused(
    header: str, refused: bool, tmp_path: Path
) -> None:
    row = ",".join("5" if name == "value" else "x" for name in header.split(","))
    content = f"{header}\n{row}\n".encode()
    path = sample_files.written(tmp_path, "a.csv", content)
    if not refused:
        assert len(read_file(path)) == len(tenders_of(path)) == 1
        return
    for read in (lambda: read_file(path), lambda: tenders_of(path)):
        with pytest.raises(DataError, match=r"only .* of the form, which say nothing that a model weighs"):
            read()


def test_a_schema_is_no_form() -> None:
    with pytest.raises(DataError, match="neither OCDS nor a filled form"):
        to_processes({"title": "Lots", "description": "The lots", "type": "array", "items": {}, "minItems": 1})


# OCDS 1.0.


def test_organisations_of_1_0_become_parties_with_roles_and_an_amendment_one_of_several() -> None:
    old = {
        "ocid": "x-1",
        "id": "1",
        "date": "2016-01-01T00:00:00Z",
        "tag": ["award"],
        "buyer": {"identifier": {"scheme": "GB", "id": 7}, "name": "Council", "address": {"region": "North"}},
        "tender": {
            "title": "Road",
            "procuringEntity": {"identifier": {"scheme": "GB", "id": 7}, "name": "Council"},
            "tenderers": [{"name": "Builder"}],
            "amendment": {"date": "2016-01-02T00:00:00Z", "rationale": "A typing error"},
        },
        "awards": [{"id": "a", "status": "active", "suppliers": [{"name": "Builder"}]}],
    }
    tender = to_processes(old)[0].compiled()
    assert [(party.id, party.roles) for party in tender.parties] == [
        ("GB-7", ("buyer", "procuringEntity")), ("Builder", ("tenderer", "supplier")),
    ]  # fmt: skip
    assert (tender.buyer and tender.buyer.id, tender.awards[0].suppliers[0].id) == ("GB-7", "Builder")
    assert [amendment.rationale for amendment in tender.tender.amendments] == ["A typing error"]
    assert decode_releases([json.dumps(old).encode()]).rows == [None]


def test_a_release_of_1_1_is_left_as_it_is() -> None:
    release = notice(1)
    assert to_processes(release)[0].releases == (release,)
    without = {**release, "parties": []}
    assert to_processes(without)[0].releases == (without,)
    assert as_1_0(release) != release
