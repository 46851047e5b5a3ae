"""A challenger that is slow, fails or is missing costs an answer nothing. `test_served.py` has one beside a service."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import msgspec
import pytest

from models import score as scoring
from models.bundle import Bundle
from serving import shadow as shadows
from serving.challenger import scored
from serving.pages import answer, beside, stages
from serving.pages.drafts import DraftRequest, draft_of, saved_bytes
from serving.shadow import Shadow, ShadowHello, ShadowRequest, ShadowScore, chosen_shadow
from tenders.errors import BundleError, UsageError
from tenders.io.read import to_process
from tests.serving.made import MANCHESTER

SCORE = ShadowScore("draft", 0.25, "high")
REQUEST = ShadowRequest("score", b'{"title": "a secret"}')


class MadeChallenger:
    """A challenger without a process, which says what it is given."""

    started = 0

    def __init__(self, directory: Path) -> None:
        if directory.name == "broken":
            raise BundleError("it does not verify")
        type(self).started += 1
        self.bundle = ShadowHello(version="2026.2.1", sha256="ab")
        self.says: list[ShadowScore | None] | None = [ShadowScore("draft", 0.3, "very high")]

    def scores(self, request: ShadowRequest) -> list[ShadowScore | None]:
        if self.says is None:
            raise ConnectionResetError(request.raw)
        return self.says

    def end(self) -> None:
        self.says = None


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shadow:
    """Shadow scoring by a made challenger, that a test does step by step."""
    monkeypatch.setattr(shadows, "ChallengerProcess", MadeChallenger)
    monkeypatch.setattr(shadows, "POLL_SECONDS", 0.0)
    MadeChallenger.started = 0
    made = Shadow(str(tmp_path))
    made._follow()
    return made


def counted(outcome: str) -> float:
    return float(shadows.TENDERS.labels(outcome)._value.get())


def test_what_does_not_fit_is_dropped_and_counted(shadow: Shadow, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped, compared = counted("dropped"), counted("compared")
    for _ in range(shadows.MAX_QUEUED + 1):
        shadow.offer(REQUEST, [SCORE])
    assert counted("dropped") == dropped + 1
    shadow._next()
    assert counted("compared") == compared + 1
    monkeypatch.setattr(shadows, "MAX_QUEUED_BYTES", shadow._bytes + 5)
    shadow.offer(REQUEST, [SCORE, None, SCORE])
    # Of those that were refused there is nothing to compare.
    assert counted("dropped") == dropped + 3


def test_a_challenger_that_fails_is_counted_and_started_again_after_a_while(
    shadow: Shadow, caplog: pytest.LogCaptureFixture
) -> None:
    failed = counted("failed")
    challenger = shadow._challenger
    assert isinstance(challenger, MadeChallenger)
    challenger.says = None
    shadow.offer(REQUEST, [SCORE, SCORE])
    with caplog.at_level(logging.DEBUG):
        shadow._next()
    assert counted("failed") == failed + 2
    assert "its process ended" in shadow.trouble and "secret" not in shadow.trouble + caplog.text
    shadow._follow()
    assert (shadow._challenger, MadeChallenger.started) == (None, 1)
    shadow._retry_at = 0.0
    shadow._follow()
    assert (shadow.trouble, MadeChallenger.started) == ("", 2)


def test_one_that_says_nothing_of_a_tender_has_failed_it(shadow: Shadow) -> None:
    failed, compared = counted("failed"), counted("compared")
    shadows.compare([SCORE, None, SCORE, SCORE], [SCORE, SCORE, None])
    assert (counted("failed"), counted("compared")) == (failed + 2, compared + 1)


def test_one_that_does_not_verify_is_refused_until_another_is_named(tmp_path: Path, shadow: Shadow) -> None:
    shadow._chosen = str(tmp_path / "broken")
    shadow._follow()
    assert "it does not verify" in shadow.trouble and shadows.REFUSED._value.get() == 1
    shadow._chosen = str(tmp_path)
    shadow._follow()
    assert (shadow.trouble, shadows.REFUSED._value.get()) == ("", 0)


def test_it_scores_what_a_request_holds(bundle: Bundle) -> None:
    result = scoring.score(bundle, to_process(MANCHESTER), "draft")
    entry = {"tender": MANCHESTER, "stage": "draft"}
    expected = ShadowScore("draft", result.failure, result.band)
    assert scored(ShadowRequest("score", json.dumps(entry).encode()), bundle) == [expected]
    many = ShadowRequest("score_many", json.dumps({"tenders": [{"lots": -1}, MANCHESTER], "stage": "draft"}).encode())
    assert scored(many, bundle) == [None, expected]
    # A page's draft is the OCDS file with what was changed in it.
    saved = saved_bytes(msgspec.structs.replace(draft_of(MANCHESTER), stage="draft"))
    assert scored(ShadowRequest("page", saved, "draft"), bundle) == [expected]


def test_of_the_pages_of_a_draft_the_answer_alone_is_scored_again(
    shadow: Shadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = DraftRequest(draft_of({"title": "a secret", "value": 5_000_000}), None, {})
    monkeypatch.setattr(shadows, "_running", shadows._Running(shadow))
    stages.stages_page(request)
    beside.suggestions_page(request)
    assert shadow._queue.empty()
    answer.answer_page(request)
    offered = shadow._queue.get_nowait()
    assert offered.request.action == "page" and json.loads(offered.request.raw)["title"] == "a secret"
    (shown,) = offered.answered
    assert shown and shown.stage == offered.request.stage == "draft"


def test_the_setting_is_a_directory_or_the_challenger() -> None:
    assert [chosen_shadow({}), chosen_shadow({"TENDER_RISK_SHADOW": " challenger "})] == ["", "challenger"]
    with pytest.raises(UsageError, match="tender-risk serve --shadow models:/tender-risk@challenger"):
        chosen_shadow({"TENDER_RISK_SHADOW": "models:/tender-risk@challenger"})
