"""The data directory is private and has a name of its own; an upload keeps its name, as far as a file may have it."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from serving.jobs.job import new_id
from serving.jobs.paths import MAX_NAME_BYTES, DataDirectory, JobPaths, safe_name
from tenders.errors import DataError, UnreachableError


def test_nobody_else_on_the_machine_may_look(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "state" / "tender-risk")
    folder = directory.create(new_id())
    assert [path.stat().st_mode & 0o777 for path in (directory.path, folder.parent, folder)] == [0o700] * 3


def test_two_services_of_one_directory_call_it_the_same(tmp_path: Path) -> None:
    assert (
        DataDirectory(tmp_path / "a").name == DataDirectory(tmp_path / "a").name != DataDirectory(tmp_path / "b").name
    )


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreachableError, match="TENDER_RISK_DATA"):
        DataDirectory(tmp_path / "file" / "data")


def test_a_jobs_files_go_unless_somebody_is_at_work_on_them(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    folder = directory.create(new_id())
    (folder / "scored.parquet").touch()
    at_work = directory.lock(folder.name)
    assert not directory.remove(folder.name)
    assert (folder / "scored.parquet").exists()
    os.close(at_work)
    assert directory.remove(folder.name)
    assert [*folder.parent.iterdir()] == []
    assert directory.remove(folder.name)


def test_what_was_left_long_ago_is_found(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    old, young = directory.create(new_id()), directory.create(new_id())
    os.utime(old, (time.time() - 1000,) * 2)
    assert [*directory.untouched(seconds=500)] == [old.name]
    assert young.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
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
def test_a_name_is_its_last_part_without_what_means_something(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    safe = safe_name("é" * 5000 + ".parquet.zst")
    assert safe.endswith(".parquet.zst")
    assert len(safe.encode()) <= MAX_NAME_BYTES


@pytest.mark.parametrize("name", ["", "/", "tenders", "tenders.exe", "mapping.toml", "a.csv/", ".gz", "csv"])
def test_what_no_reader_knows_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no reader"):
        safe_name(name if name != "a.csv/" else "a.csv/..")


def test_what_an_earlier_job_scored_is_there_until_it_is_let_go(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    with pytest.raises(FileNotFoundError):
        _ = paths.earlier
    paths.since.mkdir()
    (paths.since / "a-scored.parquet").touch()
    assert paths.earlier.name == "a-scored.parquet"
    paths.drop_earlier()
    with pytest.raises(FileNotFoundError):
        _ = paths.earlier


def test_a_file_that_is_still_coming_is_not_the_upload(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    paths.uploads.mkdir()
    (paths.uploads / ".partial").touch()
    with pytest.raises(FileNotFoundError):
        _ = paths.upload
    (paths.uploads / "a.csv").touch()
    assert paths.upload.name == "a.csv"


def test_the_directory_is_closed_to_other_users(tmp_path: Path) -> None:
    ours, shared = tmp_path / "ours", tmp_path / "shared"
    for folder in (ours, shared):
        folder.mkdir()
        folder.chmod(0o755)
    (shared / "theirs.txt").touch()
    DataDirectory(ours)
    DataDirectory(shared)
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755, "it holds what is not ours"
    assert stat.S_IMODE((shared / "jobs").stat().st_mode) == 0o700
    ours.chmod(0o755)
    DataDirectory(ours)
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700, "also one of an earlier version"
