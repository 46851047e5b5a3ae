"""The architecture holds: imports point left, heavy libraries stay at home, nothing unsafe, names that mean one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.every import for_every

ROOT = Path(__file__).parents[1]
# tenders → features → models → portfolio | training → serving → cli → tender_risk
MAY_IMPORT = {
    "tenders": set(),
    "features": {"tenders"},
    "models": {"tenders", "features"},
    "portfolio": {"tenders", "features", "models"},
    "training": {"tenders", "features", "models"},
    "serving": {"tenders", "features", "models", "portfolio"},
    "cli": {"tenders", "features", "models", "portfolio", "training", "serving"},
    # The public face: nothing of ours imports it.
    "tender_risk": {"tenders", "features", "models", "portfolio", "training", "cli"},
}
AT_HOME = {
    "mlflow": {"training"},
    "bentoml": {"serving"},
    "starlette": {"serving"},
    "sklearn": {"training", "tender_risk"},
    "pandas": {"training", "tender_risk"},
    "typer": {"cli"},
}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}

FILES = sorted(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
each_file = for_every(dict(zip(NAMES, FILES, strict=True)))


@cache
def parsed(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Every module that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the direction"
            assert node.module
            names.append(node.module)
    return tuple(names)


@cache
def calls(file: Path) -> frozenset[str]:
    """The name of everything that a file calls: `f` or `module.f`."""
    return frozenset(ast.unparse(node.func) for node in ast.walk(parsed(file)) if isinstance(node, ast.Call))


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes at the top of a file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def home(file: Path) -> str:
    """The package that a file belongs to."""
    return file.relative_to(ROOT).parts[0]


def test_all_packages_are_there() -> None:
    assert {home(file) for file in FILES} == set(MAY_IMPORT)


@each_file
def test_imports_point_left(file: Path) -> None:
    ours = {name.split(".")[0] for name in imports(file)} & set(MAY_IMPORT)
    assert ours <= MAY_IMPORT[home(file)] | {home(file)}


@each_file
def test_heavy_libraries_stay_at_home(file: Path) -> None:
    for name in imports(file):
        library = name.split(".")[0]
        assert home(file) in AT_HOME.get(library, {home(file)}), name


def test_one_module_alone_talks_to_mlflow() -> None:
    assert [str(f.relative_to(ROOT)) for f in FILES if any(n.split(".")[0] == "mlflow" for n in imports(f))] == [
        "training/tracking.py"
    ]


@each_file
def test_nothing_unpickles_or_evaluates(file: Path) -> None:
    assert UNSAFE_MODULES.isdisjoint(name.split(".")[0] for name in imports(file))
    assert UNSAFE_CALLS.isdisjoint(calls(file))


@each_file
def test_yaml_is_read_by_a_safe_loader_that_is_named(file: Path) -> None:
    assert {"yaml.unsafe_load", "yaml.full_load"}.isdisjoint(calls(file))
    if {"yaml.load", "yaml.load_all", "yaml.parse"}.isdisjoint(calls(file)):
        return
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("yaml.load", "yaml.load_all", "yaml.parse"):
            loaders = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "Loader"]
            assert loaders and "Unsafe" not in loaders[0] and "Full" not in loaders[0]


def test_the_loader_of_yaml_is_safe() -> None:
    import yaml

    from tenders.io.text import _TextLoader

    assert issubclass(_TextLoader, yaml.CSafeLoader)


LONGEST_FILE, MOST_FILES = 500, 260
"""170 before the registers of the UK, the identity of organisations and the evidence for factors came in; 180 before what
publishers really publish was read: one subject a module, such as how contracts end, what sentences say, reused ocids.
200 before worklists took reviews, look-alikes counted words, and the transparency record came in. 205 before the service changed
its bundle while it runs, said whether it is ready, and kept signatures, limits and an audit trail. 215 before short histories were
learnt beside the served models, and the API had a page. 220 before the public face, `tender_risk`; 240 before services were checked
and deployed. 250 before a challenger scored in the shadow, portfolios were computed again, and boosters had a process to be tried in.
"""


@each_file
def test_no_file_is_long(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_there_are_few_enough_files_to_know_them() -> None:
    scripts = [*(ROOT / "docs").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert len(FILES) + len(scripts) <= MOST_FILES


def modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}


def imported(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports, anywhere in it."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names} & set(known)
            yield from names or {node.module} & set(known)
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & set(known)


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    # A package's own page imports its modules, and they do not import it.
    graph = {name: set(imported(file, known)) - {name} for name, file in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_a_public_class_name_means_one_thing() -> None:
    defined = defaultdict(list)
    for file in FILES:
        for node in public(parsed(file)):
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in defined.items() if len(files) > 1} == {}


REGISTERS = re.compile(r"(?i)\b(?:sicoes|placsp|dncp|nicgep|fpds)|\bted_de\b")


@each_file
def test_a_register_is_named_in_its_own_module_alone(file: Path) -> None:
    if file.is_relative_to(ROOT / "tenders" / "registers"):
        return
    assert [line for line in file.read_text(encoding="utf-8").splitlines() if REGISTERS.search(line)] == []


PUZZLES = {"told", "said", "found", "each", "asked"}
"""What a value went through is no name for it: a name is a plain noun of the field."""


def bound(tree: ast.Module) -> Iterator[str]:
    """Every name that a file gives to something, without leading underscores."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr).lstrip("_")
        elif isinstance(node, ast.arg):
            yield node.arg.lstrip("_")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name.lstrip("_")
        elif isinstance(node, ast.alias | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            yield ((node.asname if isinstance(node, ast.alias) else node.name) or "").lstrip("_")


def test_a_name_says_what_a_thing_is() -> None:
    folders = [*MAY_IMPORT, "benchmarks", "docs", "examples", "tests"]
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > len(FILES)
    named = {
        str(file.relative_to(ROOT)): PUZZLES.intersection(bound(ast.parse(file.read_text(encoding="utf-8"))))
        for file in files
    }
    assert {file: names for file, names in named.items() if names} == {}


# What a docstring would only repeat: OCDS objects, whose reference is OCDS itself.
OCDS = ROOT / "tenders" / "tender.py"


@each_file
def test_every_file_and_every_public_function_and_class_says_what_it_is(file: Path) -> None:
    tree = parsed(file)
    assert ast.get_docstring(tree), "the module"
    if file != OCDS:
        assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []


@each_file
def test_no_drawer_for_odds_and_ends(file: Path) -> None:
    assert file.stem not in {"utils", "util", "helpers", "misc", "common", "base"}


@each_file
def test_nothing_is_left_for_later(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not any(mark in text for mark in ("TODO", "FIXME", "XXX"))


def test_no_released_file_is_a_pickle() -> None:
    for file in (ROOT / "models" / "released").rglob("*"):
        if file.is_file():
            assert file.suffix not in {".pkl", ".pickle", ".joblib"}
            assert not file.read_bytes().startswith(b"\x80\x04")
