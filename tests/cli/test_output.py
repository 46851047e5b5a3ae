"""A refusal shows what is worse and by how much, and leaves with 1."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli import main, output
from models import bundle as bundles
from serving.audit.entry import AuditEntry, read_entry
from serving.audit.store import AuditStore, SqliteTrail
from serving.audit.trail import machine_user
from tenders.errors import BundleError
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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of releases whose files say who is champion, challenger and former champion, and a trail of its own."""
    monkeypatch.setenv("TENDER_RISK_DATA", str(tmp_path))
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "current")
    for pointer, version in (("current", "2026.11.1"), ("challenger", "2026.11.2"), ("former", "2026.10.9")):
        promotion.write_pointer(tmp_path / pointer, version)
    return tmp_path


def noted(home: Path) -> AuditEntry:
    """The last entry of the trail."""
    store = AuditStore(SqliteTrail(home / "audit.sqlite", made=False), made=False)
    row = store.row(store.head().seq)
    assert row is not None
    store.close()
    return read_entry(row.entry)


@pytest.mark.parametrize("json", [False, True])
def test_a_refusal_is_printed_and_leaves_with_1(
    refusal: PromotionResult,
    json: bool,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(promotion, "promote", lambda *_: refusal)
    monkeypatch.setattr("sys.argv", ["tender-risk", "promote", *(["--json"] if json else [])])
    with pytest.raises(SystemExit) as left:
        main.run()
    assert left.value.code == 1
    captured = capsys.readouterr()
    assert "made/no_award/draft, all: worse: auc" in captured.err
    assert ('"promoted":false' in captured.out) == json
    entry = noted(home)
    assert (entry.action, entry.subject, entry.before, entry.user) == (
        "promotion refused", "2026.11.2", "2026.11.1", machine_user(),
    )  # fmt: skip
    assert "made/no_award/draft, all: worse: auc" in entry.note and len(entry.note) <= 1_000


@pytest.mark.parametrize(("command", "version"), [("promote", "2026.11.2"), ("rollback", "2026.10.9")])
def test_a_bundle_that_is_broken_or_not_signed_leaves_an_entry_where_it_was_to_be_served(
    command: str, version: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise BundleError("the bundle is not signed")

    monkeypatch.setattr(promotion, command, refuse)
    monkeypatch.setattr("sys.argv", ["tender-risk", command])
    with pytest.raises(SystemExit) as left:
        main.run()
    assert left.value.code == 3
    entry = noted(home)
    assert (entry.action, entry.subject, entry.before, entry.note) == (
        "promotion refused", version, "2026.11.1", "the bundle is not signed",
    )  # fmt: skip
    # Without a trail it is refused all the same, and in the same words.
    (home / "audit.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(SystemExit):
        main.run()
    assert "the bundle is not signed" in capsys.readouterr().err
