"""A history of the user's own: OCDS by its statuses, a table by its mapping."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from tenders.errors import DataError, UnreachableError
from tenders.history import UNDATED
from tenders.io import read
from tenders.registers import find_register, own, quality
from tests import samples
from tests.tenders.registers.made import table

EXAMPLE = Path(__file__).parents[3] / "examples" / "own-history" / "mapping.toml"

MAPPING = """
file = "calls.csv"
published = "out"
known_on = "done"
[facts]
what = "title"
worth = "value"
kind = "/tenderRisk/codes/kind"
paid = "/awards/0/value/amount"
signed = "/awards/0/date"
[outcomes.no_award]
column = "end"
yes = ["failed"]
no = ["let"]
"""
ROW = {
    "out": "2020-01-02", "done": "2020-03-04", "what": "Roof", "worth": "1,200", "kind": "7", "paid": "900",
    "signed": "2020-03-01", "end": "let",
}  # fmt: skip


def written(folder: Path, *rows: dict[str, str], mapping: str = MAPPING) -> Path:
    lines = [",".join(ROW), *(",".join(f'"{cell}"' for cell in (ROW | row).values()) for row in rows)]
    (folder / "calls.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    return folder / "mapping.toml"


def test_the_example():
    file = find_register("own").read(EXAMPLE)
    assert [problem.path for problem in file.problems] == ["row 5"]
    assert [case.outcomes["no_award"] for case in file.cases] == [False, True, False, True, None]
    assert [case.kind for case in file.cases] == ["Let", "No bids", "Let", "Stopped", "Pending"]
    # Its bids are counted, and nobody says when.
    assert file.cases[4].known_on == file.cases[4].published + (date(2022, 6, 30) - date(2022, 3, 21))
    assert file.cases[2].tender.tender.procurement_method == "selective"
    assert file.cases[0].published == date(2022, 2, 3)
    draft = file.cases[0].as_of("draft").tender
    assert draft.number_of_tenderers is None
    assert draft.tender_period and draft.tender_period.end_date == "2022-03-04"


def test_a_currency_without_an_amount_counts_as_no_value(tmp_path):
    fill = quality.quality_report(find_register("own"), written(tmp_path, {}, {"worth": ""})).fill
    assert fill["/tender/value"] == 0.5


def test_a_fact_stands_where_ocds_has_it_and_is_known_when_that_is(tmp_path):
    (case,) = find_register("own").read(written(tmp_path, {})).cases
    assert case.tender.tender.value and case.tender.tender.value.amount == 1200
    assert case.tender.tender_risk.codes == {"kind": "7"}
    assert case.as_of("draft").awards == ()
    award = case.as_of("awarded").awards[0]
    assert (award.value and award.value.amount, award.date) == (900.0, "2020-03-01")
    assert case.known_on == date(2020, 3, 4)


@pytest.mark.parametrize(("end", "no_award"), [("let", False), ("failed", True), ("running", None), ("", None)])
def test_what_is_in_neither_list_is_censored(tmp_path, end, no_award):
    (case,) = find_register("own").read(written(tmp_path, {"end": end})).cases
    assert case.outcomes == {"no_award": no_award}


def test_an_outcome_without_its_day_is_known_when_nearly_all_others_are(tmp_path):
    dated = [{"done": f"2020-01-{day:02}"} for day in range(3, 22)]
    file = find_register("own").read(written(tmp_path, {"end": "failed", "done": ""}, *dated, {"done": "2021-01-01"}))
    assert [(case.known_on - case.published).days for case in file.cases] == [19, *range(1, 20), 365]
    [problem] = file.problems
    assert (problem.path, problem.problem) == ("row 1", "an outcome without its day")
    assert problem.remedy == "Taken as known 19 days after publication"


def test_where_no_outcome_has_its_day_they_are_known_a_year_later(tmp_path):
    (case,) = find_register("own").read(written(tmp_path, {"done": ""})).cases
    assert case.known_on == date(2021, 1, 1)


def test_what_is_not_told_is_never_known(tmp_path):
    (case,) = find_register("own").read(written(tmp_path, {"end": "running", "done": ""})).cases
    assert case.known_on is None


def test_rows_that_cannot_be_read_are_named_and_the_rest_is_read(tmp_path):
    rows = [{"out": ""}, {"out": "2 Jan"}, {"worth": "much"}, {"signed": "2020-02-31"}, {}]
    file = find_register("own").read(written(tmp_path, *rows))
    assert [case.row for case in file.cases] == [4]
    assert [problem.path for problem in file.problems] == [
        "row 1, column out", "row 2, column out", "row 3, /value", "row 4, column signed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (MAPPING.replace('"title"', '"tittle"'), "'tittle' is no key of the form"),
        (MAPPING.replace("no_award", "failed"), "failed"),
        (MAPPING.replace('known_on = "done"', "known_on = 5"), "known_on"),
        (MAPPING + "\nnote = 1", "note"),
        ("file = ", "mapping.toml"),
        (MAPPING.replace('"out"', '"start"'), "no column start"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(tmp_path, wrong, says):
    with pytest.raises(DataError, match=says):
        find_register("own").read(written(tmp_path, {}, mapping=wrong))


def test_a_missing_table_is_named(tmp_path):
    path = written(tmp_path, {})
    (tmp_path / "calls.csv").unlink()
    with pytest.raises(UnreachableError, match=r"calls\.csv"):
        find_register("own").read(path)


def test_a_table_may_be_parquet(tmp_path):
    table(tmp_path, [ROW | {"out": date(2020, 1, 2), "worth": 1200.0}], "calls.parquet")
    path = written(tmp_path, mapping=MAPPING.replace("calls.csv", "calls.parquet"))
    (case,) = own.read_own(path).cases
    assert case.published == date(2020, 1, 2)
    assert case.tender.tender.value and case.tender.tender.value.amount == 1200


def test_ocds_is_read_by_its_statuses(tmp_path):
    ended = samples.plain(status="unsuccessful")
    ended["ocid"] += "-2"
    lines = [samples.draft(awards=[samples.award(lots=["north"])]), ended]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    let, failed = find_register("own").read(path).cases
    assert (let.outcomes["no_award"], let.kind, let.known_on) == (False, "awarded", date(2024, 6, 1))
    assert (failed.outcomes["no_award"], failed.kind) == (True, "unsuccessful")
    assert failed.published == date(2024, 3, 1)
    assert failed.as_of("draft").tender.status is None


def history(folder: Path, *lines: object) -> Path:
    path = folder / "history.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_releases_of_one_ocid_on_several_lines_are_one_case(tmp_path):
    moved = samples.update("2024-04-01T00:00:00Z", "tenderUpdate", tender={"tenderPeriod": {"endDate": "2024-05-30"}})
    ended = samples.update("2024-06-01T00:00:00Z", "tenderCancellation", tender={"status": "cancelled"})
    other = samples.plain() | {"ocid": "another"}
    file = own.read_own(history(tmp_path, samples.draft(), other, ended, moved))
    assert not file.problems and [case.cluster_id for case in file.cases] == [samples.OCID, "another"]
    case = file.cases[0]
    assert case.outcomes["no_award"] is True
    ends = [period.end_date for stage in ("draft", "bids_in") if (period := case.as_of(stage).tender.tender_period)]
    assert ends == ["2024-04-15", "2024-05-30"]


def test_a_bad_line_is_named_and_costs_itself_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "MAX_BYTES", 20_000)
    monkeypatch.setattr(read, "MAX_BYTES", 20_000)
    good = samples.plain()
    lines = [good, "{", "", {"ocid": "b", "tender": {"lots": "x"}}, "[" * 50_000, good | {"ocid": "c"}]
    file = own.read_own(history(tmp_path, *lines))
    assert [case.cluster_id for case in file.cases] == [samples.OCID, "c"]
    assert {problem.path.split("/")[0] for problem in file.problems} == {"line 2", "line 4", "line 5"}
    assert any("MB" in problem.problem for problem in file.problems)


def test_a_history_may_be_larger_than_a_document(tmp_path, monkeypatch):
    path = history(tmp_path, *(samples.plain() | {"ocid": str(n)} for n in range(30)))
    monkeypatch.setattr(own, "MAX_BYTES", path.stat().st_size // 10)
    monkeypatch.setattr(read, "MAX_BYTES", path.stat().st_size // 10)
    assert len(own.read_own(path).cases) == 30


def test_an_empty_history_is_refused(tmp_path):
    with pytest.raises(DataError, match="empty"):
        own.read_own(history(tmp_path))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_without_its_mapping_asks_for_it(tmp_path, ending):
    path = tmp_path / f"calls.{ending}"
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="without a mapping"):
        own.read_own(path)


def test_a_stage_is_rebuilt_from_the_releases(tmp_path):
    moved = samples.update("2024-04-01T00:00:00Z", "tenderUpdate", tender={"tenderPeriod": {"endDate": "2024-05-30"}})
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"releases": [samples.draft(), moved]}))
    (case,) = find_register("own").read(path).cases
    ends = [period.end_date for stage in ("draft", "bids_in") if (period := case.as_of(stage).tender.tender_period)]
    assert ends == ["2024-04-15", "2024-05-30"]


def test_a_process_without_any_day_stands_before_all_others(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"ocid": "x", "tender": {"title": "Roof"}}))
    assert find_register("own").read(path).cases[0].published == UNDATED


def test_verdicts_beside_the_notices_count_before_what_these_say(tmp_path: Path) -> None:
    notices = tmp_path / "own.json"
    notices.write_bytes(EXAMPLE.with_name("notices.json").read_bytes())
    before = {case.tender.ocid: case for case in own.read_own(notices).cases}
    (tmp_path / "own.verdicts.csv").write_text(
        "ocid,failed,verdict,reviewer,reason,date\nown-1,true,early_end,Ada,bust,2026-11-30\n"
        "own-4,,open,Ada,,2026-11-30\nown-99,false,held,Ada,,2026-11-30\nown-2,,perhaps,Ada,,\n"
        "own-2,true,early_end,Ada,,soon\n"
    )
    history = own.read_own(notices)
    after = {case.tender.ocid: case for case in history.cases}
    assert (after["own-1"].outcomes["no_award"], after["own-1"].outcomes["early_end"]) == (False, True)
    assert after["own-1"].known_on == date(2026, 11, 30) and after["own-1"].kind == "reviewed: early_end"
    assert all(after[ocid] == before[ocid] for ocid in before if ocid != "own-1")
    places = [problem.path for problem in history.problems if "verdicts" in problem.path]
    assert places == ["own.verdicts.csv, row 4", "own.verdicts.csv, row 5, column date", "own.verdicts.csv, own-99"]


DECLARED = (
    MAPPING
    + """
[features.urgency]
kind = "category"
column = "kind"
[features.worth_again]
kind = "number"
column = "worth"
stage = "bids_in"
"""
)


def test_columns_that_the_mapping_declares_stand_in_the_tender(tmp_path):
    read = find_register("own").read(written(tmp_path, {}, {"kind": "", "worth": "unknown"}, mapping=DECLARED))
    assert [case.tender.tender_risk.own for case in read.cases] == [{"urgency": "7", "worth_again": 1200.0}, {}]
    assert read.columns["worth_again"].stage == "bids_in"
    report = quality.quality_report(find_register("own"), tmp_path / "mapping.toml")
    assert report.fill["/tenderRisk/own/urgency"] == 0.5 and report.telling == ()


def test_a_declared_number_that_is_none_is_named(tmp_path):
    mapping = DECLARED.replace('column = "worth"', 'column = "what"')
    read = find_register("own").read(written(tmp_path, {}, {"what": "1,200"}, mapping=mapping))
    assert [case.tender.tender_risk.own["worth_again"] for case in read.cases] == [1200.0]
    assert "row 1, column what: expected a number, got 'Roof'" in str(read.problems[0])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ('[features.end]\nkind = "category"\ncolumn = "end"', "end tells how a case ended"),
        ('[features.day]\nkind = "text"\ncolumn = "done"', "done tells how a case ended"),
        ('[features.Day]\nkind = "text"\ncolumn = "what"', "features"),
        ('[features.day]\nkind = "date"\ncolumn = "what"', "features"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(tmp_path, features, message):
    with pytest.raises(DataError, match=message):
        own.read_mapping(written(tmp_path, {}, mapping=f"{MAPPING}\n{features}\n"))


def test_the_declarations_of_the_page_are_read(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "own-history.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    read = own.read_mapping(written(tmp_path, {}, mapping=f"{MAPPING}\n{block}"))
    assert {name: column.kind for name, column in read.features.items()} == {
        "urgency": "category", "estimated_days": "number", "terms": "text",
    }  # fmt: skip
