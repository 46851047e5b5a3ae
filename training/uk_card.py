"""The card of the UK's models and its pictures: the layers of evidence, the classes, and how they were judged."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.figure import Figure

from features.catalogue import catalogue
from features.feature import THEMES, Theme
from models.bundle import Bundle
from models.effects import LAYERS, Estimate, FactorEffect, OutcomeEffect
from tenders import casebook
from tenders.facts import Stage
from training.cards import add_register_cards, markdown_table, register_title
from training.datasets import Casebook
from training.evidence.documented import evidence as documents
from training.recipe import Recipe
from training.registers import RegistersResult, manifest_metrics
from training.results import CaseCounts, TrainingResult
from training.validate import CasebookFit, CasebookMetrics

UNPROVEN = 0.5
"""The AUC of a coin: while the interval holds it, the order is not proven."""
MARKS: Mapping[str, tuple[str, str]] = {
    "documented": ("o", "#8a6d3b"),
    "registers": ("s", "#31708f"),
    "cases": ("^", "#777777"),
    "pooled": ("D", "#111111"),
}
"""The mark and colour of each layer in a forest plot."""
WIDEST = (0.2, 5.0)
"""Odds ratios that a forest plot shows; an interval that goes on is cut there."""


def add_cards(result: TrainingResult) -> Bundle:
    """The bundle of a run with its card and forest plots, and with the cards of its registers."""
    made = result.registers is not None and not result.registers.kept
    registers = add_register_cards(result.registers) if result.registers and made else result.bundle.registers
    pictures = forest_plots(result.bundle.manifest.effects)
    return msgspec.structs.replace(result.bundle, card=uk_card(result), registers=registers, pictures=pictures)


def case_counts(book: Casebook) -> CaseCounts:
    """How many cases there are, and of how many it is known whether they failed: the one set of counts."""
    y = book.labels("failure")
    known = ~np.isnan(y)
    return CaseCounts(
        researched=len(casebook.cases()),
        dated=len(book.cases),
        cohort=int((known & ~book.picked).sum()),
        picked=int((known & book.picked).sum()),
        failed=int(np.nansum(y[known & ~book.picked])),
    )


def evidence_line(headline: Mapping[Stage, CasebookFit], counts: CaseCounts) -> str:
    """What the number rests on and what it is worth, in sentences that stand beside every score."""
    cohort = headline["draft"].metrics["cohort"]
    low, high = cohort.auc_ci
    return (
        f"The level is the rate of its class; facts move it by what documents, other registers and, a little, "
        f"{counts.cohort} UK cases not picked by how they ended say of them. On these, forecast without their own group, it "
        f"{_worth(cohort)}. It puts one that failed above one that held {cohort.auc:.0%} of the time "
        f"(95% interval {low:.0%} to {high:.0%}; a coin gives 50%): {_order(cohort)}."
    )


def _worth(cohort: CasebookMetrics) -> str:
    skill = cohort.brier_skill or 0.0
    if abs(skill) < 0.005:
        return "forecasts as well as the class rate alone (Brier skill 0.00)"
    return f"forecasts {'better' if skill > 0 else 'worse'} than the class rate alone (Brier skill {skill:+.2f})"


def _order(cohort: CasebookMetrics) -> str:
    return "that order is not proven" if cohort.auc_ci[0] <= UNPROVEN else "better than chance"


def uk_card(result: TrainingResult) -> str:
    """The card in Markdown."""
    sections = [
        "# Model card: Tender Risk, UK",
        WHAT_IT_IS + "\n\n" + _beyond(result),
        _data(result),
        _classes(result),
        _effects(result),
        _judged(result.recipe),
        _figures(result),
        *(_other_registers(result.registers, result.bundle) if result.registers else ()),
        USE,
    ]
    return "\n\n".join(sections) + "\n"


def _beyond(result: TrainingResult) -> str:
    rows = [
        f"{outcome} | {stage} | {fit.beyond.trees} | {fit.beyond.gain:+.4f} | {fit.beyond.error:.4f} | "
        f"{'yes' if fit.beyond.kept else 'no'}"
        for (outcome, stage), fit in result.fits.items()
        if fit.beyond
    ]
    head = "outcome | stage | trees | gain in log loss a case | standard error | grown"
    kept = sum(fit.beyond.kept for fit in result.fits.values() if fit.beyond)
    says = (
        "XGBoost adds nothing to these models: at no outcome and stage did trees on top gain more than their standard error."
        if not kept
        else f"XGBoost adds to {kept} of {len(rows)} models, where trees on top gained more than their standard error."
    )
    return f"{says} Each line is the best of the numbers of trees that were tried, on groups held out.\n\n{markdown_table(head, rows)}"


def _data(result: TrainingResult) -> str:
    counts, source = result.counts, result.bundle.manifest.data[0]
    others = "".join(
        f"\n- {register_title(source.name)}: {source.rows:,} rows, published {source.first} to {source.last} (sha256 {source.sha256[:16]}…)"
        for source in result.bundle.manifest.data[1:]
    )
    return (
        f"## What it saw\n\n- {counts.researched} researched cases of the casebook. {counts.dated} of them have a date "
        f"({source.first} to {source.last}; sha256 {source.sha256[:16]}…). Of {counts.known} of these it is known whether they failed: "
        f"{counts.cohort} entered by a rule ({counts.failed} failed) and {counts.picked} were picked. All figures below are of the "
        f"{counts.cohort}, or of those among them of which the outcome in question is known.{others}\n\n"
        "Picked cases are in the casebook because something is known about them, so their share of failures says nothing about "
        "tenders at large. Contracts too recent to have failed are left out of early_end and of failure. Many facts, and some "
        "outcomes, come from memory or from thin sources; the casebook says so row by row."
    )


def _classes(result: TrainingResult) -> str:
    rows = [
        f"{outcome} | {name} | {100 * rate.rate:.1f} % | {_likely(rate.rate, rate.spread)} | "
        f"{f'{rate.positives} of {rate.cases}' if rate.cases else '–'} | {rate.basis}"
        for outcome, classes in result.bundle.manifest.rates.items()
        for name, rate in classes.items()
    ]
    return (
        f"## Reference classes\n\n{CLASSES}\n\n{markdown_table('outcome | class | rate | 95 % | counted | from', rows)}"
    )


def _likely(rate: float, spread: float) -> str:
    low, high = (1 / (1 + math.exp(-(math.log(rate / (1 - rate)) + z * spread))) for z in (-1.96, 1.96))
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _effects(result: TrainingResult) -> str:
    rows = list(effect_rows(result.bundle.manifest.effects))
    pictures = "\n\n".join(
        f"![{theme}](effects-{theme}.svg)" for theme in plotted_themes(result.bundle.manifest.effects)
    )
    silent = ", ".join(sorted(f"`{name}`" for name in without_effect(result.bundle.manifest.effects)))
    head = "factor | outcome | unit | documented | registers | UK cases | pooled | counts"
    return (
        f"## Effects of factors\n\n{EFFECTS}\n\n{markdown_table(head, rows)}\n\n{pictures}\n\n"
        f"No effect is known of these listed factors on some outcome or any: {silent or 'none'}. Facts that no factor reads move nothing."
    )


def effect_rows(effects: Sequence[FactorEffect]) -> Iterator[str]:
    """The layers of each factor and outcome as rows of a table: odds ratios with 95 % intervals."""
    known = catalogue()
    for effect in effects:
        for outcome, of_outcome in effect.outcomes.items():
            layers = [_words(getattr(of_outcome, layer)) for layer in (*LAYERS, "pooled")]
            counts = "held at none" if of_outcome.held else "large services" if of_outcome.only_large else "yes"
            yield f"{known[effect.feature].label} | {outcome} | {effect.unit} | {' | '.join(layers)} | {counts}"


def _words(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.interval
    return f"{estimate.odds_ratio:.2f} ({low:.2f} to {high:.2f})"


def without_effect(effects: Sequence[FactorEffect]) -> set[str]:
    """The features that `factors.toml` lists and that no layer says anything of."""
    return {factor.feature for factor in documents().factors} - {effect.feature for effect in effects}


def plotted_themes(effects: Sequence[FactorEffect]) -> list[Theme]:
    """The themes that have factors with effects."""
    known = catalogue()
    return [theme for theme in THEMES if any(known[effect.feature].theme == theme for effect in effects)]


def forest_plots(effects: Sequence[FactorEffect]) -> dict[str, bytes]:
    """A forest plot of the layers for each theme, as SVG by file name."""
    known = catalogue()
    return {
        f"effects-{theme}.svg": forest_plot(
            theme,
            [
                (f"{known[effect.feature].label}, {outcome}", of_outcome)
                for effect in effects
                if known[effect.feature].theme == theme
                for outcome, of_outcome in effect.outcomes.items()
            ],
        )
        for theme in plotted_themes(effects)
    }


def forest_plot(theme: str, rows: Sequence[tuple[str, OutcomeEffect]]) -> bytes:
    """The layers of each row as odds ratios with their intervals, on a logarithmic scale."""
    with mpl.rc_context({"svg.hashsalt": theme, "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(7.5, 0.9 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, (layer, (mark, colour)) in enumerate(MARKS.items()):
            height = (1.5 - place) * 0.18
            known = [(len(rows) - 1 - row + height, getattr(of_outcome, layer)) for row, (_, of_outcome) in enumerate(rows)]
            points = [(y, estimate.odds_ratio, *estimate.interval) for y, estimate in known if estimate]
            if points:
                y, middle, low, high = (np.array(column) for column in zip(*points, strict=True))
                axes.errorbar(
                    np.clip(middle, *WIDEST),
                    y,
                    xerr=np.abs(np.clip([low, high], *WIDEST) - np.clip(middle, *WIDEST)),
                    fmt=mark,
                    color=colour,
                    markersize=4,
                    linewidth=0.8,
                    label=layer,
                )
        axes.axvline(1, color="0.7", linewidth=0.8)
        axes.set(xscale="log", xlim=WIDEST, xlabel="odds ratio, 95 %", ylim=(-0.6, len(rows) - 0.4))
        axes.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.9 / len(rows) ** 0.5 / 4), ncols=4, frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _judged(recipe: Recipe) -> str:
    return (
        f"## How it was judged\n\nOut of fold: {recipe.folds} stratified folds, repeated {recipe.repeats} times with other folds, and the "
        "mean log-odds judged. Cases of one programme or one buyer, or linked by either, are never on both sides. From fold to fold "
        "the rates of large services and the layer of UK cases are made anew; documents, registers and notices know none of these "
        "cases. Intervals are 95 %, by bootstrap of programmes and buyers. Cases that ended by one decision (the probation contracts) "
        "count as one case. The Brier score stands beside that of the class rate of the same folds, and their skill is 1 less the one "
        "over the other. `without` is the AUC without the two programmes that have most rows.\n\n"
        "A missing fact adds exactly nothing, so nothing can be learnt from what is filled. The track records that are read are "
        "replayed in time order. They know nothing that was resolved on or after a tender's publication. They do know outcomes of "
        "groups that a fold holds out, where those were known by then.\n\n"
        "UnitingCare is itself a source of some priors, so that its case is a check of consistency and no validation."
    )


def _figures(result: TrainingResult) -> str:
    rows = []
    named = {**{f"{o} | {s}": fit for (o, s), fit in result.fits.items()}}
    named |= {f"failure | {stage}": fit for stage, fit in result.headline.items()}
    for where, fit in named.items():
        for name, kinds in {"served": fit.metrics, **fit.baselines}.items():
            rows += [_row(where, f"{name}, {kind}", row) for kind, row in kinds.items()]
    head = "outcome | stage | model | rows | positives | base rate | mean | AUC (95 %) | without | Brier (class rate's) | skill | ECE"
    cohort = result.headline["draft"].metrics["cohort"]
    return f"## Figures\n\n`tender-risk train` prints them. At draft, {_order(cohort)}.\n\n{markdown_table(head, rows)}"


def _row(where: str, model: str, row: CasebookMetrics) -> str:
    low, high = row.auc_ci
    judged = ["–"] * 5
    if row.brier is not None:
        judged = [
            f"{row.mean:.3f}",
            f"{row.auc_without_largest:.2f}",
            f"{row.brier:.3f} ({row.brier_of_base_rate:.3f})",
            f"{row.brier_skill:+.3f}",
            f"{row.ece:.3f}",
        ]
    mean, without, brier, skill, ece = judged
    return (
        f"{where} | {model} | {row.n} | {row.positives} | {row.base_rate:.3f} | {mean} | "
        f"{row.auc:.2f} ({low:.2f} to {high:.2f}) | {without} | {brier} | {skill} | {ece}"
    )


def _other_registers(result: RegistersResult, bundle: Bundle) -> list[str]:
    lines = [_link(name, result) for name in bundle.registers]
    text = (
        "The bundle holds models of other registers, each with a card of its own. None of them has seen a UK tender, and none of their "
        "models scores one: what they show of factors is a layer above."
    )
    if result.kept:
        text += f" They are those of bundle {result.kept}, as they were."
    return [f"## Other registers\n\n{text}\n\n" + "\n".join(lines)]


def _link(name: str, result: RegistersResult) -> str:
    figures = "; ".join(
        f"{where.partition('/')[2].replace('/', ' at ')}: AUC {row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f}) "
        f"on {row['n']:,.0f} cases"
        for where, row in manifest_metrics(result).items()
        if where.partition("/")[0] == name
    )
    return f"- [{register_title(name)}]({name}/MODEL_CARD.md): {figures or 'what registers have in common'}."


WHAT_IT_IS = """## What it is

The models give the probability that a UK tender ends with no award, and that its contract ends early because it does not work: at
draft, with bids in, and at award. At draft they also give the probability of a single bid. A tender starts from the rate of its
class. Each fact that it states adds its pooled effect, times how far it is from what is usual in the class. What it does not state
adds nothing."""

CLASSES = """The rates of large services come from the casebook's cohorts. Those of ordinary contracts come from notices that were
read without knowing how they ended, and for early ends from what is documented: no UK source counts them. How sure each is stands
beside it. Sources of the rate of no award differ: 3 to 4 % of blind UK notices since February 2025, 1 to 2 % before, when
cancellations were seldom published, and about 9.5 cancellations to 100 tender notices in published counts, which hold notices that
were published again."""

EFFECTS = """Odds ratios for one unit, with 95 % intervals. *Documented*: papers, audits and case reports, by a table of what each
kind of support is worth (`training/evidence/factors.toml`, `findings.csv`), fixed before any case was scored with it. *Registers*:
an adjusted model of each register, pooled with the spread between registers, so that the interval is that of a register not seen
yet. *UK cases*: cohorts, blind notices and digital call-offs; empty where a fact was noted because a case had failed, or on one side
only. *Pooled*: the three by their precision, UK cases at a quarter. At full weight they made forecasts of other programmes worse.
`tender-risk features --effects` prints the same."""

USE = """## What it is for, and what not

A commissioner can use it to see which stated facts of a draft speak for and against it, beside a base rate that is worth more than
the model. An auditor can use it to start asking questions; it is never a finding.

It must not be used to reject a bidder, to judge a person or an adviser, to decide alone on any tender, or outside the UK. It must
not be used to claim that changing a fact changes the outcome: these are associations. It does not detect corruption."""
