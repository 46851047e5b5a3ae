"""Faults are run one at a time: what is kept of one stays when another is kept."""

from __future__ import annotations

from pathlib import Path

from benchmarks.faults import FAULTS, save
from benchmarks.tables import ResultTable


def test_each_fault_keeps_its_own_table_in_the_order_of_faults(tmp_path: Path) -> None:
    def keep(name: str, seen: str) -> None:
        rows = [{"what must hold": "it serves", "seen": seen, "held": "yes"}]
        save(name, ResultTable(title=f"{name} (7 s)", rows=rows, notes=(f"Measured of {name}.",)), tmp_path)

    first, *others, last = FAULTS
    for name in (last, first, "kills"):
        keep(name, "at first")
    keep(first, "again")
    text = (tmp_path / "faults.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**kills (7 s)**", f"**{first} (7 s)**", f"**{last} (7 s)**",
    ]  # fmt: skip
    assert text.count("at first") == 2 and text.count("again") == 1 and text.count("Measured of") == 3
    assert not any(name in text for name in others)
