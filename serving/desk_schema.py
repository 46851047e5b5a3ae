"""Requests and answers of the commissioner's endpoints as OpenAPI sees them: see `serving.schema`."""

from __future__ import annotations

from typing import Any

import bentoml
from pydantic import BaseModel, Field

from serving.schema import as_it_came
from tenders.facts import Stage

TENDER = Field(description="An OCDS release, record or package, or the flat form")
STAGE = Field(None, description="As of which stage; the furthest known one if left out")
SCORE = "What /score answers"


class WhatIfRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """One tender, and what to set otherwise: `set` for one scenario, `scenarios` for several."""

    tender: dict[str, Any] = TENDER
    set: dict[str, Any] | None = Field(None, description="Keys of the flat form with their values")
    scenarios: list[dict[str, Any]] | None = Field(None, description="In place of set: up to 20 of its kind")
    stage: Stage | None = STAGE
    explain: bool = Field(True, description="Whether the scores give their reasons")

    from_http_request = classmethod(as_it_came)


class SuggestRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """One tender."""

    tender: dict[str, Any] = TENDER
    stage: Stage | None = STAGE

    from_http_request = classmethod(as_it_came)


class CompareRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """One tender, and how many cases to name."""

    tender: dict[str, Any] = TENDER
    stage: Stage | None = STAGE
    count: int = Field(6, ge=1, le=50)

    from_http_request = classmethod(as_it_came)


class Scenario(BaseModel):
    """One set of changes."""

    settings: dict[str, Any]
    score: dict[str, Any] = Field(description=SCORE)
    difference: float = Field(description="Failure probability less that of the base; an association, not an effect")


class WhatIfAnswer(bentoml.IODescriptor):  # type: ignore[misc]
    """A tender as it is, and as it would be."""

    ocid: str | None
    stage: Stage
    base: dict[str, Any] = Field(description=SCORE)
    scenarios: list[Scenario]
    note: str
    warnings: list[str]


class Cited(BaseModel):
    """Where a case is described."""

    title: str
    url: str


class Precedent(BaseModel):
    """One case that had what a change would bring."""

    case: str
    name: str
    outcome: str
    account: str
    cohort: str = Field(description="picked, or the rule by which it entered the casebook")
    sources: list[Cited]


class Precedents(BaseModel):
    """Cases for and against a change."""

    cohort: tuple[int, int] = Field(description="Failed and all, of the cohort cases that had it")
    events: int = Field(description="How many programmes and buyers the cohort cases are")
    picked: tuple[int, int] = Field(description="Failed and all, of the picked cases that had it: no rate")
    held: list[Precedent]
    failed: list[Precedent]


class Suggestion(BaseModel):
    """One change or a pair."""

    settings: dict[str, Any] = Field(description="What /what_if takes as set")
    text: str
    failure: float
    difference: float = Field(description="Below 0; an association, not an effect")
    cases: Precedents


class Suggested(bentoml.IODescriptor):  # type: ignore[misc]
    """What goes with a lower failure probability."""

    ocid: str | None
    stage: Stage
    failure: float
    text: str
    single: list[Suggestion] = Field(description="Largest difference first")
    pair: Suggestion | None = Field(description="The best two together, if they do better than one")
    without_effect: list[str] = Field(description="Changes that were tried and do not lower it")
    entangled: list[str] = Field(description="Changes not told apart from what the tender leaves open")
    unweighed: list[str] = Field(description="Changes of facts that the model does not weigh; they were not tried")
    evidence: str
    note: str
    warnings: list[str]


class Likeness(BaseModel):
    """How alike a case is."""

    distance: float = Field(description="0 is the same in every fact")
    shared: int = Field(description="How many facts both state")
    also: list[str]
    unlike: list[str]


class Comparable(BaseModel):
    """One case."""

    case: str
    name: str
    buyer: str
    provider: str
    published: str
    failed: bool
    outcome: str
    outcome_date: str
    account: str
    cohort: str = Field(description="picked, or the rule by which it entered the casebook")
    recalled: bool = Field(description="Whether its end or the reason was partly recalled and not read")
    likeness: Likeness
    sources: list[Cited]


class Compared(bentoml.IODescriptor):  # type: ignore[misc]
    """The nearest cases whose end is known, nearest first."""

    ocid: str | None
    stage: Stage
    cases: list[Comparable]
    note: str
    warnings: list[str]
