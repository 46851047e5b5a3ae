"""`tender-risk drift`: the answer and what moved, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import made_tenders
from models import bundle as bundles
from models.bundle import Bundle
from tests.cli.conftest import Run
from tests.portfolio.test_drift import MADE, drafts, training_profile


@pytest.fixture(scope="module")
def learnt(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved bundle with a training_profile."""
    directory = tmp_path_factory.mktemp("bundle") / "learnt"
    own = training_profile(bundle, drafts(bundle, MADE))
    bundles.save(msgspec.structs.replace(bundle, training_profile=own, registers={}), directory)
    return directory


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of made tenders."""
    file = tmp_path_factory.mktemp("portfolio") / "made.jsonl"
    made_tenders.write(file, 120)
    return file


def test_people_read_the_answer_first(run: Run, learnt: Path, portfolio: Path) -> None:
    result = run("drift", portfolio, "--bundle", learnt)
    assert result.code == 0, result.err
    first, *rest = result.out.splitlines()
    assert first.startswith(("Yes: ", "No: "))
    assert any(line.startswith("uk at ") for line in rest)
    assert "Once outcomes are known" in rest[-1]


def test_programs_read_one_object(run: Run, learnt: Path, portfolio: Path) -> None:
    (answer,) = run("drift", portfolio, "--bundle", learnt, "--json").lines
    assert answer["rows"] == 120
    assert answer["same"] in (True, False)
    fields = {"register", "stage", "rows", "drift", "sentences", "level_months", "level_stale"}
    assert set(answer["compared"][0]) == fields


def test_a_bundle_without_a_reference_is_exit_3_and_what_to_do(
    run: Run, bundle: Bundle, portfolio: Path, tmp_path: Path
) -> None:
    bundles.save(msgspec.structs.replace(bundle, training_profile=None, registers={}), tmp_path / "bare")
    result = run("drift", portfolio, "--bundle", tmp_path / "bare")
    assert (result.code, result.out) == (3, "")
    assert "tender-risk train" in result.err


def test_a_file_that_is_not_there_is_exit_3(run: Run, learnt: Path) -> None:
    assert run("drift", "nowhere.jsonl", "--bundle", learnt).code == 3
