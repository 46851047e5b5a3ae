"""Every page's running text can be read by somebody of fourteen, and none of the words that nobody knew is left."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
import pytest

from tests.serving.made import FILLED

textstat = pytest.importorskip("textstat", reason="textstat is not installed")

GRADE = 9.0
"""Flesch–Kincaid grade; 9 is about the age of fourteen."""
QUERY = urlencode({**FILLED, "bidders": "2", "cpv": "85323000"})
PAGES = {
    "/": "", "/answer": QUERY, "/desk/suggestions": QUERY, "/desk/comparables": QUERY, "/desk/stages": QUERY,
    "/desk/unknown": QUERY, "/casebook": "", "/casebook/NHS001": "", "/about": "", "/about/transparency-record": "", "/portfolio": "", "/nope": "",
}  # fmt: skip
NOT_RUNNING = frozenset({"source", "standing", "range", "sentence", "found", "factors", "hidden", "effect"})
"""Classes of what is no running text of a page: names, figures, citations, the tender's own words, and what the
bundle's evidence and the catalogue's factors say, which stand under `source` and `factors`."""
EXCEPTIONS: dict[str, str] = {}
"""Pages that are not held to it, and why: none."""
GONE = (
    "0 of 0 with it failed", "Not one block of", "bids in", "picked", "cohort", "told from chance",
    "What if the draft were another", "the duty to explain bites", "distance 0.",
)  # fmt: skip
"""Words that people who tried the pages did not understand."""


class RunningText(HTMLParser):
    """The paragraphs and list items of a page, without names, titles and quotations."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._left_out: list[str] = []
        self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = set((dict(attrs).get("class") or "").split())
        if self._left_out:
            self._left_out += [tag] * (tag == self._left_out[0])
        elif tag in ("strong", "a", "q", "code", "button", "nav", "footer", "header", "svg") or classes & NOT_RUNNING:
            self._left_out = [tag]
        elif tag in ("p", "li"):
            self._in = tag
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[0]:
                self._left_out.pop()
        elif tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in and not self._left_out:
            self.texts[-1] += data

    @property
    def sentences(self) -> str:
        """The texts of at least four words, each ended as a sentence."""
        texts = (" ".join(text.split()) for text in self.texts)
        return " ".join(text if text[-1] in ".?!:" else f"{text}." for text in texts if len(text.split()) >= 4)


def html(http: httpx.Client, path: str) -> str:
    return http.get(f"{path}?{PAGES[path]}", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize("path", sorted(PAGES.keys() - EXCEPTIONS.keys()))
def test_the_running_text_of_a_page_can_be_read_at_fourteen(http: httpx.Client, path: str) -> None:
    text = RunningText(html(http, path)).sentences
    assert text
    assert textstat.flesch_kincaid_grade(text) <= GRADE, text


@pytest.mark.parametrize("path", sorted(PAGES.keys() - {"/portfolio"}))
def test_no_word_that_nobody_knew_is_left(http: httpx.Client, path: str) -> None:
    # The evidence is the bundle's own sentence, and an option's value is a code.
    page = re.sub(
        r'<p class="(?:source|evidence)">[^<]*</p>|<option [^>]*>|value="[^"]*"|name="[^"]*"|href="[^"]*"',
        "",
        html(http, path),
    )
    shown = re.sub(r"<[^>]+>", " ", page)
    assert [word for word in GONE if word in shown] == []
    assert not re.search(r"(?<![\w.])/tender[/A-Z]", shown), "a path where a person needs a name"


def test_a_text_that_is_hard_to_read_would_be_found() -> None:
    hard = (
        "<p>Notwithstanding contractual considerations, organisational responsibilities necessitate transformation.</p>"
    )
    assert textstat.flesch_kincaid_grade(RunningText(hard).sentences) > GRADE
