"""The recipe: every number that training depends on, each with its reason. Recipes of registers are in `recipes/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
import tomli_w

from tenders.errors import DataError, UnreachableError

RECIPES = Path(__file__).parent / "recipes"
"""One file a register, `<register>.toml`, with the keys of `BoosterParams`."""

CASEBOOK_BINS = 32


class BoosterParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a booster is fitted. `tender-risk train` searches for them with `trials` in the recipe (docs/training.md)."""

    trees: int = 200
    depth: int = 4
    learning_rate: float = 0.05
    smallest_leaf: float = 8.0
    row_share: float = 0.7
    column_share: float = 0.3
    l2: float = 5.0
    bins: int = 64
    # Trees grown in each round, on different rows and columns: steadier where rows are few.
    parallel_trees: int = 1
    # Columns kept after a first fit on all of them, those with the highest gain; 0 keeps all.
    max_columns: int = 0
    # Half-life of a row's weight in days, 0 for none, and the maximum age of a row in years, 0 for any.
    half_life_days: int = 0
    years: int = 0
    # Workers of a Dask cluster that each fit on a share of the rows; 0 fits in this process.
    cluster_workers: int = 0
    # How much of the register's rate of the last year, in log-odds, the trees start from. With 0 they learn the level,
    # and it is that of all their years; with 1 it is that of the tender's day.
    level: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


@cache
def register_recipes() -> Mapping[str, BoosterParams]:
    """The parameters of each register that has a file in `RECIPES`."""
    return {
        file.stem: msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), BoosterParams)
        for file in sorted(RECIPES.glob("*.toml"))
    }


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How models are trained. The defaults are for a few hundred cases of which most facts are unknown."""

    seed: int = 7
    # Depth 1: deeper trees see which facts are known *together*, and in the casebook that tells how famous a case is
    # (tests/training/test_fit.py measures it).
    depth: int = 1
    trees: int = 60
    learning_rate: float = 0.08
    l2: float = 8.0
    smallest_leaf: float = 3.0
    # All rows in every tree: in a share of them the hidden facts would by chance depend on the row, and stumps would
    # learn that.
    row_share: float = 1.0
    column_share: float = 0.6
    # Copies of each row with different draws for its unknown facts, and the share of facts hidden at random in each.
    copies: int = 8
    hidden: float = 0.3
    # Numbers of trees that are tried beyond the pooled effects. They are grown only if they gain on groups held out.
    beyond: tuple[Annotated[int, msgspec.Meta(ge=1)], ...] = (20, 60)
    # The weight of a picked case beside a cohort case: it was chosen by how it ended.
    picked_weight: float = 0.3
    # n cases of one programme and buyer count n ** 0.5 together: they share part of their fate.
    sharing: float = 0.5
    # A feature enters with this many known values, so many of them other than the commonest.
    known_cases: int = 20
    other_cases: int = 5
    folds: int = 10
    repeats: int = 5
    resamples: int = 200
    # How many parameters to try for each outcome of a register before fitting it, and for how long a register.
    trials: Annotated[int, msgspec.Meta(ge=0)] = 0
    search_minutes: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    # How the models of registers are fitted, by register or by register/outcome. Others use `BoosterParams` as it is.
    registers: dict[str, BoosterParams] = msgspec.field(default_factory=lambda: dict(register_recipes()))

    @property
    def casebook_params(self) -> BoosterParams:
        """How the models of the casebook are fitted."""
        return BoosterParams(
            trees=self.trees,
            depth=self.depth,
            learning_rate=self.learning_rate,
            smallest_leaf=self.smallest_leaf,
            row_share=self.row_share,
            column_share=self.column_share,
            l2=self.l2,
            bins=CASEBOOK_BINS,
        )

    def register_params(self, register: str, outcome: str = "") -> BoosterParams:
        """How the model of a register's outcome is fitted."""
        return self.registers.get(f"{register}/{outcome}") or self.registers.get(register, BoosterParams())

    def with_params(self, params: Mapping[str, BoosterParams]) -> Recipe:
        """The recipe with the parameters that a search found, by register/outcome, and without a search."""
        return msgspec.structs.replace(self, trials=0, registers={**self.registers, **params})


def recipe_toml(recipe: Recipe) -> str:
    """The recipe as TOML that `read_recipe` reads back."""
    return tomli_w.dumps(msgspec.to_builtins(recipe))


def read_recipe(path: Path | None) -> Recipe:
    """The recipe of a TOML file, or the default. Raises DataError that names the wrong key, UnreachableError."""
    if path is None:
        return Recipe()
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Recipe)
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise DataError.at(str(path), str(error), "See docs/training.md for the keys of a recipe") from None
