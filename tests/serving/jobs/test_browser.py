"""An auditor's path in a real browser: upload, progress, worklist, sort, filter, a row, back, and files to take away."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from tests.serving.browsing import CHROMIUM, DESKTOP, PHONE, chromium, faults
from tests.serving.jobs import made

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]
PICTURES = os.environ.get("TENDER_RISK_PICTURES", "")
"""Where pictures of the pages are put, if somebody wants to look at them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, service: httpx.Client) -> Iterator[Page]:
    """The upload page with scripts, on a desktop."""
    yield from opened(browser, str(service.base_url.join("/portfolio")), DESKTOP, scripts=True)


@pytest.fixture
def phone(browser: Browser, service: httpx.Client, job: dict[str, Any]) -> Iterator[Page]:
    """The worklist of a job without scripts, on a phone."""
    yield from opened(browser, str(service.base_url.join(job["page"])), PHONE, scripts=False)


def opened(browser: Browser, url: str, size: tuple[int, int], scripts: bool) -> Iterator[Page]:
    """A page at one width; any complaint of the browser fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, java_script_enabled=scripts)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if complains(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(url)
    yield page
    context.close()
    assert complaints == []


def complains(message: ConsoleMessage) -> bool:
    """Whether the browser minds something. That a form was refused is no fault of the page."""
    return message.type in ("error", "warning") and "status of 400" not in message.text


def pictured(page: Page, name: str) -> None:
    if PICTURES and page.viewport_size:
        page.screenshot(path=Path(PICTURES) / f"{name}-{page.viewport_size['width']}.png", full_page=True)


def test_from_an_upload_to_the_reviews_and_back(page: Page, tmp_path: Path) -> None:
    register = tmp_path / "register.jsonl"
    register.write_bytes(made.portfolio())
    assert faults(page) == []
    pictured(page, "upload")
    first = page.locator("main form").locator("input, select").first
    assert first.get_attribute("id") == "many", "the file comes first"
    page.get_by_label("File of tenders").set_input_files(register)
    assert not page.get_by_label("Score them as of").is_visible()
    page.get_by_text("Options: stage").click()
    page.get_by_label("Score them as of").select_option("draft")
    page.get_by_label("Reviews you have people for").fill("10")
    page.get_by_role("button", name="Upload and score").click()
    expect(page.get_by_role("heading", name="register.jsonl")).to_be_visible()
    pictured(page, "progress")
    expect(page.get_by_role("heading", name="Worklist of register.jsonl")).to_be_visible(timeout=60_000)
    assert faults(page) == []
    pictured(page, "worklist")
    page.set_viewport_size(dict(zip(("width", "height"), DESKTOP, strict=True)))
    wide = "each => each.scrollWidth - each.clientWidth"
    assert page.get_by_role("region", name="Table of tenders").evaluate(wide) <= 0, "every column is on the screen"

    sorted_and_filtered(page)
    a_review_is_kept(page)
    with page.expect_download() as taken:
        page.get_by_role("listitem").filter(has_text="Reviews:").get_by_role("link", name="csv").click()
    assert taken.value.suggested_filename == "register-verdicts.csv"
    with Path(taken.value.path()).open(encoding="utf-8-sig", newline="") as file:
        (kept,) = csv.DictReader(file)
    assert [kept[name] for name in ("failed", "verdict", "reviewer", "reason")] == [
        "true",
        "early_end",
        "Ada",
        "It went bust",
    ]
    with page.expect_download() as taken:
        page.get_by_role("listitem").filter(has_text="Worklist:").get_by_role("link", name="csv").click()
    assert taken.value.suggested_filename == "register-worklist.csv"
    assert len(Path(taken.value.path()).read_text().splitlines()) == 11
    page.get_by_role("button", name="Delete the file and its results").click()
    assert page.url.endswith("/portfolio")


def a_review_is_kept(page: Page) -> None:
    """Adds a review to the first row: first without a name, then whole."""
    here = page.url
    page.locator("td.review summary").first.click()
    rank = page.locator("tbody tr").first.get_attribute("id")
    row = page.locator(f"#{rank}")
    row.get_by_label("How it ended").select_option("Contract ended early")
    row.get_by_label("Reason").fill("It went bust")
    row.get_by_role("button", name="Keep").click()
    assert "nobody signs it" in page.locator("#summary").inner_text()
    assert faults(page) == []
    assert row.get_by_label("How it ended").input_value() == "early_end"
    row.get_by_label("Your name").fill("Ada")
    row.get_by_role("button", name="Keep").click()
    assert page.url.partition("#") == (here, "#", rank)
    assert row.locator("td.review strong").inner_text() == "Contract ended early"
    assert "1 row has a review" in page.locator("main").inner_text()
    assert faults(page) == []
    pictured(page, "reviewed")


def sorted_and_filtered(page: Page) -> None:
    """Sorts and filters the worklist, opens a row, and goes back to where it was."""
    page.get_by_role("link", name="Value", exact=True).click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Value")
    page.get_by_label("Buyer", exact=True).fill("york")
    page.get_by_role("button", name="Filter").click()
    assert "40 of 120 tenders" in page.locator("main").inner_text()
    assert set(page.locator("tbody tr td:nth-child(6)").all_inner_texts()) == {"£5.0m"}
    filtered = page.url
    failure = float(page.locator("tbody tr").first.locator("strong").first.inner_text().rstrip("%"))
    page.locator("tbody tr").first.get_by_role("link").click()
    assert float(page.locator(".number").inner_text().rstrip("%")) == pytest.approx(failure, abs=0.55)
    pictured(page, "row")
    page.get_by_role("link", name="Back to the worklist").click()
    assert parse_qs(urlsplit(page.url).query) == parse_qs(urlsplit(filtered).query)


def test_a_job_tells_how_fast_it_goes_and_what_is_left(browser: Browser, idle: httpx.Client) -> None:
    path = made.upload(idle, b"title\nx\n", "a.csv")["page"]
    looked = iter(range(1, 100))

    def answered(route: Route) -> None:
        at = next(looked)
        route.fulfill(json={"state": "queued", "rows": 2000 * at, "bytes": 1_000_000 * at, "size": 1_000_000_000})

    for page in opened(browser, "about:blank", DESKTOP, scripts=True):
        page.set_extra_http_headers({"Authorization": idle.headers["Authorization"]})
        page.route("**/jobs/*", answered)
        page.goto(str(idle.base_url.join(path)))
        message = page.get_by_text(re.compile(r"^[\d,]+ tenders scored, [\d,]+ a second, about 1\d minutes left$"))
        expect(message).to_be_visible(timeout=10_000)
        assert 1000 < int(message.inner_text().split(", ")[1].split()[0].replace(",", "")) < 2200
    idle.post(f"{path}/delete")


def test_a_newer_file_is_compared_with_the_one_before(page: Page, job: dict[str, Any], tmp_path: Path) -> None:
    newer = tmp_path / "newer.jsonl"
    newer.write_bytes(made.newer())
    page.goto(page.url.replace("/portfolio", job["page"]))
    page.get_by_role("link", name="Compare a newer file with this one").click()
    expect(page.get_by_role("heading", name="Compare a newer file with register.jsonl")).to_be_visible()
    assert faults(page) == []
    pictured(page, "compare")
    page.get_by_label("Share drawn at random").fill("20%")
    page.get_by_label("File of tenders").set_input_files(newer)
    page.get_by_role("button", name="Upload and score").click()
    expect(page.get_by_role("heading", name="Worklist of newer.jsonl")).to_be_visible(timeout=60_000)
    assert faults(page) == []
    pictured(page, "compared")
    page.get_by_role("link", name="Change", exact=True).click()
    assert re.match(r"up from \d+\.\d%", page.locator("tbody tr td:nth-child(5)").first.inner_text())
    page.get_by_label("Change", exact=True).select_option("likelier to fail")
    page.get_by_role("button", name="Filter").click()
    assert f"{len(made.RISEN)} of 125 tenders" in page.locator("main").inner_text()
    with page.expect_download() as taken:
        page.get_by_role("listitem").filter(has_text="Gone:").get_by_role("link", name="csv").click()
    assert len(Path(taken.value.path()).read_text().splitlines()) == 6


def test_what_is_refused_is_corrected_in_place_without_scripts(
    phone: Page, service: httpx.Client, tmp_path: Path
) -> None:
    register = tmp_path / "register.csv"
    register.write_text("title\nx\n")
    phone.goto(str(service.base_url.join("/portfolio")))
    phone.get_by_text("Options: stage").click()
    phone.get_by_label("Score them as of").select_option("draft")
    phone.get_by_label("Share drawn at random").fill("20")
    phone.get_by_label("Compare with an earlier portfolio").fill("the last one")
    phone.get_by_label("File of tenders").set_input_files(register)
    phone.get_by_role("button", name="Upload and score").click()
    assert faults(phone, scripts=False) == []
    pictured(phone, "refused")
    assert phone.get_by_label("Score them as of").input_value() == "draft"
    phone.get_by_role("link", name="Share drawn at random").click()
    for label, wrong in (("Share drawn at random", "20"), ("Compare with an earlier portfolio", "the last one")):
        field = phone.get_by_label(label)
        assert (field.input_value(), field.get_attribute("aria-invalid")) == (wrong, "true")


def test_the_worklist_works_on_a_phone_without_scripts(phone: Page, service: httpx.Client) -> None:
    assert faults(phone, scripts=False) == []
    pictured(phone, "worklist")
    phone.locator("details.why summary").first.click()
    assert "points)" in phone.locator("details.why[open]").inner_text()
    sorted_and_filtered(phone)
    phone.goto(str(service.base_url.join("/portfolio")))
    assert faults(phone, scripts=False) == []
    pictured(phone, "upload")
