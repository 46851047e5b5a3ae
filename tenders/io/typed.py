"""Releases read straight into their types, many at once: how a portfolio of a million of them is read.

`tenders.io.reading` is the door for everything else, and for what is found unsound here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenders.io.checks import NO_FIELDS, Fields, problems, sound
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
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_line = msgspec.json.Decoder(_Line).decode


def sound_releases(texts: Sequence[bytes], besides: Fields = NO_FIELDS) -> list[Tender | None]:
    """For each text the one sound release that it holds; None for any other text.

    It is decoded straight into its types, to be scored and not explained: what it holds beyond them is not looked for.
    Whether it is sound in the fields `besides` (`tenders.io.checks.sound`), whoever reads them has to tell.
    """
    try:
        found: list[_Line | None] = list(map(_line, texts))
    except _BROKEN:
        found = [_decoded(text) for text in texts]
    return sound_among([line if line and _is_release(line) else None for line in found], besides)


def sound_among(releases: Sequence[Tender | None], besides: Fields = NO_FIELDS) -> list[Tender | None]:
    """The releases with None in place of those that are not sound, as `sound_releases` asks it."""
    held = [release for release in releases if release is not None]
    # Nearly always all are, and then none is looked at for itself.
    if sound(held, besides):
        return list(releases)
    return [None if release is None or any(problems(release)) else release for release in releases]


def process(release: Tender) -> Process:
    """The process of a sound release."""
    return Process(where=_AT_TOP, typed=release)


def _decoded(text: bytes) -> _Line | None:
    try:
        return _line(text)
    except _BROKEN:
        return None


def _is_release(line: _Line) -> bool:
    others = line.releases or line.records or line.compiled_release or line.versioned_release
    return not others and line.tender is not _UNTOLD.tender
