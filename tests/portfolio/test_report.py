"""The report of a run: one file that is complete in itself, shows hostile text as text and is read by everyone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.bundle import Bundle
from portfolio.report import MOST_LISTED, report
from portfolio.worklist import Wish, Worklist, worklist
from tests.portfolio.scored import portfolio, table
from tests.serving.made import HOSTILE
from tests.serving.made import Page as Parsed

FACTS = {
    "created": "2026-11-22T09:00:00+00:00",
    "inputs": [{"file": "tenders.jsonl", "sha256": "ab" * 32}],
    "counts": {"scored": 300, "refused": 12},
}


def listed(scored: pa.Table, **wish: Any) -> Worklist:
    return worklist(scored, Wish(**{"capacity": 20, "sample": 0.1, **wish}))


def test_it_holds_every_part(bundle: Bundle) -> None:
    scored = portfolio(300)
    text = Parsed(report(scored, listed(scored), FACTS, bundle)).text
    for words in (
        "300 tenders, 20 to review",
        "How likely they are to fail",
        bundle.manifest.evidence,
        "So few failures are thin evidence",
        "By buyer",
        "By category",
        "By region",
        "By value",
        "By year of publication",
        "Drawn at random",
        "Flag rates by size of buyer",
        "Flag rates by region",
        "cannot be known yet",
        "ab" * 32,
        "counts refused",
        bundle.manifest.version,
    ):
        assert words in text


def test_error_rates_stand_where_outcomes_are_known(bundle: Bundle) -> None:
    scored = portfolio(300)
    ends = pa.table({"ocid": scored["ocid"], "failed": [at % 4 == 0 for at in range(300)]})
    text = Parsed(report(scored, listed(scored), FACTS, bundle, ends)).text
    assert "Error rates by region" in text
    assert "cannot be known yet" not in text


def test_hostile_text_is_text(bundle: Bundle) -> None:
    names = ("file", "ocid", "title", "buyer", "category", "region", "reasons", "warnings", "register", "stage")
    scored = table(*[dict.fromkeys(names, HOSTILE)] * 3)
    found = report(scored, worklist(scored, Wish(capacity=5), scored), {HOSTILE: [HOSTILE]}, bundle)
    assert "<script" not in found
    assert not [given for _, given in Parsed(found).elements if any(name.startswith("on") for name in given)]
    assert "alert(1)" in Parsed(found).text


def test_it_fetches_nothing_and_runs_nothing(bundle: Bundle) -> None:
    scored = table(*[{"register": "sicoes_bo"}] * 3)
    found = report(scored, listed(scored), FACTS, bundle)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", found)
    assert "default-src 'none'" in found
    assert 'src="data:image/svg+xml;base64,' in found


def test_reasons_are_a_list_or_it_says_why_there_are_none(bundle: Bundle) -> None:
    scored = table({"reasons": "One block (+3.0 points); Ten years (+1.0 points)"}, {"reasons": ""}, {"reasons": None})
    found = Parsed(report(scored, listed(scored, sample=0.0), {}, bundle)).text
    assert "One block (+3.0 points)" in found
    assert "Nothing that is known moves it" in found
    assert "Reasons were not asked for" in found


def test_a_long_list_is_cut_and_says_so(bundle: Bundle) -> None:
    scored = portfolio(MOST_LISTED + 100)
    found = report(scored, listed(scored, capacity=MOST_LISTED + 7), {}, bundle)
    assert "has 7 more" in Parsed(found).text


def test_a_portfolio_of_nothing_has_a_report_too(bundle: Bundle) -> None:
    assert "0 tenders, 0 to review" in report(table(), listed(table()), {}, bundle)


def test_everyone_can_read_it_at_every_width_and_on_paper(bundle: Bundle, tmp_path: Path) -> None:
    browsing = pytest.importorskip("tests.serving.browsing")
    if not browsing.CHROMIUM:
        pytest.skip("no Chromium")
    rows = [{**row, "buyer": HOSTILE, "reasons": "One block (+3.0 points)"} for row in portfolio(60).to_pylist()]
    scored = table(*rows)
    ends = pa.table({"ocid": scored["ocid"], "failed": [True] * 60})
    file = tmp_path / "report.html"
    file.write_text(report(scored, worklist(scored, Wish(capacity=20), scored), FACTS, bundle, ends), encoding="utf-8")
    with browsing.chromium() as browser:
        for width, height in (browsing.DESKTOP, browsing.PHONE):
            page = browser.new_page(viewport={"width": width, "height": height})
            said: list[str] = []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto(file.as_uri())
            assert browsing.faults(page) == []
            assert said == []
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
