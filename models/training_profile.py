"""The reference: what the rows that a model learnt from looked like, for telling later whether tenders have moved.

`reference.json` in a bundle's directory. It holds shares and quantiles, no rows: how often each feature was unknown and
how its known values lay, how the probabilities lay on cases that the model had not seen, and how often each code came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.attributes import market, where, worth
from tenders.tender import Tender

LEVELS: tuple[float, ...] = tuple(step / 20 for step in range(21))
"""The levels of all quantiles: 0, 5, … 100 %."""
MOST_CODES = 300
"""Codes of one kind that are kept, the commonest: beyond them one more or less tells nothing."""
CODES = ("procurement_method", "category", "cpv_division", "region", "currency")


class Spread(msgspec.Struct, frozen=True):
    """One feature: the share of rows in which it was unknown, and the `LEVELS` of its known values, lowest first.

    `quantiles` is empty where it was never known.
    """

    unknown: float
    quantiles: tuple[float, ...]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of the last year that a bundle learnt from; all of them, where a year holds few.

    `rows` counts them, `first` and `last` are the days (ISO) of their publication. `features` and `scores` go by
    `{outcome}-{stage}`: a spread a feature, as the model saw it at that stage, and the `LEVELS` of the calibrated
    probability (0 to 1) of cases that it had not seen. `codes` has, for each of `CODES`, the share of each code among
    the rows that state one.
    """

    rows: int
    first: str
    last: str
    features: dict[str, dict[str, Spread]]
    scores: dict[str, tuple[float, ...]]
    codes: dict[str, dict[str, float]]


def spread(values: NDArray[np.floating]) -> Spread:
    """The spread of one feature over rows, shape (rows,), NaN for unknown."""
    unknown = np.isnan(values)
    return Spread(unknown=_rounded(float(unknown.mean())) if len(values) else 1.0, quantiles=levels(values[~unknown]))


def levels(values: NDArray[np.floating]) -> tuple[float, ...]:
    """The quantiles of known values at `LEVELS`; none of none."""
    if not len(values):
        return ()
    return tuple(_rounded(float(each)) for each in np.quantile(values.astype(np.float64), LEVELS))


def shares(tenders: Iterable[Tender]) -> dict[str, dict[str, float]]:
    """For each of `CODES` the share of each code among the tenders that state one, the commonest first."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in CODES}
    for tender in tenders:
        for name, code in codes_of(tender).items():
            if code is not None:
                counts[name][code] += 1
    return {name: _shares(counted) for name, counted in counts.items()}


def codes_of(tender: Tender) -> dict[str, str | None]:
    """The code of a tender for each of `CODES`: of its lot, else of the whole; None where none is stated."""
    procedure, value = tender.tender, worth(tender)
    sector = market(tender)[-1]
    return {
        "procurement_method": procedure.procurement_method or procedure.procurement_method_details,
        "category": procedure.main_procurement_category,
        "cpv_division": sector if sector and sector.isdigit() else None,
        "region": where(tender)[0],
        "currency": value.currency if value else None,
    }


def _shares(counted: Counter[str]) -> dict[str, float]:
    stated = counted.total()
    # Equal counts by name, so that the order of the rows does not show.
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_CODES]
    return {code: _rounded(count / stated) for code, count in common}


def _rounded(number: float) -> float:
    """Six significant digits: what float32 holds for sure, and short to write."""
    return float(f"{number:.6g}")
