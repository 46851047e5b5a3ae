"""A back-up brings everything back, is made while the service runs, and is checked before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import backup
from serving.jobs.settings import DATA
from tenders.errors import DataError, UnreachableError, UsageError
from tests.serving.conftest import ROOT, address, running


@pytest.fixture
def made(job: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A back-up of the service that runs."""
    assert job["state"] == "done"
    monkeypatch.setenv(DATA, str(data))
    done = backup.back_up(tmp_path / "kept")
    assert done.files > 10 and done.without == ()
    return tmp_path / "kept"


def command(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    code = "import os, sys; os.environ['TENDER_RISK_DATA'] = sys.argv.pop(1); from cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, str(data), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_what_is_restored_is_served_as_before(
    made: Path, service: httpx.Client, job: dict[str, Any], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "new" / "data"
    restored = command("restore", str(made), data=elsewhere)
    assert restored.returncode == 0, restored.stderr
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    assert command("audit", "verify", data=elsewhere).returncode == 0
    with running(TENDER_RISK_DATA=str(elsewhere)) as process, httpx.Client(base_url=address(process)) as http:
        http.timeout = httpx.Timeout(60)
        for name in ("output", "worklist", "manifest"):
            assert http.get(job["links"][name]).content == service.get(job["links"][name]).content
        assert http.get("/readyz").json()["warnings"] == []


def test_a_back_up_that_was_changed_is_not_restored(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    scored = next(made.glob("jobs/*/scored.parquet"))
    scored.write_bytes(scored.read_bytes()[:-1] + b"x")
    (made / "jobs.sqlite").unlink()
    with pytest.raises(DataError) as refused:
        backup.restore(made)
    assert {problem.path for problem in refused.value.problems} == {
        "/jobs.sqlite", f"/{scored.relative_to(made).as_posix()}"
    }  # fmt: skip
    assert not (tmp_path / "data").exists()


def test_a_list_leads_out_of_no_back_up(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    for name in ("../outside", "/etc/hostname"):
        (made / backup.LIST).write_text(f'{{"files": {{"{name}": "0"}}, "format": 1}}')
        with pytest.raises(DataError, match="missing, or not as it was"):
            backup.restore(made)


def test_nothing_is_written_over(made: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds something"):
        backup.back_up(made)
    with pytest.raises(UsageError, match="holds something"):
        backup.restore(made)
    with pytest.raises(UnreachableError, match="no back-up there"):
        backup.restore(tmp_path)
    monkeypatch.setenv(DATA, str(tmp_path / "none"))
    with pytest.raises(UnreachableError, match="there is no data"):
        backup.back_up(tmp_path / "other")
    assert (data / "jobs.sqlite").exists()
