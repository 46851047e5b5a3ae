"""`make demo` installs what serving needs: a lock that is part of the whole one, and that brings nothing of training."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def pinned(name: str) -> dict[str, str]:
    """The packages of a lock file with their versions."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / name).read_text(), re.M))


def declared(requirements: list[str]) -> set[str]:
    """The names of declared requirements."""
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}


def test_the_lock_for_serving_is_part_of_the_whole_one() -> None:
    serving, everything = pinned("requirements.serving.lock"), pinned("requirements.lock")
    assert serving.items() <= everything.items()


def test_the_lock_for_serving_has_what_serving_needs_and_nothing_of_training() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    serving = pinned("requirements.serving.lock").keys()
    # The service does without pandas; the public face for Python needs it.
    assert declared(project["dependencies"]) - {"pandas"} == declared(project["dependencies"]) & serving
    others = set[str]().union(
        *(declared(project["optional-dependencies"][name]) for name in ("training", "cluster", "remote", "checks"))
    )
    # XGBoost brings SciPy and BentoML tomli-w; this checkout is installed with setuptools.
    assert others & serving == {"setuptools", "scipy", "tomli-w"}


def test_no_lock_names_an_index() -> None:
    for name in ("requirements.lock", "requirements.serving.lock"):
        assert "://" not in (ROOT / name).read_text()


def test_the_demo_installs_the_lock_for_serving_and_says_how_much_that_is(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements.serving.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shown = {
        target: subprocess.run(
            ["make", "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for target in ("demo", "setup")
    }
    assert "-r requirements.serving.lock" in shown["demo"] and "-r requirements.lock" not in shown["demo"]
    assert "MB to download" in shown["demo"]
    assert "-r requirements.lock" in shown["setup"]
