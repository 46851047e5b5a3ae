"""The form says what it means in OCDS names, its keys are those of the documentation, and cells are read as the form's are."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tenders.columns import Column
from tenders.errors import DataError
from tenders.io import form
from tenders.io.form import BY_KEY, FIELDS, UNKNOWN, RowReader, parse_field
from tenders.io.ocds import to_tender
from tenders.io.read import read_bytes, to_process
from tests import samples

WORDS = st.from_regex(r"[A-Z][a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True).filter(
    lambda text: text.lower() not in UNKNOWN
)


def _values(field: Column) -> st.SearchStrategy[Any]:
    """Values that a field takes."""
    if field.name in ("lots", "lot_values"):
        return st.just(2) if field.name == "lots" else st.just([5, 7])
    if field.name == "currency":
        return st.sampled_from(["GBP", "EUR"])
    if field.choices:
        choices = st.sampled_from(field.choices)
        return st.lists(choices, min_size=1) if field.kind == "list" else choices
    return {
        "text": WORDS,
        "number": st.integers(1, 10**5),
        "count": st.integers(1, 1000),
        "yes_no": st.booleans(),
        "date": st.dates().filter(lambda day: 1900 <= day.year <= 2200).map(str),
        "list": st.lists(WORDS, min_size=1, max_size=3),
    }[field.kind]


FORMS = st.fixed_dictionaries({}, optional={field.name: _values(field) for field in FIELDS}).filter(bool)


def _at(document: Any, path: str) -> Any:
    for name in path.strip("/").split("/"):
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


@given(FORMS)
def test_every_answer_stands_at_its_path_in_the_release(answers: dict[str, Any]) -> None:
    release, unknown = form.to_release(answers)
    assert unknown == []
    to_tender(release)
    for key, answer in answers.items():
        field = BY_KEY[key]
        if key == "lot_values":
            assert [lot["value"]["amount"] for lot in release["tender"]["lots"]] == parse_field(field, answer)
        elif not (key == "lots" and "lot_values" in answers):
            assert _at(release, field.path) == field.write(parse_field(field, answer))


@given(FORMS)
def test_json_yaml_and_csv_forms_give_the_same_tender(answers: dict[str, Any]) -> None:
    expected = to_process(answers).compiled()
    assert read_bytes(samples.data(answers))[0].compiled() == expected
    assert read_bytes(yaml.safe_dump(answers).encode(), ".yaml")[0].compiled() == expected
    assert read_bytes(_csv(answers), ".csv")[0].compiled() == expected


def _csv(answers: dict[str, Any]) -> bytes:
    cells = {k: ";".join(map(str, v)) if isinstance(v, list) else v for k, v in answers.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    return text.getvalue().encode()


@given(FORMS)
def test_the_order_of_the_answers_changes_nothing(answers: dict[str, Any]) -> None:
    assert to_process(dict(reversed(answers.items()))).compiled() == to_process(answers).compiled()


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
@pytest.mark.parametrize("blank", ["", "  ", "unknown", "?", None])
def test_a_blank_is_unknown_and_not_no_or_zero(field: Column, blank: str | None) -> None:
    assert parse_field(field, blank) is None


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("single_block", "Yes", True),
        ("single_block", "n", False),
        ("single_block", 1, True),
        ("value", "£1,234,500.50", 1_234_500.5),
        ("value", " 12 ", 12.0),
        ("lots", "3", 3),
        ("lots", 3.0, 3),
        ("advisers", "A Ltd; B LLP;", ["A Ltd", "B LLP"]),
        ("advisers", ["A Ltd"], ["A Ltd"]),
        ("advisers", [], None),
        ("lot_values", "5;7.5", [5.0, 7.5]),
        ("structure_changes", "lots;value", ["lots", "value"]),
        ("title", 2024, "2024"),
    ],
)
def test_answers_are_read_as_people_write_them(key: str, raw: Any, value: Any) -> None:
    assert parse_field(BY_KEY[key], raw) == value


@pytest.mark.parametrize(
    "raw",
    ["12,34", "1.234,5", "1,23,456", "1e400", "-0.01", math.nan, "twelve", pytest.param(10**5000, id="5,000 digits")],
)
def test_a_number_that_could_mean_another_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_field(BY_KEY["value"], raw)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/tender/lots", "/lots"),
        ("/tender/lots/1/value/amount", "/lot_values"),
        ("/tenderRisk/advisers/0/name", "/advisers"),
        ("/tender/valueAdded", "/tender/valueAdded"),
        ("/parties", "/parties"),
    ],
)
def test_a_path_leads_back_to_the_key_that_filled_it(path: str, key: str) -> None:
    assert form.key_of(path) == key


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_key_leads_to_its_path_and_back(field: Column) -> None:
    assert form.key_of(field.path) == ("/lots" if field.name == "lot_values" else f"/{field.name}")


def test_every_wrong_answer_is_named() -> None:
    with pytest.raises(DataError) as refused:
        form.to_release({"lots": "some", "value": "much", "title": "x"})
    assert sorted(problem.path for problem in refused.value.problems) == ["/lots", "/value"]


def test_unknown_keys_are_named_and_the_rest_is_read() -> None:
    process = to_process({"title": "Nursing", "mood": "good"})
    assert process.form
    assert process.compiled().tender.title == "Nursing"
    assert "/mood" in process.warnings[0]


def test_the_values_of_lots_stand_whatever_is_said_of_their_number() -> None:
    lots = to_process({"lot_values": "5;7", "lots": 2}).compiled().tender.lots
    assert [lot.value.amount for lot in lots if lot.value] == [5, 7]


def test_an_amount_without_a_currency_is_in_pounds() -> None:
    tender = to_process({"value": 5, "lot_values": "2;3", "award_value": 4}).compiled()
    values = [tender.tender.value, *(lot.value for lot in tender.tender.lots), tender.awards[0].value]
    assert [value and value.currency for value in values] == ["GBP"] * 4


def test_an_amount_keeps_the_currency_that_is_given() -> None:
    value = to_process({"value": 5, "currency": "EUR"}).compiled().tender.value
    assert value is not None
    assert value.currency == "EUR"


@pytest.mark.parametrize(
    ("path", "given_keys", "place"),
    [
        ("/tender/contractPeriod", ["value", "term_years"], "/term_years"),
        ("/tender/contractPeriod", [], "/tender/contractPeriod"),
        ("/tender/contractPeriod", ["contract_start", "contract_end", "term_years"], "/term_years"),
        ("/tender/contractPeriod", ["contract_end"], "/contract_end"),
        ("/tender/lots", ["lot_values"], "/lot_values"),
        ("/tender/lots", ["lots", "lot_values"], "/lots"),
        ("/tender/value", ["value"], "/value"),
        ("/tender/numberOfTenderers", ["bidders"], "/bidders"),
    ],
)
def test_a_path_is_named_by_the_key_that_filled_it(path: str, given_keys: list[str], place: str) -> None:
    assert form.key_of(path, given_keys) == place


CELLS = st.sampled_from(
    ["", "yes", "no", "2", "1,000", "2024-03-01", "GBP", "open", "scope;lots", "unknown", "many", " 3 "]
)


@given(st.lists(st.tuples(*[CELLS | st.none()] * len(FIELDS)), min_size=1, max_size=4))
def test_a_remembered_row_is_the_release_of_its_form(table: list[tuple[Any, ...]]) -> None:
    remembered = RowReader(FIELDS)
    for row in table:
        given_cells = {field.name: cell for field, cell in zip(FIELDS, row, strict=True)}
        values = remembered(row)
        try:
            expected, _ = form.to_release(given_cells)
        except DataError:
            if values is not None:
                with pytest.raises(DataError):
                    form.release_of_values(values)
        else:
            assert values is not None
            assert form.release_of_values(values) == expected


def test_what_repeats_in_a_column_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[Any] = []
    parsed = form.parse_field
    monkeypatch.setattr(form, "parse_field", lambda field, raw: texts.append(raw) or parsed(field, raw))
    remembered = RowReader([BY_KEY["lots"], BY_KEY["title"]])
    rows = [("2", "Nursing"), ("2", "Cleaning"), ("many", "Nursing"), ("many",), ("2",)]
    assert [remembered(row) for row in rows] == [
        {"lots": 2, "title": "Nursing"}, {"lots": 2, "title": "Cleaning"}, None, None, {"lots": 2}
    ]  # fmt: skip
    assert texts == ["2", "Nursing", "Cleaning", "many"]


def test_a_list_is_read_each_time() -> None:
    remembered = RowReader([BY_KEY["advisers"]])
    assert [remembered(([name],)) for name in ("A", "B")] == [{"advisers": ["A"]}, {"advisers": ["B"]}]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("value", "£120m", 120e6),
        ("lot_values", "£1m; 2.5 million", [1e6, 2.5e6]),
        ("term_years", "18 months", 1.5),
        ("tender_period_days", "6 weeks", 42),
        ("published", "11/01/2027", "2027-01-11"),
        ("published", "2027-01-11T09:00:00Z", "2027-01-11T09:00:00Z"),
        ("cpv", "Community health services", "85323000"),
        ("cpv", "85323000-9", "85323000-9"),
        ("cpv", "some service or other", "some service or other"),
    ],
)
def test_values_are_read_as_people_write_them(key: str, text: str, value: Any) -> None:
    assert parse_field(BY_KEY[key], text) == value


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = {"value": "1e30", "lots": "2", "lot_values": "1; 2; 3", "published": "31/02/2027", "currency": "POUNDS"}
    with pytest.raises(DataError) as refused:
        to_process(wrong)
    problems = {problem.path: problem.problem for problem in refused.value.problems}
    assert set(problems) == {"/value", "/lot_values", "/published", "/currency"}
    assert problems["/value"].startswith("this is more than any tender has")
