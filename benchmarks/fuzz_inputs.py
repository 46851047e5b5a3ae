"""Inputs of every parser for `benchmarks.fuzz`: real examples, changed by chance."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.mutations import TEXTS, Rows, as_csv, as_json, csv_rows, mutated, mutated_document, mutated_table
from benchmarks.service import DRAFT
from models import bundle as bundles
from models.bundle import Bundle
from portfolio.work import cached_bundle
from serving.audit.entry import AuditEntry, now_text
from serving.audit.store import AuditStore, SqliteTrail
from serving.key_file import add_key
from tests import samples
from tests.bad_input import BAD
from tests.serving.made import FILLED
from tests.tenders.apis.stand_in import made_register
from tests.tenders.io.containers import as_xlsx, containers, linked, tables, tarred, zipped

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@functools.cache
def folder() -> Path:
    """Where a process puts its input; `benchmarks.fuzz` names it, and deletes it."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


@functools.cache
def bundle() -> Bundle:
    """The released bundle."""
    return cached_bundle(str(bundles.released()))


@functools.cache
def _documents() -> list[Any]:
    """Releases, records, packages and forms: the product's own examples, and the shared cases if they are here."""
    later = samples.update(
        "2024-06-01T00:00:00Z", "award", awards=[samples.award(lots=["north"])], contracts=[samples.contract()],
        bids={"statistics": [samples.count(2, "north")]},
    )  # fmt: skip
    documents: list[Any] = [samples.draft(), {"releases": [samples.draft(), later]}]
    documents.append({"records": [{"ocid": samples.OCID, "releases": [samples.draft(), later]}]})
    documents.append({"tender": samples.draft(), "set": {"lots": 3, "value": 5}, "stage": "draft"})
    documents += [json.loads(file.read_bytes()) for file in sorted((ROOT / "examples").glob("*.json"))]
    for file in sorted((SHARED / "cases").glob("*.json")):
        with contextlib.suppress(ValueError):
            documents.append(json.loads(file.read_bytes()))
    return [document for document in documents if len(json.dumps(document)) < 60_000]


@functools.cache
def _bad(suffix: str) -> list[bytes]:
    return [bad.data for bad in BAD if bad.suffix == suffix and len(bad.data) < 60_000]


def _document(chance: random.Random) -> Any:
    return mutated_document(chance.choice(_documents()), _documents(), chance)


def make_json(chance: random.Random, **options: Any) -> bytes:
    """A document."""
    kind = chance.random()
    if kind < 0.15:
        return mutated(chance.choice(_bad(".json")), _bad(".json"), chance)
    document = _document(chance) if kind < 0.75 else chance.choice(_documents())
    data = as_json(document, chance, **options)
    return data if kind < 0.65 else mutated(data, [data, *_bad(".json")[:20]], chance, 3)


def make_lines(chance: random.Random) -> bytes:
    """JSON lines."""
    return b"\n".join(make_json(chance) for _ in range(chance.randint(1, 6)))


def make_concatenated(chance: random.Random) -> bytes:
    """Documents one after the other."""
    between = chance.choice((b"", b"\n", b"\r\n", b"\n\n", b",", b"\x1e", b" "))
    return between.join(make_json(chance, indent=chance.choice((None, 1, 2))) for _ in range(chance.randint(2, 4)))


def make_yaml(chance: random.Random) -> bytes:
    """A document as YAML."""
    if chance.random() < 0.3:
        return mutated(chance.choice(_bad(".yaml")), _bad(".yaml"), chance)
    document = json.loads(json.dumps(chance.choice(_documents())))
    text = yaml.safe_dump(document, default_flow_style=chance.choice((True, False, None)))
    return mutated(text.encode()[:20_000], [text.encode()], chance, 4)


@functools.cache
def _forms() -> list[Rows]:
    """Tables of forms, one a row."""
    forms = [DRAFT, FILLED, {"title": "Nursing", "tender_end": "2024-05-01", "advisers": "A; B", "bidders": "2"}]
    columns = list(dict.fromkeys(key for form in forms for key in form))[:60]
    rows = [[str(form.get(key, "")) for key in columns] for form in forms]
    simple = [
        ["title", "value", "lots", "published"],
        ["Nursing", "5000000", "3", "2024-03-01"],
        ["Meals", "", "1", ""],
    ]
    return [[columns, *rows], simple]


def make_csv(chance: random.Random) -> bytes:
    """Forms as CSV."""
    if chance.random() < 0.2:
        return mutated(chance.choice(_bad(".csv")), _bad(".csv"), chance)
    data = as_csv(mutated_table(chance.choice(_forms()), _forms(), chance), chance)
    return data if chance.random() < 0.6 else mutated(data, [data, *_bad(".csv")], chance, 3)


@functools.cache
def _releases() -> list[Any]:
    return [samples.draft(), {**samples.draft(), "ocid": "ocds-h6vhtk-2", "awards": [samples.award(lots=["north"])]}]


@functools.cache
def _sheets() -> list[Mapping[str, Sequence[Mapping[str, Any]]]]:
    return [tables(_releases()), tables(_releases(), "."), linked(_releases())]


def _sheet_rows(chance: random.Random) -> dict[str, Rows]:
    """The tables of flattened releases, some of them changed."""
    made: dict[str, Rows] = {}
    for title, rows in chance.choice(_sheets()).items():
        columns = list(dict.fromkeys(name for row in rows for name in row))
        made[title] = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    for title in list(made):
        if chance.random() < 0.5:
            made[title] = mutated_table(made[title], list(made.values()), chance)
    if chance.random() < 0.1:
        other = chance.choice(TEXTS).encode("ascii", "ignore").decode().replace("/", "")
        made[other or "x"] = made.pop(chance.choice(list(made)))
    return made


def make_flattened(chance: random.Random) -> bytes:
    """A zip of flattened tables."""
    return zipped({f"csv/{title[:50]}.csv": as_csv(rows, chance) for title, rows in _sheet_rows(chance).items()})


def make_flat_csv(chance: random.Random) -> bytes:
    """One of flattened tables."""
    return as_csv(chance.choice(list(_sheet_rows(chance).values())), chance)


@functools.cache
def _workbooks() -> list[bytes]:
    form = {"forms": [dict(zip(_forms()[1][0], row, strict=True)) for row in _forms()[1][1:]]}
    return [as_xlsx(sheets) for sheets in (*_sheets(), form)]


def make_xlsx(chance: random.Random) -> bytes:
    """A workbook of which parts, or the zip itself, are changed."""
    return _repacked(chance.choice(_workbooks()), chance) if chance.random() < 0.8 else _torn(_workbooks(), chance)


def _torn(files: Sequence[bytes], chance: random.Random) -> bytes:
    return mutated(chance.choice(files), files, chance)


def _repacked(data: bytes, chance: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = chance.choice([name for name in names if name.endswith(".xml")])
        for name in names:
            content = old.read(name)
            if name == chosen or chance.random() < 0.05:
                content = mutated(content, [old.read(name) for name in names], chance)
            if chance.random() > 0.01:
                new.writestr(name, content)
    return out.getvalue()


_TYPES: tuple[pa.DataType, ...] = (
    pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(),
    pa.date32(),
    pa.date64(), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.time64("us"), pa.decimal128(38, 4), pa.null(),
    pa.list_(pa.string()),
    pa.struct([("a", pa.int32()), ("amount", pa.float64())]), pa.dictionary(pa.int32(), pa.string()),
    pa.duration("s"), pa.binary(4), pa.list_(pa.struct([("id", pa.string())])),
)  # fmt: skip


def make_parquet(chance: random.Random) -> bytes:
    """A table of columns of every type, a quarter of them torn."""
    names, rows = _forms()[chance.randrange(2)][0], chance.randint(0, 4)
    columns = {}
    for name in chance.sample(names, min(len(names), chance.randint(1, 8))):
        columns[name] = _column(chance.choice(_TYPES), rows, chance)
    if chance.random() < 0.1:
        columns["ocid"] = pa.array(["ocds-h6vhtk-1"] * rows)
    out = io.BytesIO()
    try:
        pq.write_table(pa.table(columns), out, compression=chance.choice(("zstd", "snappy", "none", "gzip")))
    except (pa.ArrowException, OSError):
        return b"PAR1"
    return out.getvalue() if chance.random() < 0.75 else mutated(out.getvalue(), [out.getvalue()], chance)


def _column(kind: pa.DataType, rows: int, chance: random.Random) -> pa.Array:
    values: tuple[Any, ...] = (
        None,
        0,
        1,
        -1,
        True,
        "x",
        "2024-03-01",
        b"\xff\xfe",
        1e300,
        [],
        [None],
        ["a"],
        {"a": 1},
        2**40,
        *TEXTS,
    )
    made = []
    for _ in range(rows):
        for _ in range(10):
            value = chance.choice(values)
            try:
                pa.array([*made, value], kind)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                continue
            made.append(value)
            break
        else:
            made.append(None)
    return pa.array(made, kind)


@functools.cache
def _packed(endings: tuple[str, ...]) -> list[bytes]:
    return [data for name, data in containers(_releases()).items() if name.endswith(endings)]


def make_gzip(chance: random.Random) -> bytes:
    """JSON lines, compressed."""
    whole = (
        gzip.compress(make_lines(chance), 1)
        if chance.random() < 0.5
        else bytes(pa.compress(make_lines(chance), "zstd", asbytes=True))
    )
    return mutated(whole, [whole, *_packed((".gz", ".zst"))], chance)


def make_zip(chance: random.Random) -> bytes:
    """A zip of files of several kinds."""
    if chance.random() < 0.5:
        return _torn(_packed((".zip",)), chance)
    made: dict[str, Callable[[random.Random], bytes]] = {
        ".json": make_json,
        ".csv": make_csv,
        ".yaml": make_yaml,
        ".jsonl": make_lines,
        ".parquet": make_parquet,
    }
    names = [
        f"{chance.choice(('a', 'b/', '../', '.', 'é', ''))}{number}{chance.choice(list(made))}" for number in range(3)
    ]
    return zipped({name: made[Path(f"x{name}").suffix](chance) for name in names})


def make_tar(chance: random.Random) -> bytes:
    """A tar of two files."""
    files = tarred({"a.jsonl": make_lines(chance), "b/c.json": make_json(chance)})
    return mutated(files, _packed((".tar",)), chance)


def make_request(chance: random.Random) -> bytes:
    """The body of a request."""
    if chance.random() < 0.2:
        return make_json(chance)
    body: dict[str, Any] = {"tender": _document(chance), "stage": chance.choice(("draft", "bids_in", "awarded", None))}
    if chance.random() < 0.4:
        body["set"] = {
            chance.choice(_forms()[0][0]): chance.choice(("4", 4, -1, None, [], {}, *TEXTS)) for _ in range(3)
        }
    elif chance.random() < 0.3:
        body = {"tenders": [_document(chance), body], "scenarios": [{"lots": 4}, {"term_years": chance.choice(TEXTS)}]}
    return as_json(mutated_document(body, [body], chance, 2) if chance.random() < 0.4 else body, chance)


@functools.cache
def _key_files() -> list[bytes]:
    file = folder() / "made.jsonl"
    add_key(file, "office", ["score", "portfolio"], per_minute=60)
    add_key(file, "admin", ["admin"])
    return [file.read_bytes(), b"# keys\n" + b"k" * 43 + b"\n"]


def make_keys(chance: random.Random) -> bytes:
    """A key file."""
    if chance.random() < 0.5:
        line = json.loads(_key_files()[0].splitlines()[0])
        return as_json(mutated_document(line, [line], chance), chance) + b"\n" + _key_files()[1]
    return mutated(chance.choice(_key_files()), _key_files(), chance)


@functools.cache
def _pages() -> list[Any]:
    """Answers of the three APIs."""
    made = {name: made_register(name, 12).notices[:8] for name in ("find-a-tender", "contracts-finder", "ted")}
    ocds = [{"releases": made[name], "links": {"next": "https://x.example/?cursor=abc"}} for name in list(made)[:2]]
    return [*ocds, {"notices": made["ted"], "totalNoticeCount": 8, "iterationNextToken": "abc", "timedOut": False}]


def make_page(chance: random.Random) -> bytes:
    """An answer of one of the three APIs."""
    data = as_json(mutated_document(chance.choice(_pages()), _pages(), chance, 6), chance)
    return data if chance.random() < 0.7 else mutated(data, [data], chance)


def make_state(chance: random.Random) -> bytes:
    """How far a pull is."""
    state = {"api": "ted", "url": "https://x.example", "first": "2026-11-01", "last": "2026-11-02"}
    return mutated(as_json(mutated_document(state, [state], chance, 2), chance), [as_json(state, chance)], chance, 2)


def make_mapping(chance: random.Random) -> bytes:
    """A mapping, the table that it names, or verdicts."""
    texts = [(ROOT / "examples" / "own-history" / name).read_bytes() for name in ("mapping.toml", "calls.csv")]
    texts.append(b"ocid,verdict,date\nocds-h6vhtk-0a1b2c,held,2025-01-01\n")
    kind = chance.randrange(3)
    if kind and chance.random() < 0.6:
        return as_csv(mutated_table(csv_rows(texts[kind]), [csv_rows(text) for text in texts[1:]], chance), chance)
    return mutated(texts[kind], texts, chance)


@functools.cache
def _bundle_files() -> dict[str, bytes]:
    target = folder() / "whole"
    bundles.save(bundle().registers["dncp_py"], target)
    # A booster is XGBoost's own: it is read once the manifest's signature has been checked.
    return {file.name: file.read_bytes() for file in target.iterdir() if file.suffix in (".json", ".parquet", ".md")}


def make_bundle_file(chance: random.Random) -> bytes:
    """The name of a bundle's file, a zero byte, and its content."""
    name = chance.choice(["manifest.json", *_bundle_files()])
    content = _bundle_files()[name]
    if name.endswith(".json") and chance.random() < 0.7:
        document = json.loads(content)
        changed = as_json(mutated_document(document, [document], chance), chance)
    else:
        changed = mutated(content, list(_bundle_files().values()), chance)
    return name.encode() + b"\0" + changed


def make_entry(chance: random.Random) -> bytes:
    """The text of an entry of the audit trail."""
    entry = {
        "action": "score",
        "product": "1",
        "time": now_text(),
        "stage": "draft",
        "results": [{"failure": 0.5, "outcomes": {}}],
        "before": "1:" + "0" * 64,
    }
    return mutated(as_json(mutated_document(entry, [entry], chance), chance), [as_json(entry, chance)], chance, 3)


@functools.cache
def _whole_trail() -> bytes:
    file = folder() / "whole.sqlite"
    with closing(AuditStore(SqliteTrail(file))) as store:
        store.append([AuditEntry(time=now_text(), action="score", product="1")] * 20)
    return file.read_bytes()


def make_database(chance: random.Random) -> bytes:
    """The file of an audit trail."""
    return mutated(_whole_trail(), [_whole_trail()], chance)
