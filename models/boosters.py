"""Several boosters in one, so that a tender asks them in one call."""

from __future__ import annotations

import json
from collections.abc import Sequence

import xgboost as xgb

NO_LOG_ODDS = 0.5
"""The base score of a booster that begins at log-odds of 0."""


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
