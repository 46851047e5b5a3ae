"""The registers that histories come from: one module each, with its columns, its traps, its outcomes and its codes.

Each module has a `REGISTER`. `own` reads a history of the user's own. docs/registers.md says where each register's
figures were found.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from tenders.errors import UsageError
from tenders.history import Register

_NAMES = ("casebook_uk", "dncp_py", "fpds_dod_us", "nicgep_in", "own", "placsp_es", "sicoes_bo", "ted_de")


def register_names() -> tuple[str, ...]:
    """The names of all registers."""
    return _NAMES


def find_register(name: str) -> Register:
    """The register of that name. Raises UsageError that lists the names there are."""
    if name not in _NAMES:
        raise UsageError(f"{name!r} is no register. Use one of {', '.join(_NAMES)}; 'own' reads any other history")
    register: Register = importlib.import_module(f"{__name__}.{name}").REGISTER
    return register


def attributes_of(ocid: str | None) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    """How the codes of a tender are read as attributes: as `Register.attributes` of the register whose name begins the
    ocid says, and as they stand for any other tender."""
    name = (ocid or "").partition("-")[0]
    return find_register(name).attributes if name in _NAMES else dict
