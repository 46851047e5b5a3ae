"""Writes the examples from the casebook: each an OCDS release with the facts known at each stage, without its outcome.

    python examples/build.py

Where the casebook lacks a fact, the example lacks it too. tests/test_examples.py checks that the files are what this
writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from tenders import casebook

HOME = Path(__file__).parent

FAILED = {
    "cambridgeshire-unitingcare": "NHS001",
    "manchester-lco": "NHS002",
    "staffordshire-cancer": "NHS003",
    "south-warwickshire-older-people": "NHS008",
    "swindon-seqol": "NHS046",
}
UNJUDGED = {"sbs-clinical-framework": "NHS118"}
# Plymouth, and by rule every picked case of the failures' own sectors that held and whose value and term are known.
SURVIVED = {
    "plymouth-integrated-care": "NHS099",
    "bedfordshire-msk": "NHS013",
    "bristol-community-services": "NHS086",
    "bristol-childrens-partnership": "NHS098",
    "croydon-over-65s-alliance": "NHS076",
    "devon-childrens-services": "NHS089",
    "kirklees-care-closer-to-home": "NHS087",
    "oxfordshire-adult-mental-health": "NHS071",
    "surrey-childrens-community-health": "NHS032",
    "surrey-community-health": "NHS095",
    "swindon-community-health": "NHS110",
    "tower-hamlets-community-alliance": "NHS072",
    "wiltshire-childrens-community-health": "NHS092",
}


def text(case_id: str) -> str:
    """The example's file."""
    return json.dumps(casebook.case(case_id).release(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, case_id in (FAILED | SURVIVED | UNJUDGED).items():
        (HOME / f"{name}.json").write_text(text(case_id), encoding="utf-8")
