"""Forecasts survive being written: part by part, each case once."""

from __future__ import annotations

import msgspec
import numpy as np

from tests.training.test_promotion import made
from training.results import TrainingResult, forecasts_table, read_forecasts, unseen_forecasts


def test_what_is_written_is_read() -> None:
    parts = [made(), msgspec.structs.replace(made(1, register="other"), groups={})]
    by_name = read_forecasts(forecasts_table(parts))
    assert list(by_name) == ["made/no_award/draft", "other/no_award/draft"]
    for part in parts:
        got = by_name[part.name]
        for name in ("key", "y", "p", "cluster"):
            assert np.array_equal(getattr(got, name), getattr(part, name))
        assert (got.groups["year"] == part.groups.get("year", "")).all()


def test_a_case_that_is_repeated_counts_once() -> None:
    part = made(n=100)
    kept = read_forecasts(forecasts_table([part, part]))["made/no_award/draft"]
    assert np.array_equal(kept.key, part.key)


def test_the_casebook_s_are_its_cohort_rows_out_of_fold(result: TrainingResult) -> None:
    by_name = {part.name: part for part in unseen_forecasts(result)}
    assert set(by_name) == {f"casebook_uk/{o}/{s}" for o, s in [*result.fits, *(("failure", s) for s in result.headline)]}
    for (outcome, stage), fit in result.fits.items():
        got = by_name[f"casebook_uk/{outcome}/{stage}"]
        assert len(set(got.key)) == len(got.p) == fit.metrics["cohort"].n
        assert np.array_equal(got.p, fit.p)
