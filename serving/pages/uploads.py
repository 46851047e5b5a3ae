"""A file that a user gives to fill the form: OCDS, a filled form, or a draft kept earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serving.pages.drafts import MAX_CARRIED, Draft, with_told
from serving.pages.filling import tidy, typed
from tenders.errors import DataError, Problem, TooLargeError
from tenders.facts import STAGES
from tenders.io import form
from tenders.io.detection import document_kind
from tenders.io.read import decode, to_process, to_processes

MAX_NAMED = 20


def read(name: str, content: bytes) -> Draft:
    """The draft in a file, by its ending. Raises DataError that names the place, TooLargeError."""
    found = documents(name, content)
    if len(found) > 1:
        raise DataError.at("", f"{len(found)} tenders in the file; this page scores one", "Use the portfolio page")
    draft = drafted(found[0])
    return msgspec.structs.replace(draft, name=name)


def documents(name: str, content: bytes) -> list[Any]:
    """What a file holds, decoded: one entry a tender where they are listed, one where it is a package."""
    document = decode(content, name)
    return document if isinstance(document, list) and document else [document]


def drafted(document: Any) -> Draft:
    """The draft in one decoded document. Raises DataError, TooLargeError."""
    if not isinstance(document, Mapping):
        to_process(document)
    kind = document_kind(document)
    if kind == "kept draft":
        held = drafted(document["tender"])
        stage = next((each for each in STAGES if each == document.get("stage")), None)
        emptied = [key for key, value in document["set"].items() if value is None]
        values = {key: value for key, value in held.values.items() if key not in emptied}
        return msgspec.structs.replace(held, values={**values, **_values(document["set"])}, stage=stage)
    if kind != "form":
        return _of_ocds(document)
    values = _values(document)
    if not values:
        to_process(document)
    unread = [str(key)[:80] for key in document if key not in form.BY_KEY][:MAX_NAMED]
    notes = (f"not part of the score, because the name is unknown: {', '.join(unread)}",) if unread else ()
    return Draft(values=values, notes=notes)


def _of_ocds(document: Mapping[str, Any]) -> Draft:
    text = msgspec.json.encode(document).decode()
    # Read first: what is wrong with it says more than its size.
    if len(found := to_processes(document)) > 1:
        raise DataError.at("", f"{len(found)} tenders in the file; this page scores one", "Use the portfolio page")
    found[0].compiled()
    if len(text) > MAX_CARRIED:
        problem = f"{len(text) / 2**20:.1f} MB; a page carries up to {MAX_CARRIED // 2**20} MB"
        raise TooLargeError(Problem(path="", problem=problem, remedy="Use tender-risk score, or POST /score"))
    return with_told(Draft(document=text))


def _values(document: Mapping[str, Any]) -> dict[str, str]:
    read = ((key, typed(document.get(key))) for key in form.BY_KEY)
    # Not cut to length: what is too long is refused beside its field.
    return {key: tidied for key, text in read if (tidied := tidy(key, text) if len(text) < 20_000 else text)}
