"""Frames as people have them, as blocks that a portfolio's workers score; and facts of tenders as a frame.

A column is a key of the form (docs/form.md), an OCDS path (`tender/value/amount`, with slashes, dots or underscores),
a field of releases whose cells are objects, or `ocds`: the document that `tender_risk.read` read, as JSON. A frame of
keys alone is scored as a table of forms is; any other frame as JSON lines are, each row a release.
"""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from tender_risk.cells import Series, as_text, cell, encoded, plain_dtype
from tenders.codelists import STANDARD_FIELDS
from tenders.columns import FORM, Column
from tenders.dates import ordinals
from tenders.errors import DataError, Problem
from tenders.io import form
from tenders.io.flattened import SEPARATORS, Step, find_heading, find_place
from tenders.io.ocds import Releases, decode_releases
from tenders.io.read import to_process
from tenders.io.rows import settle_releases
from tenders.io.streams import Block
from tenders.overrides import override
from tenders.process import Process
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

DOCUMENT, OCID = "ocds", "ocid"
"""The columns of the whole document and of the ocid, beside the keys of the form."""
CHUNK = 256
"""Tenders whose facts are read at once."""
MOST_NAMED = 20
UNIX_EPOCH = 719_163
"""1970-01-01 as an ordinal day, where pandas counts from."""
REMEDY = "Name columns as docs/form.md does, or by OCDS paths such as tender/value/amount"


class FrameRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a frame, numbered from 1, as a block that can be scored.

    `names` has the frame's own name of each key or path. `comparison` finds the rows whose cells differ from the
    document beside them.
    """

    block: Block
    index: pd.Index[Any]
    names: Mapping[str, str]
    comparison: DocumentComparison | None = None

    def edited(self) -> Mapping[int, Process]:
        """The rows whose cells say something else than their document: to be scored in place of those of the block.

        Raises DataError, with row and column, if such a cell cannot be taken.
        """
        return self.comparison.edited() if self.comparison else {}

    def problem(self, row: int, path: str, problem: str, remedy: str) -> Problem:
        """What is wrong in a row, by number, index and column."""
        _, _, key = path.rpartition("column ")
        place = path if path.startswith("/") else key
        column = self.names.get(place.strip("/"), "") or _owner(place, self.names)
        return Problem(path=place_of(self.index, row, column), problem=problem, remedy=remedy)


def frame_rows(frame: pd.DataFrame, owns: Callable[[str | None], bool]) -> FrameRows:
    """The rows of a frame as a block. `owns` says whether the models of forms score an ocid too.

    Warns of columns that are not read. Raises DataError if there is none that is, if two columns have one name, and
    with row and column if a cell cannot be taken.
    """
    names = [str(name) for name in frame.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError.at(f"column {twice[0]!r}", "two columns have this name", "Keep the one that is meant")
    columns = {name: frame.iloc[:, place] for place, name in enumerate(names)}
    keys, places = _resolve(columns)
    _check(columns, keys, places)
    if set(places) == {OCID} and all(map(owns, columns[OCID].dropna().astype(str).unique())):
        places = {}
    if not places:
        return FrameRows(block=_form_block(keys, columns), index=frame.index, names={k: k for k in keys})
    return _releases(frame.index, keys, places, columns)


def _resolve(columns: Mapping[str, Series]) -> tuple[list[str], dict[str, tuple[Step, ...]]]:
    """The columns that are keys of the form, and the places in a release that the others are; the rest is not read."""
    if "tender" in columns and _holds_objects(columns["tender"]):
        # The frame of a list of releases.
        by_column = {name: find_place(name, "/") for name in columns}
        return [], {name: steps for name, steps in by_column.items() if steps}
    keys = [name for name in columns if name in form.BY_KEY]
    places: dict[str, tuple[Step, ...]] = {}
    for name in columns:
        if name in keys or name == DOCUMENT:
            continue
        if steps := next(filter(None, (find_place(name.strip("/"), separator) for separator in SEPARATORS)), None):
            places[name] = steps
    if DOCUMENT in columns:
        return keys, {DOCUMENT: ()}
    if any(len(steps) > 1 or _holds_objects(columns[name]) for name, steps in places.items()):
        return keys, places
    # An `id` or a `date` of one's own is none of a release.
    return keys, {name: steps for name, steps in places.items() if name == OCID}


def _check(columns: Mapping[str, Series], keys: Sequence[str], places: Mapping[str, Any]) -> None:
    """Warns of columns that are not read. Raises DataError if none is."""
    quiet = {OCID} if DOCUMENT in places else set()
    unread = [name for name in columns if name not in keys and name not in places and name not in quiet]
    if places and DOCUMENT not in places:
        # Fields of OCDS that no feature reads are no mistake.
        unread = [name for name in unread if not _is_ocds(name)]
    if not keys and not [name for name in places if name != OCID]:
        raise DataError.at("columns", f"none is known: {', '.join(map(repr, unread[:MOST_NAMED]))}", REMEDY)
    if unread:
        more = f" and {len(unread) - MOST_NAMED} more" if len(unread) > MOST_NAMED else ""
        text = ", ".join(map(_with_guess, unread[:MOST_NAMED]))
        warn(f"not read, because the name is unknown: {text}{more}")


def warn(text: str) -> None:
    """Warns at the line that called the public face."""
    level, frame = 1, sys._getframe()
    while frame and frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(text, UserWarning, stacklevel=level)


def _is_ocds(name: str) -> bool:
    return all(part in STANDARD_FIELDS or part.isdecimal() for part in re.split("[/._]", name.strip("/")))


def _with_guess(name: str) -> str:
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), [*form.BY_KEY, OCID], n=1, cutoff=0.8)
    return f"{name!r} (did you mean {close[0]!r}?)" if close and close != [name] else repr(name)


def _owner(path: str, names: Mapping[str, str]) -> str:
    """The column that fills a place, or the object that it is in; the place itself, if that is known."""
    above = [name for name in names if path.startswith(f"/{name}/") or name.startswith(f"{path.strip('/')}/")]
    return names[max(above, key=len)] if above else path


# A table of forms.


def _form_block(keys: Sequence[str], columns: Mapping[str, Series]) -> Block:
    table = pa.table({key: _arrow(columns[key]) for key in keys})
    sink = pa.BufferOutputStream()
    kept = table.replace_schema_metadata({b"unread": b"[]"})
    with pa.ipc.new_stream(sink, kept.schema) as stream:
        stream.write_table(kept)
    return Block(kind="arrow", number=0, file="", first=1, data=sink.getvalue().to_pybytes())


def _arrow(column: Series) -> pa.Array:
    """A column as Arrow holds it: missing cells are null, and mixed ones are texts."""
    values = plain_dtype(column)
    try:
        array = pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([as_text(cell(value)) for value in values], pa.string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if _is_plain(array.type):
        return array
    return pa.array([as_text(cell(value)) for value in values], pa.string())


def _is_plain(kind: pa.DataType) -> bool:
    """Whether the form reads a type as it is. Instants with a zone are texts, because their day is the one written."""
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    types = pa.types
    numbers = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    return any(test(kind) for test in (*numbers, types.is_null, types.is_date, types.is_string, types.is_large_string))


def _holds_objects(column: Series) -> bool:
    """Whether the first cell that is there is an object, or a list of them."""
    if column.dtype != object:
        return False
    first = next((value for value in map(cell, column) if value is not None), None)
    return isinstance(first[0] if isinstance(first, list) and first else first, Mapping)


# Releases.


def _releases(
    index: pd.Index[Any],
    keys: Sequence[str],
    places: Mapping[str, tuple[Step, ...]],
    columns: Mapping[str, Series],
) -> FrameRows:
    names = {"/".join(map(str, steps)): name for name, steps in places.items()} | {key: key for key in keys}
    comparison = None
    if DOCUMENT in places:
        lines = _documents(index, columns[DOCUMENT])
        comparison = DocumentComparison(index, lines, {key: columns[key] for key in keys}) if keys else None
    else:
        releases = _releases_of_places({steps: _values(name, columns[name]) for name, steps in places.items()})
        if keys:
            forms = _form_releases(keys, columns, index)
            releases = [_merged(release, over or {}) for release, over in zip(forms, releases, strict=True)]
        lines = [encoded(release or {}) for release in releases]
    block = Block(kind="lines", number=0, file="", first=1, data=b"\n".join(lines) + b"\n")
    return FrameRows(block=block, index=index, names=names, comparison=comparison)


def _values(name: str, column: Series) -> list[Any]:
    """The cells of a place in a release; texts are read as those of flattened tables are."""
    heading = next(filter(None, (find_heading(name.strip("/"), separator) for separator in SEPARATORS)), None)
    plain = plain_dtype(column)
    if pd.api.types.is_float_dtype(plain.dtype) or isinstance(plain.dtype, pd.StringDtype):
        cells = plain.astype(object).where(plain.notna(), None).tolist()
    else:
        cells = [value if isinstance(value, str | Mapping | list) else cell(value) for value in plain]
    if heading is None:
        return cells
    if heading.read is str:
        return [value or None if isinstance(value, str | None) else as_text(value) for value in cells]
    return [(heading.read(value) if value else None) if isinstance(value, str) else value for value in cells]


def _form_releases(keys: Sequence[str], columns: Mapping[str, Series], index: pd.Index[Any]) -> list[dict[str, Any]]:
    """What the keys of each row say, as a release. Raises DataError that names every row and column."""
    rows: list[dict[str, Any]] = [{} for _ in index]
    problems: list[Problem] = []
    for key in keys:
        field = form.BY_KEY[key]
        for row, raw in enumerate(plain_dtype(columns[key])):
            value = cell(raw)
            if value is None:
                continue
            if isinstance(value, float) and value.is_integer() and field.kind not in ("number", "count"):
                value = int(value)
            try:
                parsed = form.parse_field(field, value)
            except ValueError as error:
                problems.append(Problem(path=place_of(index, row + 1, key), problem=str(error), remedy=field.help))
                continue
            if parsed is not None:
                rows[row][key] = parsed
    releases = []
    for row, values in enumerate(rows):
        try:
            releases.append(form.release_of_values(values) if values else {})
        except DataError as error:
            problems += [_placed(problem, index, row + 1) for problem in error.problems]
    if problems:
        raise DataError(problems)
    return releases


def place_of(index: pd.Index[Any], row: int, column: str = "") -> str:
    """Where a cell stands, in words; rows count from 1."""
    return f"row {row} (index {index[row - 1]!r})" + (f", column {column!r}" if column else "")


def _placed(problem: Problem, index: pd.Index[Any], row: int) -> Problem:
    """A problem of a key of the form, at its row and column."""
    return msgspec.structs.replace(problem, path=place_of(index, row, problem.path.strip("/")))


def _releases_of_places(places: Mapping[tuple[Step, ...], list[Any]]) -> list[Any]:
    """What stands at places of each row, as a release or a part of one; None where nothing does."""
    inside: dict[Step, dict[tuple[Step, ...], list[Any]]] = {}
    for (first, *rest), cells in places.items():
        inside.setdefault(first, {})[tuple(rest)] = cells
    names = sorted(inside, key=lambda step: step if isinstance(step, int) else 0)
    parts = [
        inside[name][()] if () in inside[name] else _releases_of_places(inside[name])  # An object, or what is in it.
        for name in names
    ]
    if all(isinstance(name, int) for name in names):
        return [[value for value in row if value is not None] or None for row in zip(*parts, strict=True)]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} or None
        for row in zip(*parts, strict=True)
    ]


def _merged(release: Any, over: Any) -> Any:
    """A release with what stands at places in it set."""
    if isinstance(release, dict) and isinstance(over, dict):
        return {**release, **{name: _merged(release.get(name), value) for name, value in over.items()}}
    if isinstance(release, list) and isinstance(over, list):
        pairs = zip_longest(release, over)
        return [_merged(before, value) if value is not None else before for before, value in pairs]
    return over


# Documents, and what was changed beside them.


def _documents(index: pd.Index[Any], documents: Series) -> list[bytes]:
    """The documents of the rows, each in one line."""
    lines: list[bytes] = []
    for row, value in enumerate(documents):
        if not isinstance(value, str | Mapping) or not value:
            where = place_of(index, row + 1, DOCUMENT)
            raise DataError.at(
                where, "there is no document", f"Leave the column {DOCUMENT} out to score the other columns"
            )
        text = value.encode() if isinstance(value, str) else encoded(value)
        lines.append(text.replace(b"\n", b" "))
    return lines


class DocumentComparison:
    """Compares cells with the documents beside them.

    It is shown what is read of the documents to score them (`watch`), because to read them again takes as long. What it
    was not shown it reads itself.
    """

    def __init__(self, index: pd.Index[Any], lines: Sequence[bytes], columns: Mapping[str, Series]) -> None:
        self._index, self._lines, self._columns = index, lines, columns
        self._rows: list[int] = []
        self._stated: dict[str, list[Any]] = {key: [] for key in columns}
        self._edited: dict[int, Process] | None = None

    def watch(self, numbers: Sequence[int], releases: Releases) -> None:
        """Takes the facts of releases that were read, given the numbers of their rows from 1."""
        self._rows += [n - 1 for n, release in zip(numbers, releases.rows, strict=True) if release is not None]
        for key, values in self._stated.items():
            values.extend(_facts_of(form.BY_KEY[key], releases.chunk))

    def edited(self) -> Mapping[int, Process]:
        """As `FrameRows.edited`."""
        if self._edited is None:
            self._read_others()
            self._edited = self._overridden()
        return self._edited

    def _read_others(self) -> None:
        seen = set(self._rows)
        others = [row for row in range(len(self._lines)) if row not in seen]
        for at in range(0, len(others), CHUNK):
            rows = others[at : at + CHUNK]
            tenders = [
                to_process(msgspec.json.decode(self._lines[row])).compiled() if release is None else release
                for row, release in zip(rows, decoded([self._lines[row] for row in rows]), strict=True)
            ]
            self.watch([row + 1 for row in rows], Releases(tenders, TenderChunk(tenders)))

    def _overridden(self) -> dict[int, Process]:
        changed: dict[int, dict[str, Any]] = {}
        order = np.argsort(np.array(self._rows, dtype=np.int64))
        for key, column in self._columns.items():
            values = self._stated[key]
            if values.count(None) == len(values) and column.isna().all():
                continue
            stated = _series(form.BY_KEY[key], values).take(order)
            for row in _differing(form.BY_KEY[key], column, stated):
                changed.setdefault(row, {})[key] = _override_value(column.iloc[row])
        edited: dict[int, Process] = {}
        problems: list[Problem] = []
        for row, overrides in sorted(changed.items()):
            process = to_process(msgspec.json.decode(self._lines[row]))
            try:
                edited[row + 1] = override(process, overrides, "awarded")
            except DataError as error:
                problems += [_placed(problem, self._index, row + 1) for problem in error.problems]
        if problems:
            raise DataError(problems)
        return edited


def decoded(lines: Sequence[bytes]) -> list[Tender | None]:
    """Lines of JSON as they are read, decoded straight into their types; None for what is no single valid release."""
    releases = decode_releases(lines)
    settle_releases(releases)
    return list(releases.rows)


def _override_value(raw: Any) -> Any:
    value = cell(raw)
    return None if value in ("", []) else value


def _differing(field: Column, cells: Series, stated: Series) -> list[int]:
    """The rows whose cell does not say what the document says."""
    mine, own = cells.reset_index(drop=True), stated.reset_index(drop=True)
    candidates = np.arange(len(mine))
    if mine.isna().all():
        candidates = np.flatnonzero(own.notna().to_numpy())
    elif mine.dtype == own.dtype:
        same = mine.eq(own).fillna(value=False).astype(bool) | (mine.isna() & own.isna())
        candidates = np.flatnonzero(~same.to_numpy())
    if field.kind in ("number", "count") and pd.api.types.is_numeric_dtype(mine.dtype):
        left, right = mine.to_numpy(np.float64, na_value=np.nan), own.to_numpy(np.float64, na_value=np.nan)
        return np.flatnonzero(~np.isclose(left, right, rtol=1e-9, atol=0, equal_nan=True)).tolist()
    if field.kind == "date" and pd.api.types.is_datetime64_any_dtype(mine.dtype):
        days = plain_dtype(mine).dt.normalize().astype(own.dtype)
        return np.flatnonzero(~((days == own) | (days.isna() & own.isna())).to_numpy()).tolist()
    known = _canonical(field)
    return [row for row in candidates.tolist() if known(mine.iloc[row]) != known(own.iloc[row])]


def _canonical(field: Column) -> Callable[[Any], Any]:
    """What a cell says, whatever its type; what cannot be read stays as it is."""

    def canonical(raw: Any) -> Any:
        value = cell(raw)
        if value is None or value == []:
            return None
        if field.kind == "text" and field.name != "cpv":
            return str(value).strip()
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        try:
            parsed = form.parse_field(field, value)
        except ValueError:
            return value
        return tuple(parsed) if isinstance(parsed, list) else parsed

    return canonical


def facts(tenders: Sequence[Tender]) -> pd.DataFrame:
    """The facts of tenders by the keys of the form, a row each; what a key cannot hold is in the document alone."""
    values: dict[str, list[Any]] = {field.name: [] for field in FORM}
    for at in range(0, len(tenders), CHUNK):
        chunk = TenderChunk(tenders[at : at + CHUNK])
        for field in FORM:
            values[field.name] += _facts_of(field, chunk)
    return pd.DataFrame({field.name: _series(field, values[field.name]) for field in FORM})


def _facts_of(field: Column, chunk: TenderChunk) -> list[Any]:
    cells = field.values(chunk, "awarded")
    if cells is None:
        return [None] * len(chunk)
    if field.per:
        left = iter(cells)
        per_tender = [tuple(next(left) for _ in lots) for lots in chunk.lists(field.path)]
        return [values if values and None not in values else None for values in per_tender]
    if field.name == "lots":
        # Without lots, nothing is stated.
        return [count or None for count in cells]
    if field.kind == "list":
        return [tuple(part for part in value if part is not None) or None for value in cells]
    return list(cells)


def _series(field: Column, values: list[Any]) -> Series:
    """The values of a key in the dtype that fits it: nullable, so that unknown is never 0 or False."""
    if field.kind == "number":
        return pd.Series(values, dtype="float64")
    if field.kind == "count":
        return pd.Series(values, dtype="Int64")
    if field.kind == "yes_no":
        return pd.Series(values, dtype="boolean")
    if field.kind == "date":
        days = np.array(ordinals(values), dtype=np.float64) - UNIX_EPOCH
        return pd.Series(
            np.where(np.isnan(days), np.datetime64("NaT"), np.nan_to_num(days).astype("datetime64[D]"))
        ).astype("datetime64[s]")
    if field.kind == "list":
        # As the form has them, so that they can be saved as they are.
        values = [value and as_text(value) for value in values]
    return pd.Series(values, dtype="str")
