"""The options of a job as forms and queries give them."""

from __future__ import annotations

from contextlib import suppress

import pytest

from portfolio.worklist import WorklistOptions
from serving.jobs.asked import fields, options, wanted
from serving.jobs.job import Options
from tenders.errors import DataError, UsageError


def test_what_is_blank_was_not_said() -> None:
    assert options({"stage": "", "register": " ", "capacity": "", "other": "x"}) == Options()


def test_everything_that_can_be_said() -> None:
    given = {
        "stage": "draft",
        "register": "ted_de",
        "capacity": "200",
        "rank_by": "expected_loss",
        "most_per_buyer": "3",
        "sample": "0.1",
        "seed": "7",
    }
    found = options(given)
    assert found == Options(
        stage="draft", register="ted_de", capacity=200, rank_by="expected_loss", most_per_buyer=3, sample=0.1, seed=7
    )  # fmt: skip
    assert fields(found) == given


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


@pytest.mark.parametrize(
    ("text", "share"), [("0", 0), ("0.25", 0.25), (".5", 0.5), ("7%", 0.07), ("12.5 %", 0.125), ("100%", 1), ("1", 1)]
)
def test_a_share_is_said_as_such_or_in_percent(text: str, share: float) -> None:
    assert options({"sample": text}).sample == share


@pytest.mark.parametrize(
    "text", ["-0.1", "1.01", "101%", "10", "nan", "inf", "-inf", "%", "a tenth", "0,1", "9" * 5000]
)
def test_a_share_beyond_the_bounds_of_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="a share from 0 to 1") as caught:
        options({"sample": text})
    assert [each.path for each in caught.value.problems] == ["/sample"]
    with suppress(ValueError), pytest.raises(UsageError):
        WorklistOptions(capacity=1, sample=float(text))


@pytest.mark.parametrize("text", ["-1", "1.0", str(2**64), "9" * 5000, "x", "²"])
def test_a_seed_is_one_that_a_worklist_takes(text: str) -> None:
    with pytest.raises(DataError, match="/seed"):
        options({"seed": text})
    assert WorklistOptions(capacity=1, seed=options({"seed": str(2**64 - 1)}).seed).seed == 2**64 - 1


def test_what_is_wrong_with_the_earlier_job_is_said_with_everything_else() -> None:
    with pytest.raises(DataError) as caught:
        wanted({"sample": "2", "since": "x"}, lambda _: None)
    assert [each.path for each in caught.value.problems] == ["/sample", "/since"]


def test_an_offices_own_mapping_is_not_taken_from_outside() -> None:
    with pytest.raises(DataError):
        options({"register": "own"})
