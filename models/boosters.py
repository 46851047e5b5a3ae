"""Boosters of which it is known that they can be asked, and several in one, so that a tender asks them in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import xgboost as xgb

from tenders.child_process import ChildEndedError, ChildProcess, child_environment
from tenders.errors import BundleError

CHECK = f"{__package__}.booster_check"
TIMEOUT_SECONDS = 180
NEEDED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "PYTHONPATH")
"""Variables of the environment that the checking process has; no secret is among them."""
NO_LOG_ODDS = 0.5
"""The base score of a booster that begins at log-odds of 0."""


def checked_boosters(boosters: Mapping[str, bytes]) -> dict[str, bytes]:
    """Boosters by name, as a process of its own wrote them anew after it had checked them (`models.booster_check`).

    Raises BundleError that names the first one which cannot be asked safely, or which ended that process.
    """
    return dict(zip(boosters, _checked(tuple(boosters.items())), strict=True)) if boosters else {}


@lru_cache(maxsize=4)
def _checked(boosters: tuple[tuple[str, bytes], ...]) -> tuple[bytes, ...]:
    try:
        child = ChildProcess(CHECK, environment=child_environment(NEEDED))
    except OSError as error:
        raise BundleError(f"the boosters cannot be checked: {error}") from None
    try:
        (reply,) = child.ask(msgspec.msgpack.encode(dict(boosters)), seconds=TIMEOUT_SECONDS)
    except ChildEndedError as error:
        if error.is_late:
            raise BundleError(f"a booster cannot be checked within {TIMEOUT_SECONDS} seconds") from None
        raise BundleError(f"a booster ends the process that loads it ({error})") from None
    finally:
        child.end()
    written = msgspec.msgpack.decode(reply, type=dict[str, bytes] | str)
    if isinstance(written, str):
        raise BundleError(written)
    return tuple(written[name] for name, _ in boosters)


def join_boosters(boosters: Sequence[xgb.Booster]) -> xgb.Booster | None:
    """The trees of several boosters in one, a class each, so that it gives the same margins to the bit.

    None if they read different features, are not logistic, or begin at another log-odds than 0.
    """
    models = [json.loads(bytes(booster.save_raw("json"))) for booster in boosters]
    learners = [model["learner"] for model in models]
    can_be_joined = all(
        learner["feature_names"] == learners[0]["feature_names"]
        and learner["objective"]["name"] == "binary:logistic"
        and float(learner["learner_model_param"]["base_score"].strip("[]")) == NO_LOG_ODDS
        for learner in learners
    )
    if not can_be_joined:
        return None
    joint, count = learners[0], str(len(learners))
    model = joint["gradient_booster"]["model"]
    trees = [
        (place, tree)
        for place, learner in enumerate(learners)
        for tree in learner["gradient_booster"]["model"]["trees"]
    ]
    model["trees"] = [{**tree, "id": number} for number, (_, tree) in enumerate(trees)]
    model["tree_info"] = [place for place, _ in trees]
    model["iteration_indptr"] = [0, len(trees)]
    model["gbtree_model_param"]["num_trees"] = str(len(trees))
    joint["learner_model_param"] |= {"num_class": count, "base_score": f"[{','.join(['0E0'] * len(learners))}]"}
    joint["objective"] = {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": count}}
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(models[0]).encode()))
    return booster
