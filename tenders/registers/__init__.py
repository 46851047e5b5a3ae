"""Where histories come from: one module a register, each with its data dictionary, its traps and a `SOURCE`.

`own` reads a history of the user's own. docs/registers.md tells where each register's figures were found.
"""

from __future__ import annotations

import importlib

from tenders.errors import UsageError
from tenders.history import Source

_NAMES = ("casebook_uk", "dncp_py", "fpds_dod_us", "nicgep_in", "own", "placsp_es", "sicoes_bo", "ted_de")


def names() -> tuple[str, ...]:
    """The names of all sources."""
    return _NAMES


def source(name: str) -> Source:
    """The source of that name. Raises UsageError that lists the names there are."""
    if name not in _NAMES:
        raise UsageError(f"{name!r} is no register. Use one of {', '.join(_NAMES)}; 'own' reads any other history")
    found: Source = importlib.import_module(f"{__name__}.{name}").SOURCE
    return found
