"""Where a case of the casebook is described."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tenders.casebook import Case


class Cited(msgspec.Struct, frozen=True, kw_only=True):
    """Where a case's facts come from."""

    title: str
    url: str


def sources(case: Case) -> Iterator[Cited]:
    """The case's sources that have an address, titled where the casebook has a title for each."""
    addresses = [each.strip() for each in case.sources.split(" | ") if each.strip()]
    titles = [each.strip() for each in case.source_titles.split(";")]
    named = titles if len(titles) == len(addresses) else addresses
    for title, address in zip(named, addresses, strict=True):
        if address.startswith(("https://", "http://")):
            yield Cited(title=title, url=address)
