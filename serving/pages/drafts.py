"""One tender as it travels between the pages: the form's values, and the OCDS document that filled them.

The server stores nothing, so every page carries the draft in its form. What a user changes is set on the document as
`models.what_if` does, and what they empty is taken out: an unchanged document has the score that /score gives it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.pages.form import MAX_FIELD_CHARACTERS, as_text, form_values, tidy
from tenders.errors import DataError, Problem, TooLargeError
from tenders.facts import STAGES, Stage
from tenders.io import form, xlsx
from tenders.io.detection import document_kind
from tenders.io.read import MAX_BYTES, decode, to_process, to_processes
from tenders.io.text import parse_json
from tenders.overrides import Overrides, override
from tenders.process import Process

MAX_DOCUMENT_CHARACTERS = 2 * 2**20
"""Characters of an OCDS file that travel between the pages; larger files go to the command line or to /score."""
# The form itself, its scenarios, and a document.
MAX_FIELDS = 12 * len(form.FIELDS)
MAX_UNREAD = 20
BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that a CSV is UTF-8."""
CSV = "text/csv; charset=utf-8"


class Draft(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a user has entered. `document` is the JSON text of an OCDS file, blank for a form filled by hand.

    `name` is the name of the file, `notes` are remarks from reading it.
    """

    values: Mapping[str, str] = {}
    stage: Stage | None = None
    document: str = ""
    name: str = ""
    notes: tuple[str, ...] = ()

    def latest_stage(self) -> Stage:
        """The stage to score at: the chosen one, else the latest of which a fact is known. Raises DataError."""
        return self.stage or self.process("awarded").latest_stage()

    def reached_stages(self) -> tuple[Stage, ...]:
        """The stages that the tender has reached. Raises DataError."""
        return tuple(filter(self.process("awarded").has_reached, STAGES))

    def process(self, stage: Stage) -> Process:
        """The tender, to be scored at a stage. Raises DataError with paths into the form or the document."""
        too_long = [key for key, value in self.values.items() if len(value) > MAX_FIELD_CHARACTERS]
        if too_long:
            problem = f"more than {MAX_FIELD_CHARACTERS:,} characters"
            raise DataError([Problem(path=f"/{key}", problem=problem) for key in too_long])
        if self._original is None:
            if not self.values:
                remedy = "Fill what is known; whatever is empty counts as unknown"
                raise DataError.at("", "nothing is filled in", remedy)
            return to_process(dict(self.values))
        known = STAGES[: STAGES.index(stage) + 1]
        changes = {key: value for key, value in self._changes.items() if form.BY_KEY[key].stage in known}
        return override(self._original, changes, stage) if changes else self._original

    @property
    def changed(self) -> Overrides:
        """The entries that the document does not state; all of them without a document. Raises DataError.

        None stands for a fact of the document that was emptied.
        """
        return self._changes if self.document else self.values

    @cached_property
    def _original(self) -> Process | None:
        return to_process(parse_json(self.document)) if self.document else None

    @cached_property
    def _changes(self) -> Overrides:
        if self._original is None:
            return {}
        stated = form_values(self._original.compiled())
        emptied = dict.fromkeys(key for key in stated if key not in self.values)
        return {**emptied, **{key: value for key, value in self.values.items() if value != stated.get(key)}}


class DraftRequest(msgspec.Struct, frozen=True):
    """A posted form: its draft, its file as (name, content), and every text in it by name."""

    draft: Draft
    upload: tuple[str, bytes] | None
    texts: dict[str, str]


async def read_request(request: Request) -> DraftRequest:
    """The draft in a posted form. Raises DataError if it is no form, TooLargeError if no page can carry it."""
    try:
        fields = await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_BYTES)
    except (HTTPException, UnicodeDecodeError):
        raise DataError.at("", "the form cannot be read", "Send it again from this page") from None
    file = fields.get("file")
    upload = (file.filename, await file.read()) if isinstance(file, UploadFile) and file.filename else None
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    if len(texts.get("document", "")) > MAX_DOCUMENT_CHARACTERS:
        problem = Problem(path="", problem="the file is too large for a page", remedy="Use tender-risk score")
        raise TooLargeError(problem)
    draft = Draft(
        values=_entered(fields),
        stage=next((stage for stage in STAGES if stage == fields.get("stage")), None),
        document=texts.get("document", ""),
        name=texts.get("name", "")[:200],
    )
    return DraftRequest(draft, upload, texts)


def _entered(fields: FormData) -> dict[str, str]:
    texts = {key: value for key in form.BY_KEY if isinstance(value := fields.get(key), str) and value.strip()}
    # A text that is too long is refused beside its field, so it is not cut here.
    return {key: tidy(key, text) if len(text) <= MAX_FIELD_CHARACTERS else text for key, text in texts.items()}


def read_upload(name: str, content: bytes) -> Draft:
    """The draft in a file: OCDS, a filled form, or a draft saved earlier. Raises DataError, TooLargeError."""
    document = decode(content, name)
    if isinstance(document, list) and len(document) > 1:
        problem = f"{len(document)} tenders in the file; this page scores one"
        raise DataError.at("", problem, "Use the portfolio page")
    only = document[0] if isinstance(document, list) and document else document
    return msgspec.structs.replace(draft_of(only), name=name)


def draft_of(document: Any) -> Draft:
    """The draft in one decoded document. Raises DataError, TooLargeError."""
    if not isinstance(document, Mapping):
        to_process(document)
    kind = document_kind(document)
    if kind == "kept draft":
        original = draft_of(document["tender"])
        stage = next((stage for stage in STAGES if stage == document.get("stage")), None)
        emptied = [key for key, value in document["set"].items() if value is None]
        values = {key: value for key, value in original.values.items() if key not in emptied}
        return msgspec.structs.replace(original, values={**values, **_form_texts(document["set"])}, stage=stage)
    if kind != "form":
        return _ocds_draft(document)
    values = _form_texts(document)
    if not values:
        to_process(document)
    unread = [str(key)[:80] for key in document if key not in form.BY_KEY][:MAX_UNREAD]
    notes = (f"not part of the score, because the name is unknown: {', '.join(unread)}",) if unread else ()
    return Draft(values=values, notes=notes)


def _ocds_draft(document: Mapping[str, Any]) -> Draft:
    text = msgspec.json.encode(document).decode()
    # Read first: what is wrong with it says more than its size.
    processes = to_processes(document)
    if len(processes) > 1:
        problem = f"{len(processes)} tenders in the file; this page scores one"
        raise DataError.at("", problem, "Use the portfolio page")
    processes[0].compiled()
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        problem = f"{len(text) / 2**20:.1f} MB; a page carries up to {MAX_DOCUMENT_CHARACTERS // 2**20} MB"
        raise TooLargeError(Problem(path="", problem=problem, remedy="Use tender-risk score, or POST /score"))
    return fill_from_document(Draft(document=text))


def fill_from_document(draft: Draft) -> Draft:
    """The draft with the form filled from its document. Raises DataError if that is no tender."""
    original = to_process(parse_json(draft.document))
    return msgspec.structs.replace(draft, values={**form_values(original.compiled()), **draft.values})


def _form_texts(document: Mapping[str, Any]) -> dict[str, str]:
    texts = ((key, as_text(document.get(key))) for key in form.BY_KEY)
    # A text that is too long is refused beside its field, so it is not cut here.
    return {key: tidied for key, text in texts if (tidied := tidy(key, text) if len(text) < 20_000 else text)}


def saved_document(draft: Draft) -> Any:
    """The draft as the file that a user saves: the flat form, or the document with its changes, as /what_if takes it.

    Raises DataError if the document is no tender.
    """
    if not draft.document:
        return dict(draft.values)
    return {"tender": parse_json(draft.document), "set": dict(draft.changed), "stage": draft.stage}


def save_json(request: DraftRequest) -> Response:
    """POST /desk/save.json: the form, or the file with what was changed in it."""
    content = msgspec.json.format(msgspec.json.encode(saved_document(request.draft)), indent=2)
    return _download(content, "tender.json", "application/json")


def save_xlsx(request: DraftRequest) -> Response:
    """POST /desk/save.xlsx: the form's facts; an OCDS file has more."""
    return _download(xlsx.template_xlsx(request.draft.values), "tender.xlsx", xlsx.MEDIA_TYPE)


def save_csv(request: DraftRequest) -> Response:
    """POST /desk/save.csv: the form's facts; an OCDS file has more."""
    return _download(BYTE_ORDER_MARK + xlsx.template_csv(request.draft.values), "tender.csv", CSV)


async def template_xlsx(_: Request) -> Response:
    """GET /template.xlsx."""
    return _download(_template(), "tender-risk-form.xlsx", xlsx.MEDIA_TYPE)


async def template_csv(_: Request) -> Response:
    """GET /template.csv."""
    return _download(BYTE_ORDER_MARK + xlsx.template_csv(), "tender-risk-form.csv", CSV)


@functools.cache
def _template() -> bytes:
    return xlsx.template_xlsx()


def _download(content: bytes | str, name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)
