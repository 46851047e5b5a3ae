"""Sends a real service what its OpenAPI document allows, and what it does not, for longer than the tests do.

`python -m benchmarks.openapi --examples 300` starts the service on a free port and runs Schemathesis against it. It
exits 1 if an answer is one that the document does not allow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"
MEANING = "positive_data_acceptance,negative_data_rejection"
"""Whether an object is a tender, no schema tells."""


def main() -> int:
    """Runs it; returns the exit code of Schemathesis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="requests of each kind for each endpoint")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    service = subprocess.Popen([sys.executable, "-c", START], text=True, stdout=subprocess.PIPE)
    try:
        assert service.stdout is not None
        url = service.stdout.readline().strip().rstrip("/")
        command = [
            str(Path(sys.executable).with_name("st")), "run", f"{url}/docs.json",
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(chosen.examples), "--seed", str(chosen.seed),
            "--exclude-checks", MEANING, "--suppress-health-check", "all",
        ]  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(command, cwd=folder, check=False, timeout=3600).returncode
    finally:
        service.terminate()
        service.wait(30)


if __name__ == "__main__":
    sys.exit(main())
