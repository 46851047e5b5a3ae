"""Installed beside a user's own packages of the same names, the public face, the command and the workers still work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INNER = ("tenders", "features", "models", "portfolio", "training", "serving", "cli")
SCRIPT = """
import models, features, serving
assert models.WHOSE == features.WHOSE == serving.WHOSE == "the user's"
import tender_risk
import pandas as pd
assert "site" in tender_risk.__file__, tender_risk.__file__
model = tender_risk.load()
frame = pd.DataFrame({"title": ["Care", "Road"], "value": ["£240m", 12e6]}, index=["a", "b"])
probabilities = model.predict_proba(frame)
assert probabilities.loc["a"].failure == model.score(frame.loc["a"]).failure
assert len(model.explain(frame)) and tender_risk.TenderFeatures().fit_transform(frame).shape[0] == 2
from tender_risk.pyfunc import _load_pyfunc
from tender_risk.tenders.child_process import child_environment
from tender_risk.serving.service import TenderRisk
from tender_risk.training import tracking
import sys
assert not [name for name in sys.modules if name.split(".")[0] in ("tenders", "portfolio", "training", "cli")]
assert models.WHOSE == "the user's"
print(probabilities.failure.to_list())
"""


def run(*command: str, path: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `site`, where the wheel is unpacked, and `mine`, with packages of a user's own."""
    home = tmp_path_factory.mktemp("wheel")
    source = home / "source"
    served = (ROOT / "models" / "released" / "current").read_text().strip()

    def left_out(folder: str, names: list[str]) -> set[str]:
        others = (
            {name for name in names if name[:1].isdigit() and name != served} if folder.endswith("released") else set()
        )
        return others | {"__pycache__"}

    for name in (*INNER, "tender_risk"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-index",
    ]
    run(
        *command, "--no-build-isolation", "--no-compile", "--target", str(home / "site"), str(source), path="", cwd=home
    )
    for name in ("models", "features", "serving"):
        (home / "mine" / name).mkdir(parents=True)
        (home / "mine" / name / "__init__.py").write_text('WHOSE = "the user\'s"\n')
    return home


def test_it_takes_one_name(installed: Path) -> None:
    there = {path.name for path in (installed / "site").iterdir()} - {"bin"}
    assert {name for name in there if not name.endswith(".dist-info")} == {"tender_risk"}
    assert {path.name for path in (installed / "site" / "tender_risk").iterdir()} >= {*INNER, "api.py", "py.typed"}


def test_nothing_is_left_out(installed: Path) -> None:
    source = installed / "source"
    files = {path.relative_to(source) for name in INNER for path in (source / name).rglob("*") if path.is_file()}
    missing = [str(file) for file in files if not (installed / "site" / "tender_risk" / file).is_file()]
    assert len(files) > 200 and sorted(missing) == []


def test_the_face_works_beside_packages_of_the_same_names(installed: Path) -> None:
    import tender_risk

    path = f"{installed / 'mine'}:{installed / 'site'}"
    printed = run(sys.executable, "-W", "error::ImportWarning", "-c", SCRIPT, path=path, cwd=installed)
    import pandas as pd

    frame = pd.DataFrame({"title": ["Care", "Road"], "value": ["£240m", 12e6]})
    assert printed.strip() == str(tender_risk.load().predict_proba(frame).failure.to_list())


def test_the_command_and_its_workers_work_there(installed: Path) -> None:
    path = f"{installed / 'mine'}:{installed / 'site'}"
    (installed / "forms.csv").write_text("title,value\nCare,240000000\nRoad,12000000\n")
    command = [str(installed / "site" / "bin" / "tender-risk"), "portfolio", "forms.csv", "out.csv", "--workers", "2"]
    run(sys.executable, *command, path=path, cwd=installed)
    assert len((installed / "out.csv").read_text().splitlines()) == 3


def moved(source: str) -> str:
    spec = importlib.util.spec_from_file_location("setup_of_wheel", ROOT / "setup.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        import setuptools

        patch.setattr(setuptools, "setup", lambda **_: None)
        spec.loader.exec_module(module)
    return str(module.moved(source, {"portfolio.work", "models.__init__", "models.score"}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from models import score as s", "from tender_risk.models import score as s"),
        ("    from models.score import (\n", None),
        ("import models.score as scoring, os", "import tender_risk.models.score as scoring, os"),
        ("x = '£'; y = ['portfolio.work']", "x = '£'; y = ['tender_risk.portfolio.work']"),
        ("serve('models.score:Score')", "serve('tender_risk.models.score:Score')"),
        ("log('models.json', 'models', 'tender_risk.jobs')", "log('models.json', 'models', 'tender_risk.jobs')"),
        ("from tender_risk.api import load", "from tender_risk.api import load"),
        ("from modelsof import x", "from modelsof import x"),
    ],
)
def test_names_of_our_modules_move_and_no_others(before: str, after: str | None) -> None:
    if after is None:
        assert moved("if True:\n" + before + "        Score,\n    )\n").startswith(
            "if True:\n    from tender_risk.models"
        )
    else:
        assert moved(before) == after


def test_an_import_that_cannot_be_moved_ends_the_build() -> None:
    with pytest.raises(ValueError, match=r"give models.score a name"):
        moved("import models.score")
