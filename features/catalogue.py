"""The catalogue: all features, in the order of their themes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from features import advisers, buyer, competition, lots, procedure, structure, timing, value, wording
from features.feature import DECLARED, THEMES, Feature
from features.track_records import register_features
from tenders.facts import STAGES, Stage

MODULES = (lots, competition, structure, advisers, timing, value, procedure, buyer, wording)
"""They declare their features when they are imported."""


@cache
def catalogue() -> Mapping[str, Feature]:
    """All features by name, in the order of themes and of their files."""
    modules = [module.__name__ for module in MODULES]
    in_files = sorted(DECLARED.values(), key=lambda feature: modules.index(feature.measure.__module__))
    every = [*in_files, *register_features.declared()]
    return {feature.name: feature for feature in sorted(every, key=lambda feature: THEMES.index(feature.theme))}


def known_at(stage: Stage) -> list[Feature]:
    """The features whose facts exist at a stage, in catalogue order."""
    known = STAGES[: STAGES.index(stage) + 1]
    return [feature for feature in catalogue().values() if feature.stage in known]
