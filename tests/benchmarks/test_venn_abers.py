"""The compact Venn-Abers predictor gives what isotonic regression gives with the case added."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from benchmarks.venn_abers import venn_abers


def by_definition(score, y, test, label):
    fit = IsotonicRegression(out_of_bounds="clip").fit(np.append(score, test), np.append(y, label))
    return float(fit.predict([test])[0])


@pytest.mark.parametrize("digits", [1, 6])  # with and without ties
@pytest.mark.parametrize("seed", range(5))
def test_each_value_is_that_of_an_isotonic_fit_with_the_case_added(seed, digits):
    rng = np.random.default_rng(seed)
    score = np.round(rng.normal(size=60), digits)
    y = (rng.random(60) < 1 / (1 + np.exp(-score))).astype(float)
    test = np.round(np.concatenate([rng.normal(size=20), score[:5], [-9, 9]]), digits)
    low, high = venn_abers(score, y, test)
    assert low == pytest.approx([by_definition(score, y, value, 0) for value in test])
    assert high == pytest.approx([by_definition(score, y, value, 1) for value in test])
    assert (low < high).all()
