"""A made history whose mapping declares columns to be features: an urgency, days that were estimated, and a text.

Each moves the outcome, and half of the calls leave the days empty. `reason` is filled only where a call was deserted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training import short_history

URGENCY = ("Normal", "Alta", "Muy alta")
WORDS = (
    "entrega inmediata con multa", "plazo amplio sin garantía", "visita obligatoria al terreno", "pago a treinta días",
)  # fmt: skip
LURES = {"Normal": -1.4, "Alta": 0.4, "Muy alta": 2.2}
WORD_LURES = (1.6, -1.2, 0.2, -0.4)
"""How much more often than others, in log-odds, a call with these words is deserted."""
COLUMNS = (*short_history.COLUMNS, "urgencia", "dias", "bases", "motivo")
FEATURES = """
[features.urgency]
kind = "category"
column = "urgencia"
label = "Urgency"

[features.estimated_days]
kind = "number"
column = "dias"

[features.terms]
kind = "text"
column = "bases"

[features.reason]
kind = "text"
column = "motivo"
"""
MAPPING = short_history.MAPPING + FEATURES


def rows(calls: int = 1500, seed: int = 3) -> list[tuple[str, ...]]:
    """The rows under COLUMNS."""
    rng = np.random.default_rng(seed)
    made = []
    for row in short_history.rows(calls=calls, copied_after=150, seed=seed):
        urgency, words = URGENCY[int(rng.choice(3, p=(0.6, 0.3, 0.1)))], int(rng.integers(len(WORDS)))
        days = int(rng.integers(1, 60))
        logit = -0.6 + LURES[urgency] + WORD_LURES[words] + 0.05 * (days - 30)
        deserted = bool(rng.random() < 1 / (1 + np.exp(-logit)))
        cells = dict(zip(short_history.COLUMNS, row, strict=True))
        cells |= {"estado": "Desierta" if deserted else "Adjudicada", "ofertas": "0" if deserted else "2"}
        reason = "sin ofertas" if deserted or rng.random() < 0.05 else ""
        made.append((*cells.values(), urgency, str(days) if rng.random() < 0.5 else "", WORDS[words], reason))
    return made


def write(directory: Path, mapping: str = MAPPING, **kwargs: int) -> Path:
    """Writes `calls.csv` and the mapping `own.toml` into a directory, and returns the directory."""
    return short_history.write_files(directory, [COLUMNS, *rows(**kwargs)], mapping)
