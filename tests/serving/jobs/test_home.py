"""The data directory is private, has a name of its own, and its locks end with who holds them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.jobs.home import LOCK, Home, locked
from serving.jobs.job import new_id
from tenders.errors import UnreachableError

HOLD = "import sys, fcntl; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"


def test_nobody_else_on_the_machine_may_look(tmp_path: Path) -> None:
    home = Home(tmp_path / "state" / "tender-risk")
    folder = home.made(new_id())
    assert [each.stat().st_mode & 0o777 for each in (home.path, folder.parent, folder)] == [0o700] * 3


def test_two_services_of_one_directory_call_it_the_same(tmp_path: Path) -> None:
    assert Home(tmp_path / "a").name == Home(tmp_path / "a").name != Home(tmp_path / "b").name


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreachableError, match="TENDER_RISK_DATA"):
        Home(tmp_path / "file" / "data")


def test_a_lock_is_held_by_one_and_goes_with_its_process(tmp_path: Path) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / LOCK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with held:
        held.stdout.readline()
        assert locked(tmp_path / LOCK) is None
        held.kill()
        held.wait()
    found = locked(tmp_path / LOCK)
    assert found is not None
    assert locked(tmp_path / LOCK) is None
    os.close(found)


def test_a_jobs_files_go_unless_somebody_is_at_work_on_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = home.made(new_id())
    (folder / "scored.parquet").touch()
    at_work = locked(folder / LOCK)
    assert not home.remove(folder.name)
    assert (folder / "scored.parquet").exists()
    os.close(at_work)
    assert home.remove(folder.name)
    assert [*folder.parent.iterdir()] == []
    assert home.remove(folder.name)


def test_what_was_left_long_ago_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    old, young = home.made(new_id()), home.made(new_id())
    os.utime(old, (time.time() - 1000,) * 2)
    assert [*home.left(older=500)] == [old.name]
    assert young.exists()
