"""Whatever an archive calls its files, nothing is written but where it is unpacked, and links and devices are refused."""

from __future__ import annotations

import io
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from tenders.errors import DataError
from tenders.io.blocks import blocks
from tenders.io.read import read_bytes
from tenders.io.rows import read_rows
from tenders.io.streams import BOUNDS, unpacked_members
from tests import samples
from tests.portfolio import sample_files

GOOD = samples.data(samples.draft())
NAMES = ["../a.json", "../../../../../../tmp/a.json", "/etc/a.json", "C:\\Windows\\a.json", "\\\\host\\a.json", "..", "a/../../b.json",
         "a.json/", "~/a.json", "$HOME/a.json", "a\n../b.json", "con.json", f"{'a' * 230}.{'b' * 250}", "a.\u202egnp", "a./../x", "-rf.json"]  # fmt: skip
UNIX_KINDS = {
    "link": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK,
}
TAR_KINDS = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE}
TARGETS = ["/etc/passwd", "../../../../etc/passwd", ".", "a.json"]


def zip_of(name: str, kind: int = 0, content: bytes = GOOD) -> bytes:
    """A zip of one file of this name, and an honest one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        packed.writestr(info, content)
        packed.writestr("honest.json", GOOD)
    return out.getvalue()


def tar_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """The same as a tar; a link leads to `target`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for info in (tarfile.TarInfo(name), tarfile.TarInfo("honest.json")):
            info.type = kind if info.name == name else tarfile.REGTYPE
            info.linkname, info.mode = target, 0o6777
            info.size = len(GOOD) if info.type == tarfile.REGTYPE else 0
            packed.addfile(info, io.BytesIO(GOOD))
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are unpacked; beside it stands nothing, and after the test still nothing does."""
    inside = tmp_path / "outside" / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    return inside


def below(path: Path) -> list[str]:
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_leads_out(folder: Path, tmp_path: Path, pack: object, name: str) -> None:
    assert callable(pack)
    archive = sample_files.written(tmp_path, f"a.{'zip' if pack is zip_of else 'tar'}", pack(name))
    before = below(tmp_path)
    with unpacked_members(archive, BOUNDS) as members:
        places = [member.path for member in members]
        # Nothing but plain files in one folder, which only their numbers name.
        new = {tmp_path / name for name in below(tmp_path)} - {tmp_path / name for name in before}
        assert {place.parent.parent for place in places} == {folder}
        assert new == {places[0].parent, *places}
        assert all(stat.S_ISREG(place.lstat().st_mode) and not place.lstat().st_mode & 0o7000 for place in places)
    rows = [row for block in blocks(archive) for row in read_rows(block)]
    assert any(row.process for row in rows)
    assert below(tmp_path) == before


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", TAR_KINDS)
def test_links_and_devices_of_a_tar_are_refused_in_words(folder: Path, tmp_path: Path, kind: str, target: str) -> None:
    content = tar_of("x.json", TAR_KINDS[kind], target)
    archive = sample_files.written(tmp_path, "a.tar", content)
    before = below(tmp_path)
    with unpacked_members(archive, BOUNDS) as members:
        assert all(stat.S_ISREG(entry.lstat().st_mode) for member in members for entry in member.path.parent.iterdir())
    assert_refused(archive, content)
    assert below(tmp_path) == before


@pytest.mark.parametrize("kind", UNIX_KINDS)
def test_links_and_devices_of_a_zip_are_refused_in_words(tmp_path: Path, kind: str) -> None:
    content = zip_of("x.json", UNIX_KINDS[kind], b"/etc/passwd")
    assert_refused(sample_files.written(tmp_path, "a.zip", content), content)


def assert_refused(archive: Path, content: bytes) -> None:
    """The file that is none is named, and the honest one beside it is read."""
    rows = [(block.file, row) for block in blocks(archive) for row in read_rows(block)]
    assert sorted((file.rpartition("/")[2], row.process is not None) for file, row in rows) == [
        ("honest.json", True), ("x.json", False)
    ]  # fmt: skip
    (bad,) = (row for _, row in rows if not row.process)
    assert "a link or a device, which is not followed. Pack the file itself" in sample_files.message(bad)
    with pytest.raises(DataError, match=r"^x\.json: a link or a device"):
        read_bytes(content, archive.name)
