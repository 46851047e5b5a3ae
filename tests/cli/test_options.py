"""What every command reads: files as the pages read and keep them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenders.io.xlsx import template_xlsx
from tests.cli.conftest import Run
from tests.cli.test_main import FORM, MANCHESTER
from tests.serving.made import bomb, workbook


@pytest.mark.parametrize("command", ["score", "suggest", "compare", "what-if"])
def test_a_workbook_is_read_as_the_form_that_it_holds(run: Run, tmp_path: Path, command: str) -> None:
    file = tmp_path / "filled.XLSX"
    file.write_bytes(template_xlsx({key: str(value) for key, value in FORM.items()}))
    from_book, from_form = (
        run(command, str(file), "--json"),
        run(command, "-", "--json", stdin=json.dumps(FORM).encode()),
    )
    assert from_book.code == 0 and from_book.lines == from_form.lines


def test_a_workbook_with_a_row_a_tender_is_several(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.xlsx"
    file.write_bytes(workbook([["title", "lots"], ["One", 1], ["Two", 2]]))
    assert len(run("score", str(file), "--json").lines) == 2
    assert "a report is about one" in run("report", str(file), "--out", str(tmp_path / "out.html")).err


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (workbook([["title", "lots"], ["One", "many"]]), 1, "/lots: expected a number"),
        (b"not a workbook", 1, "not a workbook"),
        (bomb(40), 1, "unpacks to"),
        (None, 3, "nowhere.xlsx"),
    ],
    ids=["wrong", "broken", "bomb", "missing"],
)
def test_a_bad_workbook_is_refused(run: Run, tmp_path: Path, content: bytes | None, code: int, message: str) -> None:
    file = tmp_path / "nowhere.xlsx"
    if content is not None:
        file.write_bytes(content)
    result = run("report", str(file), "--out", str(tmp_path / "out.html"))
    assert result.code == code and message in result.err and not (tmp_path / "out.html").exists()


def test_a_tender_that_a_page_kept_is_scored_with_what_was_changed_in_it(run: Run) -> None:
    release = json.loads(Path(MANCHESTER).read_text())
    kept = {"tender": release, "set": {"lots": "4", "service_lines": None}, "stage": "draft"}
    (score,) = run("score", "-", "--stage", "draft", "--json", stdin=json.dumps(kept).encode()).lines
    (bare,) = run("score", MANCHESTER, "--stage", "draft", "--json").lines
    assert score["failure"] < bare["failure"]
    assert {"feature": "service_lines", "why": "not stated"} in score["unknown"]
    wrong = run("score", "-", stdin=json.dumps({**kept, "set": {"lots": "some"}}).encode())
    assert wrong.code == 1 and "/set/lots: expected a number" in wrong.err
