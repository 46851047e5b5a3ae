"""What can be scored and yet looks wrong: said as a warning, and not used."""

from __future__ import annotations

import numpy as np

from features.table import Columns

AMOUNT = "/tender/value: an amount without a currency cannot be compared, so it is not used"


def remarks(columns: Columns) -> dict[int, tuple[str, ...]]:
    """What is remarked of tenders, by their places: of nearly all of them nothing."""
    found: dict[int, tuple[str, ...]] = {}
    for name, period in (
        ("tenderPeriod", columns.tender_period),
        ("enquiryPeriod", columns.enquiry_period),
        ("contractPeriod", columns.contract_period),
    ):
        for place in np.flatnonzero(period.between < 0).tolist():
            found[place] = (*found.get(place, ()), f"/tender/{name}: ends before it starts, so it is not used")
    uncounted = columns.value.currency.where(lambda currency: currency is None)
    for place in np.flatnonzero(uncounted & ~np.isnan(columns.value.amount)).tolist():
        found[place] = (*found.get(place, ()), AMOUNT)
    return found
