"""The documented layer: what papers, audits and case reports say of each factor, as an odds ratio with an interval.

`factors.toml` says what a kind of support is worth, and `findings.csv` lists the findings, those that conflict and
those that saw nothing among them. Both were fixed before the cases were looked at.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from models.effects import Z95, Estimate, Scale

HOME = Path(__file__).parent
FACTORS, FINDINGS = HOME / "factors.toml", HOME / "findings.csv"
REPORTS = ("case_report", "case_reports", "record_reports")
"""The kinds of support that rest on single cases alone."""
NOTHING = "none"
"""The kind of support that says that nothing was found."""
LEAST_SPREAD = 0.3
"""No document tells a UK effect better than this standard error of a log odds ratio, over the span of its factor."""

Direction = Literal["+", "-", ""]


class Support(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What findings of one kind are worth: an odds ratio and its 95 % interval over the span of a factor.

    With `keeps`, a finding's own odds ratio counts, with that share of its logarithm.
    """

    says: str
    odds_ratio: float
    interval: tuple[float, float]
    keeps: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finding: of which factor and outcome, of what kind, which way, how much, and where it stands.

    `span` is the difference of dose that its odds ratio is about, by default that of its factor.
    """

    feature: str
    outcome: str
    support: str
    direction: Direction
    source: str
    note: str
    odds_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    span: float | None = None


class EvidenceFactor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A factor of the UK model, as `factors.toml` explains it."""

    feature: str
    scale: Scale
    fact: str = ""
    span: float = 1.0
    unless: str = ""
    least: float | None = None
    most: float | None = None
    held: Literal[-1, 0, 1] = 0
    ordinary: float | None = None
    large: float | None = None
    noted: bool = False


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features of which a register's rows tell nothing, and why."""

    register: str
    features: tuple[str, ...]
    reason: str


class StatedRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates of ordinary contracts by class, where they come from, and the standard error of their log-odds."""

    source: str
    spread: float
    rates: dict[str, float]


class LogOdds(msgspec.Struct, frozen=True):
    """A log odds ratio of one unit of dose, and its standard error."""

    mean: float
    spread: float

    @property
    def estimate(self) -> Estimate:
        """The same as an odds ratio with its interval."""
        return Estimate.of_log(self.mean, self.spread)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of the documented layer."""

    support: dict[str, Support]
    factors: tuple[EvidenceFactor, ...]
    left_out: tuple[LeftOut, ...]
    since: dict[str, str]
    findings: tuple[Finding, ...]
    ordinary: dict[str, StatedRates]

    def documented(self, factor: EvidenceFactor, outcome: str, halved: Sequence[str] = ()) -> LogOdds | None:
        """The documented effect of a factor on an outcome; None if nothing is listed but that nothing was found.

        Findings are weighed by their precision; what they differ by beyond it widens the result (DerSimonian and
        Laird 1986). The log odds ratios of the kinds of support in `halved` count half: how much rests on them?
        """
        findings = [finding for finding in self.listed(factor, outcome) if finding.support != NOTHING]
        if not findings:
            return None
        pairs = [self._log_odds(finding, factor, 0.5 if finding.support in halved else 1.0) for finding in findings]
        pooled = random_effects(pairs)
        return LogOdds(pooled.mean, max(pooled.spread, LEAST_SPREAD / factor.span))

    def listed(self, factor: EvidenceFactor, outcome: str) -> list[Finding]:
        """All findings of a factor and outcome, also that none was seen."""
        return [finding for finding in self.findings if (finding.feature, finding.outcome) == (factor.feature, outcome)]

    def no_difference(self, factor: EvidenceFactor) -> LogOdds:
        """What is assumed of a factor of which no document says anything."""
        low, high = self.support[NOTHING].interval
        return LogOdds(0.0, math.log(high / low) / (2 * Z95) / factor.span)

    def _log_odds(self, finding: Finding, factor: EvidenceFactor, share: float) -> LogOdds:
        kind = self.support[finding.support]
        usual = math.log(kind.interval[1] / kind.interval[0]) / (2 * Z95)
        if kind.keeps is None or finding.odds_ratio is None:
            sign = {"+": 1.0, "-": -1.0, "": 1.0}[finding.direction]
            return LogOdds(share * sign * math.log(kind.odds_ratio) / factor.span, usual / factor.span)
        own = math.log(finding.high / finding.low) / (2 * Z95) if finding.low and finding.high else 0.0
        span = finding.span or factor.span
        return LogOdds(share * kind.keeps * math.log(finding.odds_ratio) / span, max(own, usual) / span)


def random_effects(estimates: Sequence[LogOdds], prior_variance: float = 0.0, prior_worth: float = 0.0) -> LogOdds:
    """Estimates as one, with the spread between them (DerSimonian and Laird).

    The variance between them is averaged with a prior one that is worth so many estimates.
    """
    weights = [1 / estimate.spread**2 for estimate in estimates]
    total = sum(weights)
    mean = sum(w * estimate.mean for w, estimate in zip(weights, estimates, strict=True)) / total
    squares = sum(w * (estimate.mean - mean) ** 2 for w, estimate in zip(weights, estimates, strict=True))
    excess = squares - (len(weights) - 1)
    scale = total - sum(w * w for w in weights) / total
    seen = max(0.0, excess / scale) if len(weights) > 1 else 0.0
    worth = len(weights) - 1
    between = (worth * seen + prior_worth * prior_variance) / (worth + prior_worth) if worth + prior_worth else 0.0
    wide = [1 / (estimate.spread**2 + between) for estimate in estimates]
    centre = sum(w * estimate.mean for w, estimate in zip(wide, estimates, strict=True)) / sum(wide)
    return LogOdds(centre, math.sqrt(1 / sum(wide)))


@cache
def evidence() -> Evidence:
    """The tables as they are in the repository. Raises msgspec.ValidationError if a row is not what it should be."""
    document: dict[str, Any] = tomllib.loads(FACTORS.read_text(encoding="utf-8"))
    with FINDINGS.open(encoding="utf-8", newline="") as file:
        rows = [{key: cell for key, cell in row.items() if cell} | _kept(row) for row in csv.DictReader(file)]
    return Evidence(
        support=msgspec.convert(document["support"], dict[str, Support]),
        factors=msgspec.convert(document["factor"], tuple[EvidenceFactor, ...]),
        left_out=msgspec.convert(document["left_out"], tuple[LeftOut, ...]),
        since={name: day.isoformat() for name, day in document["since"].items()},
        ordinary=msgspec.convert(document["ordinary"], dict[str, StatedRates]),
        findings=msgspec.convert(rows, tuple[Finding, ...], strict=False),
    )


def _kept(row: Mapping[str, str]) -> dict[str, str]:
    return {"direction": row["direction"]}
