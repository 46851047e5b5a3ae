"""The report of a run: one file that is complete in itself, shows hostile text as text and is read by everyone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.bundle import Bundle
from portfolio.expectations import validation_metrics
from portfolio.report import MOST_LISTED, render_report, summary_sentences
from portfolio.worklist import Worklist, WorklistOptions, build_worklist
from tests.portfolio.scored_rows import portfolio, table
from tests.serving.made import HOSTILE
from tests.serving.made import Page as Parsed

FACTS = {
    "created": "2026-11-22T09:00:00+00:00",
    "inputs": [{"file": "tenders.jsonl", "sha256": "ab" * 32}],
    "counts": {"scored": 300, "refused": 12},
}


def listed(scored: pa.Table, **options: Any) -> Worklist:
    return build_worklist(scored, WorklistOptions(**{"capacity": 20, "sample": 0.1, **options}))


def test_the_report_has_every_section(bundle: Bundle) -> None:
    scored = portfolio(300)
    text = Parsed(render_report(scored, listed(scored), FACTS, bundle)).text
    for words in (
        "300 tenders, 20 to review",
        "How likely they are to fail",
        bundle.manifest.evidence,
        "So few failures are weak evidence",
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
    text = Parsed(render_report(scored, listed(scored), FACTS, bundle, ends)).text
    assert "Error rates by region" in text
    assert "cannot be known yet" not in text


def test_hostile_text_is_escaped(bundle: Bundle) -> None:
    names = ("file", "ocid", "title", "buyer", "category", "region", "reasons", "warnings", "register", "stage")
    scored = table(*[dict.fromkeys(names, HOSTILE)] * 3)
    page = render_report(
        scored, build_worklist(scored, WorklistOptions(capacity=5), scored), {HOSTILE: [HOSTILE]}, bundle
    )
    assert "<script" not in page
    assert not [given for _, given in Parsed(page).elements if any(name.startswith("on") for name in given)]
    assert "alert(1)" in Parsed(page).text


def test_it_fetches_nothing_and_runs_nothing(bundle: Bundle) -> None:
    scored = table(*[{"register": "sicoes_bo"}] * 3)
    page = render_report(scored, listed(scored), FACTS, bundle)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "default-src 'none'" in page
    assert 'src="data:image/svg+xml;base64,' in page


def test_reasons_are_a_list_or_it_says_why_there_are_none(bundle: Bundle) -> None:
    scored = table({"reasons": "One block (+3.0 points); Ten years (+1.0 points)"}, {"reasons": ""}, {"reasons": None})
    text = Parsed(render_report(scored, listed(scored, sample=0.0), {}, bundle)).text
    assert "One block (+3.0 points)" in text
    assert "No known fact moves this score" in text
    assert "No reasons were requested" in text


def test_a_long_list_is_cut_and_says_so(bundle: Bundle) -> None:
    scored = portfolio(MOST_LISTED + 100)
    page = render_report(scored, listed(scored, capacity=MOST_LISTED + 7), {}, bundle)
    assert "has 7 more" in Parsed(page).text


def test_an_empty_portfolio_has_a_report(bundle: Bundle) -> None:
    assert "0 tenders, 0 to review" in render_report(table(), listed(table()), {}, bundle)


def test_everyone_can_read_it_at_every_width_and_on_paper(bundle: Bundle, tmp_path: Path) -> None:
    browsing = pytest.importorskip("tests.serving.browsing")
    if not browsing.CHROMIUM:
        pytest.skip("no Chromium")
    rows = [{**row, "buyer": HOSTILE, "reasons": "One block (+3.0 points)"} for row in portfolio(60).to_pylist()]
    scored = table(*rows)
    ends = pa.table({"ocid": scored["ocid"], "failed": [True] * 60})
    file = tmp_path / "report.html"
    file.write_text(
        render_report(scored, build_worklist(scored, WorklistOptions(capacity=20), scored), FACTS, bundle, ends),
        encoding="utf-8",
    )
    with browsing.chromium() as browser:
        for width, height in (browsing.DESKTOP, browsing.PHONE):
            page = browser.new_page(viewport={"width": width, "height": height})
            messages: list[str] = []
            page.on("console", lambda message, log=messages: log.append(message.text))
            page.goto(file.as_uri())
            assert browsing.faults(page) == []
            assert messages == []
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_sentences_mention_ties_draws_limits_repeats_and_unknown_values() -> None:
    scored = table(*[{"failure": 0.4, "buyer": "Leeds"}] * 30, {"ocid": "twice"}, {"ocid": "twice", "value_gbp": 10.0})
    worklist = build_worklist(
        scored, WorklistOptions(capacity=10, sample=0.2, most_per_buyer=3, rank_by="expected_loss"), table({})
    )
    text = " ".join(summary_sentences(worklist.summary))
    for words in (
        "with the highest expected loss",
        "1 of 32 rows repeat a tender",
        "2 are drawn at random from all tenders, each with a probability of 0.0645",
        "tenders rank equal at the end of the list",
        "not their place in the file",
        "At most 3 per buyer",
        "of 10 reviews are unused",
        "Tenders without a known value are not in that sum and rank after all others",
        "The bundle has no validation results",
        "Since the earlier run",
    ):
        assert words in text


def test_sentences_leave_out_what_does_not_apply() -> None:
    text = " ".join(summary_sentences(build_worklist(table({"value_gbp": 1.0}), WorklistOptions(capacity=1)).summary))
    for words in ("random", "equal", "per buyer", "repeat", "without a known value", "earlier", "unused"):
        assert words not in text


def test_validation_stands_beside_the_expectation() -> None:
    metrics = {
        "dncp_py/no_award/draft": {"n": 500.0, "base_rate": 0.1, "lift_at_5": 3.0},
        "failure/draft/cohort": {"n": 231.0, "base_rate": 0.2},
    }
    scored = table({"register": "dncp_py"}, {"register": "uk"}, *[{"failure": 0.0}] * 98)
    text = " ".join(
        summary_sentences(
            build_worklist(scored, WorklistOptions(capacity=2), metrics=validation_metrics("uk", metrics)).summary
        )
    )
    assert "30% of the top 5% failed (no contract), compared with 10% of all" in text
    assert "In validation on 231 unseen cases of uk at draft, 20% failed" in text
