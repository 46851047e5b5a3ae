"""The pages in a real browser, with scripts switched off: what a commissioner sees and does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests import samples
from tests.serving.browsing import AXE, CHROMIUM, PHONE, chromium, faults
from tests.serving.made import CAMBRIDGESHIRE, HOSTILE, hostile_form

PRINTED = {"width": 673, "height": 1032}
"""What an A4 page holds within the report's margins, in CSS pixels."""
POINTS_11 = 14.66
"""11 points in CSS pixels."""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The form on a phone, without scripts; any complaint of the browser fails the test."""
    yield from opened(
        browser, url, viewport=dict(zip(("width", "height"), PHONE, strict=True)), java_script_enabled=False
    )


@pytest.fixture
def scripted(browser: Browser, url: str) -> Iterator[Page]:
    """The same with scripts; those of the tests run beside the page's policy."""
    yield from opened(browser, url, bypass_csp=True)


def opened(browser: Browser, url: str, **how: object) -> Iterator[Page]:
    context = browser.new_context(**how)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda failed: complaints.append(failed.url))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(url)
    yield page
    context.close()
    # A download is no page, so that the browser calls its request off.
    assert [item for item in complaints if "400" not in item and "/desk/save." not in item and "/cpv" not in item] == []


def step(page: Page, path: str) -> None:
    """Goes to another page of the tender."""
    with page.expect_navigation():
        page.locator(f"button[formaction='{path}']").first.click()


def fill(page: Page, **values: str) -> None:
    for key, value in values.items():
        field = page.locator(f"#{key}")
        if not field.is_visible():
            page.locator("details", has=field).locator("summary").click()
        field.select_option(value) if field.evaluate("each => each.tagName") == "SELECT" else field.fill(value)


def send(page: Page) -> None:
    with page.expect_navigation():
        page.locator("#send").click()


def test_from_an_empty_form_to_a_printed_report(page: Page, tmp_path: Path) -> None:
    fill(page, title="Integrated community services", value="£5.9bn", lots="1", service_lines="5")
    fill(page, tender_period_days="45 days", term_years="10 years", outcome_based_payment="yes", cpv="85140000")
    send(page)
    headline = page.locator(".number").inner_text()
    assert headline.endswith("%")
    assert page.get_by_role("heading", name="Integrated community services", level=1).is_visible()
    page.locator('[id="try.lots"]').fill("4")
    page.locator('[id="try.term_years"]').fill("3 years")
    page.get_by_role("button", name="Try these changes").click()
    page.wait_for_url("**try.lots=4**")
    rows = page.locator("section[aria-labelledby='try'] th[scope='row']").all_inner_texts()
    assert rows == ["Lots: 4", "Term: 3 years", "All of these together"]
    for path in ("/desk/suggestions", "/desk/comparables", "/desk/unknown"):
        step(page, path)
        page.reload()
        page.go_back()
        assert page.locator(".number").inner_text() == headline
    step(page, "/desk/comparables")
    assert page.locator("ol.cards > li").count() == 6
    step(page, "/answer")
    step(page, "/desk/report")
    assert page.locator(".number").inner_text() == headline
    assert printed(page, tmp_path) == 2
    page.go_back()
    assert page.locator(".number").inner_text() == headline


def printed(page: Page, tmp_path: Path) -> int:
    """How many pages it prints to."""
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))


@pytest.mark.parametrize("entered", ["little", "much", "hostile"])
def test_a_report_is_two_pages_whatever_was_entered(
    browser: Browser, http: httpx.Client, entered: str, tmp_path: Path
) -> None:
    page = browser.new_page()
    sent = {"little": {"title": "x"}, "much": everything(), "hostile": hostile_form()}[entered]
    page.set_content(http.post("/desk/report", data=sent).text)
    assert printed(page, tmp_path) == 2
    assert page.locator("b").count() == 0 and page.locator("script").count() == 1
    page.emulate_media(media="print")
    page.set_viewport_size(PRINTED)
    heights = page.locator(".sheet").evaluate_all("all => all.map(each => each.offsetHeight)")
    assert len(heights) == 2 and (entered == "little" or min(heights) > 0.7 * PRINTED["height"]), "two full pages"
    smallest = "all => Math.min(...all.map(each => parseFloat(getComputedStyle(each).fontSize)))"
    assert page.locator("li, dd, td, h1, h2, .sheet > p:not(.soft, .head)").evaluate_all(smallest) >= POINTS_11
    page.close()


def test_the_report_has_a_print_button_where_scripts_run_and_says_who_made_it(scripted: Page) -> None:
    fill(scripted, title="At home", value="£5m", lots="2")
    send(scripted)
    scripted.get_by_label("Your name, for the report").fill("Ada Example")
    step(scripted, "/desk/report")
    scripted.evaluate("window.print = () => { document.title = 'printed' }")
    scripted.get_by_role("button", name="Print this report").click()
    assert scripted.title() == "printed"
    assert scripted.get_by_text("Made by Ada Example on ").is_visible()


def everything() -> dict[str, str]:
    """A form with every field filled, as long as people write, and every factor that can be shown."""
    name = "Northern, Eastern and Western Example Integrated Care Board and Council"
    return {
        **dict.fromkeys(("title", "buyer", "procuring_entity", "region", "supplier"), f"{name} and {name}"),
        "description": "All out-of-hospital health, primary, mental health and social care. " * 40,
        "risk_details": "Everything may go wrong. " * 40, "no_lots_rationale": "It belongs together. " * 40,
        "procurement_method_details": "Most Suitable Provider Process with negotiation under the regime of 2023",
        "advisers": f"{name}; {name}", "incumbents": f"{name}; {name}", "assurance_holds": f"{name}; {name}",
        "cpv": "85140000", "category": "services", "value": "5900000000", "currency": "GBP", "lots": "1", "service_lines": "12",
        "published": "2017-12-28", "tender_start": "2017-12-28", "tender_end": "2018-01-10", "tender_period_days": "13",
        "enquiry_period_days": "3", "contract_start": "2018-03-20", "contract_end": "2028-03-19", "term_years": "10",
        "procurement_method": "limited", "framework": "no", "award_criteria": "priceOnly", "market_engagement": "no",
        "outcome_based_payment": "yes", "staff_transfer": "yes", "new_legal_vehicle_required": "yes",
        "parent_guarantee_required": "no", "savings_assumed": "yes", "price_to_former_cost": "0.8", "first_of_its_kind": "yes",
        "incumbent_kind": "public_body", "predecessor_failed": "yes", "retender": "yes", "bidders_interested": "10",
        "bidders": "1", "structure_changes": "scope; lots; value; deadline; legal_form; consortium; adviser; mobilisation",
        "legal_challenge": "yes", "award_value": "3900000000", "award_date": "2018-03-19", "tax_unresolved": "yes",
        "legal_vehicle": "limited_liability_partnership", "competition": "no",
    }  # fmt: skip


def test_a_draft_is_scored_corrected_and_scored_again(page: Page) -> None:
    page.get_by_label("Title", exact=True).fill("Integrated <i>community</i> services")
    page.get_by_label("Value", exact=True).fill("a lot")
    send(page)
    page.locator("#summary").get_by_role("link", name="Value").click()
    assert page.url.endswith("#value")
    assert page.locator("#value-problem").is_visible()
    page.get_by_label("Value", exact=True).fill("£5.9bn")
    send(page)
    assert page.get_by_role("heading", level=1).inner_text() == "Integrated <i>community</i> services"
    page.get_by_role("button", name="Change the facts").click()
    assert page.get_by_label("Title", exact=True).input_value() == "Integrated <i>community</i> services"
    assert page.locator("i").count() == 0
    fill(page, lots="4")
    send(page)
    assert page.get_by_role("heading", name="Since your last version").is_visible()


def test_fields_that_hold_something_are_seen(page: Page) -> None:
    fill(page, enquiry_period_days="soon")
    send(page)
    assert page.locator("#enquiry_period_days").is_visible()
    assert page.locator("#enquiry_period_days-problem").is_visible()
    assert not page.get_by_label("Supplier", exact=True).is_visible()


def read(page: Page, file: Path) -> None:
    """Gives a file to the first page."""
    if not page.locator("#upload").is_visible():
        page.locator("#from-file summary").click()
    page.locator("#upload").set_input_files(file)
    with page.expect_navigation():
        page.get_by_role("button", name="Read the file").click()


def test_a_file_is_scored_and_changed(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_bytes(samples.data(samples.draft()))
    read(page, file)
    assert page.get_by_text(samples.OCID).is_visible()
    page.get_by_role("button", name="Change the facts").click()
    assert page.get_by_label("Lots", exact=True).input_value() == "2"
    fill(page, lots="1", lot_values="900,000")
    send(page)
    assert page.get_by_text(samples.OCID).is_visible()
    page.go_back()
    assert page.get_by_label("Lots", exact=True).input_value() == "1"


def test_a_tender_is_kept_and_loaded_again(page: Page, url: str, tmp_path: Path) -> None:
    fill(page, title="Nursing", lots="3")
    for kind in ("JSON", "XLSX", "CSV"):
        with page.expect_download() as kept:
            page.get_by_role("button", name=f"Save as {kind}").click()
        assert kept.value.suggested_filename == f"nursing.{kind.lower()}"
        kept.value.save_as(tmp_path / kept.value.suggested_filename)
        page.goto(url)
        read(page, tmp_path / kept.value.suggested_filename)
        page.get_by_role("button", name="Change the facts").click()
        assert page.get_by_label("Title", exact=True).input_value() == "Nursing"
        assert page.get_by_label("Lots", exact=True).input_value() == "3"


def test_what_is_typed_survives_a_refused_file_and_a_closed_tab(scripted: Page, url: str, tmp_path: Path) -> None:
    fill(scripted, title="Typed", value="£3m")
    file = tmp_path / "draft.pdf"
    file.write_bytes(b"%PDF-1.7")
    read(scripted, file)
    assert "a PDF" in scripted.locator("#summary").inner_text()
    assert scripted.locator("#summary:focus").count() == 1
    assert scripted.locator("#value").input_value() == "£3m"
    another = scripted.context.new_page()
    scripted.close()
    another.goto(url)
    assert another.get_by_label("Title", exact=True).input_value() == "Typed"
    another.get_by_role("link", name="Start again").click()
    assert another.get_by_label("Title", exact=True).input_value() == ""


def test_a_pasted_text_fills_the_form_for_a_person_to_confirm(page: Page) -> None:
    page.locator("#paste summary").click()
    page.locator("#prose").fill("The contract has a value of £120m. It runs for a term of 7 years.")
    page.get_by_role("button", name="Find the facts").click()
    page.wait_for_url("**/?**")
    assert page.locator("#value").input_value() == "£120m"
    assert page.get_by_text("It runs for a term of 7 years.").is_visible()
    page.locator("#term_years").fill("")
    send(page)
    assert page.locator(".number").is_visible()
    page.get_by_role("button", name="Change the facts").click()
    assert page.locator("#term_years").input_value() == "", "what a person takes out stays out"


def test_all_of_it_can_be_done_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    reach(page, "#title")
    page.keyboard.type("Community nursing")
    page.keyboard.press("Enter")
    page.locator("section.result").wait_for()
    reach(page, '[id="try.term_years"]')
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.wait_for_url("**try.term_years=3**")
    pressed(page, "button[formaction='/desk/report']")
    page.locator(".number").wait_for()


def reach(page: Page, selector: str) -> None:
    """Tabs until the element has the focus."""
    wanted = page.locator(f"{selector}:focus")
    for _ in range(200):
        page.keyboard.press("Tab")
        if wanted.count():
            return
    raise AssertionError(f"no tab leads to {selector}")


def pressed(page: Page, selector: str) -> None:
    """Reaches a button and presses it."""
    reach(page, selector)
    page.keyboard.press("Enter")
    page.wait_for_load_state()


def test_every_page_can_be_used_by_everyone(scripted: Page, url: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(samples.data(CAMBRIDGESHIRE))
    problems = {"form": faults(scripted)}
    read(scripted, file)
    problems["answer"] = faults(scripted)
    for path in ("/desk/stages", "/desk/suggestions", "/desk/comparables", "/desk/unknown"):
        step(scripted, path)
        problems[path] = faults(scripted)
        scripted.go_back()
    scripted.locator('[id="try.parent_guarantee_required"]').select_option("yes")
    scripted.locator('[id="try.value"]').fill("much")
    with scripted.expect_navigation():
        scripted.get_by_role("button", name="Try these changes").click()
    problems["wrong change"] = faults(scripted)
    with scripted.expect_navigation():
        scripted.get_by_role("button", name="Change the facts").click()
    problems["filled form"] = faults(scripted)
    fill(scripted, value="much", lots="several")
    send(scripted)
    problems["refused"] = faults(scripted)
    scripted.go_back()
    scripted.go_back()
    step(scripted, "/desk/report")
    problems["report"] = faults(scripted)
    for path in ("casebook", "casebook/NHS001", "about", "portfolio"):
        scripted.goto(f"{url}{path}")
        problems[path] = faults(scripted)
    assert {name: item for name, item in problems.items() if item} == {}


@pytest.mark.skipif(not AXE, reason="axe was not asked: TENDER_RISK_AXE names no axe.min.js (npm pack axe-core)")
def test_axe_is_asked_and_would_have_found_something(scripted: Page) -> None:
    scripted.evaluate("document.querySelectorAll('label').forEach(each => each.remove())")
    assert any(fault[0] == "label" for fault in faults(scripted) if isinstance(fault, list))


def test_hostile_text_runs_nothing_and_fits(scripted: Page) -> None:
    fill(scripted, title=HOSTILE, description=HOSTILE * 20, buyer="x" * 3000)
    send(scripted)
    assert " ".join(scripted.get_by_role("heading", level=1).inner_text().split()) == " ".join(HOSTILE.split())
    assert faults(scripted) == []
    for path in ("/desk/stages", "/desk/suggestions", "/desk/comparables", "/desk/unknown", "/desk/report"):
        step(scripted, path)
        assert faults(scripted) == []
        scripted.go_back()
        scripted.locator("section.result").wait_for()


def test_scripts_add_comfort(scripted: Page) -> None:
    scripted.get_by_role("button", name="Open all groups").click()
    assert scripted.get_by_label("Supplier", exact=True).is_visible()
    scripted.evaluate(
        """() => { const files = new DataTransfer(); files.items.add(new File(['{"title": "Dropped", "lots": 1}'], "d.json"));
        document.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true})); }"""
    )
    scripted.locator("section.result").wait_for()
    assert scripted.get_by_role("heading", level=1).inner_text() == "Dropped"
