"""Many tenders field by field: what is taken out of them, and when it is read again."""

from __future__ import annotations

from msgspec.structs import force_setattr

from tenders.facts import Facts
from tenders.tender import Award, Lot, Party, Procedure, Tender, Value
from tenders.tender_chunk import ALL_AWARDS, TenderChunk


def lots(*numbers: int) -> Tender:
    return Tender(tender=Procedure(lots=tuple(Lot(id=number) for number in numbers)))


def test_entries_of_lists_belong_to_their_tenders():
    chunk = TenderChunk([lots(1, 2), lots(), lots(3)])
    assert chunk.sizes("/tender/lots") == [2, 0, 1] and not chunk.have_one("/tender/lots")
    assert list(chunk.owners("/tender/lots")) == [0, 0, 2]
    ids = chunk.column("/tender/lots/*/id")
    assert chunk.grouped("/tender/lots", ids) == [(1, 2), (), (3,)]
    assert TenderChunk([lots(1), lots(2)]).grouped("/tender/lots", ["a", "b"]) == [("a",), ("b",)]


def test_what_no_tender_has_is_unknown_of_all():
    chunk = TenderChunk([lots(1), Tender(tender_risk=Facts(codes={"covers": "two"}))])
    assert chunk.fields("/tender/value") is None and chunk.values("/tender/title") is None
    assert chunk.values("/tenderRisk/codes/covers") == [None, "two"]
    assert chunk.values("/tenderRisk/codes/topic") is None
    # Nothing was taken out of these yet, and they are there.
    assert chunk.fields("/tenderRisk/codes") and chunk.column("/parties/*/roles") == ()


def test_a_field_that_was_changed_is_read_again():
    tender = Tender(parties=(Party(name="A"),), tender=Procedure(number_of_tenderers=0))
    chunk = TenderChunk([tender])
    assert chunk.values("/tender/numberOfTenderers") == (0,) and chunk.values("/parties/*/name") == ["A"]
    force_setattr(tender.tender, "number_of_tenderers", None)
    assert chunk.values("/tender/numberOfTenderers") == (0,)
    chunk.forget_field("/tender/numberOfTenderers")
    assert chunk.values("/tender/numberOfTenderers") is None and chunk.values("/tender/title") is None


def test_awards_that_were_taken_back_are_none():
    made = Award(status="active", value=Value(amount=5))
    chunk = TenderChunk([Tender(awards=(made, Award(status="cancelled", value=Value(amount=7))))])
    assert chunk.values("/awards/*/value/amount") == [5] and chunk.values("/awards/0/value/amount") == [5]
    assert chunk.values(f"{ALL_AWARDS}/*/value/amount") == [5, 7]
    standing = TenderChunk([Tender(awards=(made,)), Tender()])
    assert standing.fields("/awards/*/value") is standing.fields(f"{ALL_AWARDS}/*/value")
