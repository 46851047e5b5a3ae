"""Tenders and files that tests of the pages send, and what they read from a page."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from openpyxl import Workbook

from tenders.io import form

ROOT = Path(__file__).parents[2]
MANCHESTER = json.loads((ROOT / "examples" / "manchester-lco.json").read_text())
CAMBRIDGESHIRE = json.loads((ROOT / "examples" / "cambridgeshire-unitingcare.json").read_text())
FILLED = {
    "title": "Integrated community services", "buyer": "Example Integrated Care Board", "value": "5,900,000,000",
    "currency": "GBP", "lots": "1", "tender_period_days": "35", "term_years": "10", "category": "services",
    "single_block": "yes", "description": "Transformation\nof everything",
}  # fmt: skip
HOSTILE = (
    "\"><script>alert(1)</script>' onfocus=alert(1) {{ 7 * 7 }} {% raw %} </textarea><b> =cmd|'/C calc'!A0 "
    "\u202egnitset\u202c \U0001f4a5\U0001f468\u200d\U0001f469 \u0645\u0646\u0627\u0642\u0635\u0629"
)
STEPS = ("stages", "suggestions", "comparables", "unknown", "report")


class Page(HTMLParser):
    """What a page's controls hold, which elements it has, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._area = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag in ("input", "textarea", "select") and attributes.get("name"):
            self.values[str(attributes["name"])] = attributes.get("value") or ""
            self._area = str(attributes["name"])
        elif tag == "option" and "selected" in attributes:
            self.values[self._area] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.elements and self.elements[-1][0] == "textarea":
            self.values[self._area] += data.removeprefix("\n")

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def uploaded(http: httpx.Client, name: str, content: bytes) -> httpx.Response:
    """The page after a file was given to it."""
    return http.post("/", files={"file": (name, content)})


def carried(answer: httpx.Response) -> dict[str, str]:
    """The tender that a page of the desk carries in its form."""
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in Page(answer.text).values.items() if value and name not in ("file", "last")}


def workbook(rows: list[list[Any]]) -> bytes:
    """A workbook of one sheet."""
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def bomb(megabytes: int) -> bytes:
    """A workbook that is small packed and large unpacked."""
    out = io.BytesIO(workbook([["key", "value"], ["title", "x"]]))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet2.xml", b" " * megabytes * 2**20)
    return out.getvalue()


def hostile_form() -> dict[str, str]:
    """The form with hostile text in every field that takes text, and the longest that is read in one."""
    texts = {
        field.name: HOSTILE for field in form.FIELDS if field.kind == "text" and field.name not in ("cpv", "currency")
    }
    return {**texts, "advisers": HOSTILE, "incumbents": HOSTILE, "description": (HOSTILE * 200)[:19_000], "lots": "1"}


def failure_on(text: str) -> str:
    """The headline of a page or report: "24%"."""
    headline = re.search(r'class="number">([^<]*)<', text)
    assert headline, text[:500]
    return headline[1]
