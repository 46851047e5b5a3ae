"""One organisation has one key, however it is spelled, and takes over the record of those before it."""

from __future__ import annotations

import csv
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders import casebook
from tenders.organisations import (
    BOARDS,
    TEAMS,
    Directory,
    Predecessor,
    adviser_name,
    inherits,
    name_key,
    organisation_key,
    organisation_keys,
    plain_name,
)

SPELLINGS = [
    ("icb:norfolk waveney", "NHS Norfolk & Waveney ICB", "NHS NORFOLK AND WAVENEY INTEGRATED CARE BOARD (ICB)"),
    ("icb:bedfordshire luton milton keynes", "BLMK ICB", "Bedfordshire, Luton and Milton Keynes Integrated Care Board"),
    ("icb:hampshire isle wight", "NHS Hampshire and Isle of Wight ICB on behalf of NHS England",
     "Hampshire and the Isle of Wight ICB"),
    ("ccg:somerset", "SOMERSET CLINICAL COMMISSIONING GROUP", "NHS Somerset CCG"),
    ("ccg:bristol north somerset south gloucestershire", "BNSSG CCG",
     "NHS Bristol, North Somerset and South Gloucestershire CCG"),
    ("council:lewisham", "LONDON BOROUGH OF LEWISHAM", "Lewisham Council", "Lewisham London Borough Council"),
    ("council:kirklees", "The Council of the Borough of Kirklees", "Kirklees Metropolitan Borough Council"),
    ("council:durham", "Durham County Council", "DURHAM CC"),
    ("council:edinburgh", "The City of Edinburgh Council"),
    ("council:telford wrekin", "Borough of Telford & Wrekin", "Telford and Wrekin Council"),
    ("council:gwynedd", "Cyngor Gwynedd Council", "Gwynedd Council"),
    ("trust:west suffolk", "West Suffolk NHS Foundation Trust", "WEST SUFFOLK NHS FT", "West Suffolk NHS Trust"),
    ("university:northumbria", "Northumbria University", "University of Northumbria"),
    ("name:ministry defence", "MoD", "MINISTRY OF DEFENCE", "Ministry of Defence (MOD)"),
    ("name:hm revenue customs", "H M REVENUE & CUSTOMS", "HM Revenue and Customs", "HMRC"),
    ("name:royal parks", "The Royal Parks Ltd", "Royal Parks Limited"),
    ("name:cafe rene", "Café René", "CAFE RENE LTD."),
    ("team:strategic projects", "Strategic Projects Team", "NHS Strategic Projects Team", "GEM CSU",
     "Greater East Midlands Commissioning Support Unit", "Strategic Projects Team (GEM CSU)"),
    ("team:shared business services", "NHS SBS", "NHS Shared Business Services Limited"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "names"), [(key, names) for key, *names in SPELLINGS], ids=lambda value: str(value)[:30]
)
def test_spellings_of_one_name_have_one_key(key: str, names: list[str]) -> None:
    assert {name: name_key(name) for name in names} == dict.fromkeys(names, key)


@pytest.mark.parametrize(
    "names",
    [
        ("Dorset Council", "NHS Dorset", "NHS Dorset ICB", "Dorset CCG"),
        ("Highland Council", "NHS Highland"),
        ("Nottingham City Council", "Nottinghamshire County Council", "NHS Nottingham City CCG"),
        ("Essex County Council", "Essex County Council and NHS", "University of Essex"),
        ("Wellingborough Town Council", "Wellingborough Council"),
        ("British Council", "London Councils", "Trust Housing Association", "Equals Trust"),
        ("University of Leeds", "Leeds Arts University", "Leeds Beckett University"),
        ("Plymouth City Council and NEW Devon CCG", "Plymouth City Council", "NEW Devon CCG"),
        ("Rochdale Council (lead) with Oldham and Bury", "Rochdale Council"),
        ("Smith (Leeds) Ltd", "Smith (York) Ltd", "Smith Ltd"),
        ("Home Office / Ministry of Justice", "Home Office", "Ministry of Justice"),
        ("University Hospitals Plymouth NHS Trust", "University of Plymouth", "Plymouth City Council"),
    ],
)
def test_bodies_that_share_words_are_told_apart(names: tuple[str, ...]) -> None:
    assert len({name_key(name) for name in names}) == len(names)


def test_identifiers_come_before_the_name_and_in_their_order() -> None:
    given_identifiers = [
        ("GB-NHS", "rgt"),
        ("GB-COH", 1234568),
        "GB-PPON-PABC-1234-XYZW",
        ("DUNS", "123"),
        (None, None),
    ]
    expected = ("GB-PPON:PABC-1234-XYZW", "GB-COH:01234568", "GB-NHS:RGT", "name:cook")
    for order in permutations(given_identifiers):
        assert organisation_keys("Cook Ltd", order) == expected
    assert organisation_key("Cook Ltd", given_identifiers) == expected[0]
    assert organisation_key("Cook Ltd") == "name:cook"
    assert organisation_key(None) is organisation_key(" - ") is None


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ("GB-COH-1234568", "GB-COH:01234568"),
        ("gb-coh-01234568", "GB-COH:01234568"),
        ("GB-COH-GB-COH-01234568", "GB-COH:01234568"),
        (("GB-COH", "SC12345"), "GB-COH:SC012345"),
        (("GB-COH", "NI 012345"), "GB-COH:NI012345"),
        (("GB-COH", "00000000"), None),
        (("GB-COH", "12345678"), None),
        (("GB-COH", "n/a"), None),
        (("GB-COH", "123456789"), None),
        (("GB-COH", None), None),
        (("GB-PPON", "PABC-1234-XYZW"), "GB-PPON:PABC-1234-XYZW"),
        (("GB-PPON", "1234"), None),
        (("GB-NHS", "RGT"), "GB-NHS:RGT"),
        (("GB-NHS", "-"), None),
        ("GB-FTS-12345", None),
    ],
)
def test_an_identifier_is_read_or_passed_over(identifier: str | tuple[str, object], key: str | None) -> None:
    assert organisation_key(None, [identifier]) == key


@given(name=st.text(max_size=40))
def test_a_key_does_not_depend_on_case_spaces_or_punctuation_around(name: str) -> None:
    key = name_key(name)
    assert key == name_key(f"  {name} ")
    if name.isascii():
        assert key == name_key(name.upper()) == name_key(name.lower())
    assert key is None or key.partition(":")[2]


def test_a_board_inherits_its_groups_and_their_trusts() -> None:
    before = inherits("icb:norfolk waveney")
    assert Predecessor("ccg:great yarmouth waveney") in before
    assert Predecessor("pct:norfolk waveney") in before
    assert inherits("GB-NHS:QMM") == before
    assert inherits(name_key("NHS Cambridgeshire & Peterborough ICB") or "") == (
        Predecessor("ccg:cambridgeshire peterborough"),
        Predecessor("pct:cambridgeshire peterborough"),
    )
    assert inherits("council:leeds") == ()


def test_what_was_split_is_had_in_part() -> None:
    before = {predecessor.key: predecessor.whole for predecessor in inherits("icb:essex")}
    assert before["icb:mid south essex"] and before["ccg:thurrock"]
    assert not before["icb:suffolk north east essex"] and not before["ccg:west suffolk"]


def test_every_group_went_to_one_board_of_2022() -> None:
    with BOARDS.open(encoding="utf-8", newline="") as file:
        boards = [row for row in csv.DictReader(file) if row["since"] == "2022-07-01"]
    assert (len(boards), len({row["ods"] for row in boards})) == (42, 42)
    groups = [before.key for row in boards for before in inherits(f"GB-NHS:{row['ods']}") if before.key[:4] == "ccg:"]
    assert len(groups) == len(set(groups)) > 200


def test_every_group_of_the_casebook_has_a_board() -> None:
    inherited = {
        before.key
        for row in csv.DictReader(BOARDS.open(encoding="utf-8"))
        for before in inherits(name_key(f"{row['name']} ICB") or "")
    }
    groups = {key for case in casebook.cases() if (key := name_key(case.buyer)) and key.startswith("ccg:")}
    assert len(groups) > 20
    assert groups - inherited == set()


def test_a_unit_inherits_the_team_that_it_hosted() -> None:
    assert inherits(name_key("NHS Arden and GEM CSU") or "")[0] == Predecessor("team:strategic projects")


def test_advisers_are_named_as_the_records_have_them() -> None:
    advised = {name for case in casebook.cases() for name in case.advisers.split("; ") if name}
    assert {name: plain_name(adviser_name(name)) for name in advised} == {name: plain_name(name) for name in advised}
    assert plain_name(adviser_name("GEM CSU")) == plain_name("NHS Strategic Projects Team")
    assert adviser_name("Unheard of LLP") == "Unheard of LLP"


def test_each_name_is_of_one_team() -> None:
    names = [name_key(name) for names in TEAMS.values() for name in names]
    assert set(names) == {f"team:{team}" for team in TEAMS}


PARTIES = [
    organisation_keys("Cook Ltd", ["GB-COH-02345671"]),
    organisation_keys("Cook Catering", ["GB-COH-02345671", "GB-PPON-PABC-1234-XYZW"]),
    organisation_keys("Smith Ltd", ["GB-COH-00000123"]),
    organisation_keys("Smith Ltd", ["GB-COH-00000456"]),
    organisation_keys("Baker"),
]


@given(order=st.permutations(range(len(PARTIES))))
def test_a_directory_gives_one_key_to_what_stands_together_whatever_the_order(order: list[int]) -> None:
    directory = Directory()
    for number in order:
        directory.add(PARTIES[number])
    cook = "GB-PPON:PABC-1234-XYZW"
    assert {directory.key(organisation_keys(name)) for name in ("COOK LIMITED", "Cook Catering")} == {cook}
    assert directory.key(("GB-COH:02345671",)) == cook
    # Two companies of one name: the name alone is neither.
    assert directory.key(organisation_keys("Smith Ltd")) == "name:smith"
    assert directory.key(organisation_keys("Smith Ltd", ["GB-COH-123"])) == "GB-COH:00000123"
    assert directory.key(organisation_keys("Baker")) == "name:baker"
    assert directory.key(()) is None
