"""What every page says of itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from serving.audit.trail import audit_settings
from serving.pages.rendering import what_is_stored


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "We do not store what you enter. We note which scores we show"),
        ({"TENDER_RISK_AUDIT_INPUTS": "on"}, "We keep what you enter"),
        ({"TENDER_RISK_AUDIT": "off"}, "We store nothing"),
    ],
)
def test_a_page_says_what_the_service_keeps(environment: dict[str, str], words: str, tmp_path: Path) -> None:
    settings = audit_settings({"TENDER_RISK_DATA": str(tmp_path), **environment})
    assert what_is_stored(settings).startswith(words)


def test_the_start_page_says_it_twice(http: httpx.Client) -> None:
    assert http.get("/").text.count(what_is_stored(audit_settings({}))) == 2
