"""The real registers, where they lie beside the project: whole, quick, and as their keepers describe them."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tenders import stages
from tenders.facts import STAGES
from tenders.registers import find_register

HISTORY = Path(__file__).parents[4] / "shared" / "history"
LONGEST = 40.0  # seconds, on a machine that does other things too

# Rows, outcome, and how often it is true, false and censored.
EXPECTED = {
    "sicoes_bo": (517_575, "no_award", 181_825, 325_614, 10_136),
    "placsp_es": (3_668, "no_award", 307, 3_361, 0),
    "dncp_py": (8_451, "no_award", 185, 4_720, 3_546),
    "nicgep_in": (66_249, "single_bid", 2_278, 60_740, 3_231),
    "fpds_dod_us": (11_438, "early_end", 258, 11_180, 0),
    "ted_de": (124_594, "single_bid", 11_989, 112_284, 321),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_the_register_is_read_whole(name):
    path = HISTORY / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"the register {name} is not beside the project")
    rows, outcome, happened, held, censored = EXPECTED[name]
    begun = time.monotonic()
    file = find_register(name).read(path)
    assert time.monotonic() - begun < LONGEST
    assert (file.rows, len(file.cases)) == (rows, rows)
    counted = Counter(case.outcomes[outcome] for case in file.cases)
    assert (counted[True], counted[False], counted[None]) == (happened, held, censored)
    for case in file.cases:
        assert case.known_on is None or case.known_on >= case.published
        assert case.known_on or case.outcomes[outcome] is None
    for case in file.cases[:: max(1, rows // 500)]:
        for stage in STAGES:
            assert stages.as_of(case.as_of(stage), stage) == case.as_of(stage)
