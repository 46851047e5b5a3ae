"""One tender as it travels between the pages: the form's values, and the OCDS document they were filled from.

Nothing is stored on the server, so every page carries it in its form. What a user changes of a document's facts is
set on it as `models.what_if` does, and what they empty is taken out, so that an unchanged document has the score that
/score gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from serving.pages.filling import MAX_ENTERED, filled
from tenders.edited import Given, edited
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.read import to_process
from tenders.io.text import parse_json
from tenders.process import Process

MAX_CARRIED = 2 * 2**20
"""Characters of an OCDS file that travel between the pages; larger ones go to the command line or to /score."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a user has entered. `document` is the JSON text of an OCDS file, blank for a form filled by hand.

    `name` is that of the file, `notes` what was said when it was read.
    """

    values: Mapping[str, str] = {}
    stage: Stage | None = None
    document: str = ""
    name: str = ""
    notes: tuple[str, ...] = ()

    def at(self) -> Stage:
        """The stage to score at: as chosen, else the furthest of which there is a fact. Raises DataError."""
        if self.stage:
            return self.stage
        set_here = [form.BY_KEY[key].stage for key, value in self._changes.items() if value is not None]
        return max((*set_here, self.process("awarded").latest_stage()), key=STAGES.index)

    def process(self, stage: Stage) -> Process:
        """The tender, to be scored at a stage. Raises DataError with paths into the form or the document."""
        _check(self.values)
        if self._held is None:
            if not self.values:
                remedy = "Fill what is known; whatever is empty counts as unknown"
                raise DataError.at("", "nothing is filled in", remedy)
            return to_process(dict(self.values))
        known = STAGES[: STAGES.index(stage) + 1]
        changes = {key: value for key, value in self._changes.items() if form.BY_KEY[key].stage in known}
        return edited(self._held, changes, stage) if changes else self._held

    @property
    def changed(self) -> Given:
        """What was entered that the document does not say; all of it without a document. Raises DataError.

        None is a fact of the document that was emptied.
        """
        return self._changes if self.document else self.values

    @cached_property
    def _held(self) -> Process | None:
        return to_process(parse_json(self.document)) if self.document else None

    @cached_property
    def _changes(self) -> Given:
        if self._held is None:
            return {}
        told = filled(self._held.compiled())
        emptied = dict.fromkeys(key for key in told if key not in self.values)
        return {**emptied, **{key: value for key, value in self.values.items() if value != told.get(key)}}


def with_told(draft: Draft) -> Draft:
    """The draft with the form filled from its document. Raises DataError if that is no tender."""
    held = to_process(parse_json(draft.document))
    return msgspec.structs.replace(draft, values={**filled(held.compiled()), **draft.values})


def kept(draft: Draft) -> Any:
    """The draft as the file that a user keeps: the flat form, or the document with what was set, as /what_if takes it.

    Raises DataError if the document is no tender.
    """
    if not draft.document:
        return dict(draft.values)
    return {"tender": parse_json(draft.document), "set": dict(draft.changed), "stage": draft.stage}


def _check(values: Mapping[str, str]) -> None:
    too_long = [key for key, value in values.items() if len(value) > MAX_ENTERED]
    if too_long:
        raise DataError([Problem(path=f"/{key}", problem=f"more than {MAX_ENTERED:,} characters") for key in too_long])
