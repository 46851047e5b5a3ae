"""The worked examples of docs/architecture.md: applied to a copy of the tree, as few edits as it says, and they work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```\w+ file=(?P<file>\S+?)(?: after="(?P<after>[^"\n]*)")?\n(?P<lines>.*?)^```$', re.M | re.S)
MOST_EDITS = {"feature": 2, "fact": 3, "documented factor": 2, "register": 3, "output column": 2, "endpoint": 3}


class Edit(NamedTuple):
    """Lines for a file: at its end, or after a line."""

    file: str
    after: str | None
    lines: str


def sections() -> dict[str, list[Edit]]:
    """The edits of each example, by what it adds."""
    edits = {}
    for section in re.split(r"^### An? ", PAGE, flags=re.M)[1:]:
        name = next(name for name in MOST_EDITS if section.startswith(name))
        edits[name] = [Edit(match["file"], match["after"], match["lines"]) for match in BLOCK.finditer(section)]
    return edits


def apply(edit: Edit, tree: Path) -> None:
    """Makes one edit in a tree."""
    file = tree / edit.file
    if edit.after is None:
        text = file.read_text(encoding="utf-8") + "\n\n" if file.exists() else ""
        file.write_text(text + edit.lines, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines.count(f"{edit.after}\n") == 1, f"{edit.file} has not one line {edit.after!r}"
    place = lines.index(f"{edit.after}\n") + 1
    file.write_text("".join([*lines[:place], edit.lines, *lines[place:]]), encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their tests with every example applied; released bundles are linked."""
    copy = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "released")
    for folder in ("tenders", "features", "models", "portfolio", "training", "serving", "cli", "tests", "examples"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "models" / "released").symlink_to(ROOT / "models" / "released")
    for edits in sections().values():
        for edit in edits:
            apply(edit, copy)
    return copy


def test_every_kind_of_addition_has_an_example() -> None:
    assert sections().keys() == MOST_EDITS.keys()


@pytest.mark.parametrize("name", MOST_EDITS)
def test_an_addition_edits_few_files_and_one_of_them_is_a_test(name: str) -> None:
    files = [edit.file for edit in sections()[name]]
    assert len(set(files)) == len(files) <= MOST_EDITS[name]
    assert sum(file.startswith("tests/") for file in files) == 1


def test_every_example_works(tree: Path) -> None:
    tests = [edit for edits in sections().values() for edit in edits if edit.file.startswith("tests/")]
    names = [name for edit in tests for name in re.findall(r'^(?:def test_|    \(")(\w+)', edit.lines, re.M)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += [edit.file for edit in tests] + ["-k", " or ".join(names)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed and int(passed[1]) >= len(tests) == len(MOST_EDITS)


def test_the_page_names_what_there_is() -> None:
    import importlib

    walk = PAGE.split("## How to add things")[0]
    for name in re.findall(r"`((?:tenders|features|models|portfolio|training)(?:\.\w+)+)`", walk):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name
