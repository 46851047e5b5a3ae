"""Work in a process of its own with a lower priority, so that requests that score one tender do not wait for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import anyio

from serving.jobs.settings import settings
from tenders.child_process import child_environment
from tenders.errors import UnreachableError

TIMEOUT_SECONDS = 600
_one_at_a_time = anyio.CapacityLimiter(1)


async def run_module(module: str, *arguments: str) -> bytes:
    """The output of `python -m module`; one runs at a time. Raises UnreachableError if it fails or takes too long."""
    name = module.rpartition(".")[2]
    async with _one_at_a_time:
        try:
            with anyio.fail_after(TIMEOUT_SECONDS):
                command = [sys.executable, "-m", module, *arguments]
                # What it unpacks goes with it, also if it is killed.
                with tempfile.TemporaryDirectory(prefix="tender-risk-", ignore_cleanup_errors=True) as scratch:
                    environment = {**child_environment(), "TMPDIR": scratch}
                    process = await anyio.run_process(command, env=environment, stderr=None)
        except subprocess.CalledProcessError as error:
            raise UnreachableError(f"{name} ended with {error.returncode}") from None
        except TimeoutError:
            raise UnreachableError(f"{name} took more than {TIMEOUT_SECONDS} seconds") from None
    return process.stdout


def lower_priority() -> None:
    """Gives way to everything else on the machine, as far as the settings say."""
    os.nice(settings().niceness)
