"""What a request brings: the draft in its form, and the file beside it."""

from __future__ import annotations

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from serving.pages.drafts import MAX_CARRIED, Draft
from serving.pages.filling import MAX_ENTERED, tidy
from tenders.errors import DataError, Problem, TooLargeError
from tenders.facts import STAGES
from tenders.io import form
from tenders.io.read import MAX_BYTES

# The form itself, its scenarios, and a document.
MAX_FIELDS = 12 * len(form.FIELDS)


class Received(msgspec.Struct, frozen=True):
    """A request's draft, its file as (name, content), and every other text in it by name."""

    draft: Draft
    upload: tuple[str, bytes] | None
    more: dict[str, str]


async def received(request: Request) -> Received:
    """What a posted form brings. Raises DataError if it is no form, TooLargeError if no page can carry it."""
    try:
        sent = await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_BYTES)
    except (HTTPException, UnicodeDecodeError):
        raise DataError.at("", "the form cannot be read", "Send it again from this page") from None
    file = sent.get("file")
    upload = (file.filename, await file.read()) if isinstance(file, UploadFile) and file.filename else None
    texts = {name: value for name, value in sent.items() if isinstance(value, str)}
    if len(texts.get("document", "")) > MAX_CARRIED:
        remedy = "Use tender-risk score"
        raise TooLargeError(Problem(path="", problem="the file is too large for a page", remedy=remedy))
    draft = Draft(
        values=_values(sent),
        stage=next((each for each in STAGES if each == sent.get("stage")), None),
        document=texts.get("document", ""),
        name=texts.get("name", "")[:200],
    )
    return Received(draft, upload, texts)


def _values(sent: FormData) -> dict[str, str]:
    found = {key: value for key in form.BY_KEY if isinstance(value := sent.get(key), str) and value.strip()}
    # Too long is refused beside its field, so it is not cut here.
    return {key: tidy(key, value) if len(value) <= MAX_ENTERED else value for key, value in found.items()}
