"""Forecasts survive being written: part by part, each case once."""

from __future__ import annotations

import msgspec
import numpy as np

from tests.training.test_promotion import made
from training.results import TrainingResult, forecasts_table, read_forecasts, unseen_forecasts


def test_what_is_written_is_read() -> None:
    parts = [made(), msgspec.structs.replace(made(1, register="other"), groups={})]
    found = read_forecasts(forecasts_table(parts))
    assert list(found) == ["made/no_award/draft", "other/no_award/draft"]
    for each in parts:
        got = found[each.name]
        for name in ("key", "y", "p", "cluster"):
            assert np.array_equal(getattr(got, name), getattr(each, name))
        assert (got.groups["year"] == each.groups.get("year", "")).all()


def test_a_case_that_is_repeated_counts_once() -> None:
    each = made(n=100)
    found = read_forecasts(forecasts_table([each, each]))["made/no_award/draft"]
    assert np.array_equal(found.key, each.key)


def test_the_casebook_s_are_its_cohort_rows_out_of_fold(result: TrainingResult) -> None:
    found = {each.name: each for each in unseen_forecasts(result)}
    assert set(found) == {f"casebook_uk/{o}/{s}" for o, s in [*result.fits, *(("failure", s) for s in result.headline)]}
    for (outcome, stage), each in result.fits.items():
        got = found[f"casebook_uk/{outcome}/{stage}"]
        assert len(set(got.key)) == len(got.p) == each.metrics["cohort"].n
        assert np.array_equal(got.p, each.p)
