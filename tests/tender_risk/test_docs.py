"""What docs/python.md shows runs, in the order of the page, and prints what it shows."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["docs/python.md"])
def test_the_examples_of_a_page_run(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / page).read_text(encoding="utf-8")
    found = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    assert len(found.examples) > 10
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=failures.append)
    assert not failures, "".join(failures)
