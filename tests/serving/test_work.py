"""What a page costs, counted and not timed: how often it asks for scores. `python -m benchmarks.pages` times it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from models import score as scoring
from serving.pages import result
from serving.pages.drafts import Draft, DraftRequest, fill_from_document
from serving.service import DESK
from tests.serving.made import CAMBRIDGESHIRE, FILLED

ANSWERS = {path: answer for path, answer in DESK.items() if "save" not in path}
MOST = {
    "/answer": (5, 5),
    "/desk/stages": (3, 0),
    "/desk/suggestions": (1, 2),
    "/desk/comparables": (1, 0),
    "/desk/unknown": (1, 1),
    "/desk/report": (3, 3),
}
"""How many scores by themselves, and how many batches, a page may ask for."""


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the scores that are asked for by themselves, and the batches."""
    for stage in ("draft", "bids_in", "awarded"):
        result.served_peers(stage)
    counted: Counter[str] = Counter()
    within: list[str] = []

    def counting(name: str, kind: str) -> None:
        real = getattr(scoring, name)

        def asks(*arguments: Any, **how: Any) -> Any:
            # One score is a batch of one: only what the page itself asks for counts.
            counted[kind] += not within
            within.append(kind)
            try:
                return real(*arguments, **how)
            finally:
                within.pop()

        monkeypatch.setattr(scoring, name, asks)

    for name, kind in (("score", "one"), ("explained", "one"), ("scores", "batch"), ("forecasts", "batch")):
        counting(name, kind)
    return counted


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize(
    "draft",
    [Draft(values=FILLED), fill_from_document(Draft(document=json.dumps(CAMBRIDGESHIRE)))],
    ids=["form", "file"],
)
def test_a_page_asks_for_few_scores_and_tries_all_else_at_once(counts: Counter[str], path: str, draft: Draft) -> None:
    answer = ANSWERS[path](DraftRequest(draft, None, {"try.lots": "4", "try.term_years": "6"}))
    assert answer.status_code == 200
    most, most_batches = MOST[path]
    assert counts["one"] <= most
    assert counts["batch"] <= most_batches
