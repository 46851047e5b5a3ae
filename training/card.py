"""The model card: what the model saw, how it was judged, what it must not be used for. No section is ever empty."""

from __future__ import annotations

import msgspec

from features.catalogue import catalogue
from models.bundle import Bundle
from training import register_card
from training.recipe import Recipe
from training.result import Result
from training.validate import Figures


def evidence(cohort: Figures, picked: Figures) -> str:
    """How thin the evidence is, in one sentence that stands next to every score."""
    low, high = cohort.auc_ci
    verdict = "so it may be no better than chance" if low <= 0.5 else "so it is better than chance"
    return (
        f"Thin evidence: {cohort.n + picked.n} UK cases. On the {cohort.n} that were not picked by how they "
        f"ended, it puts one that failed above one that held {cohort.auc:.0%} of the time (95% interval {low:.0%} to "
        f"{high:.0%}; a coin gives 50%), {verdict}. Most of this number is the base rate."
    )


def carded(result: Result) -> Bundle:
    """The bundle with its card, and with those of its registers."""
    bundle, learnt = result.bundle, result.registers
    registers = register_card.carded(learnt) if learnt else bundle.registers
    return msgspec.structs.replace(bundle, card=card(result), registers=registers)


def card(result: Result) -> str:
    """The card in Markdown."""
    return (
        "\n\n".join(
            [
                "# Model card: Tender Risk, UK",
                _what(result),
                _seen(result),
                "## How it was judged\n\n" + _judged(result),
                _figures(result),
                "## What the models read\n\n" + _features(result),
                *_others(result),
                USE,
            ]
        )
        + "\n"
    )


def _what(result: Result) -> str:
    return (
        "## What it is\n\nProbabilities that a UK tender ends with no award, or that its contract ends early because it does not "
        "work, at draft, with bids in, and at award; beside them, at draft, that it draws a single bid. One XGBoost "
        f"model an outcome and stage, {result.recipe.trees} trees of depth {result.recipe.depth}, monotone in every feature: "
        "the direction of each was set beforehand, from what the field holds.\n\n" + _grown_on(result.recipe)
    )


def _grown_on(recipe: Recipe) -> str:
    if recipe.learnt:
        return (
            f"The trees are grown on the cases' own outcomes for {recipe.learnt:.0%}, and for the rest on what these directions let "
            "expect, each weighed alike."
        )
    return (
        "Which of two tenders is the riskier is not learnt from the casebook: the trees of failure are grown on what these directions "
        "let expect, each weighed alike. How the cases ended sets the level and the spread of the probabilities, and is read in "
        "track records. The same trees grown on how the cases ended (`XGBoost_learnt` below) order the cohort cases worse: they are of "
        "some thirty programmes, and what one shows misleads about the next. That this is so was seen on the cases that judge it. "
        "The model of a single bid is learnt: the directions say nothing of that."
    )


def _seen(result: Result) -> str:
    source = result.bundle.manifest.data[0]
    draft = result.failure["draft"]
    return (
        f"## What it saw\n\n{source.rows} dated cases of the casebook, published {source.first} to {source.last} "
        f"(sha256 {source.sha256[:16]}…). Failure is known of {draft['cohort'].n} cohort cases "
        f"({draft['cohort'].positives} failed) and {draft['picked'].n} picked ones ({draft['picked'].positives} failed). "
        "Picked cases entered because something is known about them; their share of failures says nothing about tenders at large. "
        "Contracts too recent to have failed are left out of early_end and of failure. Many facts and part of the outcomes "
        "are from memory or from thin sources, as the casebook says row by row."
    )


def _judged(result: Result) -> str:
    recipe = result.recipe
    return (
        f"{_blind(recipe)}Out of fold, {recipe.folds} parts, {recipe.repeats} times with other parts, the mean margin judged. Cases of "
        "one programme or one buyer, or linked by either, are never on both sides. Probabilities are calibrated on cohort rows only, by a line whose "
        "slope cannot be negative, fitted without the row's own group. Intervals are 95 %, resampling programmes and buyers. "
        "What ended by one decision (the probation contracts) counts as one case.\n\n"
        "The model cannot learn from what is missing: unknown facts are drawn from other cases, blind to the outcome, and facts "
        "are hidden at random. `tests/training/test_fit.py` shows it: where only the pattern of missing facts tells "
        "the outcome, this model's AUC stays near 0.5 and a plain one's is near 1.\n\n"
        "The track records that the features read are replayed in time order and know nothing resolved on or after a tender's "
        "publication; they do hold outcomes of groups that a fold holds out, where those were known by then."
    )


def _blind(recipe: Recipe) -> str:
    if recipe.learnt:
        return ""
    return "How the models of failure order cases is judged as it is, for they have learnt of no outcome. All else:\n\n"


def _figures(result: Result) -> str:
    head = "| outcome | stage | model | rows | positives | base rate | AUC (95 %) | average precision | Brier (base rate's) | ECE |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for (outcome, stage), each in result.trained.items():
        for name, kinds in {"XGBoost": each.model, **each.baselines}.items():
            lines += [_line(outcome, stage, f"{name}, {kind}", figures) for kind, figures in kinds.items()]
    for stage, kinds in result.failure.items():
        for name, each_kind in {"XGBoost": kinds, **result.headline[stage].baselines}.items():
            lines += [_line("failure", stage, f"{name}, {kind}", figures) for kind, figures in each_kind.items()]
    return "## Figures\n\nPrinted by `tender-risk train`.\n\n" + "\n".join(lines)


def _line(outcome: str, stage: str, name: str, f: Figures) -> str:
    brier = "–" if f.brier is None else f"{f.brier:.3f} ({f.brier_of_base_rate:.3f})"
    ece = "–" if f.ece is None else f"{f.ece:.3f}"
    return (
        f"| {outcome} | {stage} | {name} | {f.n} | {f.positives} | {f.base_rate:.3f} | {f.auc:.2f} ({f.auc_ci[0]:.2f} to "
        f"{f.auc_ci[1]:.2f}) | {f.average_precision:.2f} | {brier} | {ece} |"
    )


def _features(result: Result) -> str:
    known = catalogue()
    names = dict.fromkeys(name for each in result.trained.values() for name in each.table.names)
    sign = {1: "more is riskier", -1: "more is safer", 0: "the data decide"}
    return "\n".join(f"- {known[name].label} (`{name}`): {sign[known[name].direction]}." for name in names) + (
        "\n\nEvery other feature of the catalogue has too few known values in the casebook."
    )


def _others(result: Result) -> list[str]:
    if not result.registers:
        return []
    lines = [register_card.link(name, result.registers) for name in result.bundle.registers]
    text = "The bundle holds models of other registers, each with a card of its own. None of them has seen a UK tender."
    return [f"## Other registers\n\n{text}\n\n" + "\n".join(lines)]


USE = """## What it is for, and what not

For a commissioner: to see which stated facts of a draft speak for and against it, beside a base rate that is worth more than the
model. For an auditor: a start for questions, never a finding.

It must not be used to reject a bidder, to judge a person or an adviser, to decide alone on any tender, to claim that changing a
fact changes the outcome (these are associations), or outside the UK. It does not detect corruption. It
knows nothing of tenders unlike those in the casebook: mostly large services of health bodies, ministries and councils."""
