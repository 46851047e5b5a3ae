"""What a file or document is, by its name and by its keys."""

from __future__ import annotations

from typing import Any

import pytest

from tenders.io.detection import document_kind, is_json_lines, split_suffix, starts_json_lines


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.json", (".json", None)),
        ("folder.gz/A.JSONL.GZ", (".jsonl", "gzip")),
        ("a.b.csv.zst", (".csv", "zstd")),
        (".xlsx", (".xlsx", None)),
        ("tenders.gz", ("", "gzip")),
        ("tenders", ("", None)),
    ],
)
def test_the_end_of_a_name_says_what_a_file_is(name: str, expected: tuple[str, str | None]) -> None:
    assert split_suffix(name) == expected


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"records": []}, "record package"),
        ({"ocid": "x", "releases": [], "compiledRelease": {}}, "record"),
        ({"versionedRelease": {}}, "record"),
        ({"uri": "x", "releases": []}, "release package"),
        ({"ocid": "x", "tender": {}}, "release"),
        ({"tender": {}}, "release"),
        ({"awards": []}, "release"),
        ({"tender": {}, "set": {"lots": 2}}, "kept draft"),
        ({"tender": {}, "set": 2}, "release"),
        ({"title": "x", "buyer": "y"}, "form"),
        ({}, "form"),
    ],
)
def test_the_keys_say_what_a_document_is(document: dict[str, Any], kind: str) -> None:
    assert document_kind(document) == kind


@pytest.mark.parametrize(
    ("text", "are_lines"),
    [
        ('{"a": 1}\n{"b": 2}', True),
        ('\ufeff{"a": 1}\n\n{"b": ', True),
        ('{"a":\n{"b": 2}}', False),
        ('{"a": 1}', False),
        ('{"releases": [\n{"a": 1},\n{"a"', False),
        ('[1]\n{"b": 2}', False),
        ("", False),
    ],
)
def test_json_lines_are_told_from_one_document(text: str, are_lines: bool) -> None:
    assert is_json_lines(text) is are_lines
    assert is_json_lines(text.encode()) is are_lines


def test_the_first_lines_may_be_enough() -> None:
    assert starts_json_lines([b'\xef\xbb\xbf{"a": 1}', b' {"b'])
    assert not starts_json_lines([b'{"a": 1}'])
    assert not starts_json_lines([b'{"releases": [', b'{"a": 1}'])
