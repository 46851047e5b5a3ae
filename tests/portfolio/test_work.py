"""A worker turns a block into a part: every row scored or refused with its place, whatever goes wrong with one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.table_builder import TableBuilder
from models import bundle as bundles
from models.score import BatchScorer
from portfolio import work
from portfolio.work import RunOptions, ScoredPart, cached_bundle, read_part, score_block
from tenders import dates
from tenders.facts import STAGES, Stage
from tenders.io.blocks import blocks
from tenders.io.form import to_release
from tenders.io.streams import BOUNDS, Bounds
from tenders.tender import Tender
from tests import samples
from tests.features import made as facts
from tests.portfolio import sample_files
from tests.samples import Json

OPTIONS = RunOptions(bundle=str(bundles.released()), stage="draft")


def checked_places(part: type) -> Iterator[tuple[str, ...]]:
    """The JSON paths of all dates and currencies in a struct, by name and place: lists have one entry."""
    for field in msgspec.structs.fields(part):
        inner = next((kind for kind in (field.type, *get_args(field.type)) if is_struct(kind)), None)
        listed = get_origin(field.type) is tuple
        if inner:
            place = (field.encode_name, "0") if listed else (field.encode_name,)
            yield from ((*place, *rest) for rest in checked_places(inner))
        elif field.name == "currency" or re.search(r"^date(_|$)|_(date|deadline)$", field.name):
            yield (field.encode_name,)


def is_struct(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, msgspec.Struct)


def put(release: Any, place: tuple[str, ...], value: str) -> None:
    """Puts a value at a JSON path, making what is not there."""
    at = release
    for name, following in pairwise(place):
        made_of: Any = [{}] if following == "0" else {}
        at = at[0] if name == "0" else at.setdefault(name, made_of)
    at[place[-1]] = value


def parts(
    tmp_path: Path, name: str, content: bytes, options: RunOptions = OPTIONS, bounds: Bounds = BOUNDS
) -> list[ScoredPart]:
    """The parts of a file, as they are read again."""
    scored_parts = []
    for block in blocks(sample_files.written(tmp_path, name, content), bounds=bounds):
        part = sample_files.written(tmp_path, f"{block.number}.arrow", score_block(options, block))
        scored_parts.append(read_part(part))
    return scored_parts


def column(part: ScoredPart, name: str) -> list[Any]:
    return part.table[name].to_pylist()


def test_what_is_written_is_what_is_answered(tmp_path: Path) -> None:
    (block,) = blocks(sample_files.written(tmp_path, "a.jsonl", sample_files.lines(sample_files.releases(5))))
    to = tmp_path / "part.arrow"
    assert not score_block(OPTIONS, block, to)
    assert to.read_bytes() == score_block(OPTIONS, block)


def test_a_part_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    (block,) = blocks(sample_files.written(tmp_path, "a.jsonl", sample_files.lines(sample_files.releases())))
    assert score_block(OPTIONS, block) == score_block(OPTIONS, block)


def test_lines_of_a_range_are_counted_from_its_own_first(tmp_path: Path) -> None:
    first, second, *_ = parts(
        tmp_path, "a.jsonl", sample_files.lines(sample_files.releases(40)), bounds=Bounds(block=20_000)
    )
    assert first.unnumbered and second.unnumbered
    assert column(first, "line") == list(range(1, first.lines + 1))
    assert column(second, "line")[0] == 1


def test_rows_of_a_table_have_their_number(tmp_path: Path) -> None:
    _, second, _ = parts(tmp_path, "a.csv", sample_files.as_csv(sample_files.FORMS), bounds=Bounds(rows=3))
    assert not second.unnumbered
    assert column(second, "line") == [5, 6, 7] and column(second, "place") == ["row 5", "row 6", "row 7"]


def test_each_problem_of_a_row_says_which_row_and_where_in_it(tmp_path: Path) -> None:
    bad = {**samples.draft(), "tender": {"title": 5, "lots": "x"}}
    (part,) = parts(tmp_path, "a.json", samples.data({"releases": [samples.draft(ocid="a"), {**bad, "ocid": "b"}]}))
    assert column(part, "place") == ["/releases/0"]
    assert {(row.line, row.place) for row in part.refused} == {(2, "/releases/1")}
    assert all(row.path.startswith("/releases/1/tender/") and row.problem for row in part.refused)


def test_a_tender_that_meets_a_fault_of_ours_is_refused_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add = TableBuilder.add

    def faulty(builder: TableBuilder, tenders: Any, published: Any) -> None:
        if any(tender.ocid.endswith("-3") for tender in tenders.tenders):
            raise ZeroDivisionError("a fault of ours")
        add(builder, tenders, published)

    monkeypatch.setattr(TableBuilder, "add", faulty)
    content = sample_files.lines([*sample_files.releases(7), {"no": "tender"}])
    (part,) = parts(tmp_path, "a.jsonl", content)
    assert column(part, "line") == [1, 2, 3, 5, 6, 7]
    assert [(row.line, row.problem == work.UNEXPECTED) for row in part.refused] == [(4, True), (8, False)]
    assert "a fault of ours" in caplog.text


def test_a_batch_that_meets_a_fault_of_ours_is_scored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predictions = BatchScorer.predictions

    def faulty(scorer: BatchScorer) -> Any:
        if len(scorer) > 1:
            raise ZeroDivisionError("a fault of ours")
        return predictions(scorer)

    content = sample_files.lines(sample_files.releases(4))
    (whole,) = parts(tmp_path, "a.jsonl", content)
    monkeypatch.setattr(BatchScorer, "predictions", faulty)
    (part,) = parts(tmp_path / "alone", "a.jsonl", content)
    assert part.table.equals(whole.table) and not part.refused
    assert "each tender is scored alone" in caplog.text


@pytest.mark.parametrize(("chunk", "batch"), [(1, 2), (2, 4), (3, 4), (5, 2)])
def test_chunks_and_batches_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, batch: int
) -> None:
    content = sample_files.lines(sample_files.releases(9))
    (whole,) = parts(tmp_path, "a.jsonl", content)
    monkeypatch.setattr(work, "CHUNK", chunk)
    monkeypatch.setattr(work, "BATCH", batch)
    (cut,) = parts(tmp_path / "cut", "a.jsonl", content)
    assert cut.table.equals(whole.table)


@settings(max_examples=60, deadline=None)
@given(documents=st.lists(facts.known_at("awarded"), min_size=2, max_size=5), stage=st.sampled_from([None, *STAGES]))
def test_tenders_of_all_stages_are_scored_together_as_each_alone(documents: list[Json], stage: Stage | None) -> None:
    run_options = RunOptions(bundle=OPTIONS.bundle, stage=stage)
    with tempfile.TemporaryDirectory() as folder:
        (together,) = parts(Path(folder), "a.jsonl", sample_files.lines(documents), run_options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(work, "_stages", lambda bundle, options: {})
            (one_by_one,) = parts(Path(folder), "a.jsonl", sample_files.lines(documents), run_options)
    assert together == one_by_one


def test_drafts_that_are_read_together_are_scored_as_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = samples.draft(awards=[{"id": "1", "status": "active", "date": "2024-09-01", "suppliers": [{"name": "A"}]}])
    register = samples.draft(ocid="placsp_es-1")
    package = {"releases": [samples.draft(ocid="a"), samples.draft(ocid="b")]}
    good = sample_files.releases(3)
    content = sample_files.lines(
        [good[0], later, register, {"no": "tender"}, good[1], package, samples.draft(date=1), good[2]]
    )
    for stage in (None, "draft", "awarded"):
        run_options = RunOptions(bundle=OPTIONS.bundle, stage=stage)
        (together,) = parts(tmp_path, "a.jsonl", content, run_options)
        with monkeypatch.context() as patch:
            patch.setattr(work, "_stages", lambda bundle, options: {})
            (one_by_one,) = parts(tmp_path / "alone", "a.jsonl", content, run_options)
        assert together == one_by_one
        assert column(together, "line") == ([2] if stage == "awarded" else [1, 2, 3, 5, 6, 6, 8])


def test_an_award_that_is_still_to_be_made_is_said_and_the_tender_scored(tmp_path: Path) -> None:
    release = samples.draft(awards=[samples.award(status="pending")])
    (part,) = parts(tmp_path, "a.jsonl", sample_files.lines([release]), RunOptions(bundle=OPTIONS.bundle))
    assert not part.refused
    assert column(part, "warnings")[0].startswith("/awards/0/status: the award is pending")


def test_reasons_come_only_when_asked_for(tmp_path: Path) -> None:
    (without,) = parts(tmp_path, "a.jsonl", sample_files.GOOD)
    assert column(without, "reasons") == [None]
    why = RunOptions(bundle=OPTIONS.bundle, stage="draft", explain=True)
    (explained,) = parts(tmp_path / "explained", "a.jsonl", sample_files.GOOD, why)
    assert "points)" in column(explained, "reasons")[0]
    assert explained.table.drop("reasons").equals(without.table.drop("reasons"))


def test_a_block_of_nothing_is_an_empty_part(tmp_path: Path) -> None:
    (part,) = parts(tmp_path, "a.jsonl", b"\n\n")
    assert (part.table.num_rows, part.refused, part.lines) == (0, [], 2)


def test_a_bundle_is_loaded_once_a_process() -> None:
    assert cached_bundle(OPTIONS.bundle) is cached_bundle(OPTIONS.bundle)


WRONG = {"currency": ["ZZZ"], "date": ["2024-02-31", "1066-10-14", "1850", "soon"]}
PLACES = list(checked_places(Tender))


@pytest.mark.parametrize("place", PLACES, ids="/".join)
def test_a_wrong_date_or_currency_is_refused_or_left_out(tmp_path: Path, place: tuple[str, ...]) -> None:
    """Columns notice some of them while they are read, and the rest is checked before."""
    kind = "currency" if place[-1] == "currency" else "date"
    good, bad = samples.plain(), [samples.plain() for _ in WRONG[kind]]
    for release, value in zip(bad, WRONG[kind], strict=True):
        put(release, place, value)
    (part,) = parts(tmp_path, "a.jsonl", sample_files.lines([good, *bad, good]))
    refused, path = {row.line for row in part.refused}, f"/{'/'.join(place)}"
    warnings = dict(zip(column(part, "line"), column(part, "warnings"), strict=True))
    assert warnings.keys() == set(range(1, len(bad) + 3)) - refused
    assert all(line in refused or path in warnings[line] for line in range(2, len(bad) + 2))
    # Of an object that lacks what it must have, the object is named.
    assert all(path.startswith(row.path) and row.path for row in part.refused)
    # A word or a day that does not exist in a field that decides a score is refused.
    assert path not in ("/tender/value/currency", "/tender/tenderPeriod/endDate", "/awards/0/date") or refused


def test_good_rows_among_bad_ones_are_scored_as_if_alone(tmp_path: Path) -> None:
    releases = [samples.plain(date=f"2024-0{1 + n % 9}-01", value={"amount": 10 ** (n % 7)}) for n in range(70)]
    for n in (3, 31, 32, 69):
        put(releases[n], ("tender", "tenderPeriod", "endDate"), "never")
    (part,) = parts(tmp_path, "a.jsonl", sample_files.lines(releases))
    assert [row.line for row in part.refused] == [4, 32, 33, 70]
    good = [release for n, release in enumerate(releases) if n not in (3, 31, 32, 69)]
    (alone,) = parts(tmp_path / "alone", "a.jsonl", sample_files.lines(good))
    columns = [name for name in part.table.column_names if name != "line"]
    assert part.table.select(columns).equals(alone.table.select(columns))


SOON = dates.today().year + 2


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
@pytest.mark.parametrize("kind", ["lines", "forms"])
def test_a_row_that_has_not_reached_the_stage_costs_only_itself(kind: str, stage: Stage, tmp_path: Path) -> None:
    shows: dict[str, Json] = {"bids_in": {"bidders": 2}, "awarded": {"supplier": "S plc"}}
    rows: list[Json] = [
        {"title": "Reached", **shows[stage]},
        {"title": "Draft", "tender_end": f"{SOON}-01-01", "award_date": f"{SOON}-02-01"},
        {"title": "Closed", "tender_end": "2020-01-01"},
    ]
    releases = [{"ocid": f"ocds-h6vhtk-{number}", **to_release(row)[0]} for number, row in enumerate(rows)]
    columns = ("title", "bidders", "supplier", "tender_end", "award_date")
    cells = [",".join(str(row.get(name, "")) for name in columns) for row in rows]
    contents = {
        "lines": ("t.jsonl", b"".join(samples.data(release) + b"\n" for release in releases)),
        "forms": ("t.csv", "\n".join([",".join(columns), *cells]).encode()),
    }
    (part,) = parts(tmp_path, *contents[kind], msgspec.structs.replace(OPTIONS, stage=stage))
    reached = ["Reached", "Closed"] if stage == "bids_in" else ["Reached"]
    assert column(part, "title") == reached
    assert column(part, "stage") == [stage] * len(reached)
    assert len(part.refused) == len(rows) - len(reached)
    assert all("/stage" in row.path for row in part.refused)
