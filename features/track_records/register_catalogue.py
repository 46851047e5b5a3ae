"""The catalogue's features of a register's history, until the catalogue takes them from `register_features`."""

from __future__ import annotations

from typing import Any

from features.categorical import Categorical
from features.feature import Measure, feature
from features.table import Floats, TenderTable
from features.track_records.register_features import (
    OUTCOME_MEASURES,
    PARTS,
    PUBLICATION_MEASURES,
    theme_of,
    words_of,
)
from features.track_records.register_history import OUTCOME_KEYS, PUBLICATION_KEYS
from features.track_records.text_model import Phrases


def looked_up(name: str, doc: str) -> Measure:
    """The feature function of a number that was read for the tender."""

    def measure(table: TenderTable) -> Floats:
        return table.register_feature(name)

    measure.__name__, measure.__doc__ = name, doc
    return measure


for _keys, _measures in ((OUTCOME_KEYS, OUTCOME_MEASURES), (PUBLICATION_KEYS, PUBLICATION_MEASURES)):
    for _key in _keys:
        for _measure in _measures:
            if _key in _measure.keys:
                feature(
                    stage="draft",
                    theme=theme_of(_key),
                    unit=_measure.unit,
                    label=_measure.label.replace("{key}", words_of(_key)),
                    path=PARTS[_key[-1]].path,
                    says=_measure.says.replace("{key}", words_of(_key)),
                    family=_measure.family,
                    direction=_measure.direction,
                )(looked_up(_measure.feature_name(_key), _measure.doc))


@feature(
    stage="draft",
    theme="value",
    unit="log amount",
    label="Value in the register's money",
    path="/tender/value",
    also=("/tender/lots", "/planning/budget"),
    says="The value is {value} in the register's own money.",
    family="value",
)
def value_in_register(table: TenderTable) -> Floats:
    """Natural logarithm of the value of lot or tender in its own currency; known where a register was read.

    Source: OCDS `value`.
    """
    return table.register_feature("value_in_register")


def _phrases(table: TenderTable) -> Categorical[Any]:
    tell = table.records.phrases if table.records else None
    return tell(table) if tell else Categorical.single(Phrases(), len(table))


@feature(
    stage="draft",
    theme="wording",
    unit="log-odds",
    label="Words",
    path="/tender/title",
    also=("/tender/description",),
    says="The wording counts {value} in log-odds: {record}.",
    family="language",
    direction=1,
    evidence=_phrases,
)
def words_score(table: TenderTable) -> Floats:
    """What the register's model of words and pairs of words thinks, over its mean.

    It has learnt in time order, from the ends known before. Source: track record (features.track_records.text_model).
    """
    return table.register_feature("words_score")


@feature(
    stage="draft",
    theme="wording",
    unit="log-odds",
    label="Words with who buys what and how",
    path="/tender/title",
    also=("/tender/description", "/buyer"),
    says="Wording together with buyer, kind and procedure counts {value} in log-odds.",
    family="language",
    direction=1,
)
def profile_score(table: TenderTable) -> Floats:
    """What the register's model of words with buyer and kind, and of pairs of attributes, thinks, over its mean.

    It has learnt in time order, from the ends known before. Source: track record (features.track_records.text_model).
    """
    return table.register_feature("profile_score")
