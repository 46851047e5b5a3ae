"""The flat form: one short key a fact, as in the web form, in JSON, CSV or YAML.

Each field says where its fact lives in a release, so that the form goes through the same door as OCDS
and a reason can name the key that the user filled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tenders.columns import DEFAULT_CURRENCY, FORM
from tenders.errors import DataError, Problem
from tenders.io.fields import parsed

FIELDS = FORM
"""The fields of the form, in its order."""
BY_KEY = {field.name: field for field in FIELDS}


def release(form: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The form as an OCDS release, and the keys that it does not know.

    Raises DataError with one problem a key whose value cannot be read.
    """
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    for field in [each for each in FIELDS if each.name in form]:
        try:
            value = parsed(field, form[field.name])
        except ValueError as error:
            problems.append(Problem(path=f"/{field.name}", problem=str(error), remedy=field.help))
            continue
        if value is not None:
            given[field.name] = value
    if mismatch := _lots_mismatch(given):
        problems.append(mismatch)
    if problems:
        raise DataError(problems)
    return _placed(given), [f"/{str(key)[:80]}" for key in form if key not in BY_KEY]


def placed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The release of values that were read already, by key; none of them None. Raises DataError as `release` does."""
    if mismatch := _lots_mismatch(given):
        raise DataError(mismatch)
    return _placed(given)


def _lots_mismatch(given: Mapping[str, Any]) -> Problem | None:
    lots, values = given.get("lots"), given.get("lot_values")
    if lots and values and lots != len(values):
        return Problem(path="/lot_values", problem=f"{len(values)} values for {lots} lots")
    return None


def _placed(given: Mapping[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = {"tender": {}}
    for field in [each for each in FIELDS if each.name in given]:
        put(built, field.path, field.write(given[field.name]))
    for each in (built["tender"], *built["tender"].get("lots", ()), *built.get("awards", ())):
        if "amount" in each.get("value", ()):
            each["value"].setdefault("currency", given.get("currency", DEFAULT_CURRENCY))
    return built


def key_of(path: str, given: Collection[str] = ()) -> str:
    """The form's key for an OCDS path, as a JSON path into the form; the path itself if there is none.

    What several keys fill is named by one of them that was `given`: of an object such as a period by its number,
    which stands over its days.
    """
    filling = [f for f in FIELDS if f.name in given and f"{f.path}/".startswith(f"{path}/")]
    if filling:
        return f"/{min(filling, key=lambda f: f.kind != 'number').name}"
    if path.startswith("/tender/lots/"):
        return "/lot_values"
    above = [f for f in FIELDS if path == f.path or path.startswith(f"{f.path}/")]
    return f"/{max(above, key=lambda f: len(f.path)).name}" if above else path


def known_columns(names: Sequence[str]) -> list[str]:
    """The columns of a table that are keys of the form. Raises DataError if there are none, or one occurs twice."""
    known = [name for name in names if name in BY_KEY]
    if not known:
        remedy = "See docs/form.md for the keys of the form; a register's own file is read by the register's name"
        raise DataError.at("row 1", "no column is a key of the form", remedy)
    if repeated := [name for name in known if known.count(name) > 1]:
        raise DataError.at("row 1", f"two columns are called {repeated[0]}", "Keep the one that is meant")
    return known


def put(target: Any, path: str, value: Any) -> None:
    """Sets `value` at a JSON path of names and 0, making the objects and arrays on the way."""
    parents, last = _steps(path)
    for name, fresh in parents:
        if name == "0":
            target[:] = target or [fresh()]
            target = target[0]
        else:
            target = target.setdefault(name, fresh())
    target[last] = value


def value_at(document: Any, path: str) -> Any:
    """The value at a JSON path of names and 0; None if there is none."""
    for step in path.strip("/").split("/"):
        if step == "0":
            document = document[0] if isinstance(document, list | tuple) and document else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[tuple[str, type], ...], str]:
    """The names on the way to a place, each with what is made there if there is nothing, and the last name."""
    *parents, last = path.strip("/").split("/")
    made = tuple(list if name == "0" else dict for name in [*parents[1:], last])
    return tuple(zip(parents, made, strict=True)), last
