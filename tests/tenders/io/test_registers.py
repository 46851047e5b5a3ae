"""A register's own file, in whatever form it was saved: the same cases, and each row as a case or a problem."""

from __future__ import annotations

from pathlib import Path

import msgspec
import openpyxl
import pytest

from tenders.io import registers
from tenders.io.bounds import BOUNDS
from tenders.registers import source
from tests.tenders.registers import made
from tests.tenders.registers.test_columns import ROWS, as_csv, as_parquet


def as_workbook(folder: Path, rows: list[made.Row]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    path = folder / "register.xlsx"
    book.save(path)
    return path


def cases(register: str, path: Path) -> list[registers.Case]:
    cuts = registers.cases(path, source(register), BOUNDS)
    return [case for cut in cuts for case in msgspec.msgpack.decode(cut.data, type=list[registers.Case])]


@pytest.mark.parametrize("saved", [as_csv, as_workbook], ids=lambda form: form.__name__)
@pytest.mark.parametrize("register", ROWS)
def test_a_register_in_another_form_is_the_same(tmp_path, register, saved):
    rows = ROWS[register]
    expected = cases(register, as_parquet(tmp_path, rows))
    assert len(expected) == len(rows)
    assert cases(register, saved(tmp_path, rows)) == expected


def test_a_cell_that_cannot_be_read_is_a_remark_and_one_that_is_needed_costs_its_row(tmp_path):
    rows = [made.placsp(lot_value_eur="plenty"), made.placsp(id=901, lot_value_eur="7", published=None)]
    read, lost = cases("placsp_es", as_csv(tmp_path, rows))
    assert read.tender
    assert [str(problem) for problem in read.problems] == [
        "row 1, column lot_value_eur: 'plenty' is no number. Taken as not given"
    ]
    assert lost.tender is None
    assert [str(problem) for problem in lost.problems] == ["row 2, column published: no publication day"]
