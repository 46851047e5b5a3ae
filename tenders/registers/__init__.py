"""The registers that histories come from: one module each, with its columns, its traps, its outcomes and its codes.

Each module has a `REGISTER`. `own` reads a history of the user's own. docs/registers.md says where each register's
figures were found.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache

from tenders.errors import UsageError
from tenders.history import Register

_SHARED = ("columns", "quality")
"""Modules that are no register."""


@cache
def register_names() -> tuple[str, ...]:
    """The names of all registers: of the modules here."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED))


def find_register(name: str) -> Register:
    """The register of that name. Raises UsageError that lists the names there are."""
    if name not in register_names():
        known = ", ".join(register_names())
        raise UsageError(f"{name!r} is no register. Use one of {known}; 'own' reads any other history")
    register: Register = importlib.import_module(f"{__name__}.{name}").REGISTER
    return register


def attributes_of(ocid: str | None) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    """How a tender's codes are read as attributes: by the register whose name starts the ocid, else as they stand."""
    name = (ocid or "").partition("-")[0]
    return find_register(name).attributes if name in register_names() else dict
