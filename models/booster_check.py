"""The process in which boosters that nobody vouches for are looked at first: `python -m models.booster_check`.

XGBoost reads a file that was altered as it stands: a child that is no node, or a feature beyond the last, is memory
that nobody meant, and the process ends. So a process of its own loads each booster, with limits of memory and time,
checks that every tree is one, asks it for rows, and writes it anew. What is loaded elsewhere is what it wrote.
"""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import xgboost as xgb

from tenders import child_process

SECONDS = 60
"""Of the processor; a released bundle needs few."""
OBJECTIVES = frozenset({"binary:logistic"})
MAX_FEATURES, MAX_NODES = 10_000, 1_000_000
ROWS, EXPLAINED = 64, 8
"""Rows of chance that each booster is asked for, and those of them whose shares too: these take fifty times longer."""


def rewritten(content: bytes) -> bytes:
    """A booster as it is written anew. Raises ValueError for one that cannot be asked safely, and as XGBoost does."""
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    check_model(json.loads(bytes(booster.save_raw("json"))))
    rows = np.random.default_rng(0).normal(0, 1e3, (ROWS, booster.num_features())).astype(np.float32)
    rows[np.random.default_rng(1).random(rows.shape) < 0.3] = np.nan
    _hold(_are_finite(booster.inplace_predict(rows, predict_type="margin")), "its margins are no numbers")
    shares = booster.predict(xgb.DMatrix(rows[:EXPLAINED], nthread=1), pred_contribs=True, validate_features=False)
    _hold(_are_finite(shares), "the shares of its features are no numbers")
    return bytes(booster.save_raw("ubj"))


def check_model(model: Mapping[str, Any]) -> None:
    """Raises ValueError, KeyError or TypeError for a model that is no forest of sound trees over named features."""
    learner = model["learner"]
    forest, features = learner["gradient_booster"]["model"], int(learner["learner_model_param"]["num_feature"])
    trees, info, ends = forest["trees"], forest["tree_info"], forest["iteration_indptr"]
    _hold(learner["gradient_booster"]["name"] == "gbtree", "it is no gbtree")
    _hold(learner["objective"]["name"] in OBJECTIVES, "its objective is none of ours")
    _hold(0 < features <= MAX_FEATURES and len(set(learner["feature_names"])) == features, "its features are not named")
    _hold(int(learner["learner_model_param"]["num_class"]) == 0, "it has classes")
    _hold(int(learner["learner_model_param"]["num_target"]) == 1, "it has several targets")
    _hold(math.isfinite(float(learner["learner_model_param"]["base_score"].strip("[]"))), "it starts at no number")
    _hold(
        len(info) == len(trees) == int(forest["gbtree_model_param"]["num_trees"]),
        "its trees are not as many as it says",
    )
    _hold(not any(info), "a tree is of a class that it does not have")
    _hold(ends == sorted(ends) and ends[:1] == [0] and ends[-1:] == [len(trees)], "its rounds do not hold its trees")
    for number, tree in enumerate(trees):
        _check_tree(tree, features, f"tree {number}")


def _check_tree(tree: Mapping[str, Any], features: int, name: str) -> None:
    """Raises ValueError for a tree of which not every node is reached once, from the root."""
    count = int(tree["tree_param"]["num_nodes"])
    left, right, split = tree["left_children"], tree["right_children"], tree["split_indices"]
    numbers = [tree[name] for name in ("split_conditions", "base_weights", "sum_hessian", "loss_changes")]
    _hold(0 < count <= MAX_NODES and int(tree["tree_param"]["size_leaf_vector"]) <= 1, f"{name} has no nodes")
    _hold(int(tree["tree_param"]["num_deleted"]) == 0, f"{name} has nodes that were deleted")
    _hold(0 <= int(tree["tree_param"]["num_feature"]) <= features, f"{name} asks for features beyond the last")
    arrays = (left, right, split, tree["parents"], tree["default_left"], tree["split_type"], *numbers)
    _hold(all(len(array) == count for array in arrays), f"{name} is not whole")
    _hold(not any(tree["split_type"]) and not tree["categories"], f"{name} splits by categories")
    _hold(_are_finite(numbers), f"{name} holds what is no number")
    waiting, seen = [0], {0}
    while waiting:
        node = waiting.pop()
        below = (left[node], right[node])
        if below == (-1, -1):
            continue
        _hold(0 <= split[node] < features, f"{name} asks for a feature that there is not")
        for child in below:
            is_below = 0 < child < count and child not in seen and tree["parents"][child] == node
            _hold(is_below, f"{name} is no tree")
            seen.add(child)
            waiting.append(child)


def _are_finite(values: Any) -> bool:
    return bool(np.isfinite(np.asarray(values, np.float64)).all())


def _hold(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ValueError(otherwise)


def checked(boosters: Mapping[str, bytes]) -> dict[str, bytes] | str:
    """Boosters by name, written anew; or what is wrong with the first that cannot be asked safely."""
    written: dict[str, bytes] = {}
    for name, content in boosters.items():
        try:
            written[name] = rewritten(content)
        except (xgb.core.XGBoostError, ValueError, KeyError, TypeError, IndexError, MemoryError) as error:
            return f"{name}: {str(error).strip().splitlines()[-1][:200]}"
    return written


def main() -> None:
    """Answers with `checked` in msgpack."""
    connection = child_process.connect()
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for message in child_process.requests(connection):
        boosters = msgspec.msgpack.decode(message, type=dict[str, bytes])
        connection.send_bytes(msgspec.msgpack.encode(checked(boosters)))


if __name__ == "__main__":
    main()
