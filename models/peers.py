"""Peers: the casebook's cases that entered by a rule, where a bundle's own model puts them at a stage.

The level and the spread of its numbers come from how these very cases ended, so it may place new ones less well.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from models import score as scoring
from models.bundle import Bundle
from models.comparables import known
from tenders.facts import Stage


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """The failure probabilities of those that failed and of those that held, lowest first."""

    stage: Stage
    failed: tuple[float, ...]
    held: tuple[float, ...]

    def below(self, failure: float) -> tuple[int, int]:
        """How many of those that failed, and of those that held, have a lower probability."""
        return bisect_left(self.failed, failure), bisect_left(self.held, failure)


def peers(bundle: Bundle, stage: Stage) -> Peers:
    """Every cohort case whose end is known, scored as of a stage: some hundreds of scores."""
    cases = [each for each in known(stage) if not each.case.picked]
    scored = scoring.numbers([scoring.case(bundle, each.case.process(), stage) for each in cases])
    placed = sorted((told.failure, each.failed) for each, told in zip(cases, scored, strict=True))
    return Peers(
        stage=stage,
        failed=tuple(failure for failure, failed in placed if failed),
        held=tuple(failure for failure, failed in placed if not failed),
    )
