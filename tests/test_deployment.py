"""What is deployed is as the pages say: the unit is valid and hardened, the recipe names what there is.

What the dashboard asks for: `tests/serving/test_metering.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEPLOYMENT = ROOT / "deployment"
UNIT = DEPLOYMENT / "tender-risk.service"
HARDENING = (
    "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "DynamicUser=yes", "CapabilityBoundingSet=", "SystemCallFilter=@system-service", "UMask=0077", "MemoryMax=8G",
)  # fmt: skip
MOST_EXPOSURE = 2.0
"""On systemd's scale from 0 to 10; from 2.0 down it says OK."""


def test_the_unit_is_hardened() -> None:
    lines = UNIT.read_text().splitlines()
    assert [line for line in HARDENING if line not in lines] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_little_exposure(tmp_path: Path) -> None:
    # systemd looks for the program, which is not there on this machine.
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/tender-risk/.venv/bin/tender-risk", "/bin/true"))
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(copy)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", finished.stdout)
    if exposure is None:
        pytest.skip(f"this systemd cannot judge a file: {finished.stderr[:200]}")
    assert float(exposure[1]) <= MOST_EXPOSURE


def test_the_recipe_copies_what_there_is() -> None:
    text = (DEPLOYMENT / "Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for name in line.split()]
    assert copied and [name for name in copied if not (ROOT / name).exists()] == []
    assert "--require-hashes" in text and re.search(r"^USER 10001$", text, re.M)
