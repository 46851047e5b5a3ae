"""Portfolios that tests upload, and how they wait for what becomes of them."""

from __future__ import annotations

import gzip
import time
from functools import cache
from typing import Any

import httpx

from tenders.io.streams import BOUNDS
from tests import samples
from tests.portfolio.sample_files import lines
from tests.serving.made import HOSTILE

BUYERS = ("Leeds Council", "York Council", "=cmd|'/C calc'!A0")
REGIONS = ("UKC", "UKD")
VALUES = (50_000, 5_000_000, 500_000_000)
RISEN, FALLEN = range(5, 30, 2), range(30, 60)
BROKEN = b'{"ocid": "ocds-h6vhtk-broken", \n'


def tender(number: int, **about: Any) -> dict[str, Any]:
    """One of many tenders that differ in buyer, region, value and lots."""
    made = samples.draft(ocid=f"ocds-h6vhtk-{number}")
    buyer = BUYERS[number % len(BUYERS)]
    made["buyer"]["name"] = made["parties"][0]["name"] = buyer
    made["parties"][0]["address"] = {"region": REGIONS[number % len(REGIONS)]}
    made["tender"]["title"] = HOSTILE if number == 0 else f"Nursing {number}"
    made["tender"]["value"] = {"amount": VALUES[number % len(VALUES)], "currency": "GBP"}
    made["tender"]["lots"] = made["tender"]["lots"][: 1 + number % 2]
    return {**made, **about}


def portfolio(count: int = 120) -> bytes:
    """JSON lines; the last line but one is broken."""
    *many, last = [tender(number) for number in range(count)]
    return lines(many) + BROKEN + lines([last])


def newer() -> bytes:
    """A later state of `portfolio`: 0 to 4 are gone, 120 to 129 are new, RISEN and FALLEN have fewer lots or more."""
    many = [tender(number) for number in range(5, 130)]
    for release in many:
        number, lots = int(release["ocid"].rpartition("-")[2]), release["tender"]["lots"]
        release["tender"]["lots"] = lots[:1] if number in RISEN else lots * 3 if number in FALLEN else lots
    return lines(many)


@cache
def long(blocks: int) -> bytes:
    """Packed JSON lines of so many blocks, each of which takes a moment: a thousand tenders with much that is not read."""
    padding = {"rationale": "x" * (BOUNDS.block // 1_000)}
    return gzip.compress(lines([tender(number, planning=padding) for number in range(1_000 * blocks)]), 1)


def upload(http: httpx.Client, content: bytes, name: str = "register.jsonl", **options: str) -> dict[str, Any]:
    """The job of an upload."""
    answer = http.post("/jobs", files={"file": (name, content)}, data=options)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


def ended(http: httpx.Client, id: str, seconds: float = 60) -> dict[str, Any]:
    """The job, once it has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job: dict[str, Any] = http.get(f"/jobs/{id}").json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"still {job['state']} after {seconds} seconds")
