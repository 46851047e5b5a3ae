"""What an office sets: sensible without a word, and refused where it cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.jobs.settings import settings
from tenders.errors import UsageError


def test_without_a_word_jobs_are_kept_in_the_users_state_directory_for_a_month() -> None:
    values = settings({})
    assert values.data == Path.home() / ".local" / "state" / "tender-risk"
    assert (values.database, values.upload, values.days, values.niceness) == ("", 2 * 2**30, 30, 10)
    assert values.workers >= 1


def test_the_state_directory_is_where_the_user_has_it(tmp_path: Path) -> None:
    assert settings({"XDG_STATE_HOME": str(tmp_path)}).data == tmp_path / "tender-risk"


def test_everything_can_be_set() -> None:
    values = settings(
        {
            "TENDER_RISK_DATA": "/srv/tender-risk",
            "TENDER_RISK_JOBS": "postgresql://db/jobs",
            "TENDER_RISK_UPLOAD_MB": "5",
            "TENDER_RISK_JOB_DAYS": "7",
            "TENDER_RISK_JOB_WORKERS": "3",
            "TENDER_RISK_JOB_NICENESS": "0",
        }
    )
    assert values.data == Path("/srv/tender-risk")
    assert (values.database, values.upload) == ("postgresql://db/jobs", 5 * 2**20)
    assert (values.days, values.workers, values.niceness) == (7, 3, 0)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "9" * 5000, "٣"])
def test_a_number_that_cannot_be_meant_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="TENDER_RISK_JOB_DAYS"):
        settings({"TENDER_RISK_JOB_DAYS": value})


def test_another_database_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(UsageError) as caught:
        settings({"TENDER_RISK_JOBS": "mysql://user:secret@db/jobs"})
    assert "secret" not in str(caught.value)
