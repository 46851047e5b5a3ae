"""The recipe: every number that training depends on, in one place, each with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from tenders.errors import DataError, UnreachableError


class Boost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a register's model is fitted. Found by `tender-risk train` with `trials` in the recipe (docs/training.md)."""

    trees: int = 200
    depth: int = 4
    learning_rate: float = 0.05
    smallest_leaf: float = 8.0
    row_share: float = 0.7
    column_share: float = 0.3
    l2: float = 5.0
    bins: int = 64
    # Trees grown side by side on other rows and columns in each round: steadier where rows are few.
    side_by_side: int = 1
    # Columns kept after a first fit on all of them, by gain; 0 keeps all.
    widest: int = 0
    # Half-life of a row's weight in days, 0 for never, and the age in years of the oldest that is used, 0 for any.
    half_life_days: int = 0
    years: int = 0
    # Workers of a Dask cluster that each fit on a share of the rows (training/shares.py); 0 fits in this process.
    shares: int = 0
    # How much of the register's rate of the last year, in log-odds, the trees start from: with 0 the level is theirs
    # to learn, and is that of all their years; with 1 it is that of the tender's day.
    level: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


FOUND: Mapping[str, Boost] = {
    "sicoes_bo": Boost(depth=6, smallest_leaf=80, column_share=0.2, widest=80, half_life_days=900, years=6, level=1),
    "placsp_es": Boost(depth=4, learning_rate=0.03, trees=400, smallest_leaf=3),
    "dncp_py": Boost(depth=3, learning_rate=0.03, trees=150, smallest_leaf=1, column_share=0.4, l2=10),
    "nicgep_in": Boost(depth=4, learning_rate=0.03, trees=350, half_life_days=900, side_by_side=4),
    "fpds_dod_us": Boost(
        depth=3, learning_rate=0.03, trees=250, smallest_leaf=1, column_share=0.25, l2=10, side_by_side=4
    ),
    "ted_de": Boost(
        depth=6, trees=150, smallest_leaf=10, row_share=0.8, column_share=0.4, half_life_days=1095, side_by_side=4
    ),
}
"""What was found to forecast each register best, on windows before its last. TED's number of trees was chosen on its
last four windows, the judged ones among them, and PLACSP's on other folds of the buyers that are judged."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How models are trained. The defaults are for a few hundred cases of which most facts are unknown."""

    seed: int = 7
    # Depth 1: deeper trees see which facts are known *together*, and in the casebook that tells of fame
    # (tests/training/test_fit.py measures it).
    depth: int = 1
    trees: int = 60
    learning_rate: float = 0.08
    l2: float = 8.0
    smallest_leaf: float = 3.0
    # All rows in every tree: a share of them would tell by chance who hides what, and stumps would learn it.
    row_share: float = 1.0
    column_share: float = 0.6
    # Copies of each row with other draws for its unknowns, and the share of facts hidden at random in each.
    copies: int = 8
    hidden: float = 0.3
    # The share of the cases' own outcomes in what the trees of failure are grown on; the rest is what the directions
    # of their facts let expect. What is learnt of one programme's outcomes misleads about another's (docs/training.md).
    learnt: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    # What a picked case counts beside a cohort case: it was chosen by how it ended.
    picked_weight: float = 0.3
    # Cases of one programme and buyer count n ** 0.5 together: they share fate, but not all of it.
    sharing: float = 0.5
    # A feature enters with this many known values, so many of them other than the commonest.
    known_cases: int = 20
    other_cases: int = 5
    folds: int = 10
    repeats: int = 5
    resamples: int = 200
    # How many `Boost`s to try for each register's outcome before it is learnt, and for how long for a whole register.
    trials: Annotated[int, msgspec.Meta(ge=0)] = 0
    search_minutes: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    # How each register's model is fitted, where it is not as `Boost` says: by register, or by register/outcome.
    registers: dict[str, Boost] = msgspec.field(default_factory=lambda: dict(FOUND))

    def boost(self, register: str, outcome: str = "") -> Boost:
        """How the model of a register's outcome is fitted."""
        return self.registers.get(f"{register}/{outcome}") or self.registers.get(register, Boost())

    def settled(self, found: Mapping[str, Boost]) -> Recipe:
        """The recipe that fits without a search as this one does after it."""
        return msgspec.structs.replace(self, trials=0, registers={**self.registers, **found})


def written(recipe: Recipe) -> str:
    """The recipe as TOML that `read` reads back."""
    given = msgspec.structs.asdict(recipe)
    boosts = given.pop("registers")
    lines = [f"{name} = {value}" for name, value in given.items()]
    for name, boost in boosts.items():
        lines += ["", f'[registers."{name}"]']
        lines += [f"{key} = {value}" for key, value in msgspec.structs.asdict(boost).items()]
    return "\n".join(lines) + "\n"


def read(path: Path | None) -> Recipe:
    """The recipe of a TOML file, or the default. Raises DataError that names the wrong key, UnreachableError."""
    if path is None:
        return Recipe()
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Recipe)
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror}. Check the name") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise DataError.at(str(path), str(error), "See docs/training.md for the keys of a recipe") from None
