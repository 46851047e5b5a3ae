"""Files are there whole or not at all, and a folder is one process's alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenders import files
from tenders.errors import UsageError

HOLD = "import sys, fcntl; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"


def test_a_file_is_replaced_at_once_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    to = tmp_path / "a.json"
    files.partial_path(to).write_bytes(b"half of one that was killed")
    files.write_whole(to, b"one")
    files.write_whole(to, b"two")
    assert to.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [to]


def test_a_lock_is_held_once_and_let_go_of(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with files.hold_lock(lock, "taken"), pytest.raises(UsageError, match="taken"), files.hold_lock(lock, "taken"):
        pass
    with files.hold_lock(lock, "taken"):
        pass


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        process.stdout.readline()
        assert files.try_lock(path) is None
        process.kill()
        process.wait()
    descriptor = files.try_lock(path)
    assert descriptor is not None
    assert files.try_lock(path) is None
    os.close(descriptor)


def test_a_lock_in_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.try_lock(tmp_path / "gone" / "lock")


def test_a_folder_goes_and_what_it_is_about_goes_last(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("about.json", "a", "z"):
        (folder / name).touch()
    (folder / "locked").mkdir()
    with pytest.raises(IsADirectoryError):
        files.remove_folder(folder, "about.json")
    assert (folder / "about.json").exists()
    (folder / "locked").rmdir()
    files.remove_folder(folder, "about.json")
    assert not folder.exists()


def test_a_file_has_a_second_name_or_a_copy_where_there_can_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"rows")
    files.link_or_copy(source, tmp_path / "second")
    assert (tmp_path / "second").samefile(source)

    def refuse(*_: object) -> None:
        raise PermissionError

    with pytest.raises(FileNotFoundError):
        files.link_or_copy(tmp_path / "none", tmp_path / "third")
    monkeypatch.setattr(os, "link", refuse)
    files.link_or_copy(source, tmp_path / "third")
    assert (tmp_path / "third").read_bytes() == b"rows" and not (tmp_path / "third").samefile(source)
