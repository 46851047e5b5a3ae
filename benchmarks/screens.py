"""Chromium as a commissioner would use the pages: `python -m benchmarks.screens [--axe FILE] [--out build/screens]`.

From the first page to a printed report by keyboard, with the seconds that a person types; Back and refresh from every
page; without scripts; at 390 and 320 pixels; with text at 200 %; in forced colours; axe where it is given. A folder of
tenders becomes a worklist through the upload's page. Every page is kept as a picture, to be looked at. Ends with 1 and
a list if anything is wrong.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHARACTERS_A_MINUTE, MOST_SECONDS = 200, 60
DRAFT = {
    "title": "Community nursing and therapy", "buyer": "NHS Example Integrated Care Board", "cpv": "85323000",
    "value": "£120m", "lots": "1", "single_block": "yes", "term_years": "10", "tender_period_days": "30",
    "procurement_method": "selective", "market_engagement": "no",
}  # fmt: skip
TYPED = {
    "title": "Community nursing",
    "value": "£120m",
    "lots": "1",
    "term_years": "10 years",
    "tender_period_days": "30 days",
}
"""What is typed on the way to the report."""
QUERY = urlencode(DRAFT)
PAGES = {
    "start": "/",
    "start-filled": f"/?{QUERY}",
    "start-doubts": f"/?{QUERY}&contract_start=2027-01-01&contract_end=2030-01-01",
    "answer": f"/answer?{QUERY}",
    "answer-changes": f"/answer?{QUERY}&try.lots=4&try.term_years=5",
    "answer-refused": f"/answer?{QUERY}&try.lots=several",
    "answer-little": "/answer?title=Nursing",
    "refused": "/answer?title=Nursing&value=much&lots=several",
    "suggestions": f"/desk/suggestions?{QUERY}",
    "comparables": f"/desk/comparables?{QUERY}",
    "stages": f"/desk/stages?{QUERY}&bidders=2",
    "unknown": f"/desk/unknown?{QUERY}",
    "report": f"/desk/report?{QUERY}",
    "past-cases": "/casebook",
    "past-case": "/casebook/NHS001",
    "about": "/about",
    "portfolio": "/portfolio",
    "missing": "/nope",
}
SCRIPTED = (
    "start", "start-filled", "answer", "answer-changes", "answer-refused", "refused", "report", "about", "worklist",
)  # fmt: skip
"""Pages that are looked at in every way; the others at both widths."""
WAYS = {
    "1280": {"viewport": {"width": 1280, "height": 900}},
    "390": {"viewport": {"width": 390, "height": 844}},
    "320": {"viewport": {"width": 320, "height": 700}},
    "forced-colours": {"viewport": {"width": 1280, "height": 900}, "forced_colors": "active"},
    "no-scripts": {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False},
    "text-200": {"viewport": {"width": 640, "height": 900}},
}


@contextmanager
def service() -> Iterator[str]:
    """The address of a service that is started for this."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as data:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [
            sys.executable,
            "-c",
            f"from serving.running import serve; serve(port={port}, announce=lambda u: print(u, flush=True))",
        ]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**_environment(), "TENDER_RISK_DATA": data}, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise SystemExit("the service did not start")
            yield address.rstrip("/")
        finally:
            process.terminate()
            process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}


def faults(page: Page, axe: str, wide: bool = True) -> list[str]:
    """What is wrong with a page: a scroll bar below, and what axe finds."""
    problems = []
    width, needed = page.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
    if wide and needed > width:
        problems.append(f"{needed} pixels wide on {width}")
    if axe:
        page.evaluate(axe)
        problems += page.evaluate(
            "axe.run(document).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html.slice(0, 120)))"
        )
    return problems


def worklist(browser: Browser, address: str) -> dict[str, str]:
    """Uploads the examples as an auditor would; the paths of their worklist and of its first row, by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as folder:
        for path in sorted((ROOT / "examples").glob("*.json")):
            folder.write(path, path.name)
    page = browser.new_page()
    page.goto(f"{address}/portfolio")
    page.locator("#many").set_input_files(
        files=[{"name": "examples.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}]
    )
    page.locator("button", has_text="Upload and score").click()
    row = page.locator("a[href*='/row/']").first
    row.wait_for(timeout=120_000)
    path = page.url.removeprefix(address)
    paths = {"worklist": path, "worklist-row": row.get_attribute("href") or path}
    page.close()
    return paths


def look(browser: Browser, address: str, pages: dict[str, str], out: Path, axe: str) -> dict[str, list[str]]:
    """A picture of every page in every way, and what is wrong with each."""
    problems = {}
    for way, how in WAYS.items():
        context = browser.new_context(bypass_csp=way != "no-scripts", **how)  # type: ignore[arg-type]
        page = context.new_page()
        for name, path in pages.items():
            if way not in ("1280", "390") and name not in SCRIPTED:
                continue
            page.goto(address + path)
            if way == "text-200":
                page.add_style_tag(content="html { font-size: 200% !important }")
            if wrong := faults(page, axe) if way != "no-scripts" else []:
                problems[f"{name} at {way}"] = wrong
            page.screenshot(path=out / f"{name}-{way}.png", full_page=True)
        context.close()
    return problems


def typed_seconds(page: Page) -> float:
    """How long a person types for what is in the fields of a page, in seconds."""
    return sum(len(text) for text in TYPED.values()) * 60 / CHARACTERS_A_MINUTE


def by_keyboard(browser: Browser, address: str, out: Path) -> dict[str, list[str]]:
    """From the first page to the printed report, with keys alone; every page can be gone back from and refreshed."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems = []
    page.goto(address)
    for key, text in TYPED.items():
        _reach(page, f"#{key}")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/answer?**")
    headline = page.locator(".number").inner_text()
    for wanted in ("suggestions", "comparables", "unknown"):
        _reach(page, f"button[formaction='/desk/{wanted}']")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/desk/{wanted}?**")
        page.reload()
        page.go_back()
        page.wait_for_url("**/answer?**")
        if page.locator(".number").inner_text() != headline:
            problems.append(f"Back from {wanted} shows another number")
    page.reload()
    page.go_back()
    page.wait_for_url(f"{address}/")
    if [page.locator(f"#{key}").input_value() for key in TYPED] != list(TYPED.values()):
        problems.append("Back to the questions loses what was typed")
    page.go_forward()
    page.wait_for_url("**/answer?**")
    _reach(page, "button[formaction='/desk/report']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/report?**")
    page.pdf(path=out / "report.pdf", prefer_css_page_size=True)
    page.go_back()
    if page.locator(".number").inner_text() != headline:
        problems.append("Back from the report shows another number")
    problems += _kept(context, address)
    seconds = typed_seconds(page)
    print(f"first page to printed report: {seconds:.0f} seconds of typing at {CHARACTERS_A_MINUTE} characters a minute")
    if seconds >= MOST_SECONDS:
        problems.append(f"{seconds:.0f} seconds of typing")
    context.close()
    return {"by keyboard": problems} if problems else {}


def _kept(context: BrowserContext, address: str) -> list[str]:
    """What is lost by a closed tab and by a refused file."""
    problems, page = [], context.new_page()
    page.goto(address)
    page.locator("#title").fill("Typed and closed")
    page.close()
    page = context.new_page()
    page.goto(address)
    if page.locator("#title").input_value() != "Typed and closed":
        problems.append("a closed tab loses what was typed")
    page.locator("#upload").set_input_files(
        files=[{"name": "draft.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}]
    )
    page.locator("#send").click()
    page.locator("#summary").wait_for()
    if (
        "a PDF" not in page.locator("#summary").inner_text()
        or page.locator("#title").input_value() != "Typed and closed"
    ):
        problems.append("a refused file loses what was typed, or does not say why")
    page.close()
    return problems


def _reach(page: Page, selector: str) -> None:
    """Tabs until the element has the focus."""
    wanted = page.locator(f"{selector}:focus")
    for _ in range(200):
        page.keyboard.press("Tab")
        if wanted.count():
            return
    raise SystemExit(f"no tab leads to {selector}")


def picture(browser: Browser, address: str, path: str, to: Path) -> None:
    """The upper part of a page, as the README shows it."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(address + path)
    page.screenshot(path=to)
    page.close()


def main() -> int:
    """Runs all of it; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axe", type=Path, help="axe.min.js of npm's axe-core")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screens")
    parser.add_argument("--pictures", type=Path, help="the folder for the README's pictures, answer and worklist")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    axe = options.axe.read_text(encoding="utf-8") if options.axe else ""
    with service() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        pages = {**PAGES, **worklist(browser, address)}
        problems = {**by_keyboard(browser, address, options.out), **look(browser, address, pages, options.out, axe)}
        if options.pictures:
            for name in ("answer", "worklist"):
                picture(browser, address, pages[name], options.pictures / f"{name}.png")
        browser.close()
    for where, wrong in problems.items():
        print(f"{where}: {'; '.join(wrong)}")
    print(f"{len(problems)} pages with something wrong; pictures in {options.out}")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
