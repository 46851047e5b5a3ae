"""The page in a real browser, with scripts switched off: what a commissioner sees and does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]

DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest, url: str) -> Iterator[Page]:
    """The form, opened at one width; any complaint of the browser fails the test."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=False)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("requestfailed", lambda failed: complaints.append(failed.url))
    opened.goto(url)
    yield opened
    context.close()
    assert [each for each in complaints if "400" not in each] == []


def test_a_draft_is_scored_corrected_and_scored_again(page: Page) -> None:
    page.get_by_label("Title", exact=True).fill("Integrated <i>community</i> services")
    page.get_by_label("Value", exact=True).fill("a lot")
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_role("link", name="Value").click()
    assert page.url.endswith("#value")
    assert page.locator("#value-problem").is_visible()
    page.get_by_label("Value", exact=True).fill("5,900,000,000")
    page.get_by_role("button", name="Score", exact=True).click()
    assert page.get_by_role("heading", level=1).first.inner_text().count("%") == 1
    assert page.get_by_label("Title", exact=True).input_value() == "Integrated <i>community</i> services"
    assert page.locator("i").count() == 0


def test_the_page_fits_its_width(page: Page) -> None:
    page.get_by_label("Title", exact=True).fill("x" * 300)
    page.get_by_label("Lots", exact=True).fill("1")
    page.get_by_role("button", name="Score", exact=True).click()
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    for selector in ("section.result", "form", "header", "footer", "#title"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width, selector


def test_fields_that_hold_something_are_seen(page: Page) -> None:
    page.locator("summary", has_text="Timetable").click()
    page.get_by_label("Days to bid").fill("soon")
    page.get_by_role("button", name="Score", exact=True).click()
    assert page.get_by_label("Days to bid").is_visible()
    assert page.locator("#tender_period_days-problem").is_visible()
    assert not page.get_by_label("Supplier", exact=True).is_visible()


def test_a_file_is_scored(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_bytes(samples.data(samples.draft()))
    page.get_by_label("OCDS release").set_input_files(file)
    page.get_by_role("button", name="Score the file").click()
    assert page.locator("section.result").is_visible()
    assert page.get_by_text(samples.OCID).is_visible()


def test_the_form_can_be_filled_by_keyboard(page: Page) -> None:
    page.get_by_label("Title", exact=True).focus()
    page.keyboard.type("Community nursing")
    page.keyboard.press("Enter")
    page.locator("section.result").wait_for()
