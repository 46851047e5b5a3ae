"""What looks wrong in a tender is remarked on, of that tender alone."""

from __future__ import annotations

from typing import Any

import pytest

from features.remarks import remarks
from features.table_builder import read
from tenders.io.ocds import to_tender


@pytest.mark.parametrize(
    ("section", "remark"),
    [
        ({"tenderPeriod": {"startDate": "2024-02-01", "endDate": "2024-01-01"}}, "/tender/tenderPeriod: ends before"),
        (
            {"contractPeriod": {"startDate": "2024-02-01", "endDate": "2024-01-01"}},
            "/tender/contractPeriod: ends before",
        ),
        ({"value": {"amount": 5}}, "/tender/value: an amount without a currency"),
    ],
)
def test_what_looks_wrong_is_remarked_on(section: dict[str, Any], remark: str) -> None:
    found = remarks(read([to_tender({"tender": each}) for each in ({"title": "t"}, section, section)]))
    assert list(found) == [1, 2]
    assert [each[: len(remark)] for each in found[1]] == [remark]
    assert found[1] == found[2]
