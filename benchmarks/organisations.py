"""How often organisations are joined rightly by their names: `tenders.organisations`, beside the spelling it replaces.

Two sources. Buyers of the casebook and of the UK notices: spellings that differ in more than case and punctuation were
judged by hand (`organisation_pairs.csv`: one organisation or two, on which ground), and the rules were written with
these rows at hand. Buyers of `dos_uk`, whose rows no rule has seen: two spellings are right if notices under both came
from one mail domain; where a domain serves many bodies that says little, so such pairs are left out.

    python -m benchmarks.organisations [--history ../shared/history]
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from pathlib import Path

from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from tenders import casebook
from tenders.organisations import name_key, plain_name

JUDGED = Path(__file__).with_name("organisation_pairs.csv")
NORMALS: Mapping[str, Callable[[str], str | None]] = {
    "kind of body and name": name_key,
    "spelling without legal words": plain_name,
}
SHARED_DOMAINS = frozenset(("nhs.net", "uksbs.co.uk", "justice.gsi.gov.uk", "homeoffice.gsi.gov.uk", "mod.uk"))
"""Mail domains that serve bodies which are told apart."""

Pair = frozenset[str]


def flat(name: str) -> str:
    """A name without case and punctuation: spellings that agree in this are one for any rule."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower().replace("&", " and ")).strip()


def judged() -> dict[Pair, bool]:
    """Whether two names are one organisation, by the pair of their flat names."""
    with JUDGED.open(encoding="utf-8", newline="") as file:
        return {frozenset((flat(row["one"]), flat(row["other"]))): row["same"] == "yes" for row in csv.DictReader(file)}


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """All pairs of names that are not flat the same."""
    distinct = {flat(name): name for name in sorted(names, reverse=True) if flat(name)}
    return list(combinations(sorted(distinct.values()), 2))


def joins(normal: Callable[[str], str | None], named: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs that a rule takes for one organisation."""
    return [(one, other) for one, other in named if normal(one) is not None and normal(one) == normal(other)]


def by_hand(names: Iterable[str]) -> list[Row]:
    """Judged pairs that each rule joins, how many are right, and how many of the right ones it joins."""
    verdicts, named = judged(), pairs(names)
    known = {frozenset(map(flat, pair)) for pair in named}
    right = {pair for pair, same in verdicts.items() if same} & known
    rows = []
    for rule, normal in NORMALS.items():
        joined = {frozenset(map(flat, pair)) for pair in joins(normal, named)}
        with_verdict = [pair for pair in joined if pair in verdicts]
        hits = sum(verdicts[pair] for pair in with_verdict)
        rows.append(
            {
                "rule": rule,
                "pairs joined": len(joined),
                "judged": len(with_verdict),
                "right": hits,
                "precision": hits / len(with_verdict) if with_verdict else None,
                "of the right ones": len(right & joined) / len(right) if right else None,
            }
        )
    return rows


def by_domain(domains: Mapping[str, set[str]]) -> tuple[list[Row], list[str]]:
    """Pairs that each rule joins and how many wrote from one mail domain; and those of the first rule that did not."""
    named = pairs(domains)
    rows, strangers = list[Row](), list[str]()
    for rule, normal in NORMALS.items():
        judged_pairs = [(one, other, _agree(domains, one, other)) for one, other in joins(normal, named)]
        known = [verdict for *_, verdict in judged_pairs if verdict is not None]
        agree = sum(known)
        rows.append(
            {
                "rule": rule,
                "pairs joined": len(judged_pairs),
                "with a domain of their own": len(known),
                "one domain": agree,
                "share": agree / len(known) if known else None,
            }
        )
        if rule == next(iter(NORMALS)):
            strangers = [f"{one} | {other}" for one, other, verdict in judged_pairs if verdict is False]
    return rows, strangers


def _agree(domains: Mapping[str, set[str]], one: str, other: str) -> bool | None:
    first, second = domains[one] - SHARED_DOMAINS, domains[other] - SHARED_DOMAINS
    return bool(first & second) if first and second else None


def main() -> None:
    """Prints how often names are joined rightly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, default=Path("../shared/history"))
    add_output_options(parser)
    options = parser.parse_args()
    tables = list[ResultTable]()
    names = {case.buyer for case in casebook.cases()}
    names |= {name for case in casebook.cases() for name in case.advisers.split("; ")}
    notices, digital = options.history / "uk_notices.csv", options.history / "dos_uk.csv"
    if notices.exists():
        names |= {row["buyer"] for row in _rows(notices)}
    title = f"{len(names)} buyers and advisers of the casebook{' and the UK notices' if notices.exists() else ''}"
    tables.append(ResultTable(title=f"Judged by hand: {title}", rows=by_hand(names)))
    if digital.exists():
        domains: dict[str, set[str]] = defaultdict(set)
        for row in _rows(digital):
            domains[row["organisation"]].add(row["buyer_domain"])
        rows, strangers = by_domain(domains)
        notes = [f"Joined, with no mail domain in common: {'; '.join(strangers) or 'none'}."]
        tables.append(
            ResultTable(title=f"Judged by mail domain: {len(domains)} buyers of dos_uk", rows=rows, notes=notes)
        )
    for table in tables:
        show(table)
    if not notices.exists() or not digital.exists():
        print(f"{options.history} lacks uk_notices.csv or dos_uk.csv: that part was not measured")
    write("organisations", tables, options)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
