"""Scored portfolios that tests start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from portfolio.columns import OUTPUT_SCHEMA

BASE: Mapping[str, Any] = {
    "file": "tenders.jsonl", "line": 1, "place": "", "ocid": None, "title": "Community nursing", "buyer": None,
    "category": "services", "region": "UKH", "published": date(2026, 3, 1), "value_gbp": None, "register": "uk",
    "stage": "draft", "failure": 0.2, "low": 0.1, "high": 0.3, "band": "typical", "base_rate": 0.2, "no_award": 0.05,
    "early_end": 0.15, "single_bid": None, "reasons": None, "unknown": "", "warnings": "", "bundle": "2026.11.1",
}  # fmt: skip


def table(*rows: Mapping[str, Any]) -> pa.Table:
    """A row for each mapping, which replaces what it names; each has a line and an ocid of its own unless it says."""
    numbered = [{**BASE, "line": at, "ocid": f"ocds-made-{at}", **row} for at, row in enumerate(rows, start=1)]
    return pa.Table.from_pylist(numbered, schema=OUTPUT_SCHEMA)


def portfolio(rows: int, seed: int = 0) -> pa.Table:
    """Many tenders of some buyers, regions and years; one in five has no value, one in twenty no buyer."""
    made = np.random.default_rng(seed)
    failure = np.round(made.beta(2, 7, rows), 4)
    valued, named = made.random(rows) > 0.2, made.random(rows) > 0.05
    value = np.round(10 ** made.uniform(4, 9, rows), 2)
    buyer = made.zipf(1.4, rows) % 400
    return pa.Table.from_pydict(
        {
            **{name: [BASE.get(name)] * rows for name in OUTPUT_SCHEMA.names},
            "line": range(1, rows + 1),
            "ocid": [f"ocds-made-{at}" for at in range(rows)],
            "buyer": [f"Buyer {at}" if known else None for at, known in zip(buyer, named, strict=True)],
            "category": made.choice(["goods", "works", "services"], rows).tolist(),
            "region": made.choice(["UKC", "UKD", "UKE", "UKF", None], rows).tolist(),
            "published": [date(2021 + int(year), 6, 1) for year in made.integers(0, 5, rows)],
            "value_gbp": [float(amount) if known else None for amount, known in zip(value, valued, strict=True)],
            "failure": failure,
            "low": failure * 0.6,
            "high": np.minimum(failure * 1.5, 1),
            "band": [
                "low" if p < 0.15 else "typical" if p < 0.3 else "high" if p < 0.5 else "very high" for p in failure
            ],
        },
        schema=OUTPUT_SCHEMA,
    )


def ocids(rows: pa.Table) -> Sequence[str]:
    """The ocids of a table in its order."""
    names: list[str] = rows["ocid"].to_pylist()
    return names
