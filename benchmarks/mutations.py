"""Real examples, changed by chance: bytes of any kind, and values of JSON documents and of tables."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from collections.abc import Sequence
from typing import Any

Rows = list[list[str]]
MOST_BYTES = 400_000
"""Longer ones are cut: what is looked for is faults of reading, and `benchmarks.hostile` has what is large."""
DEEP, DEEPEST = "@@deep@@", 3_000
"""Stands for an array in an array, and so on, which json.dumps would not write."""
DATES = (
    "2024-02-30",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2024-03-01",
    "24/03/01",
    "2024",
    "-1-1-1",
)
TEXTS = (
    "", " ", "\0", "\ud800", "\ufeff", "\u202e", "x" * 40_000, "=1+1", "a\nb", '"', ",", "/", "ocds-h6vhtk-1",
    "null", "NaN",
    "1e999", "-0", "1,5", "1.000.000,00", "£ 3m", "12 %", "true", "open", "GBP", "١٢٣", "9" * 400, "{}", "[", *DATES,
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.1, 1e308, -1e-308, float("nan"), float("inf"), 1e20)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": {}},
    {"id": 1},
    {"amount": -1},
    DEEP,
    *NUMBERS,
)
TOKENS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b",", b";", b"\t", b'"', b"'", b"{", b"}", b"[", b"]", b":",
    b"&a ", b"*a",
    b"!!python/object:os.system ", b"- ", b"<!ENTITY", b"&e;", b"\\u0000", b"\\ud800", b"1e999", b"-",
    b"PK\x03\x04", b"PAR1",
    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x80", b"%PDF", b"0" * 50, b"{}\n",
    b"null",
)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random, most: int = 6) -> bytes:
    """Some bytes with up to `most` changes: bits, cuts, repetitions, tokens, and pieces of other examples."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, most)):
        at, length = chance.randint(0, len(changed)), min(int(chance.expovariate(0.05)), 4_000)
        match chance.randrange(7):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << chance.randrange(8)
            case 1 if changed:
                changed[at % len(changed)] = chance.randrange(256)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length] * chance.choice((1, 1, 2, 50))
            case 4:
                changed[at:at] = chance.choice(TOKENS)
            case 5:
                changed[at : at + length] = chance.choice(TOKENS)
            case _:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                changed[at:at] = other[start : start + length]
    return bytes(changed[:MOST_BYTES])


def mutated_document(document: Any, others: Sequence[Any], chance: random.Random, most: int = 4) -> Any:
    """A JSON document with up to `most` values or keys changed."""
    holder = [copy.deepcopy(document)]
    for _ in range(chance.randint(1, most)):
        _change(holder, others, chance)
    return holder[0]


def _change(holder: list[Any], others: Sequence[Any], chance: random.Random) -> None:
    parent, key = _place(holder, chance)
    value = parent[key]
    match chance.randrange(9):
        case 0 | 1:
            parent[key] = copy.deepcopy(chance.choice(VALUES))
        case 2 | 3:
            parent[key] = chance.choice(TEXTS)
        case 4:
            other, where = _place([chance.choice(others)], chance)
            parent[key] = copy.deepcopy(other[where])
        case 5:
            parent[key] = [value] if chance.random() < 0.5 else {str(chance.choice(("0", "id", "value"))): value}
        case 6 if isinstance(parent, dict):
            del parent[key]
        case 6 | 7 if isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(value)] * chance.choice((1, 2, 30))
        case 7 if isinstance(parent, dict):
            other, where = _place([chance.choice(others)], chance)
            parent[where if isinstance(where, str) else chance.choice(TEXTS)] = parent.pop(key)
        case _:
            parent[key] = _within(value, others, chance)


def _within(value: Any, others: Sequence[Any], chance: random.Random) -> Any:
    """A value that is changed a little, of the same kind."""
    if isinstance(value, dict):
        # A key of elsewhere, with what stands there.
        other, where = _place([chance.choice(others)], chance)
        return {**value, where if isinstance(where, str) else "0": copy.deepcopy(other[where])}
    if isinstance(value, list):
        return chance.sample(value, len(value))
    if isinstance(value, str):
        at = chance.randint(0, len(value))
        return value[:at] + chance.choice(TEXTS) + value[at:]
    return str(value)


def _place(holder: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container and a key or index in it, anywhere below."""
    parent, key = holder, 0
    while True:
        value = parent[key]
        inside = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        if not inside or (chance.random() < 0.15 and parent is not holder):
            return parent, key
        parent, key = value, chance.choice(inside)


def as_json(document: Any, chance: random.Random, **options: Any) -> bytes:
    """A document as JSON, also with what is no number, half of a surrogate pair, and arrays that are very deep."""
    text = json.dumps(document, ensure_ascii=True, **options)
    if DEEP in text:
        depth = chance.choice((50, 700, DEEPEST))
        opened, closed = chance.choice((("[", "]"), ('{"tender":', "}"), ('{"a":[', "]}")))
        text = text.replace(f'"{DEEP}"', opened * depth + "1" + closed * depth, 1)
    return text.encode()[:MOST_BYTES]


def mutated_table(rows: Rows, others: Sequence[Rows], chance: random.Random) -> Rows:
    """A table with a few cells, headings, rows or columns changed."""
    table = copy.deepcopy(rows)
    for _ in range(chance.randint(1, 5)):
        row = chance.choice(table) if table else []
        other = chance.choice(chance.choice(others) or [[]])
        match chance.randrange(7):
            case 0 | 1 if row:
                row[chance.randrange(len(row))] = chance.choice(TEXTS)
            case 2 if row and other:
                row[chance.randrange(len(row))] = chance.choice(other)
            case 3:
                row[len(row) :] = [chance.choice(TEXTS)] * chance.choice((1, 1, 200))
            case 4 if row:
                del row[chance.randrange(len(row)) :]
            case 5:
                table[chance.randint(0, len(table)) :] = [list(row)] * chance.choice((0, 1, 20))
            case _ if table and table[0]:
                # Headings decide how all the rest is read.
                table[0][chance.randrange(len(table[0]))] = chance.choice([*(chance.choice(others) or [[]])[0], *TEXTS])
    return table


def csv_rows(data: bytes) -> Rows:
    """The cells of a CSV."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def as_csv(rows: Rows, chance: random.Random) -> bytes:
    """Rows as CSV in one of its dialects."""
    out = io.StringIO(newline="")
    delimiter, end = chance.choice((",", ",", ",", ";", "\t")), chance.choice(("\n", "\r\n", "\r"))
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")[:MOST_BYTES]
