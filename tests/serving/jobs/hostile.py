"""Uploads that mean harm, each made in code when it is asked for: small files that unpack to much, links and paths that
lead elsewhere, sizes that lie, and text that a parser may be slow at or take all memory for."""

from __future__ import annotations

import gzip
import io
import random
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tests import samples
from tests.bad_input import BAD
from tests.serving.made import workbook
from tests.tenders.io.bombs import dictionary_bomb

MB = 2**20
PIECE, PIECES = 64 * MB, 18
"""A bomb unpacks to so many equal pieces, 1.1 GB: more than is unpacked of a file at its least."""
GOOD = samples.data(samples.draft()) + b"\n"
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
BILLION_LAUGHS = f'<!DOCTYPE x [<!ENTITY e0 "laughs">{ENTITIES}]>'.encode()
PASSWORDS = b'<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>'
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
KIND = b'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.%s+xml"/>'
CONTENT_TYPES = (
    b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    b'<Default Extension="xml" ContentType="application/xml"/>'
    b'<Override PartName="/xl/workbook.xml" ' + KIND + b'<Override PartName="/xl/worksheets/sheet1.xml" ' + KIND
    + b'<Override PartName="/xl/sharedStrings.xml" ' + KIND + b"</Types>"
)  # fmt: skip
STRINGS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s</sst>'


class Hostile(NamedTuple):
    """One upload: what it is, the name it comes with, how it is made, and whether that and its job are quick."""

    what: str
    name: str
    make: Callable[[], bytes]
    quick: bool = False


class Packed(NamedTuple):
    """A file of a zip as its directory describes it, which need not be true."""

    name: str
    data: bytes
    size: int | None = None
    method: int = zipfile.ZIP_STORED
    crc: int = 0
    flags: int = 0


def gzip_bomb(piece: bytes) -> bytes:
    """Gzip members one after the other, each of which unpacks to PIECE bytes."""
    return gzip.compress(piece * (PIECE // len(piece)), 1) * PIECES


def zstd_bomb(piece: bytes, pieces: int = PIECES) -> bytes:
    """The same as frames of zstd, which are a hundred times smaller."""
    return bytes(pa.compress(piece * (PIECE // len(piece)), "zstd", asbytes=True)) * pieces


def zip_of(files: Sequence[Packed], overlapping: bool = False) -> bytes:
    """A zip of files as they describe themselves; where they overlap, all share the content of the first."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for file in files:
            info = zipfile.ZipInfo(file.name)
            # Written as stored; what the file says of itself comes into the directory below.
            if overlapping and packed.infolist():
                info.header_offset = 0
                info.CRC, info.compress_size = packed.infolist()[0].CRC, packed.infolist()[0].compress_size
                packed.filelist.append(info)
            else:
                packed.writestr(info, file.data)
            info.file_size = len(file.data) if file.size is None else file.size
            info.compress_type, info.flag_bits = file.method, info.flag_bits | file.flags
            info.CRC = file.crc or info.CRC
    return out.getvalue()


def zip_bomb() -> bytes:
    """A zip whose files together unpack to 1.1 GB."""
    piece = b"x" * PIECE
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(piece) + packer.flush()
    crc = zlib.crc32(piece)
    return _deflated([Packed(f"{n}.csv", packed, PIECE, zipfile.ZIP_DEFLATED, crc) for n in range(PIECES)])


def _deflated(files: Sequence[Packed]) -> bytes:
    """As `zip_of`, and each file's own header says the same as the directory."""
    data = bytearray(zip_of(files))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as packed:
        for info in packed.infolist():
            at = info.header_offset
            data[at + 8 : at + 10] = info.compress_type.to_bytes(2, "little")
            data[at + 14 : at + 18] = info.CRC.to_bytes(4, "little")
            data[at + 22 : at + 26] = (info.file_size % 2**32).to_bytes(4, "little")
    return bytes(data)


def zip_with_link() -> bytes:
    """A zip with a symbolic link that is called as a portfolio, and an honest file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        link = zipfile.ZipInfo("a.jsonl")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
        packed.writestr("b.jsonl", GOOD)
    return out.getvalue()


def zip_in_zip(depth: int = 20) -> bytes:
    """A zip in a zip, and so on."""
    data = GOOD
    for level in range(depth):
        data = zip_of([Packed("inner.zip" if level else "inner.jsonl", data)])
    return data


def tar_of(*members: tuple[str, bytes, bytes]) -> bytes:
    """A tar of names with their kind and content; for a link the content is where it leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content.decode()
            packed.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tar_header(kind: bytes, size: int) -> bytes:
    """The header alone of an entry that says it has `size` bytes."""
    info = tarfile.TarInfo("a.jsonl")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def tar_bomb(kind: bytes) -> bytes:
    """A tar of one entry of 1 GB, packed: a file, or a name or header that a reader holds whole."""
    pieces = 16
    head = bytes(pa.compress(tar_header(kind, pieces * PIECE - 1024), "zstd", asbytes=True))
    return head + zstd_bomb(b"9" * 64, pieces)


def book_of(parts: dict[str, bytes], padding: int = 0) -> bytes:
    """A workbook with these parts in place of its own, and so many bytes of noise that make it look less packed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["title"], ["x"]]))) as plain,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for name in {*plain.namelist(), *parts} - {"padding.bin"}:
            packed.writestr(name, parts.get(name) or plain.read(name))
        packed.writestr("padding.bin", random.Random(0).randbytes(padding))
    return out.getvalue()


def sheet_book(cells: bytes, before: bytes = b"") -> bytes:
    """A workbook whose sheet is this XML."""
    return book_of({"xl/worksheets/sheet1.xml": before + SHEET % cells})


def strings_book() -> bytes:
    """A workbook of as many shared texts as fit what is held of one."""
    many = STRINGS % (b"<si><t>ab</t></si>" * (240 * MB // 18))
    types = CONTENT_TYPES % (b"sheet.main", b"worksheet", b"sharedStrings")
    cells = SHEET % b'<row r="1"><c r="A1" t="s"><v>9000000</v></c></row>'
    parts = {"[Content_Types].xml": types, "xl/sharedStrings.xml": many, "xl/worksheets/sheet1.xml": cells}
    return book_of(parts, padding=2 * MB)


def repeating_book() -> bytes:
    """A workbook with one text of 30 MB that stands in every cell of a thousand rows."""
    texts = STRINGS % (b"<si><t>" + b"x" * 30 * MB + b"</t></si>")
    names = b'<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c></row>'
    cells = SHEET % b"".join(
        names * (number == 2)
        + b'<row r="%d">%s</row>' % (number, b"".join(b'<c t="s"><v>0</v></c>' for _ in range(50)))
        for number in range(2, 1_000)
    )
    return book_of({"xl/sharedStrings.xml": texts, "xl/worksheets/sheet1.xml": cells}, padding=MB)


def names_book() -> bytes:
    """A workbook whose elements all have names of their own, which a parser keeps."""
    return sheet_book(b"".join(b"<a%d/>" % number for number in range(4_000_000)))


def deep_book() -> bytes:
    """A workbook whose elements stand within one another."""
    return book_of({"xl/worksheets/sheet1.xml": SHEET % (b"<a>" * 20_000_000)}, padding=MB)


def directory_zip() -> bytes:
    """A zip of nothing but a list of 600,000 files, which a reader holds whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("a", b"")
        packed.filelist *= 600_000
    return out.getvalue()


def parquet_of(table: pa.Table, **options: object) -> bytes:
    """A table as Parquet."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", **options)
    return out.getvalue()


def run_lengths(rows: int = 12_000_000) -> bytes:
    """Parquet whose columns are one value each, written once with how often it comes."""
    return parquet_of(pa.table({"lots": pa.repeat(pa.scalar(1, pa.int8()), rows)}), row_group_size=rows)


def long_lists() -> bytes:
    """Parquet with a row whose list has five million values."""
    values = pa.repeat(pa.scalar("Example Ltd"), 5_000_000)
    return parquet_of(pa.table({"title": ["x"], "advisers": pa.ListArray.from_arrays([0, len(values)], values)}))


def wide_parquet(columns: int = 10_000) -> bytes:
    """Parquet of one row with so many columns."""
    return parquet_of(pa.table({f"column{number}": [1] for number in range(columns)}))


def lying_parquet() -> bytes:
    """Parquet whose last bytes say that its footer has 2 GB."""
    return parquet_of(pa.table({"title": ["x"]}))[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1"


def many_lots() -> bytes:
    """A release whose lots are a million empty objects."""
    return b'{"ocid": "ocds-h6vhtk-1", "tender": {"lots": [' + b"{}," * 1_000_000 + b"{}]}}\n" + GOOD


def laughing_yaml() -> bytes:
    """YAML whose aliases multiply."""
    return next(bad.data for bad in BAD if bad.name == "a billion laughs in YAML")


LINK, FILE = tarfile.SYMTYPE, tarfile.REGTYPE
CORPUS = [
    Hostile("gzip: one line of 1.1 GB", "a.jsonl.gz", lambda: gzip_bomb(b"x")),
    Hostile("zstd: 1.1 GB of zeros as a document", "a.json.zst", lambda: zstd_bomb(b"\0"), quick=True),
    Hostile("zstd: 1.1 GB of spaces as CSV", "a.csv.zst", lambda: zstd_bomb(b" ")),
    Hostile("zstd: 64 MB of quotes as CSV", "a.csv.zst", lambda: zstd_bomb(b'title\n"', 1)),
    Hostile("zstd: 1.1 GB of rows", "a.csv.zst", lambda: zstd_bomb(b"title\n\n")),
    Hostile("zstd: 1.1 GB of YAML", "a.yaml.zst", lambda: zstd_bomb(b"- ")),
    Hostile("gzip in gzip", "a.jsonl.gz", lambda: gzip.compress(gzip.compress(GOOD))),
    Hostile("gzip that breaks off", "a.jsonl.gz", lambda: gzip.compress(GOOD * 9)[:-20]),
    Hostile("a zip of 1.1 GB", "a.zip", zip_bomb),
    Hostile(
        "a zip whose files share their content",
        "a.zip",
        lambda: zip_of([Packed(f"{n}.jsonl", GOOD) for n in range(200)], overlapping=True),
    ),
    Hostile("a zip in a zip, twenty deep", "a.zip", zip_in_zip),
    Hostile("a zip with a link to /etc/passwd", "a.zip", zip_with_link, quick=True),
    Hostile(
        "a zip with paths that lead out",
        "a.zip",
        lambda: zip_of([Packed(n, GOOD) for n in ("../../a.jsonl", "/tmp/hostile.jsonl", "C:\\a.jsonl", "..")]),
    ),
    Hostile("a zip of 20,000 files", "a.zip", lambda: zip_of([Packed(f"{n}.csv", b"x") for n in range(20_000)])),
    Hostile("a zip of a thousand files", "a.zip", lambda: zip_of([Packed(f"{n}.csv", b"title\nx\n") for n in range(1000)])),
    Hostile("a zip with one name twice", "a.zip", lambda: zip_of([Packed("a.jsonl", GOOD)] * 2)),
    Hostile("a zip that says less than it has", "a.zip", lambda: _deflated([Packed("a.jsonl", GOOD * 100, size=10)])),
    Hostile("a zip that says 4 GB", "a.zip", lambda: _deflated([Packed("a.jsonl", GOOD, size=2**32 - 2)])),
    Hostile("a zip that breaks off", "a.zip", lambda: zip_of([Packed("a.jsonl", GOOD)])[:-30]),
    Hostile("a zip with a password", "a.zip", lambda: zip_of([Packed("a.jsonl", GOOD, flags=1)])),
    Hostile("a tar of 1 GB", "a.tar.zst", lambda: tar_bomb(FILE)),
    Hostile("a tar whose name has 1 GB", "a.tar.zst", lambda: tar_bomb(tarfile.GNUTYPE_LONGNAME), quick=True),
    Hostile("a tar whose header has 1 GB", "a.tar.zst", lambda: tar_bomb(tarfile.XHDTYPE)),
    Hostile("a tar that says 8 GB", "a.tar", lambda: tar_header(FILE, 8 * 2**30 - 1) + GOOD),
    Hostile(
        "a tar with links and devices",
        "a.tar",
        lambda: tar_of(
            ("a.jsonl", LINK, b"/etc/passwd"),
            ("b.jsonl", tarfile.LNKTYPE, b"a.jsonl"),
            ("c.jsonl", tarfile.FIFOTYPE, b""),
            ("d.jsonl", tarfile.CHRTYPE, b""),
        ),
    ),
    Hostile(
        "a tar with paths that lead out",
        "a.tar.gz",
        lambda: gzip.compress(tar_of(("../../a.jsonl", FILE, GOOD), ("/tmp/hostile.jsonl", FILE, GOOD))),
    ),
    Hostile("a workbook with a billion laughs", "a.xlsx", lambda: sheet_book(_cell(b"&e9;"), BILLION_LAUGHS), quick=True),
    Hostile("a workbook that asks for /etc/passwd", "a.xlsx", lambda: sheet_book(_cell(b"&e9;"), PASSWORDS)),
    Hostile("a workbook of thirteen million texts", "a.xlsx", strings_book),
    Hostile("a workbook of one long text in every cell", "a.xlsx", repeating_book),
    Hostile("a workbook whose elements have names of their own", "a.xlsx", names_book),
    Hostile("a workbook of twenty million elements within one another", "a.xlsx", deep_book),
    Hostile("a zip whose list of files has 28 MB", "a.zip", directory_zip),
    Hostile("a workbook with a cell at its far end", "a.xlsx", lambda: sheet_book(_cell(b"title") + _cell(b"x", b"XFD1048576", b"1048576"))),
    Hostile("a workbook with a row numbered in billions", "a.xlsx", lambda: sheet_book(_cell(b"title") + _cell(b"x", b"A4000000000", b"4000000000"))),
    Hostile("a workbook of 64 MB of spaces", "a.xlsx", lambda: sheet_book(b" " * PIECE)),
    Hostile("Parquet: one text for all rows", "a.parquet", dictionary_bomb, quick=True),
    Hostile("Parquet: 12 million rows in a kilobyte", "a.parquet", run_lengths),
    Hostile("Parquet: five million values in a row", "a.parquet", long_lists),
    Hostile("Parquet: 10,000 columns", "a.parquet", wide_parquet),
    Hostile("Parquet: a footer of 2 GB", "a.parquet", lying_parquet),
    Hostile("CSV: 10,000 columns", "a.csv", lambda: b"title" + b",c" * 10_000 + b"\n" + b"x," * 10_000 + b"x\n"),
    Hostile("CSV: a quote that never ends", "a.csv", lambda: b'title,lots\n"' + b"x,1\n" * 5_000_000),
    Hostile("CSV: NUL bytes and no UTF-8", "a.csv", lambda: b"title,lots\n\0\0,\xff\xfe\n" * 1_000),
    Hostile("JSON: a line of 100 MB", "a.jsonl", lambda: b'{"ocid": "' + b"x" * 100 * MB + b'"}\n' + GOOD),
    Hostile("JSON: a million levels", "a.jsonl", lambda: b'{"tender":' * 1_000_000 + b"\n" + b"[" * 1_000_000 + b"\n"),
    Hostile("JSON: a million levels as one document", "a.json", lambda: b"[" * 1_000_000 + b"]" * 1_000_000),
    Hostile("JSON: a million lots", "a.jsonl", many_lots),
    Hostile("JSON: a million digits", "a.jsonl", lambda: b'{"tender": {"value": {"amount": ' + b"9" * 1_000_000 + b"}}}\n" + GOOD),
    Hostile("JSON: NUL bytes, halves of characters", "a.jsonl", lambda: b'{"ocid": "\\u0000\\ud800\xff"}\n\0\0\n' * 1_000),
    Hostile("YAML: a billion laughs", "a.yaml", laughing_yaml),
    Hostile("a name that leads out", "../../../../etc/a.exe", lambda: GOOD, quick=True),
]  # fmt: skip
"""All of them. Those that are called quick take a second or two each with their job."""


def _cell(text: bytes, place: bytes = b"A1", row: bytes = b"1") -> bytes:
    return b'<row r="%s"><c r="%s" t="inlineStr"><is><t>%s</t></is></c></row>' % (row, place, text)
