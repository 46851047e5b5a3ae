"""Schemathesis sends what the OpenAPI document allows, and what it does not: no answer is one that the document lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("schemathesis")

ST = Path(sys.executable).with_name("st")
MEANING = "positive_data_acceptance,negative_data_rejection"
"""A document may be any object; whether it is a tender is said with JSON paths, and no schema tells. And of many tenders a
bad one is an entry of the answer."""


def test_no_answer_is_one_that_the_document_does_not_allow(url: str, tmp_path: Path) -> None:
    finished = subprocess.run(
        [
            str(ST), "run", f"{url.rstrip('/')}/docs.json", "--phases", "examples,fuzzing", "--max-examples", "3",
            "--seed", "1", "--exclude-checks", MEANING, "--suppress-health-check", "all", "--no-color",
        ],
        cwd=tmp_path, env={**os.environ, "NO_PROXY": "127.0.0.1"}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout
    assert "Tested: 21" in finished.stdout
