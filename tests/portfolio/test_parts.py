"""What a run leaves when it is killed is taken up by the same run alone, and nobody else's files are touched."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import msgspec
import pytest

from portfolio import parts
from portfolio.parts import FINGERPRINT, RunFingerprint, open_parts
from portfolio.work import RunOptions
from tenders import files
from tenders.errors import UsageError
from tenders.io.blocks import InputFile
from tenders.io.streams import Bounds

EXPECTED = RunFingerprint(
    inputs=[InputFile(file="a", size=1, sha256="0")],
    options=RunOptions(bundle="b"),
    bundle="1",
    bounds=Bounds(),
    versions={"python": "3.11"},
)


def fingerprint() -> RunFingerprint:
    """The fingerprint, as it is computed."""
    return EXPECTED


class Killed(Exception):
    """The end of a run at a moment of chance."""


def begin(folder: Path, of: RunFingerprint = EXPECTED, resume: bool = False, done: int = 1) -> None:
    """A run that makes parts and is killed."""
    with pytest.raises(Killed), open_parts(folder, lambda: of, resume):
        for number in range(done):
            files.write_whole(parts.part_path(folder, number), b"x")
        raise Killed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out.csv.parts"


def test_a_run_that_ends_well_leaves_nothing(folder: Path) -> None:
    begin(folder)
    with open_parts(folder, fingerprint, resume=True):
        assert list(parts.existing(folder)) == [0]
        files.partial_path(parts.part_path(folder, 1)).write_bytes(b"half")
    assert not folder.exists()


def test_parts_come_in_the_order_of_their_blocks(folder: Path) -> None:
    begin(folder, done=12)
    assert list(parts.existing(folder)) == list(range(12))


def test_a_run_that_was_refused_before_its_first_part_leaves_nothing(folder: Path) -> None:
    begin(folder, done=0)
    assert not folder.exists()


def test_a_run_that_was_begun_needs_resume(folder: Path) -> None:
    begin(folder)
    with (
        pytest.raises(UsageError, match=r"Add --resume, or delete out\.csv\.parts"),
        open_parts(folder, fingerprint, False),
    ):
        pass
    assert list(parts.existing(folder)) == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": []}, "different input"),
        ({"options": RunOptions(bundle="b", stage="draft")}, "different options"),
        ({"bundle": "2"}, "different bundle"),
        ({"versions": {"python": "3.12"}}, "different version of the program"),
        ({"inputs": [], "bundle": "2"}, "different input, bundle"),
        ({"columns": ("line",)}, "different columns"),
    ],
)
def test_parts_with_another_fingerprint_are_refused_and_the_difference_named(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    begin(folder)
    replaced = msgspec.structs.replace(EXPECTED, **changes)
    with pytest.raises(UsageError, match=message), open_parts(folder, lambda: replaced, True):
        pass
    assert list(parts.existing(folder)) == [0]


def test_a_fingerprint_that_cannot_be_read_is_refused(folder: Path) -> None:
    begin(folder)
    (folder / FINGERPRINT).write_bytes(b"{}")
    with pytest.raises(UsageError, match="another version of the program"), open_parts(folder, fingerprint, True):
        pass


@pytest.mark.parametrize(
    "left",
    [
        [],
        ["lock"],
        ["lock", f".{FINGERPRINT}.partial"],
        ["lock", "000000000.arrow", ".000000001.arrow.partial", parts.REFUSED],
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_was_killed_at_its_very_beginning_is_begun_anew(folder: Path, left: list[str], resume: bool) -> None:
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"")
    with open_parts(folder, fingerprint, resume) as known:
        assert known.result() == EXPECTED
        assert (folder / FINGERPRINT).exists() and not parts.existing(folder)
    assert not folder.exists()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_no_run_wrote_is_left_alone(folder: Path, resume: bool) -> None:
    folder.mkdir()
    (folder / "thesis.docx").write_bytes(b"x")
    with pytest.raises(UsageError, match="in the way"), open_parts(folder, fingerprint, resume):
        pass
    assert [file.name for file in folder.iterdir()] == ["thesis.docx"]


def test_a_file_in_its_place_is_left_alone(folder: Path) -> None:
    folder.write_bytes(b"x")
    with pytest.raises(UsageError, match="in the way"), open_parts(folder, fingerprint, False):
        pass


def test_parts_are_written_while_the_fingerprint_is_computed(folder: Path) -> None:
    digested = Event()

    def slow() -> RunFingerprint:
        digested.wait()
        return EXPECTED

    with pytest.raises(Killed), open_parts(folder, slow, False):
        files.write_whole(parts.part_path(folder, 0), b"x")
        assert not (folder / FINGERPRINT).exists()
        digested.set()
        raise Killed
    with open_parts(folder, fingerprint, True):
        assert list(parts.existing(folder)) == [0]


def test_only_one_process_can_use_the_folder(folder: Path) -> None:
    with open_parts(folder, fingerprint, False):
        files.write_whole(parts.part_path(folder, 0), b"x")
        with (
            pytest.raises(UsageError, match=r"another process is running into out\.csv"),
            open_parts(folder, fingerprint, True),
        ):
            pass
