"""An upload keeps its name, as far as a file may be called so here."""

from __future__ import annotations

import pytest

from serving.jobs import since
from serving.jobs.places import LONGEST, Places, safe_name
from tenders.errors import DataError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("register 2024 (final).jsonl", "register 2024 (final).jsonl"),
        ("Vergabe-Übersicht.CSV", "Vergabe-Übersicht.csv"),
        ("register.jsonl.gz", "register.jsonl.gz"),
        ("../../etc/passwd.json", "passwd.json"),
        ("C:\\Users\\me\\tenders.xlsx", "tenders.xlsx"),
        ("..csv", "tenders.csv"),
        (".csv", "tenders.csv"),
        ('a"; rm -rf $HOME\r\nX: y.csv', "a__ rm -rf _HOME__X_ y.csv"),
        ("<script>.csv", "_script_.csv"),
        ("a\0b\u202ec.csv", "a_b_c.csv"),
        ("\udcff.csv", "_.csv"),
        ("-rf.csv", "-rf.csv"),
    ],
)
def test_a_name_is_its_last_part_without_what_means_something(given: str, kept: str) -> None:
    assert safe_name(given) == kept


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    found = safe_name("é" * 5000 + ".parquet.zst")
    assert found.endswith(".parquet.zst")
    assert len(found.encode()) <= LONGEST


@pytest.mark.parametrize("given", ["", "/", "tenders", "tenders.exe", "mapping.toml", "a.csv/", ".gz", "csv"])
def test_what_no_reader_knows_is_refused(given: str) -> None:
    with pytest.raises(DataError, match="no reader"):
        safe_name(given if given != "a.csv/" else "a.csv/..")


def test_what_an_earlier_job_scored_is_there_until_it_is_let_go(tmp_path) -> None:
    places = Places(tmp_path)
    with pytest.raises(FileNotFoundError):
        _ = places.earlier
    places.since.mkdir()
    (places.since / "a-scored.parquet").touch()
    assert places.earlier.name == "a-scored.parquet"
    since.let_go(places)
    with pytest.raises(FileNotFoundError):
        _ = places.earlier


def test_a_file_that_is_still_coming_is_not_the_upload(tmp_path) -> None:
    places = Places(tmp_path)
    places.uploads.mkdir()
    (places.uploads / ".partial").touch()
    with pytest.raises(FileNotFoundError):
        _ = places.upload
    (places.uploads / "a.csv").touch()
    assert places.upload.name == "a.csv"
