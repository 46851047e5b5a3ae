"""Model cards of registers, and pictures: what a model is, what it saw, how it was judged, what it is not for.

The card of the UK is in `training.uk_card`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from models.bundle import ANY, PICTURES, Bundle
from tenders.own_columns import PREFIX
from tenders.registers import find_register, register_names
from tenders.registers.own import NAME as OWN
from training import metrics
from training.registers import RegisterMetrics, RegistersResult
from training.rolling import Forecasts, IntervalForecasts
from training.validate import CasebookFit

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CAPACITIES = (20, 50, 100, 200, 500)
MIN_ROWS, MIN_POSITIVES = 100, 10
"""Rows and cases of either outcome below which a group gets no metrics."""
SUBGROUPS: Mapping[str, str] = {
    "year": "Year of publication",
    "category": "Category",
    "value": "Value (thirds of the register)",
    "buyer": "Size of the buyer (thirds, by how many cases it has)",
}
ENDING = "ending"
UNKNOWN = "unknown"
FIFTHS, TENTHS = 5, 10


def add_register_cards(result: RegistersResult) -> dict[str, Bundle]:
    """The bundles of the registers with their cards and pictures."""
    bundles = {}
    for name, bundle in result.bundles.items():
        own = [forecasts for forecasts in result.forecasts if forecasts.register == name]
        pictures = {PICTURES[0]: plot_reliability(own)} if own else {}
        bundles[name] = msgspec.structs.replace(bundle, card=register_card(name, bundle, result), pictures=pictures)
    return bundles


def register_title(name: str) -> str:
    """What a register is called."""
    if name == ANY:
        return "any other register"
    return find_register(name).title if name in register_names() else name


def register_credit(name: str) -> str:
    """What a register's history is, who copied it, and on what terms."""
    return find_register(name).credit if name in register_names() else f"{name}, a history that you gave."


def register_card(name: str, bundle: Bundle, result: RegistersResult) -> str:
    """The card of a register's models in Markdown."""
    own = [forecasts for forecasts in result.forecasts if forecasts.register == name]
    sections = [f"# Model card: Tender Risk, {register_title(name)}", _register_model(bundle), _register_data(bundle)]
    if own:
        rows = [row for row in result.metrics if row.register == name]
        sections += [
            _how_judged(name, result),
            _register_figures(rows),
            _capacity(own),
            *map(_subgroups, own),
            RELIABILITY,
        ]
    sections += [*_pooled(name, result), *_themes(name, result), _register_features(bundle)]
    return "\n\n".join([*sections, ANY_USE if name == ANY else REGISTER_USE]) + "\n"


def _how_judged(name: str, result: RegistersResult) -> str:
    """How the models of a register were judged; of a short history by outcome and stage."""
    own = {part: how for part, how in result.judged.items() if part.partition("/")[0] == name}
    few = [text for text in result.too_few if text.startswith(f"{name}: ")]
    lines = [f"- {part.partition('/')[2].replace('/', ' at ')}: {how}." for part, how in own.items()]
    short = f"{SHORT_JUDGED}\n\n" + "\n".join(lines) if own else REGISTER_JUDGED
    few += [text for text in result.left_out if name == OWN]
    return short + ("\n\nNot learnt:\n\n" + "\n".join(f"- {text}." for text in few) if few else "")


def _register_model(bundle: Bundle) -> str:
    parts = ", ".join(f"{part.outcome} at {part.stage}" for part in bundle.manifest.parts)
    if bundle.manifest.register == ANY:
        text = (
            "For a register that no model was fitted on. These models learnt from all registers together how far a tender stands "
            "above or below its register's rate. The level is the register's own."
        )
    else:
        text = (
            "Each is one XGBoost model, with a line from its margin to the probability and the register's track records as of its "
            "last day. They are models of no other register."
        )
    return f"## What it is\n\nThe models give probabilities of {parts}. {text}"


def _register_data(bundle: Bundle) -> str:
    lines = [
        f"- {register_credit(data.name)} Read: {data.rows:,} rows, published {data.first} to {data.last}, "
        f"sha256 {data.sha256[:16]}…"
        for data in bundle.manifest.data
    ]
    terms = "The bundle holds models, rates and weights, but no rows of any register. Name the sources wherever you show the figures."
    return "## What it saw\n\n" + "\n".join(lines) + f"\n\n{terms}"


def _register_figures(rows: Sequence[RegisterMetrics]) -> str:
    lines = [
        f"{row.outcome}, {row.stage} | {row.n:,} | {row.positives:,} | {row.base_rate:.3f} | "
        f"{_interval(row.auc, row.auc_ci)} | {row.average_precision:.3f} | {row.brier:.4f} | {row.ece:.4f} | "
        f"{row.lift_at_5:.2f} | {row.lift_at_10:.2f} | {row.coverage:.0%}"
        for row in rows
    ]
    head = (
        "outcome, stage | cases | positives | base rate | AUC (95 %) | average precision | Brier | ECE | lift at 5 % "
        "| lift at 10 % | intervals that held"
    )
    return f"## Figures\n\n`tender-risk train` prints them.\n\n{markdown_table(head, lines)}"


def _capacity(forecasts: Sequence[Forecasts]) -> str:
    lines = []
    for part in forecasts:
        order = np.argsort(-part.p, kind="stable")
        shares = [f"{part.y[order[:k]].mean():.0%}" if k <= len(order) else "–" for k in CAPACITIES]
        lines.append(" | ".join([f"{part.outcome}, {part.stage}", *shares, f"{part.y.mean():.0%}"]))
    head = " | ".join(["outcome, stage", *(f"top {k}" for k in CAPACITIES), "of all"])
    text = "The share of positives among the cases with the highest probabilities: what a worklist of that length contains."
    return f"## Precision at capacity\n\n{text}\n\n{markdown_table(head, lines)}"


def _subgroups(part: Forecasts) -> str:
    """The table that `portfolio.evidence` reads weak groups from."""
    lines = [
        f"{title}: {name} | {_group_metrics(part, part.groups[kind] == name)}"
        for kind, title in SUBGROUPS.items()
        for name in sorted(set(part.groups.get(kind, ())))
        if (part.groups[kind] != UNKNOWN).any()
    ]
    lines += [
        f"Kind of ending: {name}, against all others | {_group_metrics(part, rows)}" for name, rows in endings(part)
    ]
    head = "cases | n | positives | base rate | AUC | ECE"
    return f"## Results by group: {part.outcome} at {part.stage}\n\n{markdown_table(head, lines)}"


def endings(part: Forecasts) -> Iterator[tuple[str, Flags]]:
    """The kinds of ending that are the outcome, each with its rows and those without the outcome."""
    labels = part.groups.get(ENDING)
    for name in sorted(set(labels[part.y == 1])) if labels is not None else ():
        if name:
            yield name, ((labels == name) & (part.y == 1)) | (part.y == 0)


def _group_metrics(part: Forecasts, rows: Flags) -> str:
    y, p = part.y[rows], part.p[rows]
    n, positives = len(y), int(y.sum())
    if n < MIN_ROWS or min(positives, n - positives) < MIN_POSITIVES:
        return f"{n:,} | too few | – | – | –"
    ones = np.ones(n)
    auc, ece = metrics.auc(y, p, ones), metrics.ece(y, p, ones)
    return f"{n:,} | {positives:,} | {y.mean():.3f} | {auc:.3f} | {ece:.3f}"


def _pooled(name: str, result: RegistersResult) -> Iterator[str]:
    own_auc = {(row.register, row.outcome): row.auc for row in result.ablations if row.stage == "draft"}
    lines = []
    for pooled in result.pooled:
        for register in dict.fromkeys(score.register for score in pooled.scores if name in (ANY, score.register)):
            auc = own_auc.get((register, pooled.outcome))
            if auc is not None:
                lines.append(f"{register} | {pooled.outcome} | its own cases only | – | {auc:.3f}")
            lines += [
                f"{register} | {score.outcome} | {score.kind} | {score.n:,} | {_interval(score.auc, score.auc_ci)}"
                for score in pooled.scores
                if score.register == register
            ]
    if lines:
        head = "register | outcome | learnt from | cases | AUC (95 %)"
        yield f"## Its own, pooled, and left out\n\n{POOLED}\n\n{markdown_table(head, lines)}"


def _themes(name: str, result: RegistersResult) -> Iterator[str]:
    own = [row for row in result.ablations if name in (ANY, row.register)]
    themes = list(dict.fromkeys(theme for row in own for theme in row.auc_loss))
    if not own or not themes:
        return
    lines = []
    for row in own:
        losses = [f"{row.auc_loss[theme]:+.3f}" if theme in row.auc_loss else "–" for theme in themes]
        lines.append(" | ".join([f"{row.register}: {row.outcome}, {row.stage}", f"{row.auc:.3f}", *losses]))
    text = "The AUC that is lost on the last window when the model is fitted again without a theme's features."
    yield f"## What each theme adds\n\n{text}\n\n{markdown_table(' | '.join(['', 'AUC with all', *themes]), lines)}"


def _register_features(bundle: Bundle) -> str:
    known = bundle.features
    lines = []
    for part in bundle.manifest.parts:
        counts: dict[str, int] = {}
        for feature in part.features:
            counts[known[feature].theme] = counts.get(known[feature].theme, 0) + 1
        themes = ", ".join(f"{theme} {count}" for theme, count in sorted(counts.items(), key=lambda item: -item[1]))
        lines.append(f"- {part.outcome} at {part.stage}: {len(part.features)} features ({themes}).")
    text = "## What the models read\n\n" + "\n".join(lines) + "\n\n`tender-risk features` says what each measures."
    return f"{text}\n\n{own}" if (own := _own_columns(bundle)) else text


def _own_columns(bundle: Bundle) -> str:
    """The columns that the mapping of a history declares to be features, and which models read them."""
    rows = []
    for name, column in (bundle.manifest.own_columns or {}).items():
        feature = bundle.features[PREFIX + name]
        parts = [f"{p.outcome} at {p.stage}" for p in bundle.manifest.parts if feature.name in p.features]
        values = f"{column.kind}: {', '.join(column.categories)}" if column.categories else column.kind
        rows.append(
            f"{feature.label} | {name} | {column.column} | {values} | {column.stage} | {', '.join(parts) or '–'}"
        )
    if not rows:
        return ""
    return f"### Declared columns\n\n{OWN_COLUMNS}\n\n" + markdown_table(
        "label | name | column | kind | known from | read by", rows
    )


def markdown_table(head: str, rows: Sequence[str]) -> str:
    """A table in Markdown; the cells of the head and of each row are parted by bars."""
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {row} |" for row in rows)])


def _interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def plot_casebook(fit: CasebookFit) -> Figure:
    """ROC of both kinds of rows, and reliability of the calibrated probabilities of cohort rows."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    data = fit.data
    for name, rows in (("cohort", data.cohort), ("picked", np.flatnonzero(data.labelled & data.picked))):
        label, style = f"{name}: AUC {fit.metrics[name].auc:.2f}", "-" if name == "cohort" else "--"
        _roc(left, data.y[rows], fit.margin[rows], label, style, data.case_weight[rows])
    left.set_title(f"{data.outcome}, {data.stage}")
    left.legend()
    _reliability(right, data.y[data.cohort], fit.p, FIFTHS)
    right.set_title("reliability, cohort rows in fifths")
    return figure


def plot_register(forecasts: IntervalForecasts) -> Figure:
    """ROC and reliability of what a register's model forecast out of time."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _roc(left, forecasts.y, forecasts.p, "", "-")
    left.set_title(f"{forecasts.register}: {forecasts.outcome}, {forecasts.stage}")
    _reliability(right, forecasts.y, forecasts.p, TENTHS)
    right.set_title("reliability, cases in tenths")
    return figure


def plot_reliability(forecasts: Sequence[IntervalForecasts]) -> bytes:
    """One SVG with a reliability diagram for each outcome and stage of a register; the same forecasts, the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "tender-risk", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(4.2 * len(forecasts), 4.2), layout="constrained")
        for axes, part in zip(np.atleast_1d(figure.subplots(1, len(forecasts))), forecasts, strict=True):
            _reliability(axes, part.y, part.p, TENTHS)
            axes.set_title(f"{part.outcome}, {part.stage}")
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _roc(axes: Axes, y: Floats, p: Floats, label: str, style: str, weight: Floats | None = None) -> None:
    false_positives, true_positives, _ = roc_curve(y, p, sample_weight=weight)
    axes.plot(false_positives, true_positives, label=label, linestyle=style)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.set(xlabel="share of the others taken", ylabel="share of the positives taken")


def _reliability(axes: Axes, y: Floats, p: Floats, count: int) -> None:
    """Predicted against observed in groups of equal size, with what counting alone would move (95 %)."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), count) if len(part)]
    predicted = np.array([p[part].mean() for part in parts])
    observed = np.array([y[part].mean() for part in parts])
    n = np.array([len(part) for part in parts])
    slack = 1.96 * np.sqrt(np.maximum(predicted * (1 - predicted), 1e-9) / n)
    top = float(max(predicted.max(), (observed + slack).max())) * 1.05
    axes.plot([0, top], [0, top], color="0.7", linewidth=0.8)
    axes.errorbar(predicted, observed, yerr=slack, marker="o", capsize=2)
    axes.set(xlabel="predicted", ylabel="observed", xlim=(0, top), ylim=(0, top))


REGISTER_JUDGED = """## How it was judged

Out of time. The model is fitted on what was known at a cut, calibrated on the forecasts of earlier windows, and judged on what was
published in the window after the cut; then once more, one window later. A register that is a snapshot, which time cannot order, is
judged on buyers that were held out. Intervals of the AUC are 95 %, by bootstrap of cases that share their fate (in a snapshot, of
buyers). The last column says in how many of 15 groups of equal size the observed rate lay within the interval of the scores."""

SHORT_JUDGED = """## How it was judged

The history is too short for several windows of time. So each model was judged like this. Figures of one month say nothing of other
seasons: train again as the history grows. Intervals of the AUC are 95 %, by bootstrap of cases that share their fate. The last column
says in how many of 15 groups of equal size the observed rate lay within the interval of the scores."""

RELIABILITY = f"""## Reliability

![Predicted against observed]({PICTURES[0]})

Cases in tenths by probability. The bars show what counting alone would move (95 %)."""

POOLED = """On the register's last window. All rows of this table are fitted in the same way and on a bounded number of cases, so
compare them with each other and not with the figures above. Pooled models start from what the register's own records say (its rate,
and its own model of words and of who buys what). On top they fit stumps, none of which works against a feature's direction. A model
*by the others* learnt nothing from the register, which brings only those records, read up to each case's day: this is what to expect
of a register that no model was fitted on. A snapshot is then judged on all its cases, each by the records of other buyers."""

OWN_COLUMNS = """The mapping of the history declares them (docs/own-history.md). A category that is not listed counts as unknown. What was
filled only for one ending is read by no model."""

REGISTER_USE = """## Use and misuse

An auditor can use it to decide which tenders to look at first. A buyer can use it to see what in a draft goes with failure, and how
often drafts like it failed. A probability is about tenders like this one, never about the people behind it.

It must not be used to accuse, to reject a bidder, to rank buyers or officials, or to decide alone on any tender. What it reads are
associations: changing a fact need not change the outcome. It learnt how this register recorded endings, errors included. It is not
evidence about any other country, and it says nothing about corruption. Figures of small groups are rough. When rules or the economy
change, it is wrong until it is trained again; `tender-risk evaluate` shows how wrong."""

ANY_USE = """## Use and misuse

For a first look at a register that no model was fitted on, until there is a history to train on. The ranking of tenders is worth
what the table above says. The level is only the register's own rate.

It must not be used to accuse, to reject a bidder, to rank buyers or officials, or to decide alone on any tender. It was never shown
to be right on the register that you use it on."""
