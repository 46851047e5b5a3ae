"""What can be scored and yet looks wrong: said as a warning, and not used."""

from __future__ import annotations

import numpy as np

from features.columns import Columns, floats

AMOUNT = "/tender/value: an amount without a currency cannot be compared, so it is not used"


def remarks(columns: Columns) -> list[tuple[str, ...]]:
    """What is remarked of each tender: nothing, nearly always."""
    found: dict[int, list[str]] = {}
    for name, period in (
        ("tenderPeriod", columns.tender_period),
        ("enquiryPeriod", columns.enquiry_period),
        ("contractPeriod", columns.contract_period),
    ):
        for place in np.flatnonzero(period.between < 0).tolist():
            found.setdefault(place, []).append(f"/tender/{name}: ends before it starts, so it is not used")
    stated = np.flatnonzero(~np.isnan(floats(columns.value.amount))).tolist()
    for place in stated:
        if columns.value.currency[place] is None:
            found.setdefault(place, []).append(AMOUNT)
    return [tuple(found.get(place, ())) for place in range(len(columns))]
