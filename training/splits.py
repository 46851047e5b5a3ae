"""Splits that keep shared fate on one side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Indices = NDArray[np.int64]


def components(keys: Sequence[Sequence[str]]) -> Indices:
    """A group number a row: rows that share a key, or are linked by others that do, are one group."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(key for each in keys for key in each))}
    pairs = [(i, len(keys) + numbers[key]) for i, each in enumerate(keys) for key in each]
    size = len(keys) + len(numbers)
    left, right = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_matrix((np.ones(len(pairs)), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][: len(keys)], dtype=np.int64)


def numbered(keys: Sequence[object]) -> Indices:
    """Equal keys by equal numbers, from 0 in the order of their appearance."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def grouped_folds(group: Indices, folds: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """(train, test) row numbers, whole groups at random to one of `folds` parts; empty parts are passed over."""
    numbers = np.unique(group, return_inverse=True)[1]
    part = np.random.default_rng(seed).integers(0, folds, numbers.max() + 1)[numbers]
    for each in range(folds):
        test = np.flatnonzero(part == each)
        if len(test):
            yield np.flatnonzero(part != each), test


def resamples(cluster: Indices, times: int, seed: int) -> Iterator[Indices]:
    """Row numbers of `times` bootstrap samples that draw whole clusters with replacement."""
    rng = np.random.default_rng(seed)
    order = np.argsort(cluster, kind="stable")
    size = np.unique(cluster, return_counts=True)[1]
    first = np.cumsum(size) - size
    for _ in range(times):
        drawn = rng.choice(len(size), len(size))
        taken = size[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        yield order[np.repeat(first[drawn], taken) + within]
