"""The options of a job as forms and queries give them."""

from __future__ import annotations

import pytest

from serving.jobs.asked import options
from serving.jobs.job import Options
from tenders.errors import DataError


def test_what_is_blank_was_not_said() -> None:
    assert options({"stage": "", "register": " ", "capacity": "", "other": "x"}) == Options()


def test_everything_that_can_be_said() -> None:
    given = {
        "stage": "draft",
        "register": "ted_de",
        "capacity": "200",
        "rank_by": "expected_loss",
        "most_per_buyer": "3",
    }
    assert options(given) == Options(
        stage="draft", register="ted_de", capacity=200, rank_by="expected_loss", most_per_buyer=3
    )  # fmt: skip


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(DataError) as caught:
        options({"stage": "later", "register": "none", "capacity": "-1", "rank_by": "x", "most_per_buyer": "9" * 5000})
    assert [each.path for each in caught.value.problems] == [
        "/stage",
        "/register",
        "/capacity",
        "/rank_by",
        "/most_per_buyer",
    ]


def test_an_offices_own_mapping_is_not_taken_from_outside() -> None:
    with pytest.raises(DataError):
        options({"register": "own"})
