"""What reading costs beside decoding and merging: `python -m benchmarks.reading`.

Made-up notices of about 14 kB, several to a procedure as Find a Tender publishes them, as records with their releases
in JSON lines. Two ways go over the same bytes in turns in one process: typed decoding of every release with msgspec and
merging of the same releases with ocdsmerge, and no more; and the readers' whole way from the file to compiled tenders,
which checks every value, names what it does not know, and counts what changed. The ratio of the least processor times
is promised to be at most MOST.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
from ocdsmerge.exceptions import DuplicateIdValueWarning
from ocdsmerge.merge import CompiledRelease

from benchmarks import made_tenders
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from portfolio.work import GC_THRESHOLDS
from tenders.io.blocks import blocks
from tenders.io.rows import read_rows
from tenders.tender import Tender

MOST = 2.0
NOTICE_BYTES = 14_000
NOTICES = 3
"""Notices of one procedure: the tender, a change of it, the award."""


class _Releases(msgspec.Struct):
    releases: list[Tender]


class _Plain(msgspec.Struct):
    releases: list[dict[str, Any]]


def main() -> None:
    """Runs the benchmark, prints its table; exit 1 if reading takes more than MOST times the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="notices")
    parser.add_argument("--repeats", type=int, default=3)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = compared(Path(folder), options.size, options.repeats)
    show(table)
    write("reading", [table], options)
    raise SystemExit(0 if table.rows[-1]["over the floor"] <= MOST else 1)


def compared(home: Path, size: int, repeats: int) -> ResultTable:
    """A row a way: microseconds of the processor a notice, and times the floor."""
    file = home / "records.jsonl"
    count = max(1, size // NOTICES)
    written = write_records(file, count)
    ways: dict[str, Callable[[Path], int]] = {
        "typed decoding": decode_typed,
        "ocdsmerge": merge_plain,
        "read and compiled": read_compiled,
    }
    least = dict.fromkeys(ways, float("inf"))
    # As in a worker: what is held for good is not walked again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    for _ in range(repeats):
        for name, way in ways.items():
            began = process_time()
            way(file)
            least[name] = min(least[name], process_time() - began)
    notices, floor = count * NOTICES, least["typed decoding"] + least["ocdsmerge"]
    rows: list[Row] = [
        {
            "what": name,
            "µs a notice": 1e6 * seconds / notices,
            "MB a second": written / seconds / 1e6,
            "over the floor": seconds / floor,
        }
        for name, seconds in least.items()
    ]
    title = f"{notices:,} notices of {written / notices / 1000:.1f} kB, {NOTICES} to a procedure, one process"
    note = f"The least of {repeats} turns, processor time. Promised: at most {MOST} times the floor."
    return ResultTable(title=title, rows=rows, notes=[note])


def write_records(path: Path, count: int) -> int:
    """Writes records as JSON lines and answers how many bytes they are."""
    with path.open("wb") as file:
        for record in records(count):
            file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return path.stat().st_size


def records(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Records of `count` procedures, each with its notices, every one of about NOTICE_BYTES."""
    made = random.Random(seed)
    pairs = zip(made_tenders.releases(count, seed), made_tenders.releases(count, seed, "awarded"), strict=True)
    for draft, awarded in pairs:
        day = made_tenders.FIRST_DAY + timedelta(days=made.randrange(1400))
        changed = json.loads(json.dumps(draft))
        changed["tender"]["description"] = made.choice(("A correction. ", "")) + changed["tender"]["description"]
        notices = [(draft, "tender", 0), (changed, "tenderUpdate", 20), (awarded, "award", 150)]
        releases = [
            _padded(
                {**release, "id": f"{draft['ocid']}-{n}", "date": f"{day + timedelta(after)}T09:00:00Z", "tag": [tag]}
            )
            for n, (release, tag, after) in enumerate(notices)
        ]
        yield {"ocid": draft["ocid"], "releases": releases}


def _padded(release: dict[str, Any]) -> dict[str, Any]:
    """The notice with as many further documents, items and parties as make it as long as Find a Tender's."""
    missing = NOTICE_BYTES - len(json.dumps(release, separators=(",", ":")))
    tender, text, count = release["tender"], release["tender"]["description"][:250], max(0, missing // 950)
    documents = [
        {
            "id": f"more-{n}",
            "documentType": "biddingDocuments",
            "description": text,
            "url": f"https://example.org/{release['id']}/{n}",
            "datePublished": release["date"],
            "format": "application/pdf",
        }
        for n in range(count)
    ]
    items = [
        {
            "id": f"more-{n}",
            "description": text[:60],
            "additionalClassifications": [{"scheme": "CPV", "id": "85000000", "description": text[60:100]}],
            "deliveryAddresses": [{"region": "UKC", "countryName": "United Kingdom"}],
        }
        for n in range(count)
    ]
    parties = [
        {
            "id": f"more-{n}",
            "name": text[:30],
            "roles": ["reviewBody"],
            "address": {"streetAddress": text[30:60], "locality": "Leeds", "postalCode": "LS1 1AA", "country": "GB"},
            "contactPoint": {"email": "team@example.org", "telephone": "+44 20 7946 0000"},
        }
        for n in range(count)
    ]
    longer = {"documents": documents, "items": items}
    section = tender | {name: [*tender.get(name, []), *more] for name, more in longer.items()}
    return {**release, "tender": section, "parties": [*release["parties"], *parties]}


def decode_typed(path: Path) -> int:
    """Every release decoded straight into its types."""
    decode = msgspec.json.Decoder(_Releases).decode
    with path.open("rb") as lines:
        return sum(len(decode(line).releases) for line in lines)


def merge_plain(path: Path) -> int:
    """Every process decoded as plain JSON, which ocdsmerge takes, and merged by the rules that the readers merge by."""
    from tenders.process import MERGE_RULES

    decode = msgspec.json.Decoder(_Plain).decode
    count = 0
    with path.open("rb") as lines, warnings.catch_warnings():
        warnings.simplefilter("ignore", DuplicateIdValueWarning)
        for line in lines:
            compiled = CompiledRelease(merge_rules=MERGE_RULES)
            for release in decode(line).releases:
                compiled.append(release)
            count += bool(compiled.asdict())
    return count


def read_compiled(path: Path) -> int:
    """Every process read as a portfolio reads it, and compiled."""
    count = 0
    for block in blocks(path):
        for row in read_rows(block, whole=False):
            assert row.process, row.problems
            count += row.process.compiled().ocid is not None
    return count


if __name__ == "__main__":
    main()
