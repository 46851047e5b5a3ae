"""The console script `tender-risk`, under a name that is the same in the checkout and in an installed package."""

from __future__ import annotations

from cli.main import run

__all__ = ["run"]
