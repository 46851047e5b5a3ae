"""A worklist's summary in sentences, the same for a terminal and a report."""

from __future__ import annotations

from collections.abc import Iterator

from portfolio.expected import Precision, Validated
from portfolio.worklist import Summary


def said(summary: Summary) -> tuple[str, ...]:
    """What has to be known to read a worklist, a sentence or two each."""
    return (*_chosen(summary), *_precision(summary), *_money(summary), *_changes(summary))


def pounds(amount: float) -> str:
    """1234567.0 as "£1.2m"."""
    for unit, name in ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k")):
        # What would be rounded up to 1,000 of a unit is 1 of the next.
        if abs(amount) >= unit * 0.9995:
            return f"£{amount / unit:,.1f}{name}"
    return f"£{amount:,.0f}"


def _chosen(summary: Summary) -> Iterator[str]:
    wish, listed = summary.wish, summary.by_risk + summary.at_random
    by = "probability of failure" if wish.rank_by == "failure" else "expected loss (probability x value in pounds)"
    yield f"{listed:,} of {summary.tenders:,} tenders are listed: {summary.by_risk:,} ranked by {by}."
    if summary.rows > summary.tenders:
        more = summary.rows - summary.tenders
        yield f"{more:,} of {summary.rows:,} rows repeat an ocid: a tender is listed once, by its row that ranks first."
    if summary.at_random:
        yield (
            f"{summary.at_random:,} are drawn at random from all tenders, each with a probability of "
            f"{summary.inclusion:.3g}: they alone show how the portfolio fails, and judge the next model fairly."
        )
    if summary.tied > summary.tied_chosen:
        yield (
            f"{summary.tied:,} tenders stand level at the cut, of which {summary.tied_chosen:,} are listed: "
            f"chosen by a draw with seed {wish.seed}, not by where they stood in the file."
        )
    if wish.most_per_buyer is not None:
        yield (
            f"At most {wish.most_per_buyer} a buyer: {summary.passed_over:,} tenders that rank higher than the last "
            "one listed were left out. Tenders without a stated buyer, and those drawn at random, are not limited."
        )
    if listed < min(wish.capacity, summary.tenders):
        yield f"The limit a buyer leaves {wish.capacity - listed:,} of {wish.capacity:,} reviews unused."


def _precision(summary: Summary) -> Iterator[str]:
    if summary.precision:
        yield _expected(summary.precision, summary.base)
    yield from (_validated(each) for each in summary.validated)
    if summary.precision and not summary.validated:
        yield "The bundle holds no figure of validation to set beside it."


def _expected(precision: Precision, base: float) -> str:
    low, high = precision.interval
    least, most = precision.found
    return (
        f"If the scores mean what they say, {precision.expected:.0%} of the {precision.rows:,} chosen by risk fail, "
        f"against {base:.0%} of all tenders. The calibration leaves {low:.0%} to {high:.0%} open (95 %; its error is "
        f"shared by all tenders and does not average out); with chance, reviews should find {least:.0%} to {most:.0%}."
    )


def _validated(found: Validated) -> str:
    of = f"On {found.rows:,} cases of {found.register} at {found.stage} that the model had not seen, "
    if found.precision is None or found.share is None:
        return f"{of}{found.base_rate:.0%} failed; what a list of this length finds was not counted."
    top = f"{found.precision:.0%} of the top {found.share:.0%} failed"
    return f"{of}{top} ({found.outcome}), against {found.base_rate:.0%} of all."


def _money(summary: Summary) -> Iterator[str]:
    yield (
        f"{pounds(summary.money_listed_gbp)} of {pounds(summary.money_at_risk_gbp)} expected to be lost in pounds "
        "(probability x value, at the average rate of the tender's year) stands on the list."
    )
    if summary.unvalued:
        after = "; they rank after all others" if summary.wish.rank_by == "expected_loss" else ""
        yield (
            f"{summary.unvalued:,} tenders have no known value and count for nothing in that sum{after}. "
            f"{summary.unvalued_listed:,} of them are listed."
        )


def _changes(summary: Summary) -> Iterator[str]:
    if summary.changes is not None:
        words = {"new": "new", "up": "likelier to fail", "down": "less likely", "same": "the same", "gone": "gone"}
        counted = (f"{summary.changes[name]:,} {text}" for name, text in words.items() if summary.changes.get(name))
        yield f"Since the earlier run: {', '.join(counted) or 'nothing'}."
