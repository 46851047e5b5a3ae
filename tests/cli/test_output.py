"""A refusal shows what is worse and by how much, and leaves with 1."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli import main, output
from tests.training.test_promotion import by_name, made
from training import promotion
from training.promotion import PromotionResult, compare


@pytest.fixture(scope="module")
def refusal() -> PromotionResult:
    """What comes of a challenger that is worse."""
    import msgspec

    scored = made()
    worse = msgspec.structs.replace(scored, p=1 - scored.p)
    comparison = compare(by_name(scored), by_name(worse))
    return PromotionResult(champion="2026.11.1", challenger="2026.11.2", promoted=False, comparison=comparison)


def test_a_refusal_shows_every_figure_that_is_worse(refusal: PromotionResult) -> None:
    out = io.StringIO()
    output.print_promotion(Console(file=out, width=200), refusal)
    text = out.getvalue()
    assert text.count("worse") == len(refusal.comparison.worse) + 1
    assert "year 2018" in text and "Promoted" not in text


def test_a_narrow_terminal_still_says_of_what_each_figure_is(refusal: PromotionResult) -> None:
    out = io.StringIO()
    output.print_promotion(Console(file=out, width=80), refusal)
    assert {scored.outcome for scored in refusal.comparison.compared} <= set(out.getvalue().split())


@pytest.mark.parametrize("json", [False, True])
def test_a_refusal_is_printed_and_leaves_with_1(
    refusal: PromotionResult, json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(promotion, "promote", lambda *_: refusal)
    monkeypatch.setattr("sys.argv", ["tender-risk", "promote", *(["--json"] if json else [])])
    with pytest.raises(SystemExit) as left:
        main.run()
    assert left.value.code == 1
    captured = capsys.readouterr()
    assert "made/no_award/draft, all: worse: auc" in captured.err
    assert ('"promoted":false' in captured.out) == json
