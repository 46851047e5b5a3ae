"""Where notices are pulled from: one module an API, each with its address, its limits, its traps and an `API`."""

from __future__ import annotations

import importlib

from tenders.apis.api import Api
from tenders.errors import UsageError

_NAMES = ("find-a-tender", "contracts-finder", "ted")


def names() -> tuple[str, ...]:
    """The names of all APIs."""
    return _NAMES


def api(name: str) -> Api:
    """The API of that name. Raises UsageError that lists the names there are."""
    if name not in _NAMES:
        raise UsageError(f"{name!r} is nothing that notices are pulled from. Use one of {', '.join(_NAMES)}")
    found: Api = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").API
    return found
