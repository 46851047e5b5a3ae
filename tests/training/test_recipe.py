"""Recipes: read from TOML and written back, wrong keys refused by name, one file for each register."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenders import registers
from tenders.errors import DataError, UnreachableError
from training.recipe import RECIPES, BoosterParams, Recipe, read_recipe, recipe_toml, register_recipes


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text("trees = 3\nhidden = 0.5\n")
    assert read_recipe(file) == Recipe(trees=3, hidden=0.5)
    assert read_recipe(None) == Recipe()


@pytest.mark.parametrize("text", ["tress = 3", 'trees = "many"', "trees =", "\x00", "[trees]\nx = 1"])
def test_a_recipe_that_is_wrong_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(DataError, match=r"recipe\.toml"):
        read_recipe(file)


def test_a_recipe_that_is_not_there_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Check the name"):
        read_recipe(tmp_path / "none.toml")


def test_a_recipe_reads_back_as_it_was_written(tmp_path: Path) -> None:
    given = Recipe(trees=3).with_params({"made/no_award": BoosterParams(depth=7, learning_rate=0.0123)})
    (tmp_path / "recipe.toml").write_text(recipe_toml(given))
    assert read_recipe(tmp_path / "recipe.toml") == given
    assert given.register_params("made", "no_award").depth == 7
    assert given.register_params("made", "single_bid") == BoosterParams()
    assert given.register_params("sicoes_bo", "no_award") == Recipe().register_params("sicoes_bo")


def test_every_recipe_of_a_register_is_of_a_register_that_can_be_read() -> None:
    assert set(register_recipes()) == {file.stem for file in RECIPES.iterdir()}
    assert set(register_recipes()) <= set(registers.register_names())
    assert Recipe().registers == register_recipes()
