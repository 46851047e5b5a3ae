"""What a model learnt from, told afterwards: the last year's rows as the model saw them, unknown where it saw nothing."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from features.catalogue import catalogue
from models.bundle import ANY
from tenders.facts import STAGES
from tenders.tender import Procedure
from tests.training import made
from training.reference import FEWEST, YEAR, latest, of_register, spreads
from training.registers import Registers
from training.result import Result


def test_every_model_has_its_columns_and_scores_in_the_reference(learnt: Registers, result: Result) -> None:
    for bundle in (result.bundle, learnt.bundles["made"], learnt.bundles["other"]):
        assert bundle.training_profile is not None
        for part in bundle.manifest.parts:
            assert tuple(bundle.training_profile.features[part.name]) == part.features
            assert len(bundle.training_profile.scores[part.name]) == 21
            assert (
                0 <= bundle.training_profile.scores[part.name][0] <= bundle.training_profile.scores[part.name][-1] <= 1
            )
        assert bundle.training_profile.features.keys() == bundle.training_profile.scores.keys()
        assert sum(bundle.training_profile.codes["cpv_division"].values()) == pytest.approx(1, abs=1e-4)
    assert learnt.bundles[ANY].training_profile is None


def test_a_fact_of_a_later_stage_is_in_no_earlier_reference(result: Result) -> None:
    assert result.bundle.training_profile is not None
    for name, columns in result.bundle.training_profile.features.items():
        stage = STAGES.index(next(stage for stage in STAGES if name.endswith(f"-{stage}")))
        assert all(STAGES.index(catalogue()[column].stage) <= stage for column in columns)


def test_rows_and_days_are_those_of_the_cases_that_tell(learnt: Registers) -> None:
    found = learnt.bundles["made"].training_profile
    assert found is not None
    days = [case.published for case in made.register(1200)]
    assert (found.rows, found.first, found.last) == (1200, min(days).isoformat(), max(days).isoformat())


def test_what_is_censored_or_of_no_known_day_does_not_count() -> None:
    cases = made.register(30)
    censored = [replace(case, outcomes={"no_award": None}) for case in cases[10:20]]
    unclocked = [replace(case, known_on=None) for case in cases[20:]]
    found = of_register([*cases[:10], *censored, *unclocked], {}, {})
    assert found.rows == 10 and found.last == cases[9].published.isoformat()


def test_the_last_year_counts_if_it_has_enough_rows() -> None:
    day = date(2024, 6, 1).toordinal()
    old, new = np.full(50, day - YEAR), np.full(FEWEST, day)
    assert list(latest(np.concatenate([old, new]))) == list(range(50, 50 + FEWEST))
    assert len(latest(np.concatenate([old, new[1:]]))) == 50 + FEWEST - 1
    assert len(latest(np.array([], dtype=np.int64))) == 0


def test_codes_are_those_of_the_last_year() -> None:
    cases = made.register(FEWEST + 10)
    near = [replace(c, published=date(2024, 1, 1) + timedelta(days=n % 300)) for n, c in enumerate(cases)]
    old = [
        replace(c, published=date(2019, 1, 1), tender=replace(c.tender, tender=Procedure(procurement_method="old")))
        for c in made.register(5)
    ]
    found = of_register([*old, *near], {}, {})
    assert found.first == "2024-01-01"
    assert set(found.codes["procurement_method"]) == {"open", "limited"}


def test_a_hidden_fact_is_an_unknown_one() -> None:
    x = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan], [2, 5]], dtype=np.float32)
    found = spreads(x, ("lots", "bidders"), ("bidders", "lots"), np.arange(4))
    assert list(found) == ["bidders", "lots"]
    assert found["bidders"].unknown == 0.75 and set(found["bidders"].quantiles) == {5}
    assert spreads(x, ("lots", "bidders"), ("bidders",), np.arange(3))["bidders"].quantiles == ()
