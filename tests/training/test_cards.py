"""Every register has a card that leaves no section empty, gives no figure of a small group, and repeats to the byte."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest

from models.bundle import ANY, PICTURES
from training.cards import add_register_cards, register_credit, register_title
from training.registers import RegistersResult
from training.results import TrainingResult
from training.uk_card import add_cards

SECTIONS = (
    "What it is",
    "What it saw",
    "How it was judged",
    "Figures",
    "Precision at capacity",
    "Results by group: no_award at draft",
    "Reliability",
    "Its own, pooled, and left out",
    "What each theme adds",
    "What the models read",
    "Use and misuse",
)


@pytest.fixture(scope="module")
def cards(registers_result: RegistersResult) -> dict[str, str]:
    """The cards by register."""
    return {name: bundle.card for name, bundle in add_register_cards(registers_result).items()}


def test_every_register_has_every_section_and_none_is_empty(cards: dict[str, str]) -> None:
    assert set(cards) == {"made", "other", ANY}
    for name in ("made", "other"):
        parts = re.split(r"^## ", cards[name], flags=re.M)[1:]
        assert tuple(part.split("\n")[0] for part in parts) == SECTIONS
        assert all(len(part.split("\n", 1)[1].strip()) > 40 for part in parts)
    assert "made, a history that you gave" in cards["made"]


def test_the_figures_are_those_of_training(cards: dict[str, str], registers_result: RegistersResult) -> None:
    for figures in registers_result.metrics:
        assert f"{figures.auc:.3f} ({figures.auc_ci[0]:.3f} to {figures.auc_ci[1]:.3f})" in cards[figures.register]
        assert f"| {figures.coverage:.0%} |" in cards[figures.register]
    for pooled in registers_result.pooled:
        for score in pooled.scores:
            line = f"| {score.register} | {score.outcome} | {score.kind} | {score.n:,} | {score.auc:.3f}"
            # The casebook judges the pool, and has a card of its own kind.
            assert line in cards.get(score.register, line) and line in cards[ANY]


def test_precision_at_capacity_counts_the_top(registers_result: RegistersResult, cards: dict[str, str]) -> None:
    forecasts = next(part for part in registers_result.forecasts if part.register == "made")
    top = forecasts.y[np.argsort(-forecasts.p, kind="stable")[:20]].mean()
    assert f"| no_award, draft | {top:.0%} |" in cards["made"]


def test_small_groups_have_no_figures(registers_result: RegistersResult) -> None:
    few = tuple(
        msgspec.structs.replace(
            forecasts, groups={**forecasts.groups, "category": np.where(np.arange(len(forecasts.p)) < 99, "rare", "common")}
        )
        for forecasts in registers_result.forecasts
    )
    text = add_register_cards(msgspec.structs.replace(registers_result, forecasts=few))["made"].card
    assert "| Category: rare | 99 | too few | – | – | – |" in text
    assert re.search(r"\| Category: common \| \d+ \| \d+ \| 0\.\d+", text)


def test_pictures_are_self_contained_and_repeat(registers_result: RegistersResult) -> None:
    one, two = (add_register_cards(registers_result) for _ in range(2))
    for name in ("made", "other"):
        picture = one[name].pictures[PICTURES[0]]
        assert picture == two[name].pictures[PICTURES[0]]
        assert picture.startswith(b"<?xml") and b"<image" not in picture and b"<script" not in picture
        assert not re.search(rb"20\d\d-\d\d-\d\d", picture)
        assert f"]({PICTURES[0]})" in one[name].card
    assert not one[ANY].pictures


def test_the_top_card_leads_to_the_others(result: TrainingResult, registers_result: RegistersResult) -> None:
    bundle = msgspec.structs.replace(result.bundle, registers=registers_result.bundles)
    text = add_cards(msgspec.structs.replace(result, bundle=bundle, registers=registers_result)).card
    for name in registers_result.bundles:
        assert f"({name}/MODEL_CARD.md)" in text
    assert "Other registers" not in result.bundle.card


def test_every_register_is_attributed() -> None:
    for name in ("sicoes_bo", "placsp_es", "dncp_py", "nicgep_in", "fpds_dod_us", "ted_de"):
        assert "github.com/" in register_credit(name) and register_title(name) != name
