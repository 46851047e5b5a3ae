"""Puts the present output under every `$` command of the pages' console blocks.

    python docs/refresh.py

tests/test_docs.py checks that the output shown is the output printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)


def refreshed(page: str) -> str:
    """The page with the output of its commands, run at the top of the checkout."""
    return BLOCK.sub(lambda match: "```console\n" + "".join(map(_ran, _commands(match[1]))) + "```", page)


def _commands(body: str) -> list[str]:
    return [part.split("\n", 1)[0] for part in re.split(r"^\$ ", body, flags=re.M)[1:]]


def _ran(command: str) -> str:
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "COLUMNS": "100",
    }
    result = subprocess.run(command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, check=True)  # noqa: S602
    return f"$ {command}\n{result.stdout.rstrip()}\n"


if __name__ == "__main__":
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
