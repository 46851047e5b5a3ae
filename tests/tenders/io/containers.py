"""One history in every container that is read: the same tenders, packed in other ways."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from openpyxl import Workbook

Json = dict[str, Any]
Sheets = Mapping[str, Sequence[Mapping[str, Any]]]


def dumped(document: Any, **options: Any) -> bytes:
    """A document as JSON."""
    return json.dumps(document, ensure_ascii=False, **options).encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar archive without compression."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def as_1_0(release: Json) -> Json:
    """A release as OCDS 1.0 has it: no parties, and every organisation in full where it acts."""
    parties = release.get("parties", ())
    by_id = {party["id"]: {key: value for key, value in party.items() if key != "roles"} for party in parties}
    old = {key: value for key, value in release.items() if key != "parties"}
    return {**old, "buyer": by_id.get(release["buyer"].get("id"), release["buyer"])}


def tables(releases: Sequence[Json], separator: str = "/") -> Sheets:
    """Releases as flatten-tool writes them: a sheet of releases, and one for each array that has several objects."""
    sheets: dict[str, list[Json]] = {"releases": []}
    for release in releases:
        keys = {"ocid": release["ocid"], "id": release["id"]}
        row: Json = {}
        _flatten(release, (), row, sheets, keys, separator)
        sheets["releases"].append(row)
    return sheets


def _flatten(value: Any, path: tuple[str, ...], row: Json, sheets: dict[str, Any], keys: Json, separator: str) -> None:
    if isinstance(value, dict):
        for name, inside in value.items():
            _flatten(inside, (*path, name), row, sheets, keys, separator)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for member in value:
            below: Json = dict(keys)
            place = (*path, "0")
            # A sheet of an array within an array names the objects that own its rows.
            own = {**keys, separator.join((*place, "id")): member["id"]} if "id" in member else keys
            _flatten(member, place, below, sheets, own, separator)
            sheets.setdefault(path[-1], []).append(below)
    elif isinstance(value, list):
        row[separator.join(path)] = ";".join(value)
    else:
        row[separator.join(path)] = value


def linked(releases: Sequence[Json]) -> Sheets:
    """Releases as the OCP data registry writes them: main.csv, and a table for each array, joined by links."""
    sheets: dict[str, list[Json]] = {"main": []}
    for number, release in enumerate(releases, start=1):
        row: Json = {"_link": str(number), "_link_main": str(number)}
        sheets["main"].append(row)
        _link(release, (), row, sheets, {"_link_main": str(number), "main_ocid": release["ocid"]}, str(number))
    return sheets


def _link(value: Any, path: tuple[str, ...], row: Json, sheets: dict[str, Any], above: Json, link: str) -> None:
    for name, inside in value.items():
        place = (*path, name)
        if isinstance(inside, dict):
            _link(inside, place, row, sheets, above, link)
        elif isinstance(inside, list) and inside and isinstance(inside[0], dict):
            table = "_".join((*(part for part in [above.get("table")] if part), *place))
            for i, member in enumerate(inside):
                below = {"_link": f"{link}.{table}.{i}", **{k: v for k, v in above.items() if k != "table"}}
                sheets.setdefault(table, []).append(below)
                deeper = {**above, "table": table, f"_link_{table}": below["_link"]}
                _link(member, (), below, sheets, deeper, link)
        elif isinstance(inside, list):
            row["_".join(place)] = ",".join(inside)
        else:
            row["_".join(place)] = inside


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as a CSV; a column for every name that occurs."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode()


def as_xlsx(sheets: Sheets) -> bytes:
    """Sheets as a workbook."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title[:31])
        names = list(dict.fromkeys(name for row in rows for name in row))
        sheet.append(names)
        for row in rows:
            sheet.append([row.get(name) for name in names])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def containers(releases: Sequence[Json]) -> dict[str, bytes]:
    """The content of a file by its name, for every container: each has the same releases, of distinct ocids."""
    lines = b"".join(dumped(release) + b"\n" for release in releases)
    pretty = b"".join(dumped(release, indent=2) + b"\n" for release in releases)
    package, records = {"releases": releases}, [{"ocid": r["ocid"], "compiledRelease": r} for r in releases]
    tar = tarred({"out/full.jsonl": lines})
    flat = {f"csv/{name}.csv": as_csv(rows) for name, rows in tables(releases).items()}
    registry = {f"out/{name}.csv": as_csv(rows) for name, rows in linked(releases).items()}
    registry |= {"out/fields.csv": b"table_name,field_name\nmain,ocid\n", "out/datapackage.json": b"{}"}
    compress: Callable[[bytes], bytes] = gzip.compress
    return {
        "list.json": dumped(releases),
        "package.json": dumped(package),
        "package.json.gz": compress(dumped(package)),
        "package called.json": compress(dumped(package)),
        "records.json": dumped({"records": records}),
        "embedded.json": dumped({"records": [{"ocid": r["ocid"], "releases": [r]} for r in releases]}),
        "results.json": dumped({"results": [{"releases": [r]} for r in releases], "maxPage": 1}),
        "results of releases.json": dumped({"results": releases}),
        "lines.jsonl": lines,
        "lines.json": lines,
        "full.jsonl.gz": compress(lines),
        "lines.jsonl.zst": bytes(pa.compress(lines, codec="zstd", asbytes=True)),
        "lines of packages.jsonl": b"\n".join(dumped({"releases": [r]}) for r in releases),
        "lines of results.jsonl": b"\n".join(dumped({"results": [r]}) for r in releases),
        "pretty.json": pretty,
        "pretty.jsonl": pretty,
        "pretty.json.gz": compress(pretty),
        "close together.json": b"".join(dumped(release) for release in releases),
        "release.zip": zipped({f"{i}.json": dumped(r) for i, r in enumerate(releases)}),
        "lines.zip": zipped({"a/lines.jsonl": lines, "__MACOSX/a/._lines.jsonl": b"x", ".DS_Store": b"x"}),
        "compressed within.zip": zipped({"lines.jsonl.gz": compress(lines)}),
        "lines.tar": tar,
        "lines.tar.gz": compress(tar),
        "lines.tgz": compress(tar),
        "package.yaml": dumped(package),
        "1_0.json": dumped({"releases": [as_1_0(r) for r in releases]}),
        "1_0.jsonl": b"\n".join(dumped(as_1_0(r)) for r in releases),
        "flat.zip": zipped(flat),
        "flat.xlsx": as_xlsx(tables(releases)),
        "points.xlsx": as_xlsx(tables(releases, ".")),
        "export.csv.tar.gz": compress(tarred(registry)),
        "export.zip": zipped(registry),
        "export.xlsx": as_xlsx(linked(releases)),
    }
