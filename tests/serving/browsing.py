"""Chromium for the tests, and what a screen reader and a keyboard need of a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = os.environ.get("TENDER_RISK_AXE", "")
"""Where axe.min.js of npm's axe-core lies, if it is to be asked too."""
DESKTOP, PHONE = (1280, 900), (390, 844)
CHECKS = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def faults(page: Page, scripts: bool = True) -> list[Any]:
    """What is wrong with a page for those who do not see it, or use no mouse, at either width; by axe too, where it is.

    Axe waits for timers, which never come where a page runs no `scripts`.
    """
    # Unstyled, everything looks otherwise.
    page.wait_for_load_state("load")
    problems: list[Any] = []
    for width, height in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        problems += page.evaluate(CHECKS)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            problems.append(f"{wide} pixels wide on {width}")
        if AXE and scripts:
            page.evaluate(Path(AXE).read_text(encoding="utf-8"))
            problems += page.evaluate(
                "axe.run(document).then(r => r.violations.map(v => [v.id, v.impact, v.nodes[0].html]))"
            )
    return problems
