"""The answer, at `/answer`: the number, why, what would lower it, changes to try, look-alikes, what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from models import comparables as comparing
from models import suggest as suggesting
from models import what_if as whatif
from models.factors import CAVEAT
from models.levers import LEVERS
from models.score import Score
from models.suggest import Suggestion
from models.what_if import Scenario
from serving.pages import result, unknown
from serving.pages.drafts import Draft, DraftRequest, score_draft
from serving.pages.form import FormEntry, form_values, label_of, tidy
from serving.pages.rendering import page
from serving.pages.stages import scores_by_stage
from serving.served import served_bundle
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.process import Process

REASONS, CHANGES, CASES, OPEN_FACTS = 5, 3, 3, 3
SMALLEST = 0.001
"""A tenth of a percentage point: less is not shown."""
TRY = "try."
"""What the names of the fields of changes begin with."""
MORE_KEYS = ("value", "single_block", "bidders", "legal_challenge", "legal_vehicle")


class Change(msgspec.Struct, frozen=True):
    """A change that lowers the score, and what its own cases say against it; blank if nothing."""

    suggestion: Suggestion
    against: str


class Tried(msgspec.Struct, frozen=True):
    """What is tried: the fields, each change by itself and all together, and what is wrong, by key."""

    entries: list[tuple[FormEntry, str]]
    scenarios: list[tuple[str, Scenario]]
    problems: Mapping[str, str]


class Before(msgspec.Struct, frozen=True):
    """The version before this one: its score, and what is different, as (label, before, now)."""

    score: Score
    changes: list[tuple[str, str, str]]


def answer_page(request: DraftRequest, back: str = "") -> Response:
    """GET or POST /answer; `back` is the address it was opened from. Raises DataError as scoring does."""
    bundle, draft = served_bundle(), request.draft
    process, score = score_draft(draft, bundle, explain=True)
    suggested = suggesting.suggest_for(bundle, process, score)
    keys, _ = unknown.open_keys(process, score)
    ranges = [fact for fact in unknown.fact_ranges(bundle, process, score, keys) if fact.high - fact.low >= SMALLEST]
    tried = try_changes(request, process, score.stage)
    view = result.result_view(score)
    return page(
        "answer.html",
        HTTPStatus.BAD_REQUEST if tried.problems else HTTPStatus.OK,
        here="/",
        back=back,
        draft=draft,
        score=score,
        result=view,
        sentence=sentence(score, view),
        strip=result.peer_strip(score, bundle, result.served_peers),
        learnt=result.cases_learnt(bundle),
        most=REASONS,
        changes=[Change(item, against(item, score)) for item in suggested.single[:CHANGES]],
        suggestions=suggested,
        cases=comparing.comparables(process, score.stage, CASES),
        cpv_known="cpv" in form_values(process.as_of(score.stage)),
        open_facts=ranges[:OPEN_FACTS],
        untold=[label_of(fact.field.name) for fact in ranges],
        doubts=result.doubts(score.warnings),
        stages=scores_by_stage(bundle, msgspec.structs.replace(draft, stage=None)),
        labels={key: label_of(key) for key in form.BY_KEY},
        tried=tried,
        before=version_before(draft, score),
        factors=result.factor_groups(score),
        caveat=CAVEAT,
        note=whatif.NOTE,
    )


def sentence(score: Score, view: result.ResultView) -> str:
    """The answer in one sentence or two."""
    usual = result.one_in(score.base_rate)
    standing = {
        "low": "This one is less risky than usual",
        "typical": "This one is about as risky as usual",
        "high": "This one is riskier than usual",
        "very high": "This one is much riskier than usual",
    }[score.band]
    raises = score.failure >= score.base_rate
    why = next((line for line in view.lines if line.raises is raises), None)
    because = f", mainly because of this: {why.text}" if why else "."
    return f"{usual} tenders like this fail. {standing}{because}"


def against(suggestion: Suggestion, score: Score) -> str:
    """What the casebook's own cases say against a change; blank if they say nothing against it."""
    failed, count = suggestion.cases.cohort
    if count and failed / count > score.base_rate:
        return f"But of {count} past cases that had it, {failed} failed: more than usual."
    return "" if count else "No past case is known to have had it."


def try_changes(request: DraftRequest, process: Process, stage: Stage) -> Tried:
    """The changes that were entered, each by itself and all together, on a process at a stage."""
    texts = ((key, tidy(key, request.texts.get(f"{TRY}{key}", ""))) for key in form.BY_KEY)
    entered = {key: text.partition(":")[0] if key == "procurement_method" else text for key, text in texts if text}
    problems: dict[str, str] = {}
    scenarios: list[tuple[str, Scenario]] = []
    if entered:
        alone = [{key: value} for key, value in entered.items()]
        settings = [*alone, dict(entered)] if len(alone) > 1 else alone
        try:
            compared = whatif.what_if(served_bundle(), process, settings, stage, explain=False)
            names = [f"{label_of(key)}: {value.replace('_', ' ')}" for key, value in entered.items()]
            scenarios = list(zip([*names, "All of these together"], compared.scenarios, strict=False))
        except DataError as error:
            for problem in error.problems:
                text = f"{problem.problem}. {problem.remedy}" if problem.remedy else problem.problem
                problems.setdefault(problem.path.strip("/").rpartition("/")[2], text)
    stated = form_values(process.as_of(stage))
    known = STAGES[: STAGES.index(stage) + 1]
    keys = dict.fromkeys([*(lever.key for lever in LEVERS), *MORE_KEYS, *entered])
    entries = [
        (FormEntry(form.BY_KEY[key], entered.get(key, ""), problems.get(key, "")), stated.get(key, ""))
        for key in keys
        if form.BY_KEY[key].stage in known or key in entered
    ]
    return Tried(entries, scenarios, problems)


def version_before(draft: Draft, score: Score) -> Before | None:
    """The version before this one with its score; None if there is none that can be scored."""
    previous = draft.previous()
    if previous is None:
        return None
    try:
        _, scored = score_draft(previous, served_bundle())
    except DataError:
        return None
    keys = [key for key in form.BY_KEY if previous.values.get(key, "") != draft.values.get(key, "")]
    changes = [(label_of(key), previous.values.get(key, ""), draft.values.get(key, "")) for key in keys]
    return Before(scored, changes)
