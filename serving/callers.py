"""Who asks: the key that a request came with, its scopes, and whose jobs it may see."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, get_args

import msgspec

Scope = Literal["score", "portfolio", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Caller(msgspec.Struct, frozen=True):
    """The name of a key and its scopes; a blank name where no keys are configured, and everybody may do all."""

    name: str = ""
    scopes: frozenset[str] = frozenset(SCOPES)

    def may(self, scope: str) -> bool:
        """Whether it has a scope; admin has all."""
        return not scope or scope in self.scopes or "admin" in self.scopes

    def owns(self, owner: str) -> bool:
        """Whether it sees and deletes what a key of this name made: its own, and admin all."""
        return not self.name or owner == self.name or "admin" in self.scopes


ANYBODY = Caller()
current_caller: ContextVar[Caller] = ContextVar("current_caller", default=ANYBODY)
in_session: ContextVar[bool] = ContextVar("in_session", default=False)
"""Whether a person asks who has signed in, and can sign out."""
