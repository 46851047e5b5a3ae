"""One tender as it travels between the pages: the form's values, and the OCDS document that filled them.

The server stores nothing, so every page carries the draft in its address: Back, refresh and a bookmark show the same
page again. A draft too long for an address is posted, and so is every one where keys are required or TENDER_RISK_DRAFTS
says `body`: addresses stand in histories and in the logs of proxies. What a user changes is set on the document as
`models.what_if` does, and what they empty is taken out: an unchanged document has the score that /score gives it.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import unicodedata
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models import score as scoring
from models.bundle import Bundle
from models.score import Score
from serving.key_file import has_keys
from serving.pages.form import MAX_FIELD_CHARACTERS, as_text, form_values, tidy
from tenders.errors import DataError, Problem, TooLargeError, UsageError
from tenders.facts import STAGES, Stage
from tenders.io import form, xlsx
from tenders.io.detection import document_kind
from tenders.io.ocds import json_type
from tenders.io.read import MAX_BYTES, decode, to_process, to_processes
from tenders.io.text import parse_json
from tenders.overrides import Overrides, override
from tenders.process import Process

MAX_DOCUMENT_CHARACTERS = 2 * 2**20
"""Characters of an OCDS file that travel between the pages; larger files go to the command line or to /score."""
# The form itself, its scenarios, and a document.
MAX_FIELDS = 12 * len(form.FIELDS)
MAX_UNREAD = 20
DRAFTS, ADDRESS, BODY = "TENDER_RISK_DRAFTS", "address", "body"
MAX_ADDRESS = 48_000
"""Characters of an address: servers take 64 KB of it with all headers."""
BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that a CSV is UTF-8."""
CSV = "text/csv; charset=utf-8"


def draft_place(environment: Mapping[str, str] = os.environ) -> str:
    """Where pages put drafts: ADDRESS, or BODY. Raises UsageError for another word.

    Where nothing is set it is BODY if the service has keys, because then others reach it.
    """
    chosen = environment.get(DRAFTS, "").strip().lower()
    if chosen not in ("", ADDRESS, BODY):
        raise UsageError(f"{DRAFTS}: expected {ADDRESS} or {BODY}, got {chosen[:40]!r}")
    return chosen or (BODY if has_keys(environment) else ADDRESS)


class Draft(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a user has entered. `document` is the JSON text of an OCDS file, blank for a form filled by hand.

    `name` is the name of the file, `notes` are remarks from reading it. `last` packs the version before this one, which
    it is compared with, and `text` the text that was pasted to find facts in.
    """

    values: Mapping[str, str] = {}
    stage: Stage | None = None
    document: str = ""
    name: str = ""
    notes: tuple[str, ...] = ()
    last: str = ""
    text: str = ""

    def carried(self) -> dict[str, str]:
        """What a page sends on, by the names of its fields."""
        packed = {"d": pack(self.document) if self.document else "", "text": pack(self.text) if self.text else ""}
        name = self.name if self.document else ""
        fields = {**self.values, "stage": self.stage or "", **packed, "name": name, "last": self.last}
        return {name: value for name, value in fields.items() if value}

    @functools.cached_property
    def address(self) -> str:
        """What a page sends on, as the query of an address."""
        return urlencode(self.carried())

    @property
    def method(self) -> str:
        """How a page sends it on: get, or post where addresses hold no drafts or it is too long for one."""
        return "get" if draft_place() == ADDRESS and len(self.address) <= MAX_ADDRESS else "post"

    def version(self) -> str:
        """This version, packed: the next one is compared with it."""
        return pack(msgspec.json.encode({"values": dict(self.values), "stage": self.stage}).decode())

    def previous(self) -> Draft | None:
        """The version before this one, of the same document; None if there is none, or it is not whole."""
        if not self.last:
            return None
        try:
            kept = msgspec.json.decode(unpack(self.last), type=_Version)
        except (DataError, msgspec.DecodeError):
            return None
        values = {key: value for key, value in kept.values.items() if key in form.BY_KEY}
        same = values == self.values and kept.stage == self.stage
        return None if same else Draft(values=values, stage=kept.stage, document=self.document, name=self.name)

    @property
    def title(self) -> str:
        """What the tender is called."""
        return self.values.get("title") or self.name or "Your tender"

    def file_name(self, suffix: str) -> str:
        """The name of a file that keeps it, after its title."""
        plain = unicodedata.normalize("NFKD", self.values.get("title", "")).encode("ascii", "ignore").decode().lower()
        words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
        return f"{words or 'tender'}{suffix}"

    def latest_stage(self) -> Stage:
        """The stage to score at: the chosen one, else the latest of which a fact is known. Raises DataError."""
        return self.stage or self.process("awarded").latest_stage()

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


class _Version(msgspec.Struct, frozen=True):
    values: dict[str, str]
    stage: Stage | None = None


def pack(text: str) -> str:
    """A text, compressed, in letters that an address may have."""
    return base64.urlsafe_b64encode(zlib.compress(text.encode("utf-8", "surrogatepass"), 9)).decode()


def unpack(packed: str) -> str:
    """The text that was packed. Raises DataError if it is none, TooLargeError if it is larger than pages carry."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.urlsafe_b64decode(packed), MAX_DOCUMENT_CHARACTERS + 1)
        text = data.decode("utf-8", "surrogatepass")
    except (ValueError, zlib.error):
        raise DataError.at("", "the address is not whole", "Begin again from the first page") from None
    if unpacker.unconsumed_tail or len(text) > MAX_DOCUMENT_CHARACTERS:
        raise _too_large()
    return text


class DraftRequest(msgspec.Struct, frozen=True):
    """A posted form: its draft, its file as (name, content), and every text in it by name."""

    draft: Draft
    upload: tuple[str, bytes] | None
    texts: dict[str, str]


async def read_request(request: Request) -> DraftRequest:
    """The draft in an address or a posted form. Raises DataError, TooLargeError if no page carries it."""
    upload = None
    fields: Mapping[str, Any] = request.query_params
    if request.method == "POST":
        try:
            posted = await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_BYTES)
        except (HTTPException, UnicodeDecodeError):
            raise DataError.at("", "the form cannot be read", "Send it again from this page") from None
        file = posted.get("file")
        upload = (file.filename, await file.read()) if isinstance(file, UploadFile) and file.filename else None
        fields = posted
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    document, text = texts.get("document", ""), texts.get("prose", "")
    if len(document) > MAX_DOCUMENT_CHARACTERS:
        raise _too_large()
    draft = Draft(
        values=_entered(texts),
        stage=next((stage for stage in STAGES if stage == texts.get("stage")), None),
        document=document or (unpack(texts["d"]) if texts.get("d") else ""),
        name=texts.get("name", "")[:200],
        last=texts.get("last", ""),
        text=text.strip() or (unpack(texts["text"]) if texts.get("text") else ""),
    )
    return DraftRequest(draft, upload, texts)


def _too_large() -> TooLargeError:
    return TooLargeError(Problem(path="", problem="the file is too large for a page", remedy="Use tender-risk score"))


def _entered(fields: Mapping[str, str]) -> dict[str, str]:
    texts = {key: value for key in form.BY_KEY if (value := fields.get(key, "")).strip()}
    route, _, details = texts.get("procurement_method", "").partition(":")
    if details:
        # A route of UK law is a method of OCDS and the name of the procedure.
        texts |= {"procurement_method": route, "procurement_method_details": details}
    # A text that is too long is refused beside its field, so it is not cut here.
    return {key: tidy(key, text) if len(text) <= MAX_FIELD_CHARACTERS else text for key, text in texts.items()}


def read_upload(name: str, content: bytes) -> Draft:
    """The draft in a file: OCDS, a filled form, or a draft saved earlier. Raises DataError, TooLargeError."""
    document = decode(content, name)
    if isinstance(document, list) and len(document) > 1:
        problem = f"{len(document)} tenders in the file; this page scores one"
        raise DataError.at("", problem, "Use the portfolio page")
    if document == []:
        raise DataError.at("", "the form is empty", "Fill in what is known, such as title, value and term")
    only = document[0] if isinstance(document, list) and document else document
    return msgspec.structs.replace(draft_of(only), name=name)


def draft_of(document: Any) -> Draft:
    """The draft in one decoded document. Raises DataError, TooLargeError."""
    if not isinstance(document, Mapping):
        raise DataError.at("", f"expected an object, got {json_type(document)}", "Give one tender")
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


def saved_bytes(draft: Draft) -> bytes:
    """The file that a user saves, whose digest the audit trail has. Raises DataError as `saved_document`."""
    return msgspec.json.format(msgspec.json.encode(saved_document(draft)), indent=2)


def score_draft(draft: Draft, bundle: Bundle, explain: bool = False) -> tuple[Process, Score]:
    """The tender of a draft at its latest stage, and its score, with reasons or without. Raises DataError."""
    stage = draft.latest_stage()
    process = draft.process(stage)
    return process, scoring.score(bundle, process, stage, explain)


def score_saved(content: bytes, stage: Stage | None, bundle: Bundle) -> Score:
    """The score of a draft as it was saved, without reasons; None is the latest stage. Raises DataError."""
    return score_draft(msgspec.structs.replace(read_upload("draft.json", content), stage=stage), bundle)[1]


def save_json(request: DraftRequest) -> Response:
    """POST /desk/save.json: the form, or the file with what was changed in it."""
    return _download(saved_bytes(request.draft), request.draft.file_name(".json"), "application/json")


def save_xlsx(request: DraftRequest) -> Response:
    """POST /desk/save.xlsx: the form's facts; an OCDS file has more."""
    return _download(xlsx.template_xlsx(request.draft.values), request.draft.file_name(".xlsx"), xlsx.MEDIA_TYPE)


def save_csv(request: DraftRequest) -> Response:
    """POST /desk/save.csv: the form's facts; an OCDS file has more."""
    return _download(BYTE_ORDER_MARK + xlsx.template_csv(request.draft.values), request.draft.file_name(".csv"), CSV)


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
