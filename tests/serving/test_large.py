"""A large body is answered as a small one is, by a process of its own."""

from __future__ import annotations

import json

import httpx
import msgspec
import pytest

from models import bundle as bundles
from models.bundle import Bundle
from serving import answers, large, metering
from serving.openapi import BODY_EXAMPLES
from tenders.child_process import ChildEndedError
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


def test_so_is_an_answer_that_leaves_in_pieces(http: httpx.Client) -> None:
    body = json.dumps([{"title": "x"}] * 120).encode()
    small, same = (http.post("/score_many", content=content) for content in (body, body + BLANKS))
    assert len(small.content) > answers.PIECE_BYTES
    assert same.content == small.content
    assert same.headers["Content-Length"] == small.headers["Content-Length"] == str(len(small.content))


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
    assert [shadow_score and shadow_score.failure for shadow_score in answer.shadow_scores] == [
        score.failure for score in scores
    ]
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


class MadeChild:
    """A child that was ended before it had answered."""

    is_alive = True

    is_ended = False

    def ask(self, *_: bytes, **__: object) -> list[bytes]:
        raise ChildEndedError(-9, is_late=True)

    def end(self) -> None:
        self.is_ended = True


def test_that_the_process_ended_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(large, "ChildProcess", lambda *_, **__: MadeChild())
    with pytest.raises(UnreachableError, match="Send fewer tenders"):
        large.LargeBodies().ask("score", [b"{}"], "", "")
    assert "ended while it worked on one: SIGKILL" in caplog.text


def test_it_ends_with_the_service_and_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    child, bodies = MadeChild(), large.LargeBodies()
    monkeypatch.setattr(bodies, "_child", child)
    bodies.end()
    assert child.is_ended
    monkeypatch.setattr(large, "ChildProcess", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(UnreachableError):
        bodies.ask("score", [b"{}"], "", "")
