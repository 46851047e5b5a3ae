"""Work beside the service, in a process of its own that others go before: who scores one tender does not feel it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio

from serving.jobs.settings import DATABASE, settings
from tenders.errors import UnreachableError

SECONDS = 600
"""After which nobody waits for it any more."""
SECRETS = (DATABASE, "TENDER_RISK_KEYS")
"""How the names of settings begin that no process beside the service needs."""
ROOT = Path(__file__).parents[2]
_turns = anyio.CapacityLimiter(1)


async def aside(module: str, *arguments: str) -> bytes:
    """What `python -m module` prints, one at a time. Raises UnreachableError if it fails or takes too long."""
    async with _turns:
        try:
            with anyio.fail_after(SECONDS):
                command = [sys.executable, "-m", module, *arguments]
                done = await anyio.run_process(command, env=environment(), stderr=None)
        except subprocess.CalledProcessError as error:
            raise UnreachableError(f"{module.rpartition('.')[2]} ended with {error.returncode}") from None
        except TimeoutError:
            raise UnreachableError(f"{module.rpartition('.')[2]} took more than {SECONDS} seconds") from None
    return done.stdout


def step_back() -> None:
    """Lets everything else on the machine go before this process, as far as is set."""
    os.nice(settings().niceness)


def environment() -> dict[str, str]:
    """Our environment without our secrets, in which our packages are found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SECRETS)}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])}
