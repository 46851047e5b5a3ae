"""A disk that is really full: what was acknowledged stays, what cannot be done is said, and work goes on later.

The data directory is a file system of its own, in memory. Mounting one takes rights that not everybody has; without
them this is skipped.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.conftest import address, running
from tests.serving.jobs import made

SIZE_MB, PATIENCE = 64, 90.0
QUICKLY = "from serving.jobs import worker; worker.FULL_SECONDS = 0.5; "
BODY = {"tender": {"title": "Community nursing", "lots": 1}}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of SIZE_MB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", place], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', error)!r}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Takes all the room that is left."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def trouble(http: httpx.Client, job: dict[str, Any]) -> str:
    """What the job or the service says of the disk, once it does; the job has not ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        seen, ready = http.get(f"/jobs/{job['id']}").json(), http.get("/readyz")
        assert seen["state"] in ("queued", "running"), seen
        if "full" in seen["message"] or ready.status_code == 503:
            return str(seen["message"] or ready.text)
        time.sleep(0.1)
    raise AssertionError(f"nothing is said: {seen}, {ready.text}")


def test_a_full_disk_loses_nothing_and_work_goes_on_once_there_is_room(disk: Path) -> None:
    data = disk / "data"
    with (
        running(first=QUICKLY, TENDER_RISK_DATA=str(data)) as process,
        httpx.Client(base_url=address(process), timeout=60) as http,
    ):
        done = made.ended(http, made.upload(http, made.portfolio(20))["id"], PATIENCE)
        output = f"{done['links']['output']}?format=parquet"
        before = http.get(output).content
        scored = http.post("/score", json=BODY)
        assert scored.status_code == 200

        waiting = made.upload(http, made.long(1), "long.jsonl.gz")
        filler = fill(disk)
        refused = http.post("/jobs", files={"file": ("a.jsonl", made.portfolio(5_000))})
        assert refused.status_code in (503, 507)
        assert refused.json()["error"]
        # A score that the trail cannot have is not given; one that it can have is.
        for answer in (http.post("/score", json=BODY), http.get(output)):
            assert answer.status_code == 200 or (answer.status_code == 503 and "trail" in answer.json()["error"])
        assert trouble(http, waiting)

        filler.unlink()
        ended = made.ended(http, waiting["id"], PATIENCE)
        assert (ended["state"], ended["rows"]) == ("done", 1_000)
        assert http.get(output).content == before
        assert http.post("/score", json=BODY).json() == scored.json()
        assert http.get("/readyz").status_code == 200
