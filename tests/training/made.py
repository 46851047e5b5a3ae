"""Made-up registers with a planted structure: some buyers fail often, and so does whoever calls for a bridge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tenders.facts import Facts, Stage
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.tender import Classification, Item, OrganizationReference, Period, Procedure, Tender, Value

NAME = "made"
FIRST = date(2018, 1, 1)
LAG = (10, 40)
"""Days from publication until the end is known, at least and at most."""
WORDS = ("road", "school", "water", "light", "clinic", "market", "wall", "well", "roof", "farm")
PLANTED = "bridge"


def register(
    rows: int = 1500,
    *,
    seed: int = 0,
    signal: float = 1.0,
    buyers: int = 20,
    outcome: str = "no_award",
    name: str = NAME,
) -> list[LabelledTender]:
    """Cases of four years, in the order of publication. Without `signal` every case fails as often as every other."""
    rng = np.random.default_rng(seed)
    habit = rng.normal(0, 1.5, buyers)
    cases = []
    for row in range(rows):
        buyer = int(rng.integers(buyers))
        words = [*rng.choice(WORDS, 3), *([PLANTED] if rng.random() < 0.25 else [])]
        odds = -0.8 + signal * (habit[buyer] + (2.5 if PLANTED in words else -0.6))
        published = FIRST + timedelta(days=row * 1461 // rows)
        cases.append(
            case(
                row,
                published,
                published + timedelta(days=int(rng.integers(*LAG))),
                bool(rng.random() < 1 / (1 + np.exp(-odds))),
                buyer=f"buyer-{buyer}",
                title=" ".join(words),
                amount=float(np.exp(rng.normal(10, 1))),
                market=("45000000", "72000000", "85141200")[int(rng.integers(3))],
                outcome=outcome,
                name=name,
            )
        )
    return cases


def case(
    row: int,
    published: date,
    known_on: date | None,
    failed: bool | None,
    *,
    buyer: str = "buyer-0",
    title: str = "road",
    amount: float | None = 1000.0,
    market: str = "45000000",
    outcome: str = "no_award",
    name: str = NAME,
    facts: Facts | None = None,
) -> LabelledTender:
    """One case with its tender, of which everything is known at draft."""
    day = published.isoformat()
    return LabelledTender(
        tender=Tender(
            ocid=f"{name}-{row}",
            buyer=OrganizationReference(id=buyer, name=buyer),
            tender=Procedure(
                title=title,
                date_published=day,
                procurement_method="open" if row % 3 else "limited",
                main_procurement_category="works" if row % 2 else "services",
                value=None if amount is None else Value(amount=amount, currency="GBP"),
                items=(Item(id="1", classification=Classification(scheme="CPV", id=market)),),
                tender_period=Period(start_date=day, end_date=(published + timedelta(days=9 + row % 20)).isoformat()),
            ),
            tender_risk=facts or Facts(),
        ),
        published=published,
        known_on=known_on,
        outcomes={outcome: failed},
        kind="failed" if failed else "held",
        cluster_id=f"{name}-{row}",
        row=row,
    )


def source(
    cases: Sequence[LabelledTender] = (),
    *,
    name: str = NAME,
    outcome: str = "no_award",
    stages: tuple[Stage, ...] = ("draft",),
    snapshot: bool = False,
    gaps: tuple[str, ...] = (),
    held: dict[str, Sequence[LabelledTender]] | None = None,
) -> Register:
    """A register whose file holds these cases; `held` gives other cases to files by their stem."""

    def read(path: Path) -> HistoryFile:
        listed = list((held or {}).get(path.stem, cases))
        return HistoryFile(cases=listed, rows=len(listed))

    return Register(
        name=name,
        title=name,
        credit="",
        outcomes={outcome: stages},
        read=read,
        snapshot=snapshot,
        gaps_tell=gaps,
        called_off=("cancel",),
    )
