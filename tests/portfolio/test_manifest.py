"""The manifest counts rows and not problems, and stands for exactly what was run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from models import bundle as bundles
from portfolio import manifest
from portfolio.columns import OUTPUT_SCHEMA
from portfolio.manifest import PartCounter, RunCounts, bundle_digest, versions
from portfolio.work import RefusedRow, ScoredPart
from tenders.errors import UnreachableError


def part(ocids: list[str | None] = [], refused: list[tuple[int, str, str]] = []) -> ScoredPart:  # noqa: B006 - only read
    """A part with these rows, and refusals by line, place and path."""
    row = {"ocid": None, "band": "high", "register": "uk", "stage": "draft", "value_gbp": None}
    rows = pa.Table.from_pylist([{**row, "ocid": ocid} for ocid in ocids], schema=OUTPUT_SCHEMA)
    refusals = [RefusedRow(file="a", line=line, place=place, path=path, problem="x") for line, place, path in refused]
    return ScoredPart(file="a", table=rows, refused=refusals, lines=0, unnumbered=False)


def counted(*parts: ScoredPart) -> RunCounts:
    counter = PartCounter()
    for piece in parts:
        counter.add(piece)
    return counter.total()


@pytest.mark.parametrize(
    ("refused", "rows"),
    [
        ([], 0),
        ([(2, "", "/tender/value"), (2, "", "/tender/lots/0"), (2, "", "")], 1),
        ([(2, "", "/buyer"), (3, "", "/buyer")], 2),
        ([(1, "/releases/0", "/releases/0/tender"), (1, "/releases/1", "/releases/1/tender")], 2),
        ([(1, "/releases/0", "/releases/0/tender/value"), (1, "/releases/0", "/releases/0/tender/lots")], 1),
        ([(7, "row 7", "row 7, column lots"), (7, "row 7", "row 7, column value")], 1),
        ([(0, "", "")], 1),
    ],
)
def test_a_row_is_refused_once_however_much_is_wrong_with_it(refused: list[tuple[int, str, str]], rows: int) -> None:
    assert counted(part(refused=refused)).refused == rows


def test_counts_add_up_over_parts() -> None:
    counts = counted(part(["a", "b"]), part(), part(["c"], [(9, "", "")]))
    assert counts == RunCounts(
        scored=3, refused=1, without_value=3, bands={"high": 3}, registers={"uk": 3}, stages={"draft": 3}
    )


def test_repeated_ocids_are_counted_over_all_parts_and_null_is_no_ocid() -> None:
    assert counted(part(["a", "b", "a"]), part(["b", None, None])).repeated == 2


def test_no_parts_have_zero_counts() -> None:
    assert counted() == RunCounts()


def test_a_bundles_digest_is_that_of_its_manifest(tmp_path: Path) -> None:
    released = bundles.released()
    assert bundle_digest(released) == hashlib.sha256((released / "manifest.json").read_bytes()).hexdigest()
    with pytest.raises(UnreachableError, match="no bundle at"):
        bundle_digest(tmp_path)


def test_versions_include_a_digest_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"python", "tender-risk", "xgboost-cpu", "numpy", "code"} <= set(versions())
    assert versions() == versions()
    (tmp_path / "tenders").mkdir()
    module = tmp_path / "tenders" / "a.py"
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    seen = set()
    for text in ("a = 1", "a = 2", "a = 1"):
        module.write_text(text)
        manifest.code_digest.cache_clear()
        seen.add(manifest.code_digest())
    manifest.code_digest.cache_clear()
    assert len(seen) == 2
