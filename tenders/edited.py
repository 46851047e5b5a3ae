"""A process with some facts set otherwise, as if they had been so from the start.

The facts are given as keys of the flat form, whether the process came as OCDS or as a form. They are set on the tender
as it is compiled for a moment, not in the notices: a notice set otherwise would look like a change after publication.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any

import msgspec

from tenders import clearing, settings, stages
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.fields import Field, parsed
from tenders.io.ocds import to_tender
from tenders.process import Process, plain
from tenders.tender import Tender

Given = Mapping[str, Any]
"""Keys of the flat form with their values as somebody wrote them; None makes a fact unknown."""


class Edited(Process, frozen=True, kw_only=True, dict=True):
    """The process `of` with `given` facts in place of its own. Reasons still point into what the user gave."""

    of: Process
    given: Given

    def compiled(self) -> Tender:
        """Everything known today, with the given facts."""
        return self._changed

    def _at(self, moment: Stage | date) -> Tender:
        before = self.of.as_of(moment)
        # Most drafts hold nothing that comes later: what is set is set once.
        after = self._changed if before == self.of.compiled() else changed(plain(before), self.given)
        return stages.as_of(after, moment)

    @cached_property
    def _changed(self) -> Tender:
        return changed(self.of.document, self.given)


def edited(process: Process, given: Given, stage: Stage) -> Edited:
    """The process with `given` facts, to be scored at a stage.

    Raises DataError with one problem a key that is no key of the form, has a blank or a wrong value, or is known only
    after the stage.
    """
    problems = [problem for key, value in given.items() if (problem := _wrong(key, value, stage))]
    if problems:
        raise DataError(problems)
    made = Edited(
        releases=process.releases,
        where=process.where,
        warnings=process.warnings,
        form=process.form,
        typed=process.typed,
        of=process,
        given=dict(given),
    )
    made.as_of(stage)
    return made


def changed(document: settings.Json, given: Given) -> Tender:
    """The tender of a document with the given facts. Raises DataError whose paths are keys of the form."""
    stated = {key: value for key, value in given.items() if value is not None}
    fresh, _ = form.release(stated)
    # All through: what is set is set in the copy alone.
    document = msgspec.to_builtins(document)
    clearing.clear(document, given.keys() - stated.keys())
    settings.apply(document, fresh, stated)
    try:
        return to_tender(document)
    except DataError as error:
        raise DataError([msgspec.structs.replace(p, path=form.key_of(p.path)) for p in error.problems]) from None


def _wrong(key: str, value: Any, stage: Stage) -> Problem | None:
    field = form.BY_KEY.get(key)
    if field is None:
        close = difflib.get_close_matches(key[:80], form.BY_KEY, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Use a key of the form, see docs/form.md"
        return Problem(path=f"/{key[:80]}", problem="there is no such fact to set", remedy=remedy)
    if value is None:
        return None
    if _is_blank(field, value):
        return Problem(path=f"/{key}", problem="there is no value to set it to", remedy=field.help)
    if STAGES.index(field.stage) > STAGES.index(stage):
        problem = f"known at {field.stage} only, and this is scored at {stage}"
        return Problem(path=f"/{key}", problem=problem, remedy=f"Score it at the stage {field.stage}")
    return None


def _is_blank(field: Field, value: Any) -> bool:
    try:
        return parsed(field, value) is None
    except ValueError:
        # Wrong, not blank: the form says how.
        return False
