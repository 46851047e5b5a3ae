"""How alike two tenders are: a distance over the facts that both state, and those facts in words.

Gower's distance (Biometrics 27, 1971): each fact that both state gives 0 (the same) to 1 (as different as can be), and
the distance is their weighted mean. Numbers are compared as ratios, because £5m and £10m differ as much as £500m and
£1bn do: ten times as much or as little is as different as can be. A fact that either leaves open is left out. `PRIOR`
facts at `PRIOR_DISTANCE` are added, so that agreement on two known facts does not look nearer than agreement on ten.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from features.catalogue import catalogue
from features.feature import pounds
from features.table import Floats, TenderTable

Words = Callable[[float], str]

PRIOR, PRIOR_DISTANCE = 6.0, 0.5
FARTHEST = math.log(10)
# Within half as much again, people call two numbers about the same. The tolerance lets 15 count as near 10.
ABOUT_THE_SAME = math.log(1.5) / FARTHEST + 1e-9
# Added to every number, so that the ratio of zero to something is defined.
NEARLY_0 = 1e-9
# Digits of a CPV code that two tenders share, their distance then, and words for it; the nearest first.
MARKETS = ((3, 0.0, "also the same kind of service"), (2, 0.5, "a related kind of service"))
ELSEWHERE = "another kind of service"
# What is bought, its value and the number of bidders say most about whether two cases compare. Who buys is nearly the
# same for most cases, so sharing it says little. We chose the weights.
HIGH, LOW = 2.0, 0.25
WORDING, ALIKE = 4.0, 0.8
"""The weight of title and description, and from which cosine on two texts count as the same."""


class ComparedFact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact to compare by: a feature of the catalogue, its weight, and how a value of it reads after "also"."""

    feature: str
    words: Words
    weight: float = 1.0
    number: bool = False


def _flag(yes: str, no: str) -> Words:
    return lambda value: yes if value else no


def _count(one: str, many: str) -> Words:
    return lambda value: one if value == 1 else many.format(value=f"{value:,.0f}")


def _size(value: float) -> str:
    return "over £500m" if value >= 500e6 else f"about {pounds(value)}"


FACTS: tuple[ComparedFact, ...] = (
    ComparedFact(feature="single_block", words=_flag("one block", "divided into lots")),
    ComparedFact(feature="value_gbp", words=_size, number=True, weight=HIGH),
    ComparedFact(feature="term_years", words=lambda value: f"{value:.0f} years", number=True),
    ComparedFact(feature="service_lines", words=_count("one service line", "{value} service lines"), number=True),
    ComparedFact(feature="tender_period_days", words=lambda value: f"{value:.0f} days to bid", number=True),
    ComparedFact(feature="direct_award", words=_flag("awarded without competition", "competed for")),
    ComparedFact(feature="outcome_based_payment", words=_flag("paid by outcomes", "not paid by outcomes")),
    ComparedFact(feature="market_engagement", words=_flag("market engaged before", "market not engaged before")),
    ComparedFact(feature="staff_transfer", words=_flag("staff transfer", "no staff transfer")),
    ComparedFact(feature="first_of_its_kind", words=_flag("first of its kind", "done before")),
    ComparedFact(
        feature="public_incumbent", words=_flag("run by the public sector before", "run by a contractor before")
    ),
    ComparedFact(feature="health_buyer", words=_flag("a health body buys", "no health body buys"), weight=LOW),
    ComparedFact(feature="national_buyer", words=_flag("a national body buys", "a local body buys"), weight=LOW),
    ComparedFact(feature="joint_buyers", words=_flag("several bodies buy together", "one body buys alone"), weight=LOW),
    ComparedFact(feature="bidders", words=_count("one bidder", "{value} bidders"), number=True, weight=HIGH),
    ComparedFact(feature="bidder_attrition", words=lambda value: f"{value:.0%} of the interested bidders left"),
    ComparedFact(feature="scope_changes", words=_flag("scope changed meanwhile", "scope unchanged")),
    ComparedFact(feature="bidder_changes", words=_flag("the bidder changed its form", "the bidder kept its form")),
    ComparedFact(feature="assurance_holds", words=_flag("held by an assurer", "not held")),
    ComparedFact(feature="joint_vehicle", words=_flag("a joint vehicle supplies", "one organisation supplies")),
    ComparedFact(feature="tax_unresolved", words=_flag("tax left open", "tax settled")),
)
"""Facts of the tender itself: no track record, no wording, no calendar."""
WEIGHTS = np.array([HIGH, *(fact.weight for fact in FACTS)])
NUMBERS = np.array([fact.number for fact in FACTS])


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """How alike two tenders are: distance 0 is the same. `also` says what they share, `unlike` where they differ most.

    `shared` is the number of facts that both state.
    """

    distance: float
    shared: int
    also: tuple[str, ...]
    unlike: tuple[str, ...]


class CaseMatrix(msgspec.Struct, frozen=True, eq=False):
    """Tenders to compare, a row each.

    `values` holds FACTS, NaN where unknown, shape (rows, facts); `scaled` the same on scales where a difference of 1 is
    as large as can be. `coded` is whether a row states CPV codes, and `markets` the rows by code, for each of MARKETS
    cut to its digits.
    """

    values: Floats
    scaled: Floats
    coded: npt.NDArray[np.bool_]
    markets: tuple[Mapping[str, list[int]], ...]


class CaseComparison(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One tender, the only row of `one`, compared with every row of `others`.

    `wording` is how alike the tender's words are to those of each row, from 0 to 1, with the words that they share;
    None where words do not count.
    """

    one: CaseMatrix
    others: CaseMatrix
    wording: tuple[Floats, list[tuple[str, ...]]] | None = None

    @cached_property
    def differences(self) -> Floats:
        """Differences from 0 to 1 in what is bought (first column) and in each of FACTS, shape (rows, 1 + facts).

        NaN where either tender leaves the fact open.
        """
        market = np.where(self.others.coded & self.one.coded[0], 1.0, math.nan)
        for (_, distance, _), ours, theirs in reversed(
            list(zip(MARKETS, self.one.markets, self.others.markets, strict=True))
        ):
            for code in ours:
                market[theirs.get(code, [])] = distance
        return np.column_stack((market, np.minimum(np.abs(self.others.scaled - self.one.scaled), 1.0)))

    @cached_property
    def distances(self) -> Floats:
        """The distance to each row: 0 is the same, 1 as different as can be, rounded to 4 places."""
        stated = ~np.isnan(self.differences)
        total = np.where(stated, self.differences, 0.0) @ WEIGHTS + PRIOR * PRIOR_DISTANCE
        weight = stated @ WEIGHTS + PRIOR
        if self.wording is not None:
            # Two texts on one thing seldom have all words in common.
            alike, _ = self.wording
            total += WORDING * (1 - np.minimum(alike / ALIKE, 1.0))
            weight += WORDING
        rounded: Floats = np.round(total / weight, 4)
        return rounded

    def likeness(self, row: int) -> Likeness:
        """How alike one row is, in words: what is nearest comes first, of equals what weighs most."""
        facts = sorted(self._facts(row), key=lambda fact: (fact.difference, -fact.weight))
        words = self.wording[1][row] if self.wording is not None else ()
        return Likeness(
            distance=float(self.distances[row]),
            shared=len(facts),
            also=(
                *((f"the words {', '.join(words)}",) if words else ()),
                *(fact.text for fact in facts if fact.same),
            ),
            unlike=tuple(fact.text for fact in reversed(facts) if not fact.same),
        )

    def _facts(self, row: int) -> Iterator[_SharedFact]:
        """The facts that the tender and a row both state."""
        market, *differences = self.differences[row].tolist()
        if not math.isnan(market):
            text = next((words for _, distance, words in MARKETS if distance == market), ELSEWHERE)
            yield _SharedFact(HIGH, market, market == 0, text)
        values = zip(self.one.values[0].tolist(), self.others.values[row].tolist(), strict=True)
        for fact, difference, (here, there) in zip(FACTS, differences, values, strict=True):
            if math.isnan(difference):
                continue
            ours, theirs = fact.words(here), fact.words(there)
            near = fact.number and difference <= ABOUT_THE_SAME
            text = f"{theirs}, here {ours}"
            text = f"also {theirs}" if ours == theirs else f"near: {text}" if near else text
            yield _SharedFact(fact.weight, difference, near or ours == theirs, text)


class _SharedFact(msgspec.Struct, frozen=True):
    """A fact that two tenders state: their difference in it, whether people would call it the same, and in words."""

    weight: float
    difference: float
    same: bool
    text: str


def case_matrix(table: TenderTable) -> CaseMatrix:
    """The facts of the tenders of a table to compare by."""
    values = np.column_stack([catalogue()[fact.feature].measure(table) for fact in FACTS])
    markets = tuple(defaultdict[str, list[int]](list) for _ in MARKETS)
    cpv_codes = table.text("cpv_codes")
    for row, codes in enumerate(cpv_codes.rows()):
        for (digits, _, _), rows in zip(MARKETS, markets, strict=True):
            for code in {code[:digits] for code in codes}:
                rows[code].append(row)
    scaled = np.where(NUMBERS, np.log(values + NEARLY_0) / FARTHEST, values)
    return CaseMatrix(values, scaled, cpv_codes.where(bool), markets)
