"""The training profile: what the rows that a model learnt from looked like, for `models.drift` to compare with.

`reference.json` in a bundle's directory. It holds shares and quantiles, no rows: how often each feature was unknown,
how its known values were distributed, how the probabilities were distributed on cases that the model had not seen, and
how often each code occurred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.attributes import market, place, worth
from tenders.tender import Tender

LEVELS: tuple[float, ...] = tuple(step / 20 for step in range(21))
"""The levels of all quantiles: 0, 5, … 100 %."""
MAX_CODES = 300
"""Codes of one kind that are kept, the commonest first. Rarer codes say nothing about drift."""
CODES = ("procurement_method", "category", "cpv_division", "region", "currency")


class FeatureQuantiles(msgspec.Struct, frozen=True):
    """One feature: the share of rows in which it was unknown, and the quantiles of its known values at `LEVELS`.

    `quantiles` is empty if the feature was never known.
    """

    unknown: float
    quantiles: tuple[float, ...]


class TrainingProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of the last year that a bundle learnt from, or all of its rows if that year holds few.

    `rows` counts them, `first` and `last` are the days (ISO) of their publication. `features` and `scores` go by
    `{outcome}-{stage}`: the quantiles of each feature as the model saw it at that stage, and the quantiles at `LEVELS`
    of the calibrated probability (0 to 1) of cases that the model had not seen. `codes` has, for each of `CODES`, the
    share of each code among the rows that state one.
    """

    rows: int
    first: str
    last: str
    features: dict[str, dict[str, FeatureQuantiles]]
    scores: dict[str, tuple[float, ...]]
    codes: dict[str, dict[str, float]]


def feature_quantiles(values: NDArray[np.floating]) -> FeatureQuantiles:
    """The quantiles of one feature over rows, shape (rows,), NaN for unknown."""
    unknown = np.isnan(values)
    share = _rounded(float(unknown.mean())) if len(values) else 1.0
    return FeatureQuantiles(unknown=share, quantiles=quantiles(values[~unknown]))


def quantiles(values: NDArray[np.floating]) -> tuple[float, ...]:
    """The quantiles of known values at `LEVELS`; empty without values."""
    if not len(values):
        return ()
    return tuple(_rounded(float(value)) for value in np.quantile(values.astype(np.float64), LEVELS))


def code_shares(tenders: Iterable[Tender]) -> dict[str, dict[str, float]]:
    """For each of `CODES` the share of each code among the tenders that state one, the commonest first."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in CODES}
    for tender in tenders:
        for name, code in codes_of(tender).items():
            if code is not None:
                counts[name][code] += 1
    return {name: _shares(counter) for name, counter in counts.items()}


def codes_of(tender: Tender) -> dict[str, str | None]:
    """The code of a tender for each of `CODES`: of its lot, else of the whole; None if none is stated."""
    procedure, value = tender.tender, worth(tender)
    sector = market(tender)[-1]
    return {
        "procurement_method": procedure.procurement_method or procedure.procurement_method_details,
        "category": procedure.main_procurement_category,
        "cpv_division": sector if sector and sector.isdigit() else None,
        "region": place(tender)[0],
        "currency": value.currency if value else None,
    }


def _shares(counter: Counter[str]) -> dict[str, float]:
    total = counter.total()
    # Equal counts go by name, so that the order of the rows changes nothing.
    common = sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:MAX_CODES]
    return {code: _rounded(count / total) for code, count in common}


def _rounded(number: float) -> float:
    """Six significant digits: what float32 holds for sure, and short to write."""
    return float(f"{number:.6g}")
