"""How the scope is divided: one block or lots, and how much hangs on the largest."""

from __future__ import annotations

import numpy as np

from features.by_column import by_column
from features.catalogue import feature
from features.table import Columns, Floats, floats, of_lots
from features.track_records.case_records import TrackRecord, cpv_codes
from features.value import amount_stated, over, pounds, years
from tenders.tender import Tender

LONG_YEARS, LARGE_POUNDS = 8.0, 500e6


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
)
@by_column
def single_block(columns: Columns) -> Floats:
    """1 if the whole scope is let as one contract, 0 if it is divided.

    One failure then takes everything with it, and few suppliers can bid for it all. The stated fact is used where
    no lots are listed. Source: the Cambridgeshire and Manchester tenders; Directive 2014/24/EU art. 46.
    """
    return np.where(columns.lots > 0, columns.lots == 1, columns.single_block)


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
@by_column
def lot_count(columns: Columns) -> Floats:
    """Lots in the tender; 1 where it is stated to be one block.

    More lots spread the risk and let smaller suppliers bid. Source: OECD checklist on SME participation.
    """
    return np.where(columns.lots > 0, columns.lots, np.where(columns.single_block == 1, 1.0, np.nan))


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
@by_column
def largest_lot_share(columns: Columns) -> Floats:
    """Value of the largest lot over the sum of all lots; 1 for one block, unknown unless every lot has a value.

    Ten lots of which one holds nine tenths is a block by another name. Source: our own.
    """
    owner, values = of_lots(columns), floats(columns.lot_values.amount)
    values[values == 0] = np.nan
    largest = np.full(len(columns), np.nan)
    np.fmax.at(largest, owner, values)
    whole = np.bincount(owner, values, len(columns))
    return np.where(single_block.column(columns) == 1, 1.0, largest / np.where(whole > 0, whole, np.nan))


@feature(
    stage="draft",
    theme="lots",
    unit="share",
    label="Share of the first lot",
    path="/tender/lots",
    says="The first lot holds {value} of the value.",
)
def lot_share(tender: Tender, track_record: TrackRecord) -> float | None:
    """Value of the lot that stands first over the sum of all lots; unknown unless all have a value in one currency.

    A case about one lot has it first: a small one beside large ones is passed over. Source: our own.
    """
    values = [lot.value for lot in tender.tender.lots]
    first = amount_stated(values[0]) if values else None
    total = over(values, values[0]) if first and all(map(amount_stated, values)) else None
    return 1 / total if total else None


@feature(
    stage="draft",
    theme="lots",
    unit="ratio",
    label="First lot to value",
    path="/tender/lots/0/value",
    also=("/tender/value",),
    says="The first lot is worth {value} times the value of the tender.",
)
def lot_to_value(tender: Tender, track_record: TrackRecord) -> float | None:
    """Value of the lot that stands first over the tender's value, both in one currency.

    The tender's value counts lots that are not listed, extensions and options as well: a small part of a large tender
    is passed over. Source: our own; OCDS `tender.value`.
    """
    return over([lot.value for lot in tender.tender.lots[:1]], tender.tender.value)


@feature(
    stage="draft",
    theme="lots",
    unit="ratio",
    label="First lot to budget",
    path="/tender/lots/0/value",
    also=("/planning/budget",),
    says="The first lot is worth {value} times the budget of the tender.",
)
def lot_to_budget(tender: Tender, track_record: TrackRecord) -> float | None:
    """Value of the lot that stands first over the tender's budget, both in one currency.

    As its share of the value, but of what is sure. Source: our own; OCDS `planning.budget`.
    """
    budget = tender.planning and tender.planning.budget
    return over([lot.value for lot in tender.tender.lots[:1]], budget.amount) if budget else None


@feature(
    stage="draft",
    theme="lots",
    unit="GBP",
    label="Largest contract",
    path="/tender/lots",
    also=("/tender/value",),
    direction=1,
    says="The largest single contract is worth {value}.",
)
@by_column
def largest_contract(columns: Columns) -> Floats:
    """Value in pounds of the largest lot; with lots of unknown value, an equal share (so at least that much).

    Few suppliers can carry a very large contract, and few can replace them. Source: NAO on UnitingCare.
    """
    share = largest_lot_share.column(columns)
    equal = 1 / np.fmax(lot_count.column(columns), 1)
    return pounds(columns) * np.where(np.isnan(share), equal, share)


@feature(
    stage="draft",
    theme="lots",
    unit="yes/no",
    label="One block, long and large",
    path="/tender/contractPeriod",
    also=("/tender/value", "/tender/lots", "/tenderRisk/singleBlock"),
    direction=1,
    says="One block of £500m or more for eight years or more.",
    says_not="Not one block of £500m or more for eight years or more.",
)
@by_column
def long_large_block(columns: Columns) -> Floats:
    """1 if one block, at least 8 years and at least £500m; 0 as soon as one of the three is known not to hold.

    Size, term and indivisibility together leave no way back. Source: the Manchester tender.
    """
    one, term, value = single_block.column(columns), years(columns), pounds(columns)
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
def no_division_rationale(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if a single-block tender states why it was not divided; unknown otherwise, for most notices have no such field.

    Where the duty to explain bites, the block was a choice. Source: UK extension, `noLotsDivisionRationale`.
    """
    details = tender.tender.lot_details
    stated = details is not None and bool(details.no_lots_division_rationale)
    return 1.0 if stated and single_block(tender, track_record) == 1 else None


@feature(
    stage="draft",
    theme="lots",
    unit="services",
    label="Service lines bundled",
    path="/tenderRisk/serviceLines",
    direction=1,
    says="{value} service lines are bundled.",
)
@by_column
def service_lines(columns: Columns) -> Floats:
    """Distinct service lines bundled in the scope, as stated.

    Every line brings its own staff, data and costs, and the price must hold for the sum. Source: NAO on UnitingCare.
    """
    return columns.service_lines


@feature(
    stage="draft",
    theme="lots",
    unit="divisions",
    label="Kinds of purchase",
    path="/tender/items",
    also=("/tender/classification",),
    says="The scope spans {value} CPV divisions.",
)
def cpv_divisions(tender: Tender, track_record: TrackRecord) -> float | None:
    """Distinct CPV divisions (first two digits) over the tender and its items.

    A scope over several markets has few suppliers that know all. Source: CPV, Regulation (EC) 213/2008.
    """
    codes = {code[:2] for code in cpv_codes(tender)}
    return float(len(codes)) if codes else None


@feature(
    stage="draft",
    theme="lots",
    unit="digits",
    label="Depth of the market code",
    path="/tender/items",
    also=("/tender/classification",),
    says="The CPV code is set to {value} digits.",
)
def market_depth(tender: Tender, track_record: TrackRecord) -> float | None:
    """Digits of the CPV code before its trailing noughts, of 8: the first item's code, else the tender's.

    A buyer that names the thing closely knows what it wants. Source: CPV, Regulation (EC) 213/2008.
    """
    given = (*(item.classification for item in tender.tender.items[:1]), tender.tender.classification)
    codes = (str(c.id)[:8] for c in given if c and c.id is not None and (c.scheme or "CPV").upper() == "CPV")
    digits = next((code.rstrip("0") for code in codes if code.isdecimal()), "")
    return float(len(digits)) if digits else None
