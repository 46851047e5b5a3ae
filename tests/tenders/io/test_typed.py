"""What is read straight into its types is what the door reads; and what is unsound is left to the door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenders.errors import DataError
from tenders.facts import STAGES
from tenders.io import reading, typed
from tenders.process import Process
from tenders.tender import Tender
from tests import samples
from tests.bad_input import BAD, Bad, ids

EXAMPLES = sorted(Path("examples").glob("*.json"))


def told(process: Process) -> list[object]:
    """Everything that a score reads of a process, at every stage."""
    known = [process.as_of(stage) for stage in STAGES]
    facts = [getattr(tender, name) for tender in known for name in Tender.__struct_fields__]
    return [*facts, process.ocid, process.published_on(), process.latest_stage()]


def same(text: bytes) -> bool:
    """Whether both ways read the text alike; a text that is left alone is."""
    (found,) = typed.sound_releases([text])
    return found is None or told(typed.process(found)) == told(reading.read(text)[0])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_release_is_read_as_the_door_reads_it(example: Path) -> None:
    text = example.read_bytes()
    assert typed.sound_releases([text]) != [None]
    assert same(text)


@pytest.mark.parametrize("bad", [each for each in BAD if each.suffix == ".json"], ids=ids)
def test_what_the_door_refuses_is_left_to_it(bad: Bad) -> None:
    try:
        found = [process for process in reading.read(bad.data) if process.compiled()]
    except DataError:
        found = []
    assert found or typed.sound_releases([bad.data]) == [None]


@pytest.mark.parametrize(
    "document",
    [
        {"releases": [samples.draft()]},
        {"records": [{"ocid": "x", "releases": [samples.draft()]}]},
        {"ocid": "x", "compiledRelease": samples.draft()},
        {"title": "a form", "lots": 2},
        {"ocid": "x"},
        [samples.draft()],
    ],
    ids=["release package", "record package", "record", "form", "no tender", "list"],
)
def test_what_is_no_release_is_left_alone(document: object) -> None:
    assert typed.sound_releases([json.dumps(document).encode()]) == [None]


def test_one_unsound_release_costs_no_other() -> None:
    good, bad = samples.data(samples.draft()), samples.data(samples.draft(date="2024-02-31"))
    found = typed.sound_releases([good, bad, b"{", good])
    assert [each is None for each in found] == [False, True, True, False]
