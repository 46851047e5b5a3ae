"""The APIs that notices are pulled from, each with its address, its limits and its traps."""

from __future__ import annotations

from tenders.apis.api import Api
from tenders.apis.ted import TED
from tenders.apis.uk import CONTRACTS_FINDER, FIND_A_TENDER
from tenders.errors import UsageError

APIS = {api.name: api for api in (FIND_A_TENDER, CONTRACTS_FINDER, TED)}


def find_api(name: str) -> Api:
    """The API of that name. Raises UsageError that lists the names there are."""
    if name not in APIS:
        raise UsageError(f"there is no API {name!r} to pull from. Use one of {', '.join(APIS)}")
    return APIS[name]
