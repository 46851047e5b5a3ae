"""Uploads that mean harm end in words, within memory and disk, and the honest one after them is scored.

Here are the quick ones; `python -m benchmarks.hostile` does the same with the whole corpus.
"""

from __future__ import annotations

import pytest

from benchmarks.hostile import DISK_MB, HONEST_ROWS, MEMORY_MB, Attack, attack
from tests.serving.jobs.hostile import CORPUS, MB

QUICK = [hostile for hostile in CORPUS if hostile.quick]


@pytest.fixture(scope="module")
def attacked() -> Attack:
    """A service that was given the quick ones of the corpus."""
    return attack(QUICK)


def test_each_is_refused_or_ends_in_words(attacked: Attack) -> None:
    assert [ended.what for ended in attacked.ended] == [hostile.what for hostile in QUICK]
    assert [ended for ended in attacked.ended if not ended.is_clean] == []


def test_bombs_are_refused_for_what_they_are_and_not_only_stopped(attacked: Attack) -> None:
    words = {ended.what: (ended.state, ended.words) for ended in attacked.ended}
    assert words["zstd: 1.1 GB of zeros as a document"][0] == "failed"
    assert "it unpacks to more than 1,024 MB" in words["zstd: 1.1 GB of zeros as a document"][1]
    assert "a name or header of" in words["a tar whose name has 1 GB"][1]
    assert "it unpacks to more than 1,024 MB" in words["Parquet: one text for all rows"][1]
    assert words["a name that leads out"][0] == "400"


def test_a_link_leads_nowhere(attacked: Attack) -> None:
    link = next(ended for ended in attacked.ended if "link" in ended.what)
    assert link.state == "done"
    assert link.words.startswith("1 rows; ")
    assert "root:" not in link.words


def test_memory_and_disk_stay_below_their_bounds(attacked: Attack) -> None:
    # A service and a worker take more than 50 MB each: less was not measured.
    assert 50 * MB < attacked.memory < MEMORY_MB * MB
    # The quick ones take a tenth of what one job may.
    assert 0 < attacked.disk < DISK_MB // 10 * MB


def test_the_honest_job_after_them_is_scored(attacked: Attack) -> None:
    assert attacked.honest["state"] == "done"
    assert attacked.rows == HONEST_ROWS


def test_the_corpus_has_forty_files_with_names_of_their_own() -> None:
    assert len({hostile.what for hostile in CORPUS}) == len(CORPUS) >= 40
