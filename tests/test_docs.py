"""The documentation is true: its commands run, its output is what they print, its generated pages are current."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from docs import build
from tests import forks

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(console|sh|server|curl)\n(.*?)^```", re.M | re.S)


def blocks(kind: str) -> list[tuple[str, str]]:
    return [(page.name, body) for page in PAGES for name, body in FENCE.findall(page.read_text()) if name == kind]


def commands(kind: str) -> list[tuple[str, str, str]]:
    """(page, command, output that the page shows). A console block is a `$` line and the output under it."""
    if kind == "console":
        parts = [(page, part) for page, body in blocks(kind) for part in re.split(r"^\$ ", body, flags=re.M)[1:]]
        return [(page, *(part.split("\n", 1))) for page, part in parts]
    lines = [(page, line.split("#")[0].strip()) for page, body in blocks(kind) for line in body.splitlines()]
    # `make demo` and `make test` are what runs this.
    return [(page, line, "") for page, line in lines if line and not line.startswith("make ")]


PLAIN = "tender-risk serve\n"
# Commands that need more than what a service has.
TRAINING = re.compile(r"\b(train|release|promote|rollback|evaluate|python|bentoml|mlflow)\b")


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, cwd=cwd, env=environment(command), capture_output=True, text=True, timeout=300, check=False
    )


def environment(command: str, from_nothing: bool = False) -> dict[str, str]:
    """`tender-risk` is a fork, except for training, or where it is to start from nothing."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    common = {**os.environ, "TERM": "dumb", "COLUMNS": "100"}
    if TRAINING.search(command):
        return {**common, "PATH": path, "PYTHONPATH": str(ROOT)}
    return {**common, "PATH": path if from_nothing else f"{forks.command().parent}:{path}"}


@pytest.fixture
def workspace(tmp_path):
    """A folder that looks like the checkout but takes what the commands write."""
    for name in ("examples", "tenders"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build").mkdir()
    return tmp_path


@pytest.mark.parametrize(("page", "command", "shown"), commands("console"))
def test_a_page_shows_what_its_command_prints(page, command, shown, workspace):
    result = run(command, workspace)
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip() == shown.rstrip()


@pytest.mark.parametrize(("page", "command", "shown"), commands("sh"))
def test_a_command_on_a_page_runs(page, command, shown, workspace):
    result = run(command, workspace)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of what `tender-risk serve` starts."""
    with server(PLAIN, tmp_path_factory.mktemp("plain")) as port:
        yield port


@pytest.mark.parametrize("script", sorted({script for _, script in blocks("server")}))
def test_a_server_on_a_page_gets_ready(script, request, tmp_path):
    if script == PLAIN:
        # The one that requests go to.
        assert ready(f"http://127.0.0.1:{request.getfixturevalue('port')}/readyz")
        return
    with server(script, tmp_path):
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("page", "script"), blocks("curl"))
def test_a_request_on_a_page_is_answered(page, script, port):
    result = run(script.replace(":3000", f":{port}"), ROOT)
    answer = json.loads(result.stdout)
    assert answer.get("options", answer)["stage"] == "draft"


@contextmanager
def server(script: str, tmp_path: Path) -> Iterator[int]:
    """The page's server, started from nothing on a free port, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    *before, command = script.strip().splitlines()
    lines = [*before, f"exec {command} --port {port}"]
    kept = {**environment(script, from_nothing=True), "TENDER_RISK_DATA": str(tmp_path / "jobs")}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(["bash", "-c", "\n".join(lines)], cwd=ROOT, env=kept, stdout=log, stderr=log)
    try:
        assert ready(f"http://127.0.0.1:{port}/readyz"), (tmp_path / "log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def ready(address: str) -> bool:
    """Whether it answers 200 before long."""
    for _ in range(240):
        try:
            if httpx.get(address).status_code == 200:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    return False


@pytest.mark.parametrize("name", build.PAGES)
def test_a_generated_page_is_current(name):
    assert (build.HOME / name).read_text() == build.PAGES[name](), "run: make docs"


def test_every_variable_stands_in_the_one_table():
    packages = ("tenders", "features", "models", "portfolio", "training", "serving", "cli", "tender_risk")
    texts = [file.read_text() for package in packages for file in (ROOT / package).rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'"(TENDER_RISK_[A-Z_]+)"', text)}
    table = (ROOT / "docs" / "jobs.md").read_text().partition("## What is set")[2].partition("##")[0]
    assert len(read) > 20
    assert set(re.findall(r"`(TENDER_RISK_[A-Z_]+)`", table)) == read


def test_every_command_is_documented():
    from cli.main import app

    text = " ".join(page.read_text() for page in PAGES)
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        assert f"tender-risk {name}" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_point_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
