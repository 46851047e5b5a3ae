"""Files are there whole or not at all, and a folder is one process's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenders import files
from tenders.errors import UsageError


def test_a_file_is_replaced_at_once_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    to = tmp_path / "a.json"
    files.partial(to).write_bytes(b"half of one that was killed")
    files.whole(to, b"one")
    files.whole(to, b"two")
    assert to.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [to]


def test_a_lock_is_held_once_and_let_go_of(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with files.locked(lock, "taken"), pytest.raises(UsageError, match="taken"), files.locked(lock, "taken"):
        pass
    with files.locked(lock, "taken"):
        pass


def test_a_folder_goes_and_what_it_is_about_goes_last(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("about.json", "a", "z"):
        (folder / name).touch()
    (folder / "locked").mkdir()
    with pytest.raises(IsADirectoryError):
        files.clear(folder, "about.json")
    assert (folder / "about.json").exists()
    (folder / "locked").rmdir()
    files.clear(folder, "about.json")
    assert not folder.exists()
