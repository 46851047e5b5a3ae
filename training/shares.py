"""A booster fitted by the workers of a Dask cluster, each on its share of the rows: a candidate judged like any other.

The workers agree on every split, but bins are found from summaries of each share and rows drawn within it, so the model
differs a little from one fitted in one process, and with the number of shares. On one machine it gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.matrix import Matrix
from tenders.errors import UnreachableError, UsageError

Floats = NDArray[np.float64]


def fit(
    x: Matrix,
    y: Floats,
    weight: Floats,
    names: Sequence[str],
    parameters: dict[str, object],
    trees: int,
    shares: int,
    offset: Floats | None = None,
) -> xgb.Booster:
    """A booster of columns of these names, of rows in so many `shares`.

    Raises UsageError where Dask is not installed, UnreachableError where its scheduler does not answer.
    """
    client = _client(shares)
    import dask.array as da
    from xgboost import dask as shared

    rows = -(-len(y) // shares)
    from_array: Any = da.from_array  # Dask does not say its type

    def cut(values: Matrix | Floats | None) -> Any:
        return None if values is None else from_array(values, chunks=(rows, *values.shape[1:]))

    data = shared.DaskQuantileDMatrix(
        client,
        cut(x),
        cut(y),
        weight=cut(weight),
        base_margin=cut(offset),
        feature_names=list(names),
        max_bin=parameters["max_bin"],
    )
    booster: xgb.Booster = shared.train(client, {**parameters, "nthread": 1}, data, trees)["booster"]
    return booster


@cache
def _client(shares: int) -> Any:
    """The cluster that Dask is set to by DASK_SCHEDULER_ADDRESS, else one on this machine; kept while we train."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError("shares need Dask: install tender-risk[cluster]") from None
    address = dask.config.get("scheduler-address", None)
    if not address:
        return Client(LocalCluster(n_workers=shares, threads_per_worker=1, host="127.0.0.1", dashboard_address=None))
    try:
        return Client(address, timeout=10)
    except OSError as error:
        raise UnreachableError(f"{address}: no cluster answers ({error})") from None
