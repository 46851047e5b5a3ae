"""Releases read straight into their types, many at once: how a portfolio of a million of them is read.

`tenders.reading` is the door for everything else, and for what is found unsound here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenders.checks import problems, sound
from tenders.process import Process
from tenders.tender import Tender


class _Line(Tender, frozen=True, kw_only=True):
    """A line of JSON lines: a release, unless it holds one of these."""

    releases: msgspec.Raw | None = None
    records: msgspec.Raw | None = None
    compiled_release: msgspec.Raw | None = None
    versioned_release: msgspec.Raw | None = None


_UNTOLD = _Line()
_AT_TOP = ("",)
_line = msgspec.json.Decoder(_Line).decode


def sound_releases(texts: Sequence[bytes]) -> list[Tender | None]:
    """For each text the one sound release that it holds; None for any other text.

    It is decoded straight into its types, to be scored and not explained: what it holds beyond them is not looked for.
    """
    found = [_release_in(text) for text in texts]
    held = [release for release in found if release is not None]
    # Nearly always all are, and then none is looked at for itself.
    if sound(held):
        return list(found)
    return [None if release is None or any(problems(release)) else release for release in found]


def process(release: Tender) -> Process:
    """The process of a sound release."""
    return Process(where=_AT_TOP, typed=release)


def _release_in(text: bytes) -> _Line | None:
    try:
        found = _line(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if found.tender is _UNTOLD.tender or found.releases or found.records:
        return None
    return None if found.compiled_release or found.versioned_release else found
