"""Rows of which many are alike: what is costly is worked out once for each kind of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)


class Kinds(Generic[Kind]):
    """Each `distinct` row, in order of the first of its kind, and the `place` there of every row."""

    def __init__(self, rows: Sequence[Kind]) -> None:
        self.distinct = list(dict.fromkeys(rows))
        places = {kind: place for place, kind in enumerate(self.distinct)}
        self.place = list(map(places.__getitem__, rows))
