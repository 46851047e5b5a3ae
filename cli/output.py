"""How results look on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

if TYPE_CHECKING:
    # Importing these takes longer than most commands.
    from models.comparables import Comparables
    from models.effects import Estimate, FactorEffect
    from models.factors import Factor, State
    from models.score import Score
    from models.suggest import Precedent, Precedents, Suggestion, Suggestions
    from models.what_if import WhatIf
    from portfolio.coverage import CheckedTender, CheckReport
    from portfolio.drift import DriftReport
    from portfolio.manifest import RunManifest
    from portfolio.run import PortfolioRun
    from tenders.apis.pull import PullResult
    from tenders.outcomes import LotOutcome, TenderOutcome
    from tenders.registers.quality import QualityReport
    from training.evaluate import EvaluationResult
    from training.promotion import PromotionResult, ReleaseResult, RollbackResult

MAX_REASONS, MAX_LIKENESS, MAX_DAYS, MAX_CHECKED = 6, 6, 10, 20
FACTOR_STATES: tuple[tuple[State, str], ...] = (
    ("shown", "shown"),
    ("absent", "not shown"),
    ("unknown", "cannot be judged"),
)
ENDINGS = (
    *("terminated", "part", "unsuccessful", "cancelled", "discontinued", "withdrawn"),
    *("re_issued", "awarded"),
)
"""The kinds of endings, what a person would check first before the rest."""
MAX_REASON = 160
"""Characters of a reason on a terminal."""
MIN_NAME_WIDTH = 11
"""The longest name of a register, outcome or stage: a narrow terminal breaks a name between words and cuts none."""


def print_score(out: Console, score: Score, explain: bool) -> None:
    """One score: the number, its parts, its reasons, what is unknown, and how much evidence it rests on."""
    low, high = score.interval
    out.print(f"[bold]{escape(score.ocid or 'tender')}[/bold] at {score.stage}")
    out.print(
        f"  failure      [bold]{score.failure:.1%}[/bold]  ({low:.1%} to {high:.1%})  {score.band}; "
        f"base rate {score.base_rate:.1%}"
    )
    out.print(f"  class        {escape(score.reference_class)}")
    out.print(f"    no award   {score.outcomes.no_award:.1%}")
    out.print(f"    early end  {score.outcomes.early_end:.1%}, given an award")
    if score.outcomes.single_bid is not None:
        out.print(f"  single bid   {score.outcomes.single_bid:.1%}")
    reasons = score.reasons if explain else score.reasons[:MAX_REASONS]
    if reasons:
        out.print("  reasons, with their effect in percentage points")
    for reason in reasons:
        source = (
            f"{escape(reason.path)}; from {' and '.join(reason.evidence)}" if reason.evidence else escape(reason.path)
        )
        out.print(f"    {100 * reason.effect:+6.2f}  {escape(reason.text)}  [dim]{source}[/dim]")
    if explain:
        for unknown in score.unknown:
            out.print(f"    unknown  {unknown.feature}: {unknown.why}")
        _print_factors(out, score.factors)
    elif score.unknown:
        out.print(f"  unknown: {len(score.unknown)} features that the model weighs (--explain lists them)")
    for warning in score.warnings:
        out.print(f"  warning: {escape(warning)}")
    out.print(f"  evidence: {score.evidence}")
    out.print(f"  [dim]bundle {score.bundle}, register {score.register}[/dim]")


def _print_factors(out: Console, factors: Sequence[Factor]) -> None:
    """Factors by state; the unknown ones by title only."""
    from models.factors import CAVEAT

    out.print("  documented factors, each with its record in the casebook")
    for state, heading in FACTOR_STATES:
        group = [factor for factor in factors if factor.state == state]
        if state == "unknown":
            out.print(f"    {heading}: {escape('; '.join(factor.title for factor in group)) or 'none'}")
            continue
        out.print(f"    {heading}: {len(group)}")
        for factor in group:
            mark = "  (seen with survival)" if factor.seen_with == "survival" else ""
            record = f"{factor.cases.words}. {escape('; '.join(factor.sources))}"
            out.print(f"      {escape(factor.text)}{mark}\n        [dim]{factor.weight} {record}[/dim]")
    out.print(f"    {CAVEAT}")


def _ratio(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{estimate.odds_ratio:.2f} ({low:.2f} to {high:.2f})"


def print_what_if(out: Console, result: WhatIf) -> None:
    """The scenarios side by side with the tender as it is."""
    table = Table("", "as it is", *(_settings_text(scenario.settings) for scenario in result.scenarios))
    scores = [result.base, *(scenario.score for scenario in result.scenarios)]
    table.add_row("failure", *(f"{score.failure:.1%}" for score in scores))
    table.add_row("95 %", *(f"{score.interval[0]:.1%} to {score.interval[1]:.1%}" for score in scores))
    table.add_row("difference", "", *(f"{100 * scenario.difference:+.2f} points" for scenario in result.scenarios))
    table.add_row("no award", *(f"{score.outcomes.no_award:.1%}" for score in scores))
    table.add_row("early end", *(f"{score.outcomes.early_end:.1%}" for score in scores))
    out.print(f"[bold]{escape(result.ocid or 'tender')}[/bold] at {result.stage}")
    out.print(table)
    out.print(f"  {result.note}")
    out.print(f"  evidence: {result.base.evidence}")


def print_suggestions(out: Console, result: Suggestions) -> None:
    """Changes that lower the probability, with cases for and against, or that there are none."""
    out.print(f"[bold]{escape(result.ocid or 'tender')}[/bold] at {result.stage}: failure {result.failure:.1%}")
    out.print(f"  {result.text}")
    for suggestion in result.single:
        _print_suggestion(out, suggestion)
    if result.pair:
        out.print("  the best pair")
        _print_suggestion(out, result.pair)
    for heading, texts in (
        ("tried, and no lower", result.without_effect),
        ("effect cannot be separated from that of an unknown fact", result.entangled),
        ("not tried, because the model does not weigh it", result.unweighed),
    ):
        if texts:
            out.print(f"  {heading}: {escape(' '.join(texts))}")
    out.print(f"  {result.note}")
    out.print(f"  evidence: {result.evidence}")


def _print_suggestion(out: Console, suggestion: Suggestion) -> None:
    settings = _settings_text(suggestion.settings)
    out.print(f"  {100 * suggestion.difference:+6.2f}  {escape(suggestion.text)}  [dim]{settings}[/dim]")
    _print_precedents(out, suggestion.cases)


def _print_precedents(out: Console, cases: Precedents) -> None:
    (failed, cohort), (picked_failed, picked) = cases.cohort, cases.picked
    cohorts = f"{failed} of {cohort} past cases (of {cases.events} programmes or buyers)"
    out.print(f"          with it failed: {cohorts}, {picked_failed} of {picked} chosen by their end")
    for heading, side in (("held", cases.held), ("failed", cases.failed)):
        if side:
            out.print(f"          {heading}: {escape('; '.join(map(_case_text, side)))}")


def _case_text(case: Precedent) -> str:
    return f"{case.name} ({case.outcome})"


def _settings_text(settings: Mapping[str, Any]) -> str:
    return escape(", ".join(f"{key}={value}" for key, value in settings.items())) or "nothing set"


def print_comparables(out: Console, result: Comparables) -> None:
    """The nearest cases, each with what it shares, how it ended, and its sources."""
    name = escape(result.ocid or "tender")
    out.print(f"[bold]{name}[/bold] at {result.stage}: the nearest cases whose end is known")
    for case in result.cases:
        ended = "failed" if case.failed else "held"
        entered = "picked" if case.cohort == "picked" else "cohort"
        out.print(f"  [bold]{escape(case.name)}[/bold]  {ended}: {escape(case.outcome)} {case.outcome_date}".rstrip())
        likeness = case.likeness
        out.print(f"    {escape('; '.join((*likeness.also, *likeness.unlike)[:MAX_LIKENESS]))}")
        out.print(f"    {escape(case.account)}{'  (recalled, not read)' if case.recalled else ''}")
        sources = ", ".join(source.url for source in case.sources) or "no address"
        shared = f"{likeness.shared} facts in common, distance {likeness.distance:.2f}"
        out.print(f"    [dim]{case.case}, {entered}; {shared}; {escape(sources)}[/dim]")
    out.print(f"  {result.note}")


def print_check(out: Console, report: CheckReport) -> None:
    """What is wrong, what each tender lacks, and what the fields of each publisher allow."""
    from portfolio.coverage import by_share

    for problem in report.problems[:MAX_CHECKED]:
        row = " ".join(part for part in (problem.file, f"line {problem.line}" if problem.line else "") if part)
        remedy = f". {problem.remedy}" if problem.remedy else ""
        where = problem.path or problem.place or "/"
        out.print(f"[bold]wrong[/bold]  {escape(where)}: {escape(problem.problem + remedy)}")
        out.print(f"       [dim]{escape(row)}[/dim]")
    if more := len(report.problems[MAX_CHECKED:]) + report.unlisted:
        out.print(f"  and {more:,} more; --json lists them")
    if report.tenders <= MAX_CHECKED:
        _print_missing(out, report.listed)
    out.print(f"{report.tenders:,} tenders can be scored, {report.refused:,} rows are refused")
    for publisher in report.coverage:
        reached = ", ".join(f"{count:,} at {stage}" for stage, count in publisher.stages.items())
        out.print(f"[bold]{escape(publisher.publisher)}[/bold]: {publisher.tenders:,} tenders; {reached}")
        outcomes = Table("outcome", "told of", "occurred")
        for outcome in publisher.outcomes:
            outcomes.add_row(outcome.outcome, f"{outcome.known:,} ({outcome.share:.0%})", f"{outcome.occurred:,}")
        out.print(outcomes)
        table = Table("known of", "draft", "bids_in", "awarded", Column("path", overflow="fold"))
        groups = by_share(publisher)
        for feature in (*groups["most"], *groups["some"]):
            shares = [feature.known.get(stage) for stage in ("draft", "bids_in", "awarded")]
            name = f"{feature.label} [bold]*[/bold]" if feature.factor else feature.label
            table.add_row(name, *("" if share is None else f"{share:.0%}" for share in shares), feature.path)
        out.print(table)
        if groups["none"]:
            never = "; ".join(dict.fromkeys(f"{feature.label} ({feature.path})" for feature in groups["none"]))
            out.print(f"  never known: {escape(never)}")
    if report.coverage:
        out.print("  * a documented factor of failure")


def _print_missing(out: Console, tenders: Sequence[CheckedTender]) -> None:
    for tender in tenders:
        out.print(f"[bold]{escape(tender.ocid or 'tender')}[/bold]: read without error, at {tender.stage}")
        for warning in tender.warnings:
            out.print(f"  warning: {escape(warning)}")
        out.print(f"  {len(tender.missing)} features cannot be computed; what would fill them:")
        by_path: dict[str, list[str]] = {}
        for feature in tender.missing:
            by_path.setdefault(feature.path, []).append(feature.label)
        for path, labels in by_path.items():
            out.print(f"    {path}  [dim]{', '.join(labels)}[/dim]")


def print_outcomes(out: Console, outcomes: Sequence[TenderOutcome]) -> None:
    """How many tenders ended in each way, then each tender: first what failed, then what is doubtful, then the rest."""
    kinds = Table("kind", "tenders", "no award", "early end", "single bid")
    for kind in (*ENDINGS, None):
        group = [outcome for outcome in outcomes if outcome.kind == kind]
        if group:
            names = ("no_award", "early_end", "single_bid")
            counts = (f"{sum(getattr(outcome, name) is True for outcome in group):,}" for name in names)
            kinds.add_row(_kind(kind), f"{len(group):,}", *counts)
    out.print(kinds)
    order = {kind: i for i, kind in enumerate(ENDINGS)}
    for outcome in sorted(outcomes, key=lambda one: (order.get(one.kind or "", len(order)), not one.warnings)):
        out.print(f"[bold]{escape(outcome.ocid or 'tender')}[/bold]  {_labels(outcome)}")
        _print_why(out, outcome, "    ")
        if outcome.kind == "part" or len({(lot.kind, lot.early_end, lot.performance) for lot in outcome.lots}) > 1:
            for lot in outcome.lots:
                out.print(f"    lot {escape(str(lot.lot))}: {_labels(lot)}")
                _print_why(out, lot, "        ")


def _print_why(out: Console, ended: TenderOutcome | LotOutcome, indent: str) -> None:
    if ended.path:
        words = f": {_shortened(ended.reason)}" if ended.reason else ""
        out.print(f"{indent}[dim]{escape(ended.path)}[/dim]{escape(words)}")
    for warning in ended.warnings:
        out.print(f"{indent}warning: {escape(warning)}")


def _labels(ended: TenderOutcome | LotOutcome) -> str:
    """The labels of a tender or lot in words: only those that are known."""
    parts = [_kind(ended.kind)]
    if ended.early_end is not None:
        parts.append("early end" if ended.early_end else "ran its term")
    if ended.single_bid is not None:
        parts.append("a single bid" if ended.single_bid else "several bids")
    if ended.performance:
        parts.append(f"performance {ended.performance}")
    since = f" (known since {ended.known_on[:10]})" if ended.known_on else ""
    return ", ".join(parts) + since


def _kind(kind: str | None) -> str:
    return kind.replace("_", "-") if kind else "not known"


def _shortened(text: str) -> str:
    """A reason on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]} …"


def print_quality(out: Console, report: QualityReport) -> None:
    """What a history holds, what is doubtful in it, and how it changes from year to year."""
    counts = f"{report.rows:,} rows, {report.cases:,} cases in {report.clusters:,} groups that share their outcome"
    out.print(f"[bold]{escape(report.register)}[/bold]: {counts}, {report.first or '?'} to {report.last or '?'}")
    for name, outcome in report.outcomes.items():
        out.print(f"  {name}: {_share(outcome.rate)} of {outcome.known:,} known, {outcome.censored:,} censored")
    doubtful = {"without a date": report.undated, "repeat an earlier id": report.repeated, **report.impossible}
    for text, number in {**doubtful, **report.problems}.items():
        if number:
            out.print(f"  {number:,}  {escape(text)}")
    for example in report.examples:
        out.print(f"    [dim]{escape(example)}[/dim]")
    for text in report.telling:
        out.print(f"  {escape(text)}.")
    years = Table("year", "cases", *(f"{name} rate" for name in report.outcomes))
    for year, row in report.years.items():
        years.add_row(str(year or "undated"), f"{row.cases:,}", *(_share(o.rate) for o in row.outcomes.values()))
    out.print(years)
    fill = Table("fact", "filled", "year by year")
    for path, share in report.fill.items():
        shares = [row.fill.get(path, 0.0) for row in report.years.values()]
        low, high = min(shares), max(shares)
        fill.add_row(path, _share(share), "the same" if low == high else f"{_share(low)} to {_share(high)}")
    out.print(fill)


def print_features(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """The catalogue as a table."""
    table = Table("feature", "stage", "theme", "unit", "direction", "what it measures")
    directions = {1: "riskier", -1: "safer", 0: ""}
    for row in rows:
        rule = row["doc"].split(". ")[0]
        table.add_row(row["name"], row["stage"], row["theme"], row["unit"], directions[row["direction"]], rule)
    out.print(table)


def print_effects(out: Console, effects: Sequence[FactorEffect], without: Sequence[str]) -> None:
    """The layers of evidence of each factor, as odds ratios with their 95 % intervals, and facts without effect."""
    table = Table(Column("factor", min_width=16), "outcome", "unit", "documented", "registers", "UK cases", "pooled")
    for effect in effects:
        for outcome, layers in effect.outcomes.items():
            cells = (layers.documented, layers.registers, layers.cases, layers.pooled)
            pooled = "held at none: " if layers.held else ""
            *others, last = ("–" if cell is None else _ratio(cell) for cell in cells)
            table.add_row(effect.feature, outcome, effect.unit, *others, pooled + last)
    out.print(table)
    out.print("Odds ratios of one unit, with 95 % intervals. Nearly all of them hold 1: these are weak effects.")
    out.print(f"No known effect: {', '.join(without)}.")


def print_training(
    out: Console, run_id: str, metrics: Mapping[str, Mapping[str, float | None]], remarks: Sequence[str] = ()
) -> None:
    """The metrics of a training run, remarks on them, and its id."""
    table = Table(Column("of", min_width=MIN_NAME_WIDTH), "n", "positives", "base rate", "AUC", "95 %", "Brier", "ECE")
    for name, row in metrics.items():
        table.add_row(
            escape(name.replace("/", " ")),
            f"{row['n']:.0f}",
            f"{row['positives']:.0f}",
            _figure(row["base_rate"]),
            _figure(row["auc"]),
            f"{_figure(row['auc_low'])} to {_figure(row['auc_high'])}",
            _figure(row["brier"]),
            _figure(row["ece"]),
        )
    out.print(table)
    for remark in remarks:
        out.print(f"  {escape(remark)}")
    out.print(f"run {run_id}\nrelease it with: tender-risk release {run_id}")


def print_evaluation(out: Console, evaluation: EvaluationResult) -> None:
    """The metrics of an evaluation; picked cases in a row of their own."""
    table = Table(
        "cases",
        "n",
        "positives",
        "censored",
        "base rate",
        "mean",
        "AUC",
        "95 %",
        "Brier",
        "skill",
        "ECE",
        "lift at 5 %",
    )
    rows = {"judged by": evaluation, **({"picked": evaluation.picked} if evaluation.picked else {})}
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row.n:,}",
            f"{row.positives:,}",
            f"{row.censored:,}",
            _figure(row.base_rate),
            _figure(row.mean),
            _figure(row.auc),
            " to ".join(map(_figure, row.auc_ci)) if row.auc_ci else "–",
            _figure(row.brier),
            _figure(row.brier_skill),
            _figure(row.ece),
            _figure(row.lift_at_5),
        )
    out.print(f"{escape(evaluation.register)}: {evaluation.outcome} at {evaluation.stage}")
    out.print(table)


def print_portfolio(out: Console, manifest: RunManifest, run: PortfolioRun) -> None:
    """What a portfolio run scored, and where its outputs are."""
    counts = manifest.counts
    bundle = run.options.bundle.rsplit("/", 1)[-1]
    out.print(f"{counts.scored:,} tenders scored with bundle {bundle}: {run.published(run.out)}", markup=False)
    bands = ", ".join(f"{number:,} {band}" for band, number in counts.bands.items())
    out.print(f"  failure probability: {bands or 'none'}", markup=False)
    if counts.refused:
        errors = run.published(run.errors_file)
        out.print(f"  {counts.refused:,} rows refused, with place and reason: {errors}", markup=False)
    for move in manifest.options.levels:
        far = ", farther than its intervals allowed for" if move.stale else ""
        moved = f"level of {move.outcome} moved by {move.shift:+.2f} in log-odds, by {move.cases:,} outcomes{far}"
        out.print(f"  {move.register}: {moved}", markup=False)
    if run.outcomes and not manifest.options.levels:
        out.print("  no level moved: no known outcome is of a tender that the models had not learnt from", markup=False)
    if manifest.worklist:
        out.print(f"  {manifest.worklist.listed:,} to review: {run.published(run.worklist_file)}", markup=False)
    if run.report:
        out.print(f"  report: {run.published(run.report)}", markup=False)
    out.print(f"  manifest: {run.published(run.manifest_file)}", markup=False)


def print_drift(out: Console, report: DriftReport) -> None:
    """The answer, then each register and stage with what moved."""
    out.print(report.answer, style="bold", markup=False)
    for group in report.compared:
        out.print(f"{group.register} at {group.stage}: {group.rows:,} tenders", markup=False)
        for sentence in group.sentences:
            out.print(f"  {sentence}", markup=False)
    if report.refused:
        out.print(f"{report.refused:,} rows were refused: tender-risk portfolio says why.", markup=False)
    out.print(report.note, style="dim", markup=False)


def print_release(out: Console, release: ReleaseResult) -> None:
    """What was released, and whether it is served."""
    if release.directory:
        out.print(f"Wrote {release.version} to {escape(release.directory)}. Use it with: --bundle {release.directory}")
    elif release.served:
        out.print(f"Released {release.version}; it is champion and served by default.")
    else:
        out.print(f"Released {release.version} as challenger; {release.champion} is served until: tender-risk promote")


def print_promotion(out: Console, promotion: PromotionResult) -> None:
    """The metrics of both models on the same cases, and whether the challenger is served now."""
    compared = promotion.comparison.compared
    if compared:
        models = f"challenger {promotion.challenger} against champion {promotion.champion}"
        out.print(f"{models}, on cases that neither had seen")
        name = Column("of", min_width=MIN_NAME_WIDTH)
        table = Table(name, "cases", "n", "figure", "champion", "challenger", "difference", "95 %")
        for row in compared:
            if row.group != "all" and not row.worse:
                continue
            difference = f"{row.difference:+.4f}"
            table.add_row(
                escape(f"{row.register} {row.outcome} {row.stage}"),
                escape(row.group),
                f"{row.n:,}",
                row.measure,
                f"{row.champion:.4f}",
                f"{row.challenger:.4f}",
                f"[bold]{difference} worse[/bold]" if row.worse else difference,
                f"{row.interval[0]:+.4f} to {row.interval[1]:+.4f}",
            )
        out.print(table)
        groups = Counter(row.group == "all" for row in compared)[False]
        out.print(f"  {groups} figures of large groups were compared too; only those that are worse are shown")
    if promotion.comparison.unchanged:
        out.print(f"  the same models as before: {', '.join(promotion.comparison.unchanged)}")
    for missing in (*promotion.comparison.not_compared, *promotion.comparison.too_few):
        out.print(f"  not compared: {escape(missing)}")
    if promotion.promoted:
        former = f"; {promotion.champion} is the former champion" if promotion.champion else ""
        out.print(f"Promoted {promotion.challenger}: it is served by default{escape(former)}.")


def print_rollback(out: Console, rollback: RollbackResult) -> None:
    """What is served again."""
    out.print(f"{rollback.champion} is champion and served again; {rollback.withdrawn} is not.")


def print_pull(out: Console, pulled: PullResult, output: Path) -> None:
    """How many notices were pulled, and on which days there were none."""
    out.print(f"{output}: {pulled.releases:,} notices of {pulled.processes:,} processes", markup=False)
    if pulled.repeated:
        out.print(f"  {pulled.repeated:,} more were published twice and left out")
    for day, more in pulled.recounted.items():
        out.print(f"  {day}: {more:,} more when the day was asked for in parts; they are in the output")
    for day, stated in pulled.stated.items():
        if stated != pulled.days[day]:
            out.print(f"  {day}: {pulled.days[day]:,} notices, where the API says that it has {stated:,}")
    if pulled.unread:
        out.print(f"  {pulled.unread:,} numbers could not be read, such as 1e9999, and are left out")
    empty = [str(day) for day, count in pulled.days.items() if not count]
    if empty:
        days = f"{', '.join(empty[:MAX_DAYS])}{' …' * (len(empty) > MAX_DAYS)}"
        out.print(f"  no notice on {len(empty)} of {len(pulled.days)} days: {days}")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
