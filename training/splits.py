"""Groups of rows that share their fate, and splits and bootstraps that keep such rows together."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """One window: the day of its cut, the rows to fit on with their outcome as known then and the weight that this
    gives them, and the rows to judge. Folds that are forecast together have the number of one `window`."""

    cut: int
    train: Indices
    y: Floats
    weight: Floats
    test: Indices
    window: int | None = None


def linked_groups(keys: Sequence[Sequence[str]]) -> Indices:
    """A group number for each row: rows that share a key, directly or through other rows, are one group."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(key for row_keys in keys for key in row_keys))}
    pairs = [(i, len(keys) + numbers[key]) for i, row_keys in enumerate(keys) for key in row_keys]
    size = len(keys) + len(numbers)
    left, right = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_matrix((np.ones(len(pairs)), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][: len(keys)], dtype=np.int64)


def group_numbers(keys: Sequence[object]) -> Indices:
    """A number for each key, equal for equal keys, from 0 in the order of first appearance."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def grouped_folds(group: Indices, folds: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """(train, test) row numbers of each fold. Whole groups go to a fold at random; empty folds are left out.

    Blind to outcomes: those of the rows that are judged have no say in the folds of a register.
    """
    numbers = np.unique(group, return_inverse=True)[1]
    fold_of = np.random.default_rng(seed).integers(0, folds, numbers.max() + 1)[numbers]
    for fold in range(folds):
        test = np.flatnonzero(fold_of == fold)
        if len(test):
            yield np.flatnonzero(fold_of != fold), test


def stratified_group_folds(y: Floats, group: Indices, folds: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """(train, test) row numbers of each fold: whole groups, at random, so that outcomes are spread over the folds.

    `y` has shape (rows,); unknown outcomes (NaN) are spread as a kind of their own. Folds without rows are left out.
    Raises ValueError if no kind has two rows, or all rows are one group.
    """
    kind = np.nan_to_num(y, nan=2).astype(np.int64)
    most = min(np.bincount(kind).max(), len(np.unique(group)))
    splitter = StratifiedGroupKFold(min(folds, most), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # An outcome that is rarer than the folds is not in every one of them.
        warnings.simplefilter("ignore", UserWarning)
        splits = list(splitter.split(kind, kind, group))
    yield from ((train, test) for train, test in splits if len(test))


def bootstrap(cluster: Indices, times: int, seed: int) -> Iterator[Indices]:
    """Row numbers of `times` bootstrap samples, which draw whole clusters with replacement."""
    rng = np.random.default_rng(seed)
    order = np.argsort(cluster, kind="stable")
    size = np.unique(cluster, return_counts=True)[1]
    first = np.cumsum(size) - size
    for _ in range(times):
        drawn = rng.choice(len(size), len(size))
        taken = size[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        yield order[np.repeat(first[drawn], taken) + within]
