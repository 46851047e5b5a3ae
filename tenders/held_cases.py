"""Cases of a long history, of which the tenders are held as bytes and made only while somebody looks at them.

A tender is some forty Python objects: two hundred thousand of them are half a gigabyte. As the bytes of its release,
which hold no more than the row told, it is a small part of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, overload

import msgspec
from msgspec.structs import replace

from tenders.history import LabelledTender
from tenders.tender import Tender

NO_TENDER = Tender()
"""Stands for the tender where nobody needs it."""
_DECODER = msgspec.msgpack.Decoder(Tender, strict=False)


class HeldCases(Sequence[LabelledTender]):
    """Cases whose tenders are made when they are asked for, each time anew.

    `light` are the same cases without their tenders.
    """

    def __init__(self) -> None:
        self.light: list[LabelledTender] = []
        self._releases: list[bytes] = []
        self._same: dict[Any, Any] = {}

    def add(self, case: LabelledTender, release: Mapping[str, Any]) -> None:
        """Takes a case whose tender was made of a release, and lets the tender go."""
        shared = {
            name: self._once(getattr(case, name)) for name in ("published", "known_on", "kind") if getattr(case, name)
        }
        outcomes = self._once(tuple(case.outcomes.items()), case.outcomes)
        self.light.append(replace(case, tender=NO_TENDER, outcomes=outcomes, **shared))
        self._releases.append(msgspec.msgpack.encode(release))

    def with_known_on(self, days: Mapping[int, date]) -> HeldCases:
        """The same cases, some with another day on which their outcome became known, by their row in the file."""
        changed = HeldCases()
        changed.light = [replace(case, known_on=days[case.row]) if case.row in days else case for case in self.light]
        changed._releases = self._releases
        return changed

    def __len__(self) -> int:
        return len(self.light)

    @overload
    def __getitem__(self, place: int) -> LabelledTender: ...

    @overload
    def __getitem__(self, place: slice) -> list[LabelledTender]: ...

    def __getitem__(self, place: int | slice) -> LabelledTender | list[LabelledTender]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        return replace(self.light[place], tender=_DECODER.decode(self._releases[place]))

    def __iter__(self) -> Iterator[LabelledTender]:
        for case, release in zip(self.light, self._releases, strict=True):
            yield replace(case, tender=_DECODER.decode(release))

    def _once(self, key: Any, value: Any = None) -> Any:
        """One object of those that are equal."""
        return self._same.setdefault(key, key if value is None else value)


def without_tenders(cases: Sequence[LabelledTender]) -> Sequence[LabelledTender]:
    """The cases for what looks at their days, outcomes and groups alone: of held ones no tender is made."""
    return cases.light if isinstance(cases, HeldCases) else cases
