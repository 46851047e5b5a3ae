"""Requests and answers as OpenAPI and BentoML's clients see them.

For documentation: BentoML's own parsing refuses without JSON paths, takes `1e999` for infinity and drops
unknown fields without a word, so the body goes to `serving.body` as it came.
"""

from __future__ import annotations

from typing import Any

import bentoml
from pydantic import BaseModel, Field
from starlette.requests import Request

from tenders.facts import Stage


class Raw(bentoml.IODescriptor):  # type: ignore[misc]
    """A body as it came."""

    raw: bytes


async def as_it_came(_: type[bentoml.IODescriptor], request: Request, __: object) -> bentoml.IODescriptor:
    """Takes the place of BentoML's parsing of a request."""
    return Raw.model_construct(raw=await request.body())


class ScoreRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """One tender, and how to score it."""

    tender: dict[str, Any] = Field(description="An OCDS release, record or package, or the flat form")
    stage: Stage | None = Field(None, description="As of which stage; the furthest known one if left out")
    explain: bool = Field(True, description="Whether to give the reasons; without them it is faster")

    from_http_request = classmethod(as_it_came)


class ManyRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """Many tenders; a bare list of what /score takes is read too."""

    tenders: list[dict[str, Any]] = Field(description="Each a document, or an object as for /score")
    stage: Stage | None = Field(None, description="For all that state none themselves")
    explain: bool = Field(True, description="For all that don't say themselves")

    from_http_request = classmethod(as_it_came)


class Reason(BaseModel):
    """What moved the probability, by how much, and where it stands in the document."""

    feature: str
    value: float | None
    effect: float = Field(description="Change of the failure probability")
    text: str
    path: str


class Unknown(BaseModel):
    """A feature that could not be measured."""

    feature: str
    why: str


class FactorRecord(BaseModel):
    """How a factor did in the casebook's cohorts."""

    with_: tuple[int, int] = Field(alias="with", description="Failed and all, of the cases that show it")
    without: tuple[int, int] = Field(description="Failed and all, of the cases that do not")
    events: tuple[int, int] = Field(description="How many programmes and buyers those cases are")
    difference: float | None = Field(description="Share failed with it less without it")
    interval: tuple[float, float] | None = Field(description="95 %, cases of one programme and buyer sharing fate")
    verdict: str


class Factor(BaseModel):
    """One documented factor, with its record in the casebook."""

    feature: str
    state: str = Field(description="shown, absent or unknown")
    title: str
    text: str
    stage: Stage = Field(description="The first stage at which it can be known")
    seen_with: str = Field(description="failure or survival, as the sources say")
    sources: list[str]
    cases: FactorRecord


class Place(BaseModel):
    """One thing that is wrong, by its JSON path in the body."""

    path: str
    problem: str
    remedy: str


class Scored(bentoml.IODescriptor):  # type: ignore[misc]
    """The failure probability of one tender, with reasons."""

    ocid: str | None
    stage: Stage
    failure: float = Field(description="Probability that no contract follows or that it ends early")
    interval: tuple[float, float] = Field(description="As wide as the evidence is thin")
    outcomes: dict[str, float | None] = Field(description="no_award, early_end (given an award), single_bid")
    base_rate: float = Field(description="The usual share of failures in the register")
    band: str = Field(description="The probability against the base rate: low, typical, high, very high")
    # `register` is a method of the classes that pydantic makes.
    register_: str = Field(alias="register", description="The register that the score is calibrated for")
    bundle: str = Field(description="The model that scored")
    reasons: list[Reason]
    factors: list[Factor] = Field(description="Documented factors with their records; empty without reasons")
    unknown: list[Unknown]
    warnings: list[str] = Field(description="What was not read, and other remarks")
    evidence: str = Field(description="How much the probability rests on")


class ScoredOrRefused(BaseModel):
    """One entry: what /score answers, or in its place why there is no score."""

    failure: float | None = None
    error: str | None = None
    problems: list[Place] | None = None


def _many() -> list[ScoredOrRefused]:
    raise NotImplementedError


ManyScored = bentoml.IODescriptor.from_output(_many)
