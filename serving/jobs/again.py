"""Scores an upload again as a job did, apart from every service, to see whether its files come out the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from portfolio.manifest import RunManifest, bundle_digest
from serving.jobs import scoring
from serving.jobs.job import JobOptions
from serving.jobs.paths import JobPaths
from serving.jobs.results import digests
from serving.jobs.scoring import ScoringTask
from serving.jobs.settings import settings
from tenders import files
from tenders.child_process import child_environment
from tenders.errors import DataError, UnreachableError


class RepeatedJob(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: the number of scored rows, and the SHA-256 of each file that a job serves."""

    rows: int
    outputs: dict[str, str]


def repeat_job(
    upload: Path, name: str, bundle: Path, bundle_name: str, options: JobOptions, created: str
) -> RepeatedJob:
    """Scores an upload under its `name` by a bundle that was called `bundle_name`, in a process as a job has.

    Its manifest and report are dated `created`, if that is given. Raises DataError if it cannot be scored,
    UnreachableError if the process fails.
    """
    with tempfile.TemporaryDirectory(prefix="tender-risk-", ignore_cleanup_errors=True) as scratch:
        paths, copied = JobPaths(Path(scratch) / "job"), Path(scratch) / "bundle" / Path(bundle_name).name
        paths.uploads.mkdir(parents=True)
        try:
            files.link_or_copy(upload, paths.uploads / name)
        except OSError as error:
            raise UnreachableError(f"{upload}: {error.strerror}") from None
        # The manifest names the bundle's directory.
        shutil.copytree(bundle, copied)
        task = ScoringTask(
            bundle=str(copied),
            version=bundle_name,
            sha256=bundle_digest(copied),
            options=options,
            workers=settings().workers,
            created=created,
        )
        files.write_whole(paths.task, msgspec.json.encode(task))
        _score(paths)
        manifest = msgspec.json.decode(paths.manifest.read_bytes(), type=RunManifest)
        return RepeatedJob(rows=manifest.counts.scored, outputs=digests(paths))


def _score(paths: JobPaths) -> None:
    with paths.log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", scoring.__name__, str(paths.folder)],
            env=child_environment(),
            # It works until this end is closed.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()
    if code == scoring.REFUSED and paths.refusal.is_file():
        raise DataError.at("", paths.refusal.read_text(encoding="utf-8")[:2000])
    if code:
        *_, last = ["", *paths.log.read_text(encoding="utf-8", errors="replace").splitlines()]
        raise UnreachableError(f"scoring ended with {code}: {last[:200]}")
