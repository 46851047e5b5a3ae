"""SICOES: states, the day an outcome became known, and what the number of a call says."""

from __future__ import annotations

from datetime import date

import pytest

from tenders.registers import sicoes_bo
from tests.tenders.registers.made import at, one, read, sicoes


@pytest.mark.parametrize(
    ("estado", "no_award"),
    [
        ("Contratado", False), ("Adjudicado", False), ("Desierto", True), ("Cancelado", True), ("Anulado", True),
        ("Anulado desde la convocatoria", True), ("En curso", None), ("Vigente", None), ("Suspendido", None),
        ("No Informado", None), ("Sin documentacion de cierre", None), ("Desierto Parcial", None),
    ],
)  # fmt: skip
def test_a_state_is_an_outcome_and_its_kind_is_kept(tmp_path, estado, no_award):
    case = one("sicoes_bo", tmp_path, sicoes(estado=estado))
    assert case.outcomes == {"no_award": no_award}
    assert case.kind == estado
    assert (case.known_on is None) == (no_award is None)


def test_a_state_never_seen_is_censored_and_named(tmp_path):
    file = read("sicoes_bo", tmp_path, sicoes(estado="Otro"))
    assert file.cases[0].outcomes == {"no_award": None}
    assert "Otro" in str(file.problems[0])


def test_the_day_of_the_decision_is_a_clock_and_no_fact(tmp_path):
    with_day = one("sicoes_bo", tmp_path, sicoes())
    without = one("sicoes_bo", tmp_path, sicoes(fecha_adjudicacion_desierta=None))
    assert with_day.known_on == date(2015, 4, 1)
    assert with_day.tender == without.tender


def test_the_state_reaches_no_fact(tmp_path):
    tenders = [one("sicoes_bo", tmp_path, sicoes(estado=estado)).tender for estado in sicoes_bo.OUTCOMES]
    assert all(tender == tenders[0] for tender in tenders)


@pytest.mark.parametrize("decided", [None, "2015-03-09", "1988-06-18"])
def test_without_a_usable_day_it_is_known_after_120(tmp_path, decided):
    case = one("sicoes_bo", tmp_path, sicoes(fecha_adjudicacion_desierta=at(decided)))
    assert case.known_on == date(2015, 7, 8)


def test_a_day_long_after_is_kept_for_late_is_safe(tmp_path):
    assert one("sicoes_bo", tmp_path, sicoes(fecha_adjudicacion_desierta=at("2049-08-02"))).known_on == date(2049, 8, 2)


def test_an_undated_failure_is_known_when_it_is_called_again(tmp_path):
    undated = sicoes("15-0099-00-500001-1-1", "Desierto", fecha_adjudicacion_desierta=None)
    again = sicoes("15-0099-00-500001-2-1", fecha_publicacion=at("2015-04-15"))
    other = sicoes("15-0099-00-500002-2-1", fecha_publicacion=at("2015-03-15"))
    first, *_ = read("sicoes_bo", tmp_path, undated, again, other).cases
    assert first.known_on == date(2015, 4, 15)
    held, *_ = read("sicoes_bo", tmp_path, undated | {"estado": "Contratado"}, again).cases
    assert held.known_on == date(2015, 7, 8)


def test_the_number_tells_body_unit_and_call(tmp_path):
    facts = one("sicoes_bo", tmp_path, sicoes("15-0099-03-500001-2-4")).tender
    assert facts.buyer and facts.tender.procuring_entity
    assert facts.buyer.id == "BO-SICOES-0099"
    assert facts.tender.procuring_entity.id == "BO-SICOES-0099-03"
    assert facts.tender_risk.call_number == 2
    assert facts.tender_risk.retender is True
    assert facts.tender_risk.codes == {"subcall": "4", "tipo_de_contratacion": "Obras"}
    alone = one("sicoes_bo", tmp_path, sicoes("15-0099-00-500001-1-1")).tender
    assert alone.tender.procuring_entity == alone.buyer
    assert alone.tender_risk.retender is False


def test_every_other_column_has_its_place(tmp_path):
    tender = one("sicoes_bo", tmp_path, sicoes(subasta="Si")).tender.tender
    assert tender.title == "Puente peatonal"
    assert tender.tender_period and tender.tender_period.end_date == "2015-03-20"
    assert tender.procurement_method_details == "ANPE"
    assert tender.main_procurement_category == "works"
    assert tender.items[0].delivery_addresses[0].region == "Tarija"
    assert tender.legal_basis and tender.legal_basis.id == "NB-SABS (X)"
    assert tender.techniques and tender.techniques.has_electronic_auction is True


def test_calls_of_one_unit_on_one_day_share_their_fate(tmp_path):
    cases = read(
        "sicoes_bo", tmp_path, sicoes("15-1-00-1-1-1"), sicoes("15-1-00-2-1-1"), sicoes("15-1-01-3-1-1"),
        sicoes("15-1-00-4-1-1", fecha_publicacion=at("2015-03-11")),
    ).cases  # fmt: skip
    fates = [case.cluster_id for case in cases]
    assert fates[0] == fates[1]
    assert len(set(fates)) == 3


def test_a_row_that_cannot_be_read_is_named_and_the_rest_is_read(tmp_path):
    file = read("sicoes_bo", tmp_path, sicoes("15-99"), sicoes(fecha_publicacion=None), sicoes())
    assert [case.row for case in file.cases] == [2]
    assert file.rows == 3
    assert [problem.path for problem in file.problems] == ["row 1, column cuce", "row 2, column fecha_publicacion"]
