"""Whether a tender's nearest cases are of its kind: the nearest three of each casebook case, itself left out.

Each case is asked for by title and description alone: its name and what was bought, as in a draft with no other fact.
Its kind is `service_group`, put by hand from sector and service before the measure was made. Judged are the cases with
known end (those that comparables show) in groups of four or more. Programmes bought one service many times under one
text: the second row leaves cases of the same text out of the nearest, so that it says what a new text may expect.

    python -m benchmarks.comparables [--save]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models.comparables import KnownCase, known_cases, nearest_cases
from tenders.casebook import CasebookCase
from tenders.io.read import to_process

NEAREST, SMALLEST_GROUP = 3, 4
AIM = 0.8
"""The share of cases whose nearest three are all of their group."""


def draft_of(case: CasebookCase, name: bool = True) -> dict[str, str]:
    """A draft of a case that states title and description, or the service alone, and nothing else."""
    return {"title": case.name, "description": case.service} if name else {"title": case.service}


def nearest_groups(case: KnownCase, name: bool, same_text: bool) -> list[str]:
    """The groups of the nearest three without the case itself and, unless `same_text`, those of its service's text."""
    service = case.case.service.casefold()
    others = (
        other.case.service_group
        for other in nearest_cases(to_process(draft_of(case.case, name)), "draft")
        if other.case.case_id != case.case.case_id and (same_text or other.case.service.casefold() != service)
    )
    return [group for group, _ in zip(others, range(NEAREST), strict=False)]


def row(of: str, nearest: Callable[[KnownCase], list[str]]) -> Row:
    """How many of the nearest three share the group, over all cases that are judged."""
    cases = known_cases("draft")
    sizes = Counter(case.case.service_group for case in cases)
    judged = [case for case in cases if sizes[case.case.service_group] >= SMALLEST_GROUP]
    same = [nearest(case).count(case.case.service_group) for case in judged]
    return {
        "asked by": of,
        "cases": len(judged),
        "groups": len({case.case.service_group for case in judged}),
        "all three": sum(count == NEAREST for count in same) / len(same),
        "two or three": sum(count >= 2 for count in same) / len(same),
        "share of the three": sum(same) / NEAREST / len(same),
    }


def table() -> ResultTable:
    """The table of figures."""
    return ResultTable(
        title="Nearest three cases of the same kind of service, leave one out",
        rows=[
            row("title and description", lambda case: nearest_groups(case, True, True)),
            row("title and description, no case of the same text", lambda case: nearest_groups(case, True, False)),
            row("the service as title", lambda case: nearest_groups(case, False, True)),
        ],
        notes=[f"Aim: all three in at least {AIM:.0%} of the cases, by title and description."],
    )


def main() -> None:
    """Prints the table, and keeps it with --save."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_output_options(parser)
    options = parser.parse_args()
    results = table()
    show(results)
    write("comparables", [results], options)


if __name__ == "__main__":
    main()
