"""What has changed since an earlier run: which tenders are new on the list, more or less likely to fail, or gone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio.ranking import Floats, Hashes, floats, hashed

GONE = ("ocid", "title", "buyer", "failure")
READ = (*GONE, "file", "line", "place", "rank")
"""The columns of an earlier run that a comparison needs: an output of millions has many that it does not."""
ABSENT, BELOW = "no longer in the portfolio", "no longer among those chosen"


def compared(chosen: Hashes, failure: Floats, earlier: pa.Table, seed: int) -> dict[str, pa.Array]:
    """The columns `change`, `earlier_failure` and `earlier_rank` of chosen tenders with their failure now.

    `earlier` is an earlier worklist or a whole earlier output; a tender that it does not hold is `new`. `up` and `down`
    are those whose probability, to the 4 places that are told, has risen or fallen: ranks move with their neighbours.
    """
    was = known(earlier, seed)
    first = _first(earlier)
    names, at = np.unique(was[first], return_index=True)
    found = np.minimum(np.searchsorted(names, chosen), max(len(names) - 1, 0))
    held = names[found] == chosen if len(names) else np.zeros(len(chosen), dtype=bool)
    rows = first[at[found]] if len(names) else np.zeros(len(chosen), dtype=np.int64)
    before = np.full(len(chosen), np.nan)
    before[held] = floats(earlier["failure"].combine_chunks())[rows[held]]
    moved = np.round(failure - before, 4)
    words = np.select([~held, moved > 0, moved < 0], ["new", "up", "down"], "same")
    ranks = pa.nulls(len(chosen), pa.int64())
    if "rank" in earlier.column_names:
        ranks = earlier["rank"].cast(pa.int64()).combine_chunks().take(pa.array(rows, mask=~held))
    return {
        "change": pa.array(words.tolist(), pa.string()),
        "earlier_failure": pa.array(before, from_pandas=True),
        "earlier_rank": ranks,
    }


def gone(chosen: Hashes, present: Hashes, earlier: pa.Table, seed: int) -> pa.Table:
    """The tenders of an earlier run that are gone: columns `ocid`, `title`, `buyer`, `failure`, `rank`, `why`.

    Of an earlier worklist, those that are not chosen now, by rank; of a whole output, those that the portfolio does not
    hold, the likeliest to fail first.
    """
    was = known(earlier, seed)
    here = np.isin(was, present)
    is_list = "rank" in earlier.column_names
    missing = ~np.isin(was, chosen) if is_list else ~here
    order = np.arange(len(was)) if is_list else _first(earlier)
    places = order[missing[order]]
    # One row a tender: its first.
    rows = places[np.sort(np.unique(was[places], return_index=True)[1])]
    taken = earlier.take(pa.array(rows))
    ranks = taken["rank"].cast(pa.int64()) if is_list else pa.nulls(len(rows), pa.int64())
    why = pa.array(np.where(here[rows], BELOW, ABSENT).tolist(), pa.string())
    return taken.select(GONE).append_column("rank", ranks).append_column("why", why)


def known(earlier: pa.Table, seed: int) -> Hashes:
    """What stands for each earlier row's tender, as `ranking.hashed` has it."""
    parts = [hashed(batch, seed)[:, 0] for batch in earlier.to_batches()]
    return np.concatenate([np.empty(0, dtype=np.uint64), *parts])


def _first(earlier: pa.Table) -> NDArray[np.int64]:
    """The rows with the likeliest to fail first: it stands for its tender, as on the list of today."""
    found: NDArray[np.int64] = pc.sort_indices(earlier["failure"], sort_keys=[("", "descending")]).to_numpy()
    return found.astype(np.int64)
