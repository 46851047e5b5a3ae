"""What the scores of a portfolio rest on: of each register and stage how its model was judged and where it is weak."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import msgspec

from models.bundle import PICTURES, Bundle
from portfolio.expected import Validated, figures, validated

WEAK_AUC, WEAK_BEHIND, WEAK_ECE = 0.6, 0.03, 0.05
"""A group is called weak where the AUC is below the first or that much behind all cases, or the calibration error above
the last."""
_ENDING = "Kind of ending"
"""Groups by how a case ended are no groups that a tender can be told to be in."""


class Weak(msgspec.Struct, frozen=True, kw_only=True):
    """A group of a register's cases on which its model did badly: how many cases, AUC and calibration error."""

    name: str
    rows: str
    auc: float
    ece: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the scores of one register at one stage, of which the portfolio has `rows`.

    `told` is the bundle's own sentence. `auc` with its interval and `ece` are None where the bundle does not say.
    `picture` is its reliability diagram as a data URL, "" without one. `weak` is None where nothing is known of groups.
    """

    register: str
    stage: str
    rows: int
    told: str
    validated: Validated | None
    positives: int | None
    auc: tuple[float, float, float] | None
    ece: float | None
    picture: str
    weak: tuple[Weak, ...] | None


def evidence(bundle: Bundle, register: str, stage: str, rows: int, share: float) -> Evidence:
    """What the bundle holds on a register's scores at a stage; `share` (0 to 1) is what a worklist takes of all."""
    own = bundle.registers.get(register, bundle)
    metrics = bundle.manifest.metrics
    outcome, row = next(iter(figures(metrics, register, stage)), ("", {}))
    auc = (row.get("auc"), row.get("auc_low"), row.get("auc_high"))
    positives = row.get("positives")
    return Evidence(
        register=register,
        stage=stage,
        rows=rows,
        told=own.manifest.evidence,
        validated=validated(metrics, register, stage, share),
        positives=None if positives is None else int(positives),
        auc=None if auc[0] is None or auc[1] is None or auc[2] is None else (auc[0], auc[1], auc[2]),
        ece=row.get("ece"),
        picture=_picture(own),
        weak=weak(own.card, outcome, stage, auc[0]),
    )


def weak(card: str, outcome: str, stage: str, whole: float | None) -> tuple[Weak, ...] | None:
    """The weak groups that a model card's table tells of an outcome at a stage; None where it has no such table.

    `whole` is the AUC over all cases. Groups with too few cases for figures are left out, as the card leaves them.
    """
    table = _section(card, f"Results by group: {outcome} at {stage}")
    if table is None:
        return None
    groups = [each for each in map(_weak, table) if each]
    least = max(WEAK_AUC, (whole or 0.0) - WEAK_BEHIND)
    return tuple(each for each in groups if each.auc < least or each.ece > WEAK_ECE)


def _weak(cells: Sequence[str]) -> Weak | None:
    try:
        name, rows, _, _, auc, ece = cells
        return None if name.startswith(_ENDING) else Weak(name=name, rows=rows, auc=float(auc), ece=float(ece))
    except ValueError:
        return None


def _section(card: str, heading: str) -> list[list[str]] | None:
    """The rows of the table under a heading, without its head; None if there is none."""
    for section in re.split(r"^## ", card, flags=re.M):
        if section.startswith(heading + "\n"):
            lines = [line for line in section.splitlines() if line.startswith("|")]
            return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return None


def _picture(bundle: Bundle) -> str:
    found = next((bundle.pictures[name] for name in PICTURES if name in bundle.pictures), None)
    return "" if found is None else f"data:image/svg+xml;base64,{base64.b64encode(found).decode()}"
