"""Evaluating: the straight line on unseen cases, with nothing known that was not known on the day."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from features.table_builder import one_row
from features.track_records.case_records import CaseHistory, in_order
from features.track_records.resolutions import decision, failure, resolved_cases
from models import score as scoring
from models.bundle import ANY, Bundle
from models.predict import predict, track_record_lookup
from tenders import casebook
from tenders.errors import DataError, UsageError
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers import casebook_uk, find_register
from tests.tenders.registers.made import table, uk_notice
from tests.training import made
from training.evaluate import EvaluationResult, evaluate, forecasts, replayed_records
from training.registers import RegistersResult

FILE = Path("made.csv")
CASES = [case.labelled(row) for row, case in enumerate(casebook.cases())]
DATED = [case for case in CASES if case.published > date(1990, 1, 1)]


def source(history: list[LabelledTender], test: list[LabelledTender]) -> Register:
    """A register whose files hold these cases."""
    held = {"history": history, "test": test}
    return replace(
        casebook_uk.REGISTER, read=lambda path: HistoryFile(cases=held[path.stem], rows=len(held[path.stem]))
    )


def judged(
    bundle: Bundle, history: list[LabelledTender], test: list[LabelledTender], outcome: str = "failure"
) -> EvaluationResult:
    return evaluate(bundle, source(history, test), Path("history.csv"), Path("test.csv"), outcome, "draft")


def test_the_figures_are_those_of_cohort_rows_and_picked_rows_stand_apart(bundle: Bundle) -> None:
    result = judged(bundle, [], CASES)
    labels = {picked: [c for c in CASES if (c.cohort == "picked") == picked] for picked in (False, True)}
    for figures, cases in ((result, labels[False]), (result.picked, labels[True])):
        assert figures is not None
        failures = [case.outcomes["failure"] for case in cases if case.outcomes["failure"] is not None]
        assert (figures.n, figures.positives) == (len(failures), sum(failures))
        assert figures.censored == len(cases) - len(failures)
        decisions = Counter(decision(case) for case in cases if case.outcomes["failure"] is not None)
        failed = sum(
            failure(case) / decisions[decision(case)] for case in cases if case.outcomes["failure"] is not None
        )
        assert figures.base_rate == pytest.approx(failed / len(decisions))
        assert figures.auc is not None
        assert figures.auc_ci is not None
        assert figures.auc_ci[0] <= figures.auc <= figures.auc_ci[1]


def test_the_contract_s_keys_are_printed(bundle: Bundle) -> None:
    printed = msgspec.to_builtins(judged(bundle, [], CASES))
    assert printed.keys() >= {
        "register", "outcome", "stage", "n", "positives", "base_rate", "auc", "auc_ci", "average_precision", "brier",
        "brier_skill", "ece", "mean", "lift_at_5", "lift_at_10", "coverage", "picked",
    }  # fmt: skip


def test_a_probability_is_what_scoring_says_of_the_case_on_its_day(bundle: Bundle) -> None:
    history = CaseHistory(resolved=tuple(in_order(resolved_cases(CASES))))
    labelled = [case for case in DATED[:40] if case.outcomes["failure"] is not None]
    probabilities = forecasts(bundle, casebook_uk.REGISTER, CASES, DATED[:40], "failure", "draft").p
    for case, p in zip(labelled, probabilities, strict=True):
        scored = scoring.score(replace(bundle, case_history=history), casebook.cases()[case.row].process(), "draft")
        assert round(p, 4) == scored.failure


@pytest.mark.parametrize("index", range(0, len(DATED), 60))
def test_what_was_resolved_on_or_after_the_day_changes_nothing(bundle: Bundle, index: int) -> None:
    case = DATED[index]
    later = [c for c in CASES if c.known_on is not None and c.known_on >= case.published]
    turned = [replace(c, outcomes={"failure": not failure(c)}) if c in later else c for c in CASES]
    assert later
    expected = forecasts(bundle, casebook_uk.REGISTER, CASES, [case], "failure", "draft").p
    for before in (turned, [c for c in CASES if c not in later]):
        assert list(forecasts(bundle, casebook_uk.REGISTER, before, [case], "failure", "draft").p) == list(expected)


def test_what_a_register_cannot_tell_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="cannot tell no_award at awarded"):
        evaluate(bundle, casebook_uk.REGISTER, FILE, FILE, "no_award", "awarded")
    with pytest.raises(UsageError, match="cannot tell delay"):
        evaluate(bundle, casebook_uk.REGISTER, FILE, FILE, "delay", None)


def test_a_file_without_a_told_case_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="no case of which failure is known"):
        judged(bundle, CASES, [c for c in CASES if c.outcomes["failure"] is None])


MADE = made.register(1200)
MADE_BEFORE, MADE_AFTER = MADE[:900], MADE[900:]
MADE_SOURCE = made.source()


@pytest.fixture(scope="module")
def whole(registers_result: RegistersResult) -> Bundle:
    """A bundle of the UK's shape that holds the made-up registers."""
    return replace(registers_result.bundles["made"], registers=registers_result.bundles)


def made_probabilities(
    bundle: Bundle, before: list[LabelledTender], cases: list[LabelledTender], name: str = made.NAME
) -> np.ndarray:
    return forecasts(bundle, made.source(name=name), before, cases, "no_award", "draft").p


def opposite(case: LabelledTender) -> LabelledTender:
    return replace(case, outcomes={"no_award": not case.outcomes["no_award"]})


@pytest.mark.parametrize("name", ["made", "never seen"])
@pytest.mark.parametrize("row", [0, 120, 299])
def test_what_became_known_on_or_after_its_day_changes_no_probability(whole: Bundle, row: int, name: str) -> None:
    day = MADE_AFTER[row].published
    later = [bool(c.known_on and c.known_on >= day) for c in MADE]
    changed = [opposite(c) if turn else c for c, turn in zip(MADE, later, strict=True)]
    expected, probabilities = (
        made_probabilities(whole, MADE_BEFORE, MADE_AFTER, name),
        made_probabilities(whole, changed[:900], changed[900:], name),
    )
    assert np.array_equal(probabilities[: row + 1], expected[: row + 1])


def test_what_became_known_the_day_before_changes_them(whole: Bundle) -> None:
    expected = made_probabilities(whole, MADE_BEFORE, MADE_AFTER[-1:])
    assert made_probabilities(whole, [opposite(c) for c in MADE_BEFORE], MADE_AFTER[-1:]) != expected


def test_every_probability_is_what_scoring_predicts_from_the_replay(
    whole: Bundle, registers_result: RegistersResult
) -> None:
    own = registers_result.bundles["made"]
    probabilities = made_probabilities(whole, MADE_BEFORE, MADE_AFTER)
    # A replay of one row walks the whole register: a row in fifteen, not all of them.
    for place in range(0, len(MADE_AFTER), 15):
        records = replayed_records(own, MADE_SOURCE, MADE_BEFORE, MADE_AFTER, [place], "no_award")
        table = one_row(MADE_AFTER[place].as_of("draft"), "draft", records=records)
        assert probabilities[place] == predict(own, table).of("no_award")[0]


def test_a_new_tender_scores_by_the_frozen_bundle_as_the_replay_would_say(registers_result: RegistersResult) -> None:
    own = registers_result.bundles["made"]
    last = max(c.known_on for c in MADE if c.known_on)
    new = replace(MADE[5], published=last + timedelta(days=1), known_on=None, row=99_999)
    replayed = replayed_records(own, MADE_SOURCE, MADE, [new], [0], "no_award")
    table = one_row(new.as_of("draft"), "draft", new.published)
    frozen = track_record_lookup(own, table)
    known = [{name for name, value in record.register.items() if value == value} for record in (frozen, replayed)]
    assert known[0] == known[1]
    for name in known[0]:
        assert frozen.register[name] == pytest.approx(replayed.register[name], rel=1e-4, abs=1e-5), name
    one, other = (predict(own, table.with_records(records)).of("no_award") for records in (replayed, frozen))
    assert one == pytest.approx(other, abs=1e-3)


def test_the_planted_signal_is_found_on_cases_that_were_not_seen(whole: Bundle) -> None:
    held = {"history": MADE_BEFORE, "test": MADE_AFTER}
    figures = evaluate(whole, made.source(held=held), Path("history.csv"), Path("test.csv"), None, None)
    assert figures.auc is not None and figures.auc > 0.7
    assert (figures.n, figures.censored) == (len(MADE_AFTER), 0)
    assert figures.positives == sum(bool(c.outcomes["no_award"]) for c in MADE_AFTER)


def test_a_register_that_is_not_known_is_judged_by_what_all_know_together(whole: Bundle) -> None:
    y = np.array([bool(c.outcomes["no_award"]) for c in MADE_AFTER])
    p = made_probabilities(whole, MADE_BEFORE, MADE_AFTER, "never seen")
    assert whole.registers[ANY].manifest.register == ANY
    assert p[y].mean() > p[~y].mean() + 0.1


def test_one_probability_a_case_that_tells(whole: Bundle) -> None:
    censored = [replace(c, outcomes={"no_award": None}) if i % 2 else c for i, c in enumerate(MADE_AFTER[:20])]
    assert len(made_probabilities(whole, MADE_BEFORE, censored)) == 10


def test_an_outcome_without_a_model_is_refused_by_name(whole: Bundle) -> None:
    with pytest.raises(UsageError, match="has no model of single_bid at draft for made"):
        single = [replace(c, outcomes={"single_bid": True}) for c in MADE_AFTER[:2]]
        forecasts(whole, MADE_SOURCE, MADE_BEFORE, single, "single_bid", "draft")


def test_scoring_picks_the_register_by_the_ocid(whole: Bundle) -> None:
    for name in ("made", "other"):
        assert whole.for_ocid(f"{name}-1").manifest.register == name
    for ocid in (None, ""):
        assert whole.for_ocid(ocid) is whole
    for ocid in ("ocds-1", "madeup-1"):
        assert whole.for_ocid(ocid).manifest.register == "any"


def test_blind_notices_are_judged_by_the_uk_model_and_targeted_ones_stand_apart(bundle: Bundle, tmp_path: Path) -> None:
    rows = [
        uk_notice("ocds-h6vhtk-1"),
        uk_notice("ocds-h6vhtk-2", outcome="no_award"),
        uk_notice("ocds-h6vhtk-3", outcome="no_award", entry="targeted"),
        uk_notice("ocds-h6vhtk-4", published=None),
        uk_notice("ocds-h6vhtk-5", outcome="open"),
    ]
    path, notices = table(tmp_path, rows), find_register("uk_notices")
    figures = evaluate(bundle, notices, path, path, None, None)
    assert (figures.register, figures.outcome, figures.stage) == ("uk_notices", "no_award", "draft")
    assert (figures.n, figures.positives, figures.censored) == (2, 1, 2)
    assert figures.picked and (figures.picked.n, figures.picked.positives) == (1, 1)
    cases = notices.cases(path)
    p = forecasts(bundle, notices, [], cases, "no_award", "draft").p
    assert len(p) == 3
    one = one_row(cases[0].as_of("draft"), "draft")
    assert p[0] == pytest.approx(predict(bundle, one).of("no_award")[0], abs=0.05)


def test_a_case_is_scored_at_the_level_of_its_day_and_a_level_far_away_is_stale(
    registers_result: RegistersResult,
) -> None:
    """From one day on nearly every call fails. The first month is forecast as before, later ones higher and higher."""
    own = registers_result.bundles["made"]
    last = max(date.fromisoformat(source.last) for source in own.manifest.data)
    before = made.register(1200, seed=0, name="made")
    later = [
        made.case(2000 + n, last + timedelta(1 + n // 4), last + timedelta(11 + n // 4), n % 8 > 0, buyer=f"buyer-{n % 20}")
        for n in range(800)
    ]  # fmt: skip
    whole = Bundle(manifest=own.manifest, boosters={}, calibration={}, registers={"made": own})
    forecast = forecasts(whole, made.source(name="made"), before, later, "no_award", "draft")
    assert forecast.level is not None and forecast.level.shift > 0.5 and forecast.level.stale
    by_month = [forecast.p[120 * month : 120 * month + 120].mean() for month in range(6)]
    assert by_month[5] > by_month[1] > by_month[0]
    assert (forecast.low <= forecast.p).all() and (forecast.p <= forecast.high).all()
    quiet = forecasts(whole, made.source(name="made"), before, later[:40], "no_award", "draft")
    assert np.array_equal(quiet.p, forecast.p[:40]), "what is known later does not reach an earlier day"
