"""Reviews: kept with the job, the last of a row counts, and the export is read as known outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow.parquet as pq
import pytest

from portfolio.output import convert_parquet
from portfolio.run import _read_outcomes
from serving.jobs.paths import JobPaths
from serving.jobs.reviews import LABELS, VERDICTS_SCHEMA, add_review, read_review, read_reviews, write_verdicts
from tenders.errors import DataError
from tenders.registers.own import VERDICTS
from tests.serving.jobs import made
from tests.serving.made import HOSTILE, Page

ROW = {"rank": 3, "ocid": "ocds-h6vhtk-3", "failure": 0.25, "title": "Nursing", "buyer": "Leeds", "file": "a.jsonl",
       "line": 4, "place": ""}  # fmt: skip
SENT = {"verdict": "held", "reviewer": "Ada", "reason": "It ran to its end"}


def test_every_verdict_has_its_words_and_says_whether_it_failed() -> None:
    assert set(LABELS) == set(VERDICTS)
    assert {name: failed for name, (failed, _) in VERDICTS.items()} == {
        "no_award": True, "early_end": True, "held": False, "open": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"), [("verdict", ""), ("verdict", HOSTILE), ("reviewer", " "), ("reviewer", "x" * 81), ("reason", "x" * 501)]
)  # fmt: skip
def test_a_review_that_lacks_something_is_refused_by_field(field: str, value: str) -> None:
    with pytest.raises(DataError) as refused:
        read_review({**SENT, field: value}, ROW)
    assert [problem.path for problem in refused.value.problems] == [f"/{field}"]


def test_the_last_review_of_a_row_counts_and_the_export_follows_it(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    assert read_reviews(paths) == {} and pq.read_table(write_verdicts(paths)).num_rows == 0
    add_review(paths, read_review(SENT, ROW))
    first = pq.read_table(write_verdicts(paths))
    assert first.schema == VERDICTS_SCHEMA and first["failed"].to_pylist() == [False]
    add_review(paths, read_review({**SENT, "verdict": "no_award", "reason": HOSTILE}, ROW))
    add_review(paths, read_review({**SENT, "verdict": "open"}, {**ROW, "rank": 1, "ocid": None}))
    rows = pq.read_table(write_verdicts(paths)).to_pylist()
    assert [(row["rank"], row["failed"], row["verdict"]) for row in rows] == [(1, None, "open"), (3, True, "no_award")]
    assert paths.reviews.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_export_is_known_outcomes_for_the_report(tmp_path: Path, format: str) -> None:
    paths = JobPaths(tmp_path)
    for rank, verdict in enumerate(LABELS, start=1):
        add_review(paths, read_review({**SENT, "verdict": verdict}, {**ROW, "rank": rank, "ocid": f"o-{rank}"}))
    out = tmp_path / f"taken.{format}"
    convert_parquet(write_verdicts(paths), out, format)
    known = _read_outcomes(out)
    assert known is not None
    assert known.select(["ocid", "failed"]).to_pydict() == {
        "ocid": ["o-1", "o-2", "o-3", "o-4"], "failed": [True, True, False, None],
    }  # fmt: skip


def test_a_review_is_posted_shown_and_exported(service: httpx.Client, job: dict[str, Any]) -> None:
    refused = service.post(f"{job['page']}/review/2?sort=value_gbp&down=1", data={"reason": HOSTILE})
    assert refused.status_code == 400 and "The review of number 2 is not kept yet" in refused.text
    assert len(Page(refused.text).of("script")) == 1 and not Page(refused.text).of("b")
    kept = service.post(f"{job['page']}/review/2?sort=value_gbp&down=1", data={**SENT, "reason": HOSTILE})
    assert kept.status_code == 303
    assert kept.headers["Location"] == f"{job['page']}?sort=value_gbp&down=1#row-2"
    assert "It ran" not in service.get(job["page"]).text and "1 row has a review" in service.get(job["page"]).text
    exported = service.get(f"/jobs/{job['id']}/verdicts?format=jsonl").text
    assert '"verdict":"held"' in exported.replace('": "', '":"') and '"rank":2' in exported.replace('": ', '":')


def test_another_site_s_page_and_a_row_that_there_is_not_keep_no_review(
    service: httpx.Client, job: dict[str, Any]
) -> None:
    before = service.get(f"/jobs/{job['id']}/verdicts").text
    for rank in (0, 999, HOSTILE):
        assert service.post(f"{job['page']}/review/{quote(str(rank), safe='')}", data=SENT).status_code == 404
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.org"}):
        assert service.post(f"{job['page']}/review/1", data=SENT, headers=headers).status_code == 403
    assert service.get(f"/jobs/{job['id']}/verdicts").text == before


def test_reviews_go_with_the_job(idle: httpx.Client) -> None:
    job = made.upload(idle, b"title\nx\n", "a.csv")
    assert idle.post(f"{job['page']}/review/1", data=SENT).status_code == 404, "it is not scored yet"
    idle.post(f"{job['page']}/delete")
    assert idle.get(f"/jobs/{job['id']}/verdicts").status_code == 404
