"""The model card of a register: what its models saw, how they forecast what came later, for whom, and for what use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue
from models.bundle import ANY, PICTURES, Bundle
from training import attribution, curves, metrics
from training.register import Judged
from training.registers import Figures, Registers

Flags = NDArray[np.bool_]

CAPACITIES = (20, 50, 100, 200, 500)
ROWS, POSITIVES = 100, 10
"""Below so many rows or positives a group's figures are not given."""
GROUPS: Mapping[str, str] = {
    "year": "Year of publication",
    "category": "Category",
    "value": "Value (thirds of the register)",
    "buyer": "Size of the buyer (thirds, by how many cases it has)",
}
ENDING = "ending"
UNKNOWN = "unknown"


def carded(learnt: Registers) -> dict[str, Bundle]:
    """The bundles of the registers with their cards and pictures."""
    found = {}
    for name, bundle in learnt.bundles.items():
        judged = [each for each in learnt.judged if each.register == name]
        pictures = {PICTURES[0]: curves.reliability(judged)} if judged else {}
        found[name] = msgspec.structs.replace(bundle, card=card(name, bundle, learnt), pictures=pictures)
    return found


def card(name: str, bundle: Bundle, learnt: Registers) -> str:
    """The card in Markdown."""
    judged = [each for each in learnt.judged if each.register == name]
    parts = [f"# Model card: Tender Risk, {attribution.title(name)}", _what(bundle), _seen(bundle)]
    if judged:
        parts += [JUDGED, _figures(name, learnt), _capacity(judged), *map(_groups, judged), _picture()]
    parts += [*_pooled(name, learnt), *_themes(name, learnt), _read(bundle), USE if name != ANY else USE_ANY]
    return "\n\n".join(parts) + "\n"


def link(name: str, learnt: Registers) -> str:
    """A line of the top card that leads to a register's."""
    told = "; ".join(
        f"{each.outcome} at {each.stage}: AUC {_span(each.auc, each.auc_ci)} on {each.n:,} cases"
        for each in learnt.figures
        if each.register == name
    )
    return f"- [{attribution.title(name)}]({name}/MODEL_CARD.md): {told or 'what travels between registers'}."


def _what(bundle: Bundle) -> str:
    told = ", ".join(f"{part.outcome} at {part.stage}" for part in bundle.manifest.parts)
    return (
        f"## What it is\n\nProbabilities of {told}. One XGBoost model each, a line from its margin to the probability, "
        "and the register's track records as of its last day. It is no model of any other register."
        if bundle.manifest.register != ANY
        else f"## What it is\n\nProbabilities of {told}, for a register that nothing was learnt from: models that learnt from "
        "all registers together how far a tender stands above or below its register. The level is the register's own."
    )


def _seen(bundle: Bundle) -> str:
    lines = [
        f"- {attribution.told(each.name)} Read: {each.rows:,} rows, published {each.first} to {each.last}, "
        f"sha256 {each.sha256[:16]}…"
        for each in bundle.manifest.data
    ]
    return "## What it saw\n\n" + "\n".join(lines) + "\n\n" + attribution.TERMS


def _figures(name: str, learnt: Registers) -> str:
    rows = [_line(each) for each in learnt.figures if each.register == name]
    head = (
        "outcome, stage | cases | positives | base rate | AUC (95 %) | average precision | Brier | ECE | lift at 5 % "
        "| lift at 10 % | intervals that held"
    )
    return "## Figures\n\nPrinted by `tender-risk train`.\n\n" + _table(head, rows)


def _line(f: Figures) -> str:
    return (
        f"{f.outcome}, {f.stage} | {f.n:,} | {f.positives:,} | {f.base_rate:.3f} | {_span(f.auc, f.auc_ci)} | "
        f"{f.average_precision:.3f} | {f.brier:.4f} | {f.ece:.4f} | {f.lift_at_5:.2f} | {f.lift_at_10:.2f} | {f.coverage:.0%}"
    )


def _capacity(judged: Sequence[Judged]) -> str:
    rows = []
    for each in judged:
        order = np.argsort(-each.p, kind="stable")
        shares = [f"{each.y[order[:k]].mean():.0%}" if k <= len(order) else "–" for k in CAPACITIES]
        rows.append(" | ".join([f"{each.outcome}, {each.stage}", *shares, f"{each.y.mean():.0%}"]))
    head = " | ".join(["outcome, stage", *(f"top {k}" for k in CAPACITIES), "of all"])
    text = (
        "The share of positives among the cases with the highest probabilities: what a worklist of that length finds."
    )
    return f"## Precision at capacity\n\n{text}\n\n{_table(head, rows)}"


def _groups(each: Judged) -> str:
    lines = [
        f"{called}: {name} | {_told(each, each.groups[kind] == name)}"
        for kind, called in GROUPS.items()
        for name in sorted(set(each.groups.get(kind, ())))
        if (each.groups[kind] != UNKNOWN).any()
    ]
    lines += [f"Kind of ending: {name}, against all others | {_told(each, rows)}" for name, rows in endings(each)]
    head = "cases | n | positives | base rate | AUC | ECE"
    return f"## Results by group: {each.outcome} at {each.stage}\n\n{_table(head, lines)}"


def endings(each: Judged) -> Iterator[tuple[str, Flags]]:
    """Kinds of ending that are the outcome, each with its rows and those without the outcome."""
    labels = each.groups.get(ENDING)
    for name in sorted(set(labels[each.y == 1])) if labels is not None else ():
        if name:
            yield name, ((labels == name) & (each.y == 1)) | (each.y == 0)


def _told(each: Judged, rows: Flags) -> str:
    y, p = each.y[rows], each.p[rows]
    n, positives = len(y), int(y.sum())
    if n < ROWS or min(positives, n - positives) < POSITIVES:
        return f"{n:,} | too few | – | – | –"
    ones = np.ones(n)
    auc, ece = metrics.auc(y, p, ones), metrics.ece(y, p, ones)
    return f"{n:,} | {positives:,} | {y.mean():.3f} | {auc:.3f} | {ece:.3f}"


def _pooled(name: str, learnt: Registers) -> Iterator[str]:
    alone = {(each.register, each.outcome): each.auc for each in learnt.ablated if each.stage == "draft"}
    rows = []
    for pooled in learnt.pooled:
        registers = dict.fromkeys(t.register for t in pooled.found if name in (ANY, t.register))
        for register in registers:
            if (register, pooled.outcome) in alone:
                rows.append(
                    f"{register} | {pooled.outcome} | its own cases only | – | {alone[register, pooled.outcome]:.3f}"
                )
            rows += [
                f"{register} | {t.outcome} | {t.kind} | {t.n:,} | {_span(t.auc, t.auc_ci)}"
                for t in pooled.found
                if t.register == register
            ]
    if rows:
        yield f"## Its own, pooled, and left out\n\n{POOLED}\n\n{_table('register | outcome | learnt from | cases | AUC (95 %)', rows)}"


def _themes(name: str, learnt: Registers) -> Iterator[str]:
    own = [each for each in learnt.ablated if name in (ANY, each.register)]
    themes = list(dict.fromkeys(theme for each in own for theme in each.lost))
    if not own or not themes:
        return
    rows = []
    for each in own:
        lost = [f"{each.lost[theme]:+.3f}" if theme in each.lost else "–" for theme in themes]
        rows.append(" | ".join([f"{each.register}: {each.outcome}, {each.stage}", f"{each.auc:.3f}", *lost]))
    yield f"## What each theme adds\n\n{THEMES}\n\n{_table(' | '.join(['', 'AUC with all', *themes]), rows)}"


def _read(bundle: Bundle) -> str:
    known = catalogue()
    lines = []
    for part in bundle.manifest.parts:
        themes: dict[str, int] = {}
        for feature in part.features:
            themes[known[feature].theme] = themes.get(known[feature].theme, 0) + 1
        told = ", ".join(f"{theme} {count}" for theme, count in sorted(themes.items(), key=lambda each: -each[1]))
        lines.append(f"- {part.outcome} at {part.stage}: {len(part.features)} features ({told}).")
    return "## What the models read\n\n" + "\n".join(lines) + "\n\n`tender-risk features` says what each measures."


def _picture() -> str:
    return (
        f"## Reliability\n\n![What was predicted against what came]({PICTURES[0]})\n\n"
        "Cases in tenths by probability. The bars show what counting alone would move (95 %)."
    )


def _table(head: str, rows: Sequence[str]) -> str:
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {row} |" for row in rows)])


def _span(value: float, span: tuple[float, float]) -> str:
    return f"{value:.3f} ({span[0]:.3f} to {span[1]:.3f})"


JUDGED = """## How it was judged

Out of time: fitted on what was known at a cut, calibrated on the forecasts of earlier windows, judged on what was published in the
window after the cut, and again one window on. Where a register is a snapshot that time cannot order, on buyers that were held out.
Intervals of the AUC are 95 %, resampling cases that share a fate together (in a snapshot, a buyer's). The last column says in how
many of 15 groups of equal size the observed rate lay within the interval that the scores gave."""

POOLED = """On the register's last window. All rows of this table are fitted alike and on a bounded number of cases, so they compare
with each other and not with the figures above. Pooled models begin at what the register's own records say (its rate, and its own
model of words and of who buys what) and learn stumps on top, none of which works against a direction set beforehand. *By the
others* has learnt nothing from the register, which brings only those records, read up to each case's day: what is to be expected
of a register that is not known. A snapshot is then judged on all its cases, each by the records of other buyers."""

THEMES = "What the AUC loses on the last window when a theme's features are taken away and the rest is fitted anew."

USE = """## Use and misuse

For an auditor: to decide which tenders to look at first. For a buyer: to see what in a draft goes with failure, and how often drafts
like it failed. A probability speaks of tenders like this one, never of this one's people.

It must not be used to accuse, to reject a bidder, to rank buyers or officials, or to decide alone on any tender. What it reads are
associations: changing a fact need not change the outcome. It learnt how this register recorded endings, errors included; it is not
evidence about any other country, and says nothing of corruption. Figures of small groups are wide guesses. Where rules or the economy
change, it is wrong until it has learnt anew: `tender-risk evaluate` shows it."""

USE_ANY = """## Use and misuse

For a first look at a register that nothing has been learnt from, until its own history can be learnt. The order of tenders is worth
what the table above says, and the level nothing but the register's own rate.

It must not be used to accuse, to reject a bidder, to rank buyers or officials, or to decide alone on any tender. It was never seen
to be right on the register that you use it on."""
