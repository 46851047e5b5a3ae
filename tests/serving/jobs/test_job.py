"""The options of a job as forms and queries give them, and the earlier job that they name."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from portfolio.worklist import WorklistOptions
from serving.jobs.job import Job, JobOptions, earlier_job, form_fields, now, read_options
from tenders.errors import DataError, UsageError


def options_of(fields: dict[str, str]) -> JobOptions:
    options, _ = read_options(fields)
    return options


def test_what_is_blank_was_not_said() -> None:
    assert options_of({"stage": "", "register": " ", "capacity": "", "other": "x"}) == JobOptions()


def test_everything_that_can_be_said() -> None:
    fields = {
        "stage": "draft",
        "register": "ted_de",
        "capacity": "200",
        "rank_by": "expected_loss",
        "most_per_buyer": "3",
        "sample": "0.1",
        "seed": "7",
    }
    options = options_of(fields)
    assert options == JobOptions(
        stage="draft", register="ted_de", capacity=200, rank_by="expected_loss", most_per_buyer=3, sample=0.1, seed=7
    )  # fmt: skip
    assert form_fields(options) == fields


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(DataError) as caught:
        options_of(
            {"stage": "later", "register": "none", "capacity": "-1", "rank_by": "x", "most_per_buyer": "9" * 5000}
        )
    assert [problem.path for problem in caught.value.problems] == [
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
    assert options_of({"sample": text}).sample == share


@pytest.mark.parametrize(
    "text", ["-0.1", "1.01", "101%", "10", "nan", "inf", "-inf", "%", "a tenth", "0,1", "9" * 5000]
)
def test_a_share_beyond_the_bounds_of_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="a share from 0 to 1") as caught:
        options_of({"sample": text})
    assert [problem.path for problem in caught.value.problems] == ["/sample"]
    with suppress(ValueError), pytest.raises(UsageError):
        WorklistOptions(capacity=1, sample=float(text))


@pytest.mark.parametrize("text", ["-1", "1.0", str(2**64), "9" * 5000, "x", "²"])
def test_a_seed_is_one_that_a_worklist_takes(text: str) -> None:
    with pytest.raises(DataError, match="/seed"):
        options_of({"seed": text})
    assert WorklistOptions(capacity=1, seed=options_of({"seed": str(2**64 - 1)}).seed).seed == 2**64 - 1


def test_what_is_wrong_with_the_earlier_job_is_said_with_everything_else() -> None:
    with pytest.raises(DataError) as caught:
        read_options({"sample": "2", "since": "x"}, lambda _: None)
    assert [problem.path for problem in caught.value.problems] == ["/sample", "/since"]


def test_an_offices_own_mapping_is_not_taken_from_outside() -> None:
    with pytest.raises(DataError):
        options_of({"register": "own"})


ID, OTHER = "-aB_" * 8, "Z9" * 16


def job(**about: Any) -> Job:
    return Job(**{"id": ID, "home": "home", "created": now(), "name": "a.csv", "size": 7, "state": "done", **about})


def find(id: str) -> Job | None:
    return job() if id == ID else None


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID}\n",
        f"/portfolio/{ID}",
        f"/jobs/{ID}",
        f"http://127.0.0.1:3000/portfolio/{ID}?sort=failure&down=1",
        f"https://office.example/risk/portfolio/{ID}/row/7#rows",
        f"https://office.example/jobs/{ID}/output?format=csv",
    ],
)
def test_a_job_is_named_by_its_id_or_any_address_of_it(text: str) -> None:
    earlier = earlier_job(text, find)
    assert earlier and earlier.id == ID


def test_a_blank_names_none() -> None:
    assert earlier_job(" ", find) is None


@pytest.mark.parametrize(
    "text",
    [
        "x",
        ID[:-1],
        f"{ID}x",
        "../../etc/passwd",
        f"/portfolio/{ID}x",
        "/portfolio/",
        "\0",
        pytest.param("/jobs/" * 2000, id="long"),
        OTHER,
    ],
)
def test_what_names_no_job_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(DataError) as caught:
        earlier_job(text, find)
    (problem,) = caught.value.problems
    assert (problem.path, bool(problem.remedy)) == ("/since", True)


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_a_job_that_is_not_done_is_compared_with_nothing(state: str) -> None:
    with pytest.raises(DataError, match=f"is {state}, not done"):
        earlier_job(ID, lambda _: job(state=state))
