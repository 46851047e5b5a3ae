"""Known outcomes move the level of a served bundle, and nothing else of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import bundle as bundles
from models.bundle import Bundle
from models.level import moved_bundle
from portfolio.levels import Ended, moves, of_notices
from portfolio.run import PortfolioRun, run_portfolio
from portfolio.work import RunOptions, cached_bundle
from tests.portfolio import sample_files

OPTIONS = RunOptions(bundle=str(bundles.released()), stage="draft")
DAY = date(2026, 1, 1).toordinal()


@pytest.fixture(scope="module")
def here() -> Iterator[Executor]:
    """Someone who scores in this process."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eighty tenders."""
    return sample_files.written(tmp_path, "in.jsonl", sample_files.lines(sample_files.releases(80)))


def scored(source: Path, here: Executor, outcomes: Path | None = None) -> tuple[pa.Table, RunOptions]:
    """The rows of a run, and the options that it ended with."""
    out = source.with_name("out.parquet")
    run = PortfolioRun(source=source, out=out, options=OPTIONS, format="parquet", outcomes=outcomes)
    manifest = run_portfolio(run, here)
    return pq.read_table(out), manifest.options


def outcomes_file(source: Path, rows: pa.Table, failed: list[bool], **more: list[date]) -> Path:
    path = source.with_name("outcomes.parquet")
    pq.write_table(pa.table({"ocid": rows["ocid"], "failed": failed, **more}), path)
    return path


@pytest.mark.parametrize(("failed", "direction"), [(True, 1), (False, -1)])
def test_outcomes_move_every_probability_one_way_and_keep_the_order(source, here, failed, direction):
    before, _ = scored(source, here)
    after, options = scored(source, here, outcomes_file(source, before, [failed] * len(before)))
    old, new = before["failure"].to_numpy(), after["failure"].to_numpy()
    assert (direction * (new - old) > 0).all()
    assert np.array_equal(np.argsort(old, kind="stable"), np.argsort(new, kind="stable"))
    assert (after["low"].to_numpy() <= new).all() and (new <= after["high"].to_numpy()).all()
    assert all(direction * move.shift > 0 and move.cases == len(before) for move in options.levels)
    assert {(move.register, move.outcome) for move in options.levels} == {("uk", "no_award"), ("uk", "early_end")}


def test_outcomes_that_came_as_was_forecast_move_next_to_nothing(bundle: Bundle):
    rng = np.random.default_rng(0)
    ended = [
        Ended(register="uk", probability=0.2, published=DAY + row // 10, known=DAY + row // 10, y=float(rng.random() < 0.2))
        for row in range(3000)
    ]  # fmt: skip
    (move,) = moves(bundle, ended, ("no_award",))
    assert abs(move.shift) < 0.15 and not move.stale


def test_failures_that_are_told_sooner_do_not_raise_the_level(bundle: Bundle):
    rng = np.random.default_rng(1)
    ended = []
    for row in range(6000):
        published, failed = DAY + row // 30, bool(rng.random() < 0.2)
        known = published + int(np.ceil(rng.exponential(10 if failed else 70)))
        y = float(failed) if known < DAY + 200 else np.nan
        ended.append(Ended(register="uk", probability=0.2, published=published, known=known if known < DAY + 200 else published, y=y))  # fmt: skip
    (move,) = moves(bundle, ended, ("no_award",))
    assert abs(move.shift) < 0.25
    assert np.mean([one.y for one in ended if not np.isnan(one.y)]) > 0.24


def test_a_registers_own_publications_move_nothing_again(bundle: Bundle):
    name, own = next((name, own) for name, own in bundle.registers.items() if own.histories)
    last = max(date.fromisoformat(source.last) for source in own.manifest.data)

    def moved(days: int) -> list[object]:
        day = (last + timedelta(days)).toordinal()
        ended = [Ended(register=name, probability=0.1, published=day, known=day, y=1.0) for _ in range(50)]
        return [move.outcome for move in moves(bundle, ended, ("no_award", "single_bid"))]

    assert moved(0) == [] and moved(1) != []


def test_notices_say_themselves_what_was_forecast_and_what_came(bundle: Bundle, tmp_path: Path):
    lines = []
    for number in range(60):
        day = date(2026, 1, 1) + timedelta(number)
        tender = {"title": f"Road {number}", "status": "active", "datePublished": f"{day}T00:00:00Z"}
        releases = [
            {"ocid": f"ocds-h6vhtk-{number:06x}", "id": "1", "date": f"{day}T00:00:00Z", "tag": ["tender"], "tender": tender},
            {
                "ocid": f"ocds-h6vhtk-{number:06x}", "id": "2", "date": f"{day + timedelta(30)}T00:00:00Z",
                "tag": ["tenderCancellation"], "tender": {**tender, "status": "cancelled"},
            },
        ]  # fmt: skip
        lines.append(json.dumps({"releases": releases}))
    path = tmp_path / "notices.jsonl"
    path.write_text("\n".join(lines))
    (move,) = of_notices(bundle, path)
    assert (move.register, move.outcome) == ("uk", "no_award") and move.shift > 0.3 and move.stale


def test_days_of_outcomes_are_read_where_they_are_given(source, here):
    before, _ = scored(source, here)
    late = [date(2040, 1, 1)] * len(before)
    _, options = scored(source, here, outcomes_file(source, before, [True] * len(before), known_on=late))
    assert options.levels and all(move.shift > 0 for move in options.levels)


def test_a_moved_bundle_is_the_same_but_for_its_level_and_is_made_once(bundle: Bundle):
    moved = moved_bundle(bundle, {("uk", "no_award"): 0.4})
    for key, line in bundle.calibration.items():
        other = moved.calibration[key]
        shift = 0.4 if key[0] == "no_award" else 0.0
        assert other.intercept == pytest.approx(line.intercept + shift) and other.slope == line.slope
        assert (other.base_rate > line.base_rate) == (shift > 0)
    assert moved.boosters is bundle.boosters
    assert moved_bundle(moved, {("uk", "no_award"): -0.4}).calibration["no_award", "draft"].base_rate == pytest.approx(
        bundle.calibration["no_award", "draft"].base_rate
    )
    options = msgspec.structs.replace(OPTIONS, levels=())
    assert cached_bundle(options.bundle, options.levels) is cached_bundle(options.bundle, ())
