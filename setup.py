"""Builds the wheel: what is a folder at the top of the repository is a package inside `tender_risk`.

Users have packages of their own that are called `models`, `features` or `serving`. So an installed Tender Risk takes
one name alone: `models/` becomes `tender_risk/models/`, and its modules import each other by that name. The checkout,
an editable install and the bento use the tree as it is.

What is rewritten: absolute imports of our packages, and texts that are the dotted name of one of our modules. All else
that could name a module ends the build.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

INNER = ("tenders", "features", "models", "portfolio", "training", "serving", "cli")
OUTER = "tender_risk"


class BuildInside(build_py):
    """Copies the packages as ever, then moves them into `tender_risk`."""

    def run(self) -> None:
        """Builds; an editable install stays as it is."""
        super().run()
        if self.editable_mode:
            return
        home = Path(self.build_lib)
        modules = {".".join(file.relative_to(home).with_suffix("").parts) for file in home.rglob("*.py")}
        for name in INNER:
            shutil.rmtree(home / OUTER / name, ignore_errors=True)
            (home / name).rename(home / OUTER / name)
        for file in (home / OUTER).rglob("*.py"):
            file.write_text(moved(file.read_text(encoding="utf-8"), modules, str(file)), encoding="utf-8")


def moved(source: str, modules: set[str], where: str = "") -> str:
    """The source of a module whose imports name our packages inside `tender_risk`.

    Raises ValueError for what cannot be rewritten by its place alone.
    """
    lines = source.splitlines(keepends=True)
    edits = [edit for node in ast.walk(ast.parse(source)) for edit in _edits(node, modules, where)]
    for line, column, before in sorted(edits, reverse=True):
        text = lines[line - 1]
        # Columns are counted in bytes.
        start = len(text.encode()[:column].decode())
        if text.find(before, start) < 0:
            raise ValueError(f"{where}:{line}: {before} does not stand on its line")
        lines[line - 1] = text[:start] + text[start:].replace(before, f"{OUTER}.{before}", 1)
    return "".join(lines)


def _edits(node: ast.AST, modules: set[str], where: str) -> Iterator[tuple[int, int, str]]:
    """The line and column from which on a name of ours has to be moved, and the name."""
    if isinstance(node, ast.ImportFrom) and not node.level and _is_ours(node.module or ""):
        yield node.lineno, node.col_offset, node.module or ""
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if _is_ours(alias.name) and not alias.asname:
                raise ValueError(f"{where}:{node.lineno}: write 'from ... import', or give {alias.name} a name")
            if _is_ours(alias.name):
                yield alias.lineno, alias.col_offset, alias.name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_ours(node.value):
        module = node.value.partition(":")[0]
        if "." in module and (module in modules or f"{module}.__init__" in modules):
            yield node.lineno, node.col_offset, node.value


def _is_ours(name: str) -> bool:
    return name.replace(":", ".").split(".")[0] in INNER


setup(cmdclass={"build_py": BuildInside})
