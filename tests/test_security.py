"""What docs/security.md claims is proven by tests that exist; and what no other test holds."""

from __future__ import annotations

import csv
import json
import re
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from docs import inventory
from tests.serving.conftest import http, url

__all__ = ["http", "url"]
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in PAGE.splitlines()
    if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]
# Chapter and section: how many requirements of level 1 the standard has there (5.0.0), by their numbers.
LEVEL_1_TEXT = """
1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.5.1 2.1.1 2.2.1 2.2.2 2.3.1 3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3
4.1.1 4.4.1 5.2.1 5.2.2 5.3.1 5.3.2 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2 7.2.1
7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1 10.4.1 10.4.2 10.4.3 10.4.4 10.4.5 11.3.1
11.3.2 11.4.1 12.1.1 12.2.1 12.2.2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1 15.3.1
"""
LEVEL_1 = LEVEL_1_TEXT.split()
CHOSEN = date.fromisoformat(inventory.CHOSEN.read_text(encoding="utf-8").strip())
PACKAGES = ("tenders", "features", "models", "portfolio", "training", "serving", "cli")


def test_every_requirement_of_level_1_stands_there_once() -> None:
    numbers = [row[0].strip("| ") for row in ROWS]
    assert numbers[: len(LEVEL_1)] == LEVEL_1
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("| ") for row in ROWS])
def test_what_is_met_names_tests_that_exist_or_the_page_that_says_so(row: tuple[str, ...]) -> None:
    state = row[2]
    tests = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row[3] if len(row) > 3 else "")
    if state.startswith("met"):
        assert tests or "](" in state or "browser's own" in state
    else:
        assert state.startswith(("n/a: ", "**not ")) and len(state) > 10
    for file, name in tests:
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^(async )?def {name}\b", text, re.M), f"{file} has no {name}"


PATHS = ["/", "/answer?title=x&lots=1", "/portfolio", "/casebook", "/about", "/docs.json", "/nowhere", "/metrics", "/readyz",
         "/style.css", "/page.js", "/jobs/none", "/template.csv"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_lets_another_origin_read_it(http: httpx.Client, path: str) -> None:
    for answer in (
        http.get(path, headers={"Origin": "https://elsewhere.example"}),
        http.options(path, headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_says_its_type_and_text_its_encoding(http: httpx.Client, path: str) -> None:
    kind = http.get(path).headers["content-type"]
    # JSON is UTF-8 by its own standard and has no such parameter.
    assert kind == "application/json" or (kind.startswith("text/") and "charset=utf-8" in kind)


def test_no_address_changes_anything_by_get(http: httpx.Client) -> None:
    from serving.service import TenderRisk, pages

    changing = {"cancel", "delete", "upload", "create", "review"}
    for route in pages.routes:
        if route.endpoint.__name__ in changing:  # type: ignore[attr-defined]
            assert "GET" not in route.methods  # type: ignore[attr-defined]
    for path in TenderRisk.apis:
        assert http.get(f"/{path}").status_code == 405


def test_no_weak_digest_is_used() -> None:
    weak = re.compile(r"\b(md5|sha1|md4|ripemd)\b", re.I)
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        assert not weak.search(file.read_text(encoding="utf-8")), file


def test_packages_that_were_chosen_longer_ago_than_is_promised_fail_the_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = CHOSEN + timedelta(days=inventory.MOST_DAYS)
    assert f"at least every {inventory.MOST_DAYS} days" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert [inventory.main(tmp_path, day) for day in (last, last + timedelta(days=1))] == [0, 1]
    assert "make upgrade" in capsys.readouterr().err


def test_the_inventory_has_every_package_of_the_lock_with_its_digests(tmp_path: Path) -> None:
    inventory.main(tmp_path, CHOSEN)
    bill = json.loads((tmp_path / "sbom.json").read_bytes())
    pinned = re.findall(r"^([A-Za-z0-9._-]+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert [component["name"] for component in bill["components"]] == pinned
    assert all(component["externalReferences"][0]["hashes"] for component in bill["components"])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    rows = [*csv.DictReader((tmp_path / "licences.csv").open(encoding="utf-8"))]
    assert [row["package"] for row in rows] == pinned
    assert sum(bool(row["licence"]) for row in rows) >= len(rows) - 5
    assert {"xgboost-cpu", "bentoml", "msgspec"} <= {
        row["package"] for row in rows if "Apache" in row["licence"] or "BSD" in row["licence"]
    }


def test_there_is_a_licence_and_a_policy() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "privately" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
