"""Every parser of the product, with real examples of what it reads and how they are changed (`benchmarks.fuzz`)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import math
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
import pyarrow.parquet as pq

from benchmarks import fuzz_inputs as made
from benchmarks.fuzz_inputs import ROOT, SHARED, bundle, folder
from benchmarks.mutations import Rows, as_csv, csv_rows, mutated_table
from models import bundle as bundles
from models import score as scoring
from portfolio.work import RunOptions, score_block
from serving.answers import ANSWERS, comparables
from serving.audit.checking import verify
from serving.audit.entry import AuditEntry, now_text, parse_head
from serving.audit.replaying import replay
from serving.audit.store import AuditStore, SqliteTrail
from serving.key_file import read_keys
from serving.pages.drafts import read_upload
from tenders.apis import APIS
from tenders.apis.api import decode_answer
from tenders.apis.pull import last_pull
from tenders.errors import TenderRiskError
from tenders.io.blocks import blocks
from tenders.io.read import read_bytes
from tenders.io.streams import Bounds
from tenders.process import Process
from tenders.registers import register_names
from tenders.registers.own import read_own

OPTIONS = RunOptions(bundle=str(bundles.released()))
BOUNDS = Bounds(unpacked=64 * 2**20, document=32 * 2**20, line=4 * 2**20)
MOST_SCORED = 3
"""Tenders of one input that are scored."""


class Parser(NamedTuple):
    """A parser: its name, what makes an input from a source of chance, and what reads it."""

    name: str
    make: Callable[[random.Random], bytes]
    read: Callable[[bytes], None]


class Caught(logging.Handler):
    """Keeps the exceptions that the product catches and logs: they are mistakes of ours as well."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps an exception."""
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


# What is read.


def _scored(processes: Sequence[Process]) -> None:
    for process in processes[:MOST_SCORED]:
        for stage in ("draft", None):
            with contextlib.suppress(TenderRiskError):
                failure = scoring.score(bundle(), process, stage=stage, explain=stage is None).failure
                if not 0 <= failure <= 1 or not math.isfinite(failure):
                    raise AssertionError(f"a probability of {failure}")


def _read_file(suffix: str, register: str | None = None) -> Callable[[bytes], None]:
    """Reads a file by every door: as one tender, as a draft for the pages, and as a portfolio."""

    def read(data: bytes) -> None:
        if register is None:
            with contextlib.suppress(TenderRiskError):
                _scored(read_bytes(data, f"input{suffix}"))
            with contextlib.suppress(TenderRiskError):
                read_upload(f"input{suffix}", data)
        path = folder() / f"input{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(TenderRiskError):
            for block in blocks(path, register, bounds=BOUNDS):
                score_block(OPTIONS, block)

    return read


def _answer(data: bytes) -> None:
    """Answers a request by every endpoint."""
    for answer in ANSWERS.values():
        with contextlib.suppress(TenderRiskError):
            content, scores = answer(data, bundle())
            msgspec.json.encode(content)
            list(scores)
    comparables(data)


def _read_keys(data: bytes) -> None:
    file = folder() / "keys.jsonl"
    file.write_bytes(data)
    file.chmod(0o600)
    read_keys(file)


def _read_page(data: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        document, _ = decode_answer(data)
        for api in APIS.values():
            with contextlib.suppress(TenderRiskError):
                api.page(document)


def _read_state(data: bytes) -> None:
    (folder() / "out.jsonl.pulled").write_bytes(data)
    last_pull(folder() / "out.jsonl")


def _read_mapping(data: bytes) -> None:
    own = folder() / "own"
    if not own.is_dir():
        shutil.copytree(ROOT / "examples" / "own-history", own)
    # A mapping, or the table that it names, or verdicts.
    for name in ("mapping.toml", "calls.csv", "notices.verdicts.csv"):
        original = ROOT / "examples" / "own-history" / name
        (own / name).write_bytes(data)
        with contextlib.suppress(TenderRiskError):
            read_own(own / ("notices.json" if "verdicts" in name else "mapping.toml"))
        if original.is_file():
            shutil.copy(original, own / name)
        else:
            (own / name).unlink()


def _read_bundle(data: bytes) -> None:
    """A bundle one of whose files is changed, with the digests that then are right."""
    name, _, content = data.partition(b"\0")
    target = folder() / "bundle"
    if not target.is_dir():
        bundles.save(bundle().registers["dncp_py"], target)
    file, manifest = target / name.decode(), target / bundles.MANIFEST
    kept, listed = file.read_bytes(), manifest.read_bytes()
    try:
        file.write_bytes(content)
        if file != manifest:
            document = json.loads(listed)
            document["digests"][name.decode()] = hashlib.sha256(content).hexdigest()
            manifest.write_bytes(json.dumps(document).encode())
        with contextlib.suppress(TenderRiskError):
            loaded = bundles.load(target, signed=False)
            _ = loaded.weighed, loaded.effect_table, loaded.case_history
            for outcome in ("no_award", "early_end"):
                loaded.histories.get(outcome)
    finally:
        file.write_bytes(kept)
        manifest.write_bytes(listed)


def _read_trail(data: bytes) -> None:
    """A trail in which somebody has changed the text, the number or the digest of an entry."""
    file = folder() / "audit.sqlite"
    for stale in folder().glob("audit.sqlite*"):
        stale.unlink()
    with closing(AuditStore(SqliteTrail(file))) as store:
        entry = AuditEntry(
            time=now_text(), action="score", product="1", stage="draft", input="0" * 64, bundle="2026.11.6"
        )
        store.append([entry] * 3)
    changed = data.split(b"\n", 2)
    with closing(sqlite3.connect(file)) as database, database:
        text = data.decode("utf-8", "surrogateescape") if len(data) % 2 else data.decode("latin-1")
        with contextlib.suppress(UnicodeEncodeError):
            database.execute("UPDATE audit_entries SET entry = ? WHERE seq = 3", [text])
            database.execute("UPDATE audit_entries SET digest = ? WHERE seq = 2", [changed[0].decode("latin-1")])
        database.execute("INSERT INTO audit_entries VALUES (9, ?, ?)", [data, data[:64]])
    with contextlib.suppress(TenderRiskError):
        parse_head(changed[0].decode("latin-1"))
    with closing(AuditStore(SqliteTrail(file), made=False)) as store:
        for seq in (3, 9):
            with contextlib.suppress(TenderRiskError):
                replay(store, seq, b"{}")
        report = verify(store)
        list(store.rows())
    if report.problem is None:
        raise AssertionError("a changed trail verifies")


def _read_database(data: bytes) -> None:
    """A trail's file of which bytes are changed."""
    file = folder() / "torn.sqlite"
    for stale in folder().glob("torn.sqlite*"):
        stale.unlink()
    file.write_bytes(data)
    with closing(AuditStore(SqliteTrail(file), made=False)) as store:
        verify(store)
        store.append([AuditEntry(time=now_text(), action="score", product="1")])


def _register(name: str, ending: str) -> Parser | None:
    """The reader of a register's own columns, over the first rows of its history."""
    file = SHARED / "history" / f"{name}{ending}"
    if not file.is_file():
        return None

    @functools.cache
    def rows() -> Rows:
        if ending == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as text:
                return csv_rows("".join(line for line, _ in zip(text, range(40), strict=False)).encode())
        table = next(pq.ParquetFile(file).iter_batches(30))
        return [table.schema.names, *([_cell(cell) for cell in row.values()] for row in table.to_pylist())]

    def make(chance: random.Random) -> bytes:
        return as_csv(mutated_table(rows(), [rows()], chance), chance)

    return Parser(f"register {name}", make, _read_file(".csv", name))


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def parsers() -> dict[str, Parser]:
    """All of them by name."""
    registers = [_register(name, ending) for name in register_names() for ending in (".parquet", ".csv")]
    listed = [
        Parser("JSON document", made.make_json, _read_file(".json")),
        Parser("JSON lines", made.make_lines, _read_file(".jsonl")),
        Parser("concatenated JSON", made.make_concatenated, _read_file(".json")),
        Parser("YAML", made.make_yaml, _read_file(".yaml")),
        Parser("CSV", made.make_csv, _read_file(".csv")),
        Parser("flattened CSV", made.make_flat_csv, _read_file(".csv")),
        Parser("flattened tables", made.make_flattened, _read_file(".zip")),
        Parser("XLSX", made.make_xlsx, _read_file(".xlsx")),
        Parser("Parquet", made.make_parquet, _read_file(".parquet")),
        Parser("gzip and zstd", made.make_gzip, _read_file(".jsonl.gz")),
        Parser("zip", made.make_zip, _read_file(".zip")),
        Parser("tar", made.make_tar, _read_file(".tar")),
        Parser("requests", made.make_request, _answer),
        Parser("key file", made.make_keys, _read_keys),
        Parser("notices of pull", made.make_page, _read_page),
        Parser("state of pull", made.make_state, _read_state),
        Parser("mapping file", made.make_mapping, _read_mapping),
        Parser("bundle", made.make_bundle_file, _read_bundle),
        Parser("audit entries", made.make_entry, _read_trail),
        Parser("audit database", made.make_database, _read_database),
        *(register for register in registers if register),
    ]
    return {parser.name: parser for parser in listed}
