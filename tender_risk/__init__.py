"""Tender Risk for Python: `import tender_risk`, and score tenders in a dictionary, a file or a pandas frame.

    model = tender_risk.load()
    model.score({"title": "Community care", "value": "£240m"})
    model.predict_proba(tender_risk.read("drafts.csv"))

What is listed in `__all__` is public and stays; everything else is internal. Names are imported when they are asked
for, so that `import tender_risk` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.score import Score
    from tender_risk.api import Model, load, outcomes, read
    from tender_risk.transformer import TenderFeatures

__all__ = ["Model", "Score", "TenderFeatures", "load", "outcomes", "read"]

_HOMES = {
    "Model": "tender_risk.api",
    "Score": "models.score",
    "TenderFeatures": "tender_risk.transformer",
    "load": "tender_risk.api",
    "outcomes": "tender_risk.api",
    "read": "tender_risk.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tender_risk' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
