"""A booster that was altered is refused by a process of its own before anybody loads it.

`python -m benchmarks.booster_flips` changes bytes of released boosters two thousand times.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import xgboost as xgb

from models import boosters, bundle_files
from models import bundle as bundles
from models.booster_check import check_model, rewritten
from models.boosters import checked_boosters
from models.bundle import BundleManifest, released
from tenders.errors import BundleError

NAME = "no_award-draft.ubj"


@pytest.fixture(scope="module")
def content() -> bytes:
    """A small booster."""
    rng = np.random.default_rng(3)
    data = xgb.DMatrix(rng.normal(size=(200, 4)), rng.integers(0, 2, 200), feature_names=list("abcd"), nthread=1)
    return bytes(xgb.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, data, 3).save_raw("ubj"))


@pytest.fixture(scope="module")
def model(content: bytes) -> dict[str, Any]:
    """The same as JSON."""
    booster = xgb.Booster()
    booster.load_model(bytearray(content))
    decoded: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return decoded


def trees(model: dict[str, Any]) -> list[dict[str, Any]]:
    all_trees: list[dict[str, Any]] = model["learner"]["gradient_booster"]["model"]["trees"]
    return all_trees


ALTERED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "child beyond": (lambda m: trees(m)[1]["left_children"].__setitem__(0, 10**6), "tree 1 is no tree"),
    "child before": (lambda m: trees(m)[0]["right_children"].__setitem__(0, -5), "tree 0 is no tree"),
    "circle": (lambda m: trees(m)[0]["left_children"].__setitem__(1, 0), "tree 0 is no tree"),
    "child of two": (
        lambda m: trees(m)[0]["left_children"].__setitem__(0, trees(m)[0]["right_children"][0]),
        "is no tree",
    ),
    "parent": (lambda m: trees(m)[0]["parents"].__setitem__(1, 2), "is no tree"),
    "weight": (lambda m: trees(m)[1]["base_weights"].__setitem__(0, float("inf")), "tree 1 holds what is no number"),
    "cover": (lambda m: trees(m)[1]["sum_hessian"].__setitem__(0, float("nan")), "tree 1 holds what is no number"),
    "one child": (lambda m: trees(m)[0]["left_children"].__setitem__(0, -1), "is no tree"),
    "feature": (
        lambda m: trees(m)[2]["split_indices"].__setitem__(0, 4),
        "tree 2 asks for a feature that there is not",
    ),
    "short": (lambda m: trees(m)[0]["split_conditions"].pop(), "tree 0 is not whole"),
    "nodes": (lambda m: trees(m)[0]["tree_param"].update(num_nodes="0"), "tree 0 has no nodes"),
    "leaf": (lambda m: trees(m)[0]["split_conditions"].__setitem__(-1, float("nan")), "holds what is no number"),
    "categories": (lambda m: trees(m)[0]["split_type"].__setitem__(0, 1), "splits by categories"),
    "class": (lambda m: m["learner"]["gradient_booster"]["model"]["tree_info"].__setitem__(0, 7), "of a class"),
    "rounds": (
        lambda m: m["learner"]["gradient_booster"]["model"]["iteration_indptr"].__setitem__(1, 90),
        "its rounds",
    ),
    "names": (lambda m: m["learner"]["feature_names"].pop(), "its features are not named"),
    "objective": (lambda m: m["learner"]["objective"].update(name="rank:ndcg"), "its objective is none of ours"),
    "start": (lambda m: m["learner"]["learner_model_param"].update(base_score="[nan]"), "it starts at no number"),
    "classes": (lambda m: m["learner"]["learner_model_param"].update(num_class="9"), "it has classes"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_model_that_is_no_forest_is_refused_in_words(model: dict[str, Any], what: str) -> None:
    check_model(model)
    changed = copy.deepcopy(model)
    alter, problem = ALTERED[what]
    alter(changed)
    with pytest.raises(ValueError, match=problem):
        check_model(changed)


def test_a_model_whose_reasons_would_be_no_numbers_is_refused(model: dict[str, Any]) -> None:
    changed = copy.deepcopy(model)
    for tree in trees(changed):
        tree["sum_hessian"] = [0.0] * len(tree["sum_hessian"])
    with pytest.raises(ValueError, match="the shares of its features are no numbers"):
        rewritten(json.dumps(changed).encode())


def test_released_boosters_are_written_anew_as_they_are() -> None:
    for file in sorted(released().glob("*.ubj")):
        assert rewritten(file.read_bytes()) == file.read_bytes()


def test_another_process_checks_and_names_the_bad_one(content: bytes) -> None:
    assert checked_boosters({NAME: content}) == {NAME: content}
    with pytest.raises(BundleError, match=r"^bad\.ubj: "):
        checked_boosters({NAME: content, "bad.ubj": content[: len(content) // 2]})


def test_one_that_ends_the_process_or_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, body, problem in (
        ("crash", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ends the process that loads it .SIGSEGV"),
        ("hang", "import time; time.sleep(60)", "cannot be checked within 0.5 seconds"),
    ):
        (tmp_path / f"{module}.py").write_text(body)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(boosters, "CHECK", module)
        monkeypatch.setattr(boosters, "TIMEOUT_SECONDS", 0.5 if module == "hang" else 60)
        with pytest.raises(BundleError, match=problem):
            checked_boosters({NAME: module.encode()})


def test_no_secret_goes_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text("import os, sys; sys.exit(7 if 'TENDER_RISK_KEYS' in os.environ else 8)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TENDER_RISK_KEYS", "a secret of sixteen letters")
    monkeypatch.setattr(boosters, "CHECK", "leak")
    with pytest.raises(BundleError, match="exit 8"):
        checked_boosters({NAME: b"leak"})


def test_boosters_are_checked_unless_a_trusted_key_signed_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: bundles.Bundle
) -> None:
    looked_at: list[int] = []

    def refuse(files: dict[str, bytes]) -> dict[str, bytes]:
        looked_at.append(len(files))
        raise BundleError("no_award-draft.ubj: tree 0 is no tree")

    monkeypatch.setattr(bundles, "checked_boosters", refuse)
    assert bundles.load(released()).signer
    assert not looked_at
    bundles.save(bundle, tmp_path / "own")
    for signed in (True, False):
        with pytest.raises(BundleError, match=r"own: no_award-draft\.ubj: tree 0 is no tree"):
            bundles.load(tmp_path / "own", signed=signed)
    assert looked_at[0] > 1
    manifest = msgspec.json.decode((tmp_path / "own" / bundle_files.MANIFEST).read_bytes(), type=BundleManifest)
    assert looked_at[0] == sum(name.endswith(".ubj") for name in manifest.digests)
