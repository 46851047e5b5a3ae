"""The data-quality report counts what it says, and the command prints it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from tenders.errors import UsageError
from tenders.registers import find_register, quality, register_names
from tests.tenders.registers.made import at, dncp, placsp, sicoes, table

ROWS = [
    sicoes("15-1-00-1-1-1"),
    sicoes("15-1-00-2-1-1", "Desierto"),
    sicoes("16-1-00-3-1-1", "En curso", fecha_publicacion=at("2016-05-01")),
    sicoes("16-1-00-4-1-1", "Cancelado", fecha_publicacion=at("2016-05-01"), fecha_presentacion=at("2016-06-01")),
    sicoes("16-1-00-5-1-1", fecha_publicacion=at("2016-05-02"), fecha_adjudicacion_desierta=at("2049-01-01")),
    sicoes("16-1"),
]


@pytest.fixture
def report(tmp_path):
    return quality.quality_report(find_register("sicoes_bo"), table(tmp_path, ROWS))


def test_rows_cases_and_groups(report):
    assert (report.rows, report.cases, report.clusters, report.repeated) == (6, 5, 3, 0)
    assert (report.first, report.last, report.undated) == ("2015-03-10", "2016-05-02", 0)
    assert report.kinds["Contratado"] == 2


def test_outcomes_and_years(report):
    rate = report.outcomes["no_award"]
    assert (rate.known, rate.happened, rate.censored, rate.rate) == (4, 2, 1, 0.5)
    assert {year: (row.cases, row.outcomes["no_award"].rate) for year, row in report.years.items()} == {
        2015: (2, 0.5),
        2016: (3, 0.5),
    }


def test_impossible_dates(report):
    assert report.impossible == {
        "bids due before it was published": 2,
        "known over three years after publication": 1,
    }


def test_problems_are_counted_and_shown(report):
    assert report.problems["decided before it was published"] == 1
    assert sum(report.problems.values()) == 2
    assert any("row 6" in example for example in report.examples)


def test_fill(report):
    assert report.fill["/tender/title"] == 1.0
    assert "/tender/value" not in report.fill
    assert report.years[2015].fill["/tenderRisk/callNumber"] == 1.0


def test_a_repeated_lot_and_a_replaced_release_are_seen(tmp_path):
    lots = quality.quality_report(find_register("placsp_es"), table(tmp_path, [placsp("1"), placsp("1"), placsp("2")]))
    assert (lots.cases, lots.repeated, lots.clusters) == (3, 1, 1)
    calls = quality.quality_report(
        find_register("dncp_py"), table(tmp_path, [dncp("a-1750000000"), dncp("a-1750000001")])
    )
    assert (calls.rows, calls.cases) == (2, 1)


def test_every_source_is_found_by_its_name_and_no_other_is(tmp_path):
    assert {find_register(name).name for name in register_names()} == set(register_names())
    with pytest.raises(UsageError, match="sicoes_bo, ted_de"):
        find_register("quality")


def test_the_command_prints_it(tmp_path):
    path = str(table(tmp_path, ROWS))
    shown = CliRunner().invoke(app, ["check", path, "--register", "sicoes_bo"])
    assert shown.exit_code == 0
    assert "6 rows, 5 cases" in shown.output
    assert "no_award: 50.0% of 4 known, 1 censored" in shown.output
    result = CliRunner().invoke(app, ["check", path, "--register", "sicoes_bo", "--json"])
    report = json.loads(result.stdout)
    assert (report["register"], report["cases"]) == ("sicoes_bo", 5)
    assert report["years"]["2015"]["outcomes"]["no_award"] == {"known": 2, "happened": 1, "censored": 0}
