"""What a file or a document is, told here and nowhere else: by the end of a file's name, and by a document's keys.

Every command, the service and the pages ask this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal

import msgspec

CODECS = {".gz": "gzip", ".zst": "zstd"}
"""The suffixes of compressed files, and the names that pyarrow has for their codecs."""
JSON_LINES = (".jsonl", ".ndjson")
YAML = (".yaml", ".yml")
WORKBOOKS = (".xlsx", ".xlsm")
BULK_SUFFIXES = (*JSON_LINES, ".json", ".parquet", ".csv", ".xlsx")
"""The files that a portfolio is read from, each also compressed."""

RELEASE_KEYS = frozenset(
    {
        "ocid", "releases", "records", "compiledRelease", "versionedRelease",
        "parties", "awards", "contracts", "tag", "bids", "planning",
    }
)  # fmt: skip
"""Keys that only a release, a record or a package has at its top. A request and a filled form have `tender` and `buyer`
too, so these are not among them."""

DocumentKind = Literal["record package", "record", "release package", "kept draft", "form", "release"]

BOM = b"\xef\xbb\xbf"
_NOT_AN_OBJECT = re.compile(rb"^(?!\s*\{|\s*$)", re.M)
_WHOLE_OBJECT = re.compile(rb"\s*\{.*\}\s*", re.S)


def split_suffix(name: str | PurePath) -> tuple[str, str | None]:
    """The suffix that says what a file is, such as `.csv`, and the codec that it is compressed with, if it is.

    A name may be a suffix alone.
    """
    stem, dot, last = PurePath(name).name.lower().rpartition(".")
    codec = CODECS.get(f"{dot}{last}")
    if codec:
        _, dot, last = stem.rpartition(".")
    return f"{dot}{last}" if dot else "", codec


def document_kind(document: Mapping[str, Any]) -> DocumentKind:
    """What a decoded JSON object is, by its keys.

    A kept draft is what the pages save: a tender, and under `set` what was changed in it. What has no key of OCDS is a
    form.
    """
    if "records" in document:
        return "record package"
    if "compiledRelease" in document or "versionedRelease" in document:
        return "record"
    if "releases" in document:
        return "release package"
    if isinstance(document.get("set"), Mapping) and isinstance(document.get("tender"), Mapping):
        return "kept draft"
    return "form" if "tender" not in document and RELEASE_KEYS.isdisjoint(document) else "release"


def is_json_lines(text: str | bytes) -> bool:
    """Whether a text is JSON lines: it is not JSON, every line starts an object, and at least one is whole."""
    data = (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).removeprefix(BOM).strip()
    if b"\n" not in data or _NOT_AN_OBJECT.search(data) or _is_json(data):
        return False
    return any(map(_is_json, data.split(b"\n")))


def starts_json_lines(lines: Sequence[bytes]) -> bool:
    """Whether the first lines of a file that are not blank start JSON lines: one whole object, and then another."""
    if len(lines) < 2:
        return False
    first, second, *_ = lines
    return bool(_WHOLE_OBJECT.fullmatch(first.removeprefix(BOM))) and second.lstrip().startswith(b"{")


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
