"""A pull against services that do everything wrong that was seen of the real ones: nothing is lost, nothing is doubled,
and nobody is asked too soon. `benchmarks.pull` has the same over 20,000 procedures and a hundred kills."""

from __future__ import annotations

import random
import time
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tenders import apis
from tenders.apis.pull import PullRequest, PullResult, last_pull
from tenders.apis.pull import pull as pull_notices
from tenders.errors import DataError, UsageError
from tests.tenders.apis.stand_in import (
    FAULTS,
    FIRST_DAY,
    SERVICES,
    WAIT,
    Pulls,
    Service,
    killed_pulls,
    made_register,
    published_releases,
    serving,
    without_amounts,
    written,
)

QUICK = [fault for fault in FAULTS if fault not in ("429", "503")]
"""All but those that have to be waited for by the second."""
LAST_DAY = FIRST_DAY + timedelta(days=2)
PAUSE = 0.002
each_service = pytest.mark.parametrize("name", SERVICES)


def quick(service: Service, pause: float = 0.0) -> Any:
    """The API as it is, but for its waits."""
    api = apis.find_api(service.register.service)
    return replace(api, pause=pause, backoff=0.001, later=dict.fromkeys(api.later, WAIT + 0.005), full=service.size)


def pull(service: Service, to: Path, first: date = FIRST_DAY, last: date = LAST_DAY, **more: Any) -> PullResult:
    recount = more.pop("recount", False)
    request = PullRequest(api=service.register.service, url=service.url, first=first, last=last, recount=recount)
    return pull_notices(quick(service, service.pause * 1.2), request, to, **more)


@each_service
@pytest.mark.parametrize("seed", range(3))
def test_through_every_fault_nothing_is_lost_or_doubled_and_nobody_asked_too_soon(
    tmp_path: Path, name: str, seed: int
) -> None:
    register = made_register(name, 500, days=2)
    expected = published_releases(register, FIRST_DAY, LAST_DAY)
    with serving(register, page=20, pause=PAUSE, rate=0.6, seed=seed, faults=QUICK) as service:
        pulled = pull(service, tmp_path / "out.jsonl")
        held, count = written(tmp_path / "out.jsonl")
        assert held.keys() == expected.keys()
        assert count == len(expected) == pulled.releases
        assert without_amounts(list(map(held.get, expected))) == without_amounts(list(expected.values()))
        assert pulled.unread <= service.shown["broken number"]
        assert pulled.incomplete == []
        assert service.unknown == []
        assert service.too_soon == 0
        assert service.shortest >= PAUSE
        assert set(QUICK) <= set(service.shown)


@pytest.mark.parametrize("fault", ["429", "503"])
def test_a_stated_wait_is_kept_to_the_second(tmp_path: Path, fault: str) -> None:
    with serving(made_register("find-a-tender", 90, days=2), rate=0.2, seed=4, faults=[fault]) as service:
        pull(service, tmp_path / "out.jsonl")
        assert service.shown[fault] > 0
        assert service.too_soon == 0


@pytest.mark.parametrize("name", ["find-a-tender", "contracts-finder"])
def test_a_full_page_is_no_end_even_where_it_always_says_so(tmp_path: Path, name: str) -> None:
    register = made_register(name, 600, days=2)
    with serving(register, page=50) as service:
        service.lasting = {"no next"}
        pulled = pull(service, tmp_path / "out.jsonl")
    held, count = written(tmp_path / "out.jsonl")
    assert held.keys() == published_releases(register, FIRST_DAY, LAST_DAY).keys()
    assert count == pulled.releases
    assert pulled.incomplete == []


def test_a_second_that_has_more_than_a_page_and_leads_nowhere_is_told(tmp_path: Path) -> None:
    register = made_register("find-a-tender", 400, days=1)
    with serving(register, page=20) as service:
        service.lasting = {"no next"}
        pulled = pull(service, tmp_path / "out.jsonl", last=FIRST_DAY)
    assert pulled.incomplete == [f"{FIRST_DAY} 09:00:00 to 09:00:00"]
    assert 0 < len(published_releases(register, FIRST_DAY, FIRST_DAY)) - pulled.releases < 50


@each_service
def test_killed_again_and_again_it_ends_with_everything(tmp_path: Path, name: str) -> None:
    register = made_register(name, 500, days=2)
    expected = published_releases(register, FIRST_DAY, LAST_DAY)
    with serving(register, page=40, pause=0.004, rate=0.2, seed=2, faults=QUICK) as service:
        pulls = Pulls(service, FIRST_DAY, LAST_DAY, tmp_path / "out.jsonl", 0.005)
        try:
            met = killed_pulls(service, pulls, 8, random.Random(name), 0.02)
        finally:
            pulls.close()
        held, count = written(tmp_path / "out.jsonl")
        assert met >= 4
        assert held.keys() == expected.keys()
        assert count == len(expected)
        assert service.too_soon == 0
        assert service.shortest >= 0.004
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_wait_outlives_the_pull_that_was_killed_in_it(tmp_path: Path) -> None:
    with serving(made_register("find-a-tender", 60, days=1), rate=1.0, faults=["429"]) as service:
        pulls = Pulls(service, FIRST_DAY, FIRST_DAY, tmp_path / "out.jsonl", 0.001)
        process = pulls.begin()
        end = time.monotonic() + 60
        while not service.shown["429"]:
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(0.1)
        assert pulls.end(process) < 0
        service.faults.clear()
        pulls.begin()
        assert pulls.end() == 0
        pulls.close()
        assert service.requests > 1
        assert service.too_soon == 0


@each_service
def test_a_daily_job_gives_the_bytes_of_one_pull(tmp_path: Path, name: str) -> None:
    register = made_register(name, 120, days=2)
    last = FIRST_DAY + timedelta(days=60)
    with serving(register, page=40) as service:
        pull(service, tmp_path / "whole.jsonl", last=last)
        daily = tmp_path / "daily.jsonl"
        first = FIRST_DAY
        for step in (1, 3, 45, 60):
            end = FIRST_DAY + timedelta(days=step)
            pulled = pull(service, daily, first=first, last=end, since_last=True)
            held, count = written(daily)
            assert held.keys() == published_releases(register, FIRST_DAY, end).keys()
            assert count == pulled.releases
            state = last_pull(daily)
            assert state and (state.first, state.last) == (FIRST_DAY, end)
            first = end + timedelta(days=1)
        assert daily.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
        # Killed after the output was written and before it was noted: the same days come again.
        pull(service, daily, first=FIRST_DAY + timedelta(days=46), last=last, since_last=True)
        assert daily.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_daily_job_takes_up_what_it_could_not_end_the_day_before(tmp_path: Path) -> None:
    register = made_register("find-a-tender", 120, days=3)
    with serving(register, page=40, rate=1.0, faults=["403"]) as service:
        service.faults.append("403")
        api = replace(quick(service), later={})
        to = tmp_path / "out.jsonl"
        for fails, last in ((True, 0), (True, 1), (False, 2)):
            if not fails:
                service.faults.clear()
            request = PullRequest(
                api="find-a-tender", url=service.url, first=FIRST_DAY, last=FIRST_DAY + timedelta(days=last)
            )
            if fails and last == 0:
                service.faults.clear()
                _interrupted(api, request, to)
                service.faults.append("403")
            elif fails:
                _interrupted(api, request, to)
            else:
                pull_notices(api, request, to, since_last=True)
    held, _ = written(tmp_path / "out.jsonl")
    assert held.keys() == published_releases(register, FIRST_DAY, LAST_DAY).keys()


def _interrupted(api: Any, request: PullRequest, to: Path) -> None:
    def stop(day: date, releases: int) -> None:
        if releases:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_notices(api, request, to, stop, since_last=True)


def test_a_day_that_was_not_over_is_asked_for_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = made_register("find-a-tender", 120, days=1)
    half, clock = register.between(*_hours(0, 12)), _Clock(monkeypatch, FIRST_DAY)
    everything = register.between
    with serving(register, page=40) as service:
        monkeypatch.setattr(
            register, "between", lambda first, last: [release for release in everything(first, last) if release in half]
        )
        request = PullRequest(api="find-a-tender", url=service.url, first=FIRST_DAY, last=FIRST_DAY + timedelta(days=1))
        with pytest.raises(KeyboardInterrupt):
            pull_notices(quick(service), request, tmp_path / "out.jsonl", _after(FIRST_DAY))
        clock.day += timedelta(days=2)
        monkeypatch.setattr(register, "between", everything)
        pull_notices(quick(service), request, tmp_path / "out.jsonl")
    held, _ = written(tmp_path / "out.jsonl")
    assert len(half) < len(published_releases(register, FIRST_DAY, FIRST_DAY))
    assert held.keys() == published_releases(register, FIRST_DAY, FIRST_DAY + timedelta(days=1)).keys()


def _hours(first: int, last: int) -> Any:
    return tuple(datetime.combine(FIRST_DAY, time_of_day(hour)) for hour in (first, last))


def _after(done: date) -> Any:
    def stop(day: date, releases: int) -> None:
        if day > done:
            raise KeyboardInterrupt

    return stop


class _Clock:
    """The day that a pull takes for today."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, day: date) -> None:
        self.day = day
        monkeypatch.setattr("tenders.apis.pull.today", lambda: self.day)
        monkeypatch.setattr("tenders.apis.api.today", lambda: self.day)


def test_a_count_that_differs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = made_register("ted", 60, days=1)
    with serving(register, page=10) as service:
        whole = service.document
        monkeypatch.setattr(service, "document", lambda *arguments: {**whole(*arguments), "totalNoticeCount": 61})
        pulled = pull(service, tmp_path / "out.jsonl", last=FIRST_DAY)
    assert (pulled.stated, pulled.releases, pulled.incomplete) == ({FIRST_DAY: 61}, 60, [str(FIRST_DAY)])


def test_a_day_that_is_counted_again_gives_what_the_whole_day_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = made_register("find-a-tender", 200, days=1)
    everything = register.between
    # A service that loses every tenth notice of a long window.
    monkeypatch.setattr(
        register, "between", lambda first, last: _lossy(everything(first, last), (last - first).seconds)
    )
    with serving(register, page=40) as service:
        lost = pull(service, tmp_path / "lost.jsonl", last=FIRST_DAY)
        pulled = pull(service, tmp_path / "out.jsonl", last=FIRST_DAY, recount=True)
    everyone = len(everything(*_hours(0, 23)))
    assert pulled.recounted == {FIRST_DAY: pulled.releases - lost.releases}
    assert pulled.releases >= everyone > lost.releases


def _lossy(releases: list[Any], seconds: int) -> list[Any]:
    return [release for number, release in enumerate(releases) if number % 10 or seconds < 40_000]


def test_what_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    with serving(made_register("find-a-tender", 30, days=1)) as service:
        to = tmp_path / "out.jsonl"
        pull(service, to, last=FIRST_DAY, since_last=True)
        again = {"first": FIRST_DAY + timedelta(days=1), "last": LAST_DAY, "since_last": True}
        with to.open("a") as file:
            file.write("no JSON\n")
        with pytest.raises(DataError, match=r"out\.jsonl, line \d+ is not what a pull writes"):
            pull(service, to, **again)
        to.unlink()
        with pytest.raises(UsageError, match="Delete that too"):
            pull(service, to, **again)
        (tmp_path / "out.jsonl.pulled").write_text("{")
        with pytest.raises(DataError, match="Delete it to begin anew"):
            pull(service, to, **again)
