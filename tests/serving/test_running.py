"""Starting and stopping: ready, clean end, clear errors."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from serving import served, service
from serving.running import serve
from tenders.errors import BundleError, UnreachableError
from tests.serving.conftest import ROOT, address, running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with running(from_nothing=True) as process:
        assert httpx.get(f"{address(process)}readyz").status_code == 200
        process.send_signal(number)
        _, output = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in output


def test_it_listens_on_loopback_unless_told_otherwise(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    assert serve.__defaults__ is not None and serve.__defaults__[0] == "127.0.0.1"
    assert service.SETTINGS["http"]["host"] == "127.0.0.1"


def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}: Address already in use") as refused:
            serve("127.0.0.1", port)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_other_names_of_loopback(host: str) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with running(host=host) as process:
        assert httpx.get(f"{address(process)}readyz").status_code == 200


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_an_error(port: int) -> None:
    with pytest.raises(UnreachableError):
        serve("127.0.0.1", port)


def test_a_missing_bundle_is_an_error_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise BundleError("no bundle is released")

    monkeypatch.setattr(service, "served", missing)
    with pytest.raises(BundleError):
        serve("127.0.0.1", 0)


@pytest.mark.parametrize(("name", "value"), [("TENDER_RISK_LOG_FORMAT", "loud"), ("TENDER_RISK_HOSTS", "http://x/")])
def test_a_setting_that_is_none_is_an_error_of_the_command(name: str, value: str) -> None:
    command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", "0"]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {name}: expected") and "Traceback" not in ended.stderr


def test_what_was_loaded_is_frozen_out_of_garbage_collection() -> None:
    served.served()
    assert gc.get_freeze_count() > 10_000


def test_long_work_has_threads_of_its_own() -> None:
    assert service.TenderRisk.config["threads"] > 1  # type: ignore[attr-defined]


def test_serving_needs_nothing_of_training() -> None:
    listed = "import sys, serving.service; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"mlflow", "training", "cli"}.isdisjoint(loaded.stdout.split())
