"""A large body is answered as a small one is, by a process of its own."""

from __future__ import annotations

import json
import multiprocessing

import httpx
import msgspec
import pytest

from models import bundle as bundles
from models.bundle import Bundle
from serving import answers, large, metering
from serving.openapi import BODY_EXAMPLES
from tenders.errors import UnreachableError

BLANKS = b" " * (large.LARGE_BYTES + 1)
"""They make a body large, and say nothing."""


@pytest.mark.parametrize("path", BODY_EXAMPLES)
def test_it_is_answered_as_a_small_one(http: httpx.Client, path: str) -> None:
    body = json.dumps(BODY_EXAMPLES[path]).encode()
    small, same = (http.post(path, content=content) for content in (body, body + BLANKS))
    assert small.status_code == same.status_code == 200
    assert same.content == small.content
    assert same.headers["X-Tender-Risk-Bundle"] == small.headers["X-Tender-Risk-Bundle"]


def test_what_is_wrong_with_it_is_said_as_of_a_small_one(http: httpx.Client) -> None:
    body = b'{"tender": {"title": "x", "lots": "many"}}'
    small, same = (http.post("/score", content=content) for content in (body, body + BLANKS))
    assert small.status_code == same.status_code == 400
    assert same.json() == small.json()


def test_the_probabilities_come_with_it_for_the_trail_and_the_metrics(bundle: Bundle) -> None:
    raw = json.dumps(BODY_EXAMPLES["/score_many"]).encode()
    before = metering.take()
    answer, body = large.computed("score_many", raw, str(bundles.released()), bundle.sha256)
    content, audited = answers.ANSWERS["score_many"](raw, bundle)
    scores = list(audited)
    assert body == answers.json_bytes(content)
    assert answer.scores == scores
    assert [shadow_score and shadow_score.failure for shadow_score in answer.shadow_scores] == [score.failure for score in scores]
    metered = metering.take()
    assert sum(count for name, _, count in metered.counts if name == "tender_risk_scores") == 2
    assert sum(len(forecasts) for *_, forecasts in metered.recent) == 4
    whole = msgspec.structs.replace(answer, metered=metered)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=large.LargeAnswer) == whole
    metering.add(metered)
    assert metering.take() == metered
    metering.add(before)


def test_another_bundle_than_the_served_one_answers_nothing() -> None:
    answer, body = large.computed("score", b'{"tender": {"title": "x"}}', str(bundles.released()), "0" * 64)
    assert answer.status == 503
    assert b"have changed" in body


def test_a_process_that_takes_too_long_is_ended_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = multiprocessing.Pipe()

    class Endless:
        """A process that reads and never answers."""

        def kill(self) -> None:
            theirs.close()

        def join(self, _: float) -> None:
            pass

    bodies = large.LargeBodies()
    monkeypatch.setattr(large, "MOST_SECONDS", 0.01)
    monkeypatch.setattr(bodies, "_running", lambda: (ours, Endless()))
    with pytest.raises(UnreachableError, match="Send fewer tenders"):
        bodies.ask("score", b"{}", "", "")
