"""What a training run knows of itself: the bundle, and every figure that it was judged by."""

from __future__ import annotations

import math

import msgspec

from models.bundle import Bundle
from tenders.facts import Stage
from training.recipe import Recipe
from training.registers import Registers
from training.validate import Figures, Floats, Table


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """One model with its figures, baselines beside it, and what validation saw (for the curves)."""

    table: Table
    model: dict[str, Figures]
    baselines: dict[str, dict[str, Figures]]
    margin: Floats
    p: Floats


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A trained bundle and everything known about it.

    `failure` has the headline's figures by stage and kind of row, `headline` what they are the figures of; `cases`
    names the casebook's rows.
    """

    bundle: Bundle
    trained: dict[tuple[str, Stage], Trained]
    failure: dict[Stage, dict[str, Figures]]
    recipe: Recipe
    headline: dict[Stage, Trained] = {}
    cases: tuple[str, ...] = ()
    registers: Registers | None = None


def flat(each: Figures) -> dict[str, float | None]:
    """Figures with the interval as two numbers, and NaN as None: JSON has no other word for it."""
    values = msgspec.structs.asdict(each)
    values["auc_low"], values["auc_high"] = values.pop("auc_ci")
    return {name: None if value is None or math.isnan(value) else float(value) for name, value in values.items()}
