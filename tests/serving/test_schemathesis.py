"""Schemathesis sends what the OpenAPI document allows, and what it does not: no answer is one that the document lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("schemathesis")

from tests.serving.conftest import ROOT

SCORING = ("/score", "/score_many", "/what_if", "/suggest")
MEANING = "positive_data_acceptance,negative_data_rejection"
"""A document may be any object; whether it is a tender is said with JSON paths, and no schema tells. And of many tenders a
bad one is an entry of the answer."""


def test_no_answer_is_one_that_the_document_does_not_allow(url: str, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    finished = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{url.rstrip('/')}/docs.json",
            "--phases", "examples,fuzzing", "--max-examples", "3", "--seed", "1", "--exclude-checks", MEANING,
            "--suppress-health-check", "all", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={
            **os.environ, "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT), "OPENAPI_ANSWERS": str(answers),
            "SCHEMATHESIS_HOOKS": "benchmarks.openapi_hooks",
        },
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout
    assert "Tested: 21" in finished.stdout
    sent = [json.loads(line) for line in answers.read_text().splitlines()]
    scored = [is_scored for path, kind, _, is_scored in sent if path in SCORING and kind == "valid"]
    # Invalid cases are sent too, and to all endpoints: of the 20,000 cases of `benchmarks.openapi` half are scored.
    assert len(scored) >= len(SCORING) and sum(scored) >= len(scored) / 2
    assert any(kind == "invalid" for _, kind, _, _ in sent)
