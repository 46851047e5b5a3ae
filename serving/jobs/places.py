"""Where the files of one job are, and what it is called by those who take them away."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath

import msgspec

from tenders.errors import DataError
from tenders.io.detection import BULK_SUFFIXES, CODECS

LONGEST = 150
"""Bytes of a file's name that are kept: what is put before and behind it fits into the 255 that systems take."""
_NEITHER = re.compile(r"[^\w .,()+-]")


class Places(msgspec.Struct, frozen=True):
    """The files of a job's folder."""

    folder: Path

    @property
    def uploads(self) -> Path:
        """The folder that holds the upload alone, under its own name."""
        return self.folder / "upload"

    @property
    def upload(self) -> Path:
        """What was uploaded. Raises FileNotFoundError before."""
        found = next((each for each in self.uploads.iterdir() if not each.name.startswith(".")), None)
        if found is None:
            raise FileNotFoundError(self.uploads)
        return found

    @property
    def scored(self) -> Path:
        """Every scored row, in the order of the upload."""
        return self.folder / "scored.parquet"

    @property
    def errors(self) -> Path:
        """The rows that could not be scored."""
        return self.folder / "scored.parquet.errors"

    @property
    def manifest(self) -> Path:
        """What was run on what."""
        return self.folder / "scored.parquet.manifest.json"

    @property
    def worklist(self) -> Path:
        """The same rows by rank, for the pages."""
        return self.folder / "worklist.parquet"

    @property
    def chosen(self) -> Path:
        """The rows that there are people for, as the worklist has them."""
        return self.folder / "scored.worklist.parquet"

    @property
    def gone(self) -> Path:
        """What the earlier job had and this one has not."""
        return self.folder / "scored.gone.parquet"

    @property
    def since(self) -> Path:
        """The folder that holds the scored rows of the earlier job, under the name by which they are taken away."""
        return self.folder / "since"

    @property
    def earlier(self) -> Path:
        """Those rows. Raises FileNotFoundError before they were put there, and after they were let go."""
        found = next(self.since.glob("*.parquet"), None)
        if found is None:
            raise FileNotFoundError(self.since)
        return found

    @property
    def choices(self) -> Path:
        """The values that the rows can be filtered by."""
        return self.folder / "choices.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def order(self) -> Path:
        """What the process that scores is to do."""
        return self.folder / "order.json"

    @property
    def progress(self) -> Path:
        """How far it is."""
        return self.folder / "progress.json"

    @property
    def why(self) -> Path:
        """Why it ended."""
        return self.folder / "why.txt"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / "log.txt"


def safe_name(given: str) -> str:
    """A file's name as a file may be called here: its last part, without what means something to any system.

    Raises DataError if no reader knows its ending.
    """
    last = PurePosixPath(given.replace("\\", "/")).name
    text = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode())
    kept = _NEITHER.sub("_", text).rstrip(" .")
    ending = next((kept[-len(each) :] for each in _endings() if kept.lower().endswith(each)), "")
    if not ending:
        raise DataError.at("/file", f"no reader for {kept[-40:] or 'a file without a name'}", f"Use {_known()}")
    stem = kept[: -len(ending)].encode()[: LONGEST - len(ending)].decode("utf-8", "ignore").strip(" .")
    return f"{stem or 'tenders'}{ending.lower()}"


def _endings() -> list[str]:
    return [*(f"{kind}{packed}" for kind in BULK_SUFFIXES for packed in CODECS), *BULK_SUFFIXES]


def _known() -> str:
    return f"{', '.join(BULK_SUFFIXES)}, also with {' or '.join(CODECS)} behind"
