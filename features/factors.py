"""Documented factors: what people who looked into failures wrote down, as features with sources.

A feature with a `FactorSpec` is a factor, whether or not a model weighs it. `factor` declares a yes/no feature that is
a factor only: it is judged and listed, and training does not offer it to a model. The sources are cited once, here.
Where a source gives no threshold, the threshold is ours and the docstring says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.feature import Evidence, FactorSpec, Measure, SeenWith, Theme, feature
from features.table import Floats, TenderTable
from tenders.facts import Stage

NAO_UNITINGCARE = (
    "National Audit Office, Investigation into the collapse of the UnitingCare Partnership contract, HC 512, July 2016"
)
PAC_UNITINGCARE = "Committee of Public Accounts, UnitingCare Partnership contract, HC 633, November 2016"
PWC_UNITINGCARE = "PwC for NHS England, Uniting Care Partnership procurement review, September 2016"
NAO_WORK_PROGRAMME = "National Audit Office, The Work Programme, HC 266, July 2014"
PLAYBOOK = "Cabinet Office, The Sourcing Playbook"
FAZEKAS = "Fazekas and Kocsis, Uncovering High-Level Corruption, British Journal of Political Science 50(1), 2020"
SINGLE_MARKET = "European Commission, Single Market Scoreboard: public procurement, one-bidder indicator"
DIRECTIVE = "Directive 2014/24/EU"
ACT = "Procurement Act 2023"
UK_EXTENSION = "UK extension of OCDS"
TUPE = "Transfer of Undertakings (Protection of Employment) Regulations 2006"
MANCHESTER = "casebook case NHS002 (Manchester: one block of £5.9bn for ten years, no award)"
STAFFORDSHIRE = "casebook case NHS004 (Staffordshire: given up under new national checks)"
CROYDON = "casebook case NHS076 (Croydon: one year first, then nine more)"
OXFORDSHIRE = "casebook case NHS071 (Oxfordshire: the local trust led, and had held it before)"
ALLIANCES = "casebook cases NHS072 and NHS075 (Tower Hamlets and Lambeth alliances)"


def factor(
    *,
    stage: Stage,
    theme: Theme,
    label: str,
    says: str,
    says_not: str,
    asks: str,
    sources: tuple[str, ...],
    path: str = "",
    also: tuple[str, ...] = (),
    evidence: Evidence | None = None,
    counted_at: Stage | None = None,
    seen_with: SeenWith = "failure",
) -> Callable[[Measure], Measure]:
    """Declares a yes/no feature that is a factor only. Without a `path`, no field of a notice tells it."""
    return feature(
        stage=stage,
        theme=theme,
        unit="yes/no",
        label=label,
        path=path,
        also=also,
        evidence=evidence,
        says=says,
        says_not=says_not,
        factor=FactorSpec(asks=asks, sources=sources, seen_with=seen_with, counted_at=counted_at),
        trained=False,
    )


def shown_or_absent(shown: NDArray[np.bool_], absent: NDArray[np.bool_]) -> Floats:
    """1 where shown, else 0 where absent, else NaN."""
    states = np.full(len(shown), np.nan)
    states[absent] = 0.0
    states[shown] = 1.0
    return states


def untold(table: TenderTable) -> Floats:
    """NaN for every tender: no field of a notice tells it."""
    return table.unknown
