"""Services that keep jobs: one that does them, and one whose turn it is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.jobs.paths import DataDirectory
from tenders import files
from tests.serving.conftest import address, running
from tests.serving.jobs import made

KEY = "key-of-the-audit"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps its jobs: a folder that it makes itself."""
    return tmp_path_factory.mktemp("state") / "tender-risk"


@pytest.fixture(scope="session")
def service(data: Path) -> Iterator[httpx.Client]:
    """A service that does what it is given."""
    with running(TENDER_RISK_DATA=str(data)) as process, httpx.Client(base_url=address(process), timeout=60) as http:
        yield http


@pytest.fixture(scope="session")
def job(service: httpx.Client) -> dict[str, Any]:
    """A job that is done: 120 tenders, one line that is none, reviews for ten, three of each buyer."""
    begun = made.upload(service, made.portfolio(), capacity="10", most_per_buyer="3", stage="draft")
    done = made.ended(service, begun["id"])
    assert done["state"] == "done", done
    return done


@pytest.fixture(scope="session")
def later(service: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """A job of a newer file that is compared with the other: named by the address of its page."""
    since = str(service.base_url.join(job["page"]))
    begun = made.upload(service, made.newer(), "newer.jsonl", capacity="10", stage="draft", sample="20%", since=since)
    done = made.ended(service, begun["id"])
    assert done["state"] == "done", done
    return done


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with keys that takes 1 MB at most, where another process has the turn: jobs wait for ever."""
    directory = DataDirectory(tmp_path_factory.mktemp("idle"))
    lock = files.try_lock(directory.path / f"runner-{socket.gethostname()}.lock")
    settings = {"TENDER_RISK_DATA": str(directory.path), "TENDER_RISK_KEYS": KEY, "TENDER_RISK_UPLOAD_MB": "1"}
    with running(**settings) as process, httpx.Client(base_url=address(process), timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {KEY}"
        yield http
    assert lock is not None
    os.close(lock)
