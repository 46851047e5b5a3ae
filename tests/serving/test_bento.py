"""The bento: `python -m serving.bento` makes it from the tree, without a network, and what it makes serves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from models import bundle as bundles
from tests.serving.conftest import ROOT

# One build for all of them.
pytestmark = pytest.mark.xdist_group("bento")

BENTOML = Path(sys.executable).with_name("bentoml")
VERSION = bundles.released().name
BODY = {"tender": {"title": "x", "lots": 1}}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store of its own; proxies that lead nowhere, so that a download would fail."""
    nowhere = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"
    )
    store = str(tmp_path_factory.mktemp("bentoml"))
    return {**os.environ, **nowhere, "NO_PROXY": "127.0.0.1", "BENTOML_HOME": store, "BENTOML_DO_NOT_TRACK": "True"}


@pytest.fixture(scope="module")
def bento(environment: dict[str, str]) -> Path:
    """The directory of a built bento."""
    command = [sys.executable, "-m", "serving.bento"]
    built = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    assert built.stdout.splitlines()[-1] == f"tender_risk:{VERSION}"
    return Path(environment["BENTOML_HOME"]) / "bentos" / "tender_risk" / VERSION


@pytest.fixture(scope="module")
def served(bento: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of the built bento under `bentoml serve`, from a directory without our code."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(BENTOML), "serve", f"tender_risk:{VERSION}", "--port", str(port)]
    process = subprocess.Popen(
        command, env={**environment, "PYTHONPATH": ""}, cwd=bento.parents[2], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            _wait(client, process)
            yield client
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.slow
def test_the_bento_holds_code_pages_and_model(bento: Path) -> None:
    source = bento / "src"
    released = (source / "models" / "released" / "current").read_text().strip()
    assert (source / "models" / "released" / released / "manifest.json").is_file()
    assert (source / "serving" / "pages" / "templates" / "form.html").is_file()
    assert not [name for name in ("tests", "training", "cli", "benchmarks") if (source / name).exists()]


@pytest.mark.slow
def test_the_bento_has_the_bundles_version_and_lists_it_as_its_model(bento: Path, environment: dict[str, str]) -> None:
    described = yaml.safe_load((bento / "bento.yaml").read_text())
    assert described["version"] == VERSION and described["labels"]["bundle"] == VERSION
    assert [model["tag"] for model in described["models"]] == [f"tender-risk:{VERSION}"]
    model = Path(environment["BENTOML_HOME"]) / "models" / "tender-risk" / VERSION
    assert bundles.load(model).manifest.version == VERSION


@pytest.mark.slow
def test_the_bento_serves(served: httpx.Client) -> None:
    assert served.post("/score", json=BODY).json()["failure"] > 0
    assert "How likely is your tender to fail?" in served.get("/").text
    assert served.get("/docs.json").status_code == 200
    assert 'endpoint="/score"' in served.get("/metrics").text
    assert served.post("/score", content=b"\xff").status_code == 400


def test_it_installs_what_the_project_depends_on() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "serving" / "requirements.txt").read_text().splitlines()
    # What the public face alone needs is left out.
    needed = [package for package in declared if not package.startswith("pandas")]
    assert [line for line in lines if not line.startswith("#")] == needed


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"bentoml serve ended with {process.returncode}")
