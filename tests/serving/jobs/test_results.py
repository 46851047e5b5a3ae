"""A file of a job is served as it was written, or not at all."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.jobs import results
from serving.jobs.paths import JobPaths
from serving.jobs.results import DamagedResultError, check_results, digests
from tests.serving.jobs import made

CHANGES = 400


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    """A job's folder with some results."""
    files = JobPaths(tmp_path)
    for number, file in enumerate((files.scored, files.worklist, files.report, files.manifest)):
        file.write_bytes(bytes([number]) * 300)
    return files


def test_any_byte_that_was_changed_is_found(paths: JobPaths) -> None:
    outputs, random_state = digests(paths), random.Random(23)
    assert len(outputs) == 4
    for _ in range(CHANGES):
        file = paths.folder / random_state.choice([*outputs])
        before, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        place = random_state.randrange(len(before))
        file.write_bytes(before[:place] + bytes([before[place] ^ 1 << random_state.randrange(8)]) + before[place + 1 :])
        # As if nothing had been written.
        os.utime(file, ns=times)
        with pytest.raises(DamagedResultError, match=file.name):
            check_results(paths, outputs)
        file.write_bytes(before)
        check_results(paths, outputs)


def test_a_file_that_did_not_change_is_read_once(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "SETTLED_SECONDS", -1.0)
    outputs = digests(paths)
    monkeypatch.setattr(results.hashlib, "file_digest", lambda *_: pytest.fail("it is read again"))
    check_results(paths, outputs)


def test_what_is_remembered_is_bounded(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_KEPT", 2)
    monkeypatch.setattr(results, "SETTLED_SECONDS", -1.0)
    digests(paths)
    assert len(results._known) == 2


@pytest.fixture
def spoilt(service: httpx.Client, data: Path) -> Iterator[dict[str, Any]]:
    """A job that is done, one of whose probabilities was changed on disk."""
    done = made.ended(service, made.upload(service, made.portfolio(5), stage="draft")["id"])
    file = data / "jobs" / done["id"] / "worklist.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    yield done
    service.delete(f"/jobs/{done['id']}")


def test_nothing_is_served_of_a_job_that_was_changed(service: httpx.Client, spoilt: dict[str, Any]) -> None:
    answer = service.get(spoilt["links"]["output"])
    assert answer.status_code == 503
    assert answer.json()["error"] == "worklist.parquet of this job is not as it was written, so nothing of it is served"
    for path in (spoilt["page"], f"{spoilt['page']}/row/1"):
        shown = service.get(path)
        assert shown.status_code == 503 and "is not as it was written" in shown.text
    assert service.get(f"/jobs/{spoilt['id']}").json()["state"] == "done"
    again = service.post("/jobs", files={"file": ("a.jsonl", made.portfolio(5))}, data={"since": spoilt["id"]})
    assert again.status_code == 503
