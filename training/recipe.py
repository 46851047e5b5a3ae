"""The recipe: every number that training depends on, in one place, each with its reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from tenders.errors import DataError, UnreachableError


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
