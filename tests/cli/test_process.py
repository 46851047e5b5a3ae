"""The installed command in a process of its own: exit codes, pipes, and how little a score imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.bundle import released

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("tender-risk")
MANCHESTER = "examples/manchester-lco.json"


def ran(*command: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A finished process."""
    return subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, cwd=ROOT, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("score", MANCHESTER, "--json"), "", 0),
        (("score", "-", "--json"), "{", 1),
        (("score",), "", 2),
        (("score", "nowhere.json"), "", 3),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], stdin: str, code: int) -> None:
    done = ran(COMMAND, *arguments, stdin=stdin)
    assert done.returncode == code
    assert bool(done.stderr) == (code > 0)
    assert bool(done.stdout) == (code == 0)
    assert "Traceback" not in done.stderr


def test_the_version_of_the_product_and_of_the_bundle_is_printed() -> None:
    done = ran(COMMAND, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"tender-risk \S+, bundle {released().name}\n", done.stdout)


def test_a_closed_pipe_ends_quietly() -> None:
    with subprocess.Popen([COMMAND, "features"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(30)


def test_json_of_a_package_from_a_pipe_is_one_line_a_tender() -> None:
    release = json.loads((ROOT / MANCHESTER).read_text())
    package = json.dumps({"releases": [{**release, "ocid": f"x-{i}"} for i in range(3)]})
    lines = ran(COMMAND, "score", "-", "--json", stdin=package).stdout.splitlines()
    assert [json.loads(line)["ocid"] for line in lines] == ["x-0", "x-1", "x-2"]


# XGBoost takes in pandas and scikit-learn where it finds them; a server has none of these, and a score needs none.
ABSENT = ("mlflow", "sklearn", "pandas", "bentoml", "matplotlib", "starlette", "uvicorn")
SLIM = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from cli import main
sys.argv = ["tender-risk", "score", "{MANCHESTER}", "--json"]
try:
    main.run()
except SystemExit as left:
    assert not left.code
assert not {{"training", "serving"}} & set(sys.modules)
"""


def test_a_score_needs_nothing_of_training_or_serving() -> None:
    done = ran(sys.executable, "-c", SLIM)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ocid"] == "casebook-NHS002"
