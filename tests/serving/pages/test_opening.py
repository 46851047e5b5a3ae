"""A row's document is found again in the upload, whatever the upload is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import anyio
import pytest

from serving.pages import opening
from serving.pages.opening import read_draft
from tenders.errors import DataError
from tenders.io.blocks import blocks
from tenders.io.streams import count_lines
from tests import samples
from tests.portfolio.sample_files import FORMS, as_csv, as_parquet, as_xlsx, lines, read, written
from tests.serving.jobs.made import BROKEN, long, tender

MANY = [tender(number) for number in range(9)]
PACKAGE = {"releases": [*MANY, {**MANY[3], "id": "later", "date": "2024-05-01T00:00:00Z"}]}
FILES = {
    "a.jsonl": lines([*MANY[:4]]) + BROKEN + lines(MANY[4:]),
    "a.jsonl.gz": gzip.compress(lines(MANY)),
    "package.json": samples.data(PACKAGE),
    "records.json": json.dumps({"records": [{"compiledRelease": item} for item in MANY]}).encode(),
    "list.json": json.dumps(MANY).encode(),
    "packages.jsonl": lines([{"releases": MANY[:3]}, {"releases": MANY[3:]}]),
    "forms.jsonl": lines(FORMS),
    "forms.csv": as_csv(FORMS),
    "forms.xlsx": as_xlsx(FORMS),
    "forms.parquet": as_parquet(FORMS),
}


@pytest.mark.parametrize("name", FILES)
def test_every_row_opens_as_the_tender_that_was_scored(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, name, FILES[name])
    scored = [row for row in read(file) if row.process]
    assert len(scored) >= len(FORMS)
    for row in scored:
        opened = read_draft(file, None, row.line, row.place)
        assert opened.process("draft").as_of("draft") == row.process.as_of("draft")


def test_a_line_of_a_later_block_is_found(tmp_path: Path) -> None:
    plain = gzip.decompress(long(2))
    file = written(tmp_path, "a.jsonl", plain)
    assert len([item for item in blocks(file) if count_lines(item)]) > 1
    last = plain.count(b"\n")
    assert json.loads(read_draft(file, None, last, "").document)["ocid"] == f"ocds-h6vhtk-{last - 1}"


@pytest.mark.parametrize(("line", "place"), [(99, ""), (5, ""), (1, "/records/7"), (0, "")])
def test_what_is_not_there_is_said(line: int, place: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_draft(written(tmp_path, "a.jsonl", FILES["a.jsonl"]), None, line, place)


def test_in_a_large_upload_a_process_of_its_own_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "QUICK_BYTES", 0)
    monkeypatch.setenv("TENDER_RISK_JOB_NICENESS", "0")
    file = written(tmp_path, "a.jsonl", FILES["a.jsonl"])
    assert anyio.run(opening.open_draft, file, None, 2, "") == read_draft(file, None, 2, "")
    with pytest.raises(DataError):
        anyio.run(opening.open_draft, file, None, 99, "")
