"""How the scope is divided: one block or lots, and how much hangs on the largest."""

from __future__ import annotations

import numpy as np

from features.categorical import Categorical
from features.factors import ACT, DIRECTIVE, MANCHESTER, NAO_UNITINGCARE, UK_EXTENSION, factor
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, yes_no
from features.value import Amounts, first_lot, net_or_gross, over, pounds, stated, years

LONG_YEARS, LARGE_POUNDS = 8.0, 500e6
MANY_LINES = 5


@feature(
    stage="draft",
    theme="lots",
    unit="yes/no",
    label="Single block",
    path="/tender/lots",
    also=("/tenderRisk/singleBlock",),
    direction=1,
    says="The whole scope is one contract, not divided into lots.",
    says_not="The scope is divided into several lots or contracts.",
    factor=FactorSpec(
        asks="whether the scope is divided", sources=(f"{DIRECTIVE}, art. 46", f"{ACT}, s. 18", MANCHESTER)
    ),
)
def single_block(table: TenderTable) -> Floats:
    """1 if the whole scope is let as one contract, 0 if it is divided.

    One failure then takes everything with it, and few suppliers can bid for it all. The stated fact is used where
    no lots are listed. Source: the Cambridgeshire and Manchester tenders; Directive 2014/24/EU art. 46.
    """
    lots = table.number("lots")
    return np.where(lots > 0, lots == 1, table.number("single_block"))


@feature(
    stage="draft",
    theme="lots",
    unit="lots",
    label="Number of lots",
    path="/tender/lots",
    also=("/tenderRisk/singleBlock",),
    direction=-1,
    says="Number of lots: {value}.",
)
def lot_count(table: TenderTable) -> Floats:
    """Lots in the tender; 1 where it is stated to be one block.

    More lots spread the risk and let smaller suppliers bid. Source: OECD checklist on SME participation.
    """
    lots = table.number("lots")
    return np.where(lots > 0, lots, np.where(table.number("single_block") == 1, 1.0, np.nan))


@feature(
    stage="draft",
    theme="lots",
    unit="share",
    label="Share of the largest lot",
    path="/tender/lots",
    also=("/tenderRisk/singleBlock",),
    direction=1,
    says="The largest lot holds {value} of the value.",
)
def largest_lot_share(table: TenderTable) -> Floats:
    """Value of the largest lot over the sum of all lots; 1 for one block, unknown unless every lot has a value.

    Ten lots of which one holds nine tenths is a block by another name. Source: our own.
    """
    owner, values = table.owner("lots"), net_or_gross(table, "lot_values", "lot_values_gross")
    values = np.where(values == 0, np.nan, values)
    largest = np.full(len(table), np.nan)
    np.fmax.at(largest, owner, values)
    whole = np.bincount(owner, values, len(table))
    return np.where(single_block(table) == 1, 1.0, largest / np.where(whole > 0, whole, np.nan))


@feature(
    stage="draft",
    theme="lots",
    unit="share",
    label="Share of the first lot",
    path="/tender/lots",
    says="The first lot holds {value} of the value.",
)
def lot_share(table: TenderTable) -> Floats:
    """Value of the lot that stands first over the sum of all lots; unknown unless all have a value in one currency.

    A case about one lot has it first: a small one beside large ones is passed over. Source: our own.
    """
    first = first_lot(table)
    lots = Amounts.of_entries(table, "lot_values", "lot_currencies", "lots")
    share = 1 / over(lots, first)
    unstated = np.bincount(lots.owner[np.isnan(stated(lots.amount))], minlength=len(table)) > 0
    return np.where(unstated, np.nan, share)


@feature(
    stage="draft",
    theme="lots",
    unit="ratio",
    label="First lot to value",
    path="/tender/lots/0/value",
    also=("/tender/value",),
    says="The first lot is worth {value} times the value of the tender.",
)
def lot_to_value(table: TenderTable) -> Floats:
    """Value of the lot that stands first over the tender's value, both in one currency.

    The tender's value counts lots that are not listed, extensions and options as well: a small part of a large tender
    is passed over. Source: our own; OCDS `tender.value`.
    """
    return over(first_lot(table), Amounts.of_value(table))


@feature(
    stage="draft",
    theme="lots",
    unit="ratio",
    label="First lot to budget",
    path="/tender/lots/0/value",
    also=("/planning/budget",),
    says="The first lot is worth {value} times the budget of the tender.",
)
def lot_to_budget(table: TenderTable) -> Floats:
    """Value of the lot that stands first over the tender's budget, both in one currency.

    As its share of the value, but of what is sure. Source: our own; OCDS `planning.budget`.
    """
    return over(first_lot(table), Amounts.of_budget(table))


@feature(
    stage="draft",
    theme="lots",
    unit="GBP",
    label="Largest contract",
    path="/tender/lots",
    also=("/tender/value", "/awards/0/value", "/contracts/0/value"),
    direction=1,
    says="The largest single contract is worth {value}.",
)
def largest_contract(table: TenderTable) -> Floats:
    """Value in pounds of the largest lot; with lots of unknown value, an equal share (so at least that much).

    Few suppliers can carry a very large contract, and few can replace them. Source: NAO on UnitingCare.
    """
    share = largest_lot_share(table)
    equal = 1 / np.fmax(lot_count(table), 1)
    return pounds(table) * np.where(np.isnan(share), equal, share)


@feature(
    stage="draft",
    theme="lots",
    unit="yes/no",
    label="One block, long and large",
    path="/tender/contractPeriod",
    also=(
        "/tender/value",
        "/tender/lots",
        "/tenderRisk/singleBlock",
        "/awards/0/contractPeriod",
        "/contracts/0/period",
    ),
    direction=1,
    says="One block of £500m or more for eight years or more.",
    says_not="Smaller or shorter than the very large contracts that tend to fail.",
    factor=FactorSpec(asks="block, term or value", sources=(MANCHESTER,)),
)
def long_large_block(table: TenderTable) -> Floats:
    """1 if one block, at least 8 years and at least £500m; 0 as soon as one of the three is known not to hold.

    Size, term and indivisibility together leave no way back. Source: the Manchester tender.
    """
    one, term, value = single_block(table), years(table), pounds(table)
    short, small = term < LONG_YEARS, value < LARGE_POUNDS
    unknown = np.isnan(one) | np.isnan(term) | np.isnan(value)
    return np.where((one == 0) | short | small, 0.0, np.where(unknown, np.nan, 1.0))


@feature(
    stage="draft",
    theme="lots",
    unit="yes/no",
    label="Reason for no lots",
    path="/tender/lotDetails/noLotsDivisionRationale",
    direction=1,
    says="The notice explains why there are no lots.",
)
def no_division_rationale(table: TenderTable) -> Floats:
    """1 if a single-block tender states why it was not divided; unknown otherwise, for most notices have no such field.

    Who must explain a single block chose it. Source: UK extension, `noLotsDivisionRationale`.
    """
    explained = table.text("no_lots_rationale").where(bool)
    return np.where(explained & (single_block(table) == 1), 1.0, np.nan)


@feature(
    stage="draft",
    theme="lots",
    unit="services",
    label="Service lines bundled",
    path="/tenderRisk/serviceLines",
    direction=1,
    says="{value} service lines are bundled.",
)
def service_lines(table: TenderTable) -> Floats:
    """Distinct service lines bundled in the scope, as stated.

    Every line brings its own staff, data and costs, and the price must hold for the sum. Source: NAO on UnitingCare.
    """
    return table.number("service_lines")


@feature(
    stage="draft",
    theme="lots",
    unit="divisions",
    label="Kinds of purchase",
    path="/tender/items",
    also=("/tender/classification",),
    says="The scope spans {value} CPV divisions.",
)
def cpv_divisions(table: TenderTable) -> Floats:
    """Distinct CPV divisions (first two digits) over the tender and its items.

    A scope over several markets has few suppliers that know all. Source: CPV, Regulation (EC) 213/2008.
    """
    return table.text("cpv_codes").numbers(lambda codes: len({code[:2] for code in codes}) or None)


@feature(
    stage="draft",
    theme="lots",
    unit="digits",
    label="Depth of the market code",
    path="/tender/items",
    also=("/tender/classification",),
    says="The CPV code is set to {value} digits.",
)
def market_depth(table: TenderTable) -> Floats:
    """Digits of the CPV code before its trailing noughts, of 8: the first item's code, else the tender's.

    A buyer that names the thing closely knows what it wants. Source: CPV, Regulation (EC) 213/2008.
    """
    return Categorical.pairs(table.text("cpv"), table.text("own_cpv")).numbers(_depth)


@factor(
    stage="draft",
    theme="lots",
    label="One block, with a reason given for it",
    path="/tender/lotDetails/noLotsDivisionRationale",
    also=("/tender/lots", "/tenderRisk/singleBlock"),
    says="The notice explains why the scope is not divided: one block was a choice.",
    says_not="The scope is divided into several lots or contracts.",
    asks="why the scope is not divided",
    sources=(f"{UK_EXTENSION}, noLotsDivisionRationale", f"{DIRECTIVE}, art. 46(1)"),
)
def block_by_choice(table: TenderTable) -> Floats:
    """1 for one block whose notice gives a reason, 0 if the scope is divided.

    Most notices have no such field, so one block without a reason is unknown. Source: UK extension of OCDS.
    """
    stated = table.text("no_lots_rationale").where(lambda reason: bool((reason or "").strip()))
    block = single_block(table)
    return np.where(stated | (block == 0), block, np.nan)


@factor(
    stage="draft",
    theme="lots",
    label="Many service lines bundled",
    path="/tenderRisk/serviceLines",
    says="Five service lines or more are bundled.",
    says_not="Fewer than five service lines are bundled.",
    asks="how many service lines are bundled",
    sources=(NAO_UNITINGCARE, MANCHESTER),
)
def many_service_lines(table: TenderTable) -> Floats:
    """1 for at least 5 distinct service lines. The threshold is ours. Source: the Manchester tender, which had five."""
    lines = service_lines(table)
    return yes_no(lines >= MANY_LINES, lines)


def _depth(codes: tuple[str | None, str | None]) -> float | None:
    """The digits of the first code that is a number, without its trailing noughts."""
    code = next((code[:8] for code in codes if code and code[:8].isdecimal()), "")
    return len(code.rstrip("0")) or None
