"""A tender kept as a file is the tender when it is loaded again; spreadsheets are bounded and run nothing."""

from __future__ import annotations

import io
import json
import zipfile

import httpx
import pytest
from openpyxl import load_workbook

from tenders.errors import DataError, TooLargeError
from tenders.io import form
from tenders.io.xlsx import read_forms, template_csv, template_xlsx
from tests import samples
from tests.serving.made import FILLED, HOSTILE, MANCHESTER, Page, bomb, carried, uploaded, workbook


@pytest.mark.parametrize("suffix", ["json", "xlsx", "csv"])
def test_what_was_kept_fills_the_form_again(http: httpx.Client, suffix: str) -> None:
    sent = {**FILLED, "advisers": "One; Two", "title": "=1+1 & <i>", "procurement_method_details": "'quoted"}
    kept = http.post(f"/desk/save.{suffix}", data=sent)
    assert f'filename="1-1-i.{suffix}"' in kept.headers["content-disposition"], "named after the tender"
    assert carried(uploaded(http, f"tender.{suffix}", kept.content)) == sent


def test_a_file_is_kept_whole_with_what_was_changed_in_it(http: httpx.Client) -> None:
    sent = {**carried(uploaded(http, "m.json", samples.data(MANCHESTER))), "term_years": "3", "stage": "draft"}
    kept = http.post("/desk/save.json", data=sent).json()
    assert kept == {"tender": MANCHESTER, "set": {"term_years": "3"}, "stage": "draft"}
    again = carried(uploaded(http, "tender.json", json.dumps(kept).encode()))
    assert {**again, "name": ""} == {**sent, "name": ""}
    assert http.post("/what_if", json=kept).status_code == 200, "the API takes it as it is"


def test_templates_have_every_key_and_say_what_may_stand_there(http: httpx.Client) -> None:
    book = load_workbook(io.BytesIO(http.get("/template.xlsx").content))
    lines = list(book.worksheets[0].iter_rows(values_only=True))
    assert [line[0] for line in lines[1:]] == list(form.BY_KEY)
    assert all(line[3] for line in lines)
    assert http.get("/template.csv").content.decode("utf-8-sig").splitlines()[0].split(",") == list(form.BY_KEY)


def test_a_filled_template_is_scored(http: httpx.Client) -> None:
    book = load_workbook(io.BytesIO(http.get("/template.xlsx").content))
    sheet = book.worksheets[0]
    for row in sheet.iter_rows(min_row=2):
        row[1].value = {"title": "Nursing", "value": 240_000_000, "lots": 1.0, "single_block": True}.get(
            str(row[0].value)
        )
    out = io.BytesIO()
    book.save(out)
    values = carried(uploaded(http, "filled.xlsx", out.getvalue()))
    assert values == {"title": "Nursing", "value": "240000000", "lots": "1", "single_block": "yes"}


def test_formulas_are_written_as_text() -> None:
    values = {"title": "=HYPERLINK(1)", "buyer": "@SUM(1)", "description": "+1", "supplier": "-1", "region": HOSTILE}
    book = load_workbook(io.BytesIO(template_xlsx(values)))
    cells = {row[0].value: row[1] for row in book.worksheets[0].iter_rows(min_row=2)}
    assert {key: cells[key].value for key in values} == values
    assert {cells[key].data_type for key in values} == {"s"}
    for line in template_csv(values).splitlines()[1:]:
        assert not any(cell.lstrip('"').startswith(("=", "@", "+", "-")) for cell in line.split(","))


def test_a_formula_in_a_workbook_is_not_run(http: httpx.Client) -> None:
    content = workbook([["key", "value"], ["title", "Nursing"], ["buyer", "=1+1"]])
    assert "buyer" not in carried(uploaded(http, "f.xlsx", content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bomb(40), "unpacks to"),
        (b"PK\x03\x04" + b"\0" * 5 * 2**20, "at most"),
        (b"not a workbook", "not a workbook"),
        (workbook([["nothing", "of", "ours"], [1, 2, 3]]), "no column is a key"),
        (workbook([]), "no column is a key"),
        (workbook([["key", "value"]]), "the form is empty"),
    ],
    ids=["bomb", "large", "text", "other", "empty", "unfilled"],
)
def test_a_bad_workbook_is_refused(http: httpx.Client, content: bytes, message: str) -> None:
    answer = uploaded(http, "book.xlsx", content)
    assert answer.status_code in (400, 413)
    assert message in Page(answer.text).text


@pytest.mark.parametrize("content", [b'[[{"ocid": "x"}]]', b"[1]", b'"draft"'])
def test_a_document_that_holds_no_object_is_refused(http: httpx.Client, content: bytes) -> None:
    answer = uploaded(http, "draft.json", content)
    assert answer.status_code == 400
    assert "expected an object" in Page(answer.text).text


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_says() -> None:
    honest = bomb(40)
    size = (40 * 2**20).to_bytes(4, "little")
    assert honest.count(size) >= 1
    with pytest.raises((DataError, TooLargeError)):
        read_forms(honest.replace(size, (100).to_bytes(4, "little")).replace(b"sheet1.xml", b"sheet2.xml"))


def test_entities_do_not_unfold() -> None:
    lines = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    sheet = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{lines}]><worksheet><sheetData><row><c t="str"><v>&a9;</v></c></row></sheetData></worksheet>'
    source, out = zipfile.ZipFile(io.BytesIO(workbook([["key", "value"]]))), io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for part in source.infolist():
            packed.writestr(part, sheet if part.filename.endswith("sheet1.xml") else source.read(part))
    with pytest.raises(DataError):
        read_forms(out.getvalue())


def test_rows_of_forms_are_read_too() -> None:
    assert read_forms(workbook([["title", "lots"], ["a", 1], ["b", None]])) == [
        {"title": "a", "lots": "1"},
        {"title": "b"},
    ]
