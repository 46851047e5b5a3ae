"""A challenger is worse where it is worse on the same cases by more than chance would do, and nowhere else."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import comparing
from training.comparing import compare
from training.forecasts import Forecasts


def made(seed: int = 0, n: int = 1500, register: str = "made", clustered: int = 1) -> Forecasts:
    """Forecasts that are right: outcomes are drawn with their probabilities."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-1, 1.2, n)))
    return Forecasts(
        register=register,
        outcome="no_award",
        stage="draft",
        key=np.arange(1, n + 1, dtype=np.uint64),
        y=(rng.random(n) < p).astype(float),
        p=p,
        cluster=np.arange(n) // clustered,
        groups={
            "year": np.where(np.arange(n) < n // 2, "2018", "2019"),
            "buyer": np.where(np.arange(n) < 100, "small", "large"),
            "ending": np.where(rng.random(n) < 0.5, "one", "other"),
        },
    )


def changed(each: Forecasts, **parts: object) -> Forecasts:
    return msgspec.structs.replace(each, **parts)


def by_name(*parts: Forecasts) -> dict[str, Forecasts]:
    return {each.name: each for each in parts}


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), n=st.integers(300, 1500), clustered=st.integers(1, 5))
def test_an_equal_challenger_is_never_worse(seed: int, n: int, clustered: int) -> None:
    each = made(seed, n, clustered=clustered)
    found = compare(by_name(each), by_name(each))
    assert found.compared and not found.worse and not found.not_compared
    assert all(each.difference == 0 for each in found.compared)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6))
def test_shuffled_probabilities_are_always_worse(seed: int) -> None:
    each = made(seed)
    shuffled = changed(each, p=np.random.default_rng(seed + 1).permutation(each.p))
    found = compare(by_name(each), by_name(shuffled))
    assert {"auc", "brier"} <= {worse.measure for worse in found.worse if worse.group == "all"}
    assert not compare(by_name(shuffled), by_name(each)).worse


def test_what_is_off_in_level_alone_is_worse_in_calibration_and_not_in_order() -> None:
    each = made(n=4000)
    found = compare(by_name(each), by_name(changed(each, p=each.p * 0.5)))
    assert {worse.measure for worse in found.worse} == {"brier", "ece"}


def test_a_large_group_that_loses_is_named_though_the_whole_gains() -> None:
    each = made(n=6000)
    old = each.groups["year"] == "2018"
    rng = np.random.default_rng(1)
    before = each.p.copy()
    before[~old] = rng.permutation(before[~old])
    after = each.p.copy()
    after[old] = np.where(rng.random(old.sum()) < 0.5, rng.permutation(after[old]), after[old])
    found = compare(by_name(changed(each, p=before)), by_name(changed(each, p=after)))
    assert "all" not in {worse.group for worse in found.worse}
    assert {worse.group for worse in found.worse} >= {"year 2018"}
    assert "year 2019" not in {worse.group for worse in found.worse}


def test_small_groups_and_endings_are_not_compared() -> None:
    found = compare(by_name(made()), by_name(made()))
    assert {each.group for each in found.compared} == {"all", "year 2018", "year 2019", "buyer large"}


def test_only_common_cases_count() -> None:
    each = made(n=2000)
    late = changed(each, key=each.key + np.uint64(1000), y=np.roll(each.y, -1000), p=np.roll(each.p, -1000))
    found = compare(by_name(each), by_name(late))
    assert {whole.n for whole in found.compared if whole.group == "all"} == {1000}
    assert all(whole.difference == 0 for whole in found.compared if whole.group == "all")


def test_cases_that_share_fate_are_drawn_together() -> None:
    one, many = made(n=2000), changed(made(n=2000), cluster=np.arange(2000) // 100)
    noisy = np.clip(one.p + np.repeat(np.random.default_rng(0).normal(0, 0.2, 20), 100), 0, 1)
    width = {}
    for name, each in (("alone", one), ("together", many)):
        found = compare(by_name(each), by_name(changed(each, p=noisy)))
        low, high = next(w.interval for w in found.compared if (w.group, w.measure) == ("all", "brier"))
        width[name] = high - low
    assert width["together"] > 1.5 * width["alone"]


def test_what_cannot_be_compared_is_said() -> None:
    missing = compare(by_name(made()), {})
    assert not missing.compared and "the challenger has no forecasts" in missing.not_compared[0]
    each = made()
    apart = compare(by_name(each), by_name(changed(each, key=each.key + np.uint64(10**6))))
    assert not apart.compared and "0 cases in common" in apart.not_compared[0]
    few = made(n=30)
    assert compare(by_name(few), by_name(few)).too_few == (
        "made/no_award/draft: 30 cases, too few to tell models apart",
    )


def test_what_the_challenger_forecasts_besides_does_not_matter() -> None:
    each = made()
    assert not compare(by_name(each), by_name(each, made(register="other"))).not_compared


@pytest.mark.parametrize("seed", range(4))
def test_another_draw_of_noise_is_not_worse(seed: int) -> None:
    each = made(seed, n=3000)
    rng = np.random.default_rng(seed + 100)
    first, second = (np.clip(each.p + rng.normal(0, 0.05, len(each.p)), 0.001, 0.999) for _ in range(2))
    assert not compare(by_name(changed(each, p=first)), by_name(changed(each, p=second))).worse


def test_a_difference_tells_where_and_by_how_much() -> None:
    each = made()
    found = compare(by_name(each), by_name(changed(each, p=1 - each.p))).worse[0]
    assert found.where == "made/no_award/draft, all"
    assert f"{found.challenger:.4f} against {found.champion:.4f}" in str(found)
    assert comparing.BETTER.keys() == comparing.MEASURES.keys()
