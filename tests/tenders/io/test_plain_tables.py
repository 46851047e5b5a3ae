"""A history's table reads the same in every format; and notices read the same in one file and in a folder of days."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenders.errors import DataError, UnreachableError
from tenders.history import HistoryFile
from tenders.io.plain_tables import plain_table
from tenders.registers import find_register
from tests.training import short_history

ROWS = short_history.rows(calls=40)
LINES = [{name: cell for name, cell in zip(short_history.COLUMNS, row, strict=True) if cell} for row in ROWS]


def as_csv(path: Path) -> None:
    short_history.write(path.parent, calls=40)
    (path.parent / "calls.csv").rename(path)


def as_packed_csv(path: Path) -> None:
    plain = path.with_name("plain.csv")
    as_csv(plain)
    path.write_bytes(gzip.compress(plain.read_bytes()))


def as_workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (short_history.COLUMNS, *ROWS):
        book.active.append(row)
    book.save(path)


def as_json_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps(line) for line in LINES), encoding="utf-8")


def as_packed_json_lines(path: Path) -> None:
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in LINES).encode()))


def as_parquet(path: Path) -> None:
    columns = zip(*ROWS, strict=True)
    pq.write_table(
        pa.table({n: [cell or None for cell in c] for n, c in zip(short_history.COLUMNS, columns, strict=True)}), path
    )


def read(path: Path) -> HistoryFile:
    mapping = path.with_name("own.toml")
    mapping.write_text(short_history.MAPPING.format(file=path.name), encoding="utf-8")
    return find_register("own").read(mapping)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> HistoryFile:
    """What the CSV reads as."""
    path = tmp_path_factory.mktemp("plain") / "table.csv"
    as_csv(path)
    return read(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("calls.csv.gz", as_packed_csv), ("calls.xlsx", as_workbook), ("calls.jsonl", as_json_lines),
        ("calls.jsonl.gz", as_packed_json_lines), ("calls.parquet", as_parquet),
    ],
)  # fmt: skip
def test_a_table_reads_the_same_in_every_format(
    tmp_path: Path, plain: HistoryFile, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    file = read(tmp_path / name)
    assert len(plain.cases) == 40
    assert (list(file.cases), file.rows, file.problems) == (list(plain.cases), plain.rows, plain.problems)


def test_values_of_json_are_compared_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": true, "b": 3.0, "c": [1]}\n\n{"a": null, "d": "x,y"}\n')
    with plain_table(tmp_path / "t.jsonl") as table:
        assert table.read_text().splitlines() == ["a,b,c,d", "true,3,[1],", ',,,"x,y"']


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n[2]\n')
    with pytest.raises(DataError, match="line 2: no JSON object"), plain_table(tmp_path / "t.jsonl"):
        pass
    with pytest.raises(UnreachableError, match="no such file"), plain_table(tmp_path / "none.csv"):
        pass


def test_a_folder_of_days_reads_like_one_file(tmp_path: Path) -> None:
    releases = [
        {"ocid": f"ocds-abc-{n}", "id": f"{n}", "date": f"2025-01-0{n}T00:00:00Z", "tag": ["tender"],
         "tender": {"id": "1", "title": "Roof", "datePublished": f"2025-01-0{n}", "status": "unsuccessful"}}
        for n in range(1, 5)
    ]  # fmt: skip
    lines = [json.dumps(release) for release in releases]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    days = tmp_path / "own"
    days.mkdir()
    (days / "2025-01-01.jsonl").write_text("\n".join(lines[:2]))
    (days / "2025-01-03.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[2:]).encode()))
    (days / "notes.txt").write_text("not a notice")
    (days / "broken.json").write_text("{")
    one, many = (find_register("own").read(tmp_path / name) for name in ("own.jsonl", "own"))
    assert [case.tender for case in many.cases] == [case.tender for case in one.cases]
    assert [case.outcomes for case in many.cases] == [case.outcomes for case in one.cases]
    assert len(many.problems) == 1 + len(one.problems)
    assert any(problem.path.startswith("broken.json") for problem in many.problems)
