"""The precision of joined names is counted as it is said, and does not fall."""

from __future__ import annotations

import csv

from benchmarks.organisations import JUDGED, by_domain, by_hand
from tenders import casebook

with JUDGED.open(encoding="utf-8", newline="") as file:
    ALL = {row[side] for row in csv.DictReader(file) for side in ("one", "other")}


def test_joined_pairs_are_counted_by_their_verdicts() -> None:
    new, old = by_hand(["Dorset Council", "NHS DORSET", "The Royal Parks Limited", "The Royal Parks Ltd", "Baker"])
    assert (new["pairs joined"], new["right"], new["precision"]) == (1, 1, 1.0)
    assert (old["pairs joined"], old["right"], old["precision"]) == (2, 1, 0.5)


def test_precision_over_the_judged_names_holds() -> None:
    new, old = by_hand(ALL)
    assert new["pairs joined"] > 60
    assert new["precision"] >= 0.95 > old["precision"]
    assert new["of the right ones"] > 0.8


def test_every_pair_of_the_casebook_that_is_joined_is_judged() -> None:
    new, _ = by_hand({case.buyer for case in casebook.cases()})
    assert new["pairs joined"] == new["judged"] == new["right"] > 0


def test_a_mail_domain_says_whether_two_spellings_are_one() -> None:
    domains = {
        "Cook Ltd": {"cook.uk"},
        "Cook": {"cook.uk", "nhs.net"},
        "COOK plc": {"other.uk"},
        "The Cook": {"nhs.net"},
    }
    (new, _), strangers = by_domain(domains)
    assert (new["pairs joined"], new["with a domain of their own"], new["one domain"]) == (6, 3, 1)
    assert len(strangers) == 2
