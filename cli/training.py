"""What `tender-risk train` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import err
from cli.progress import working
from tenders.errors import BundleError, UsageError

if TYPE_CHECKING:
    # Importing them takes longer than most commands.
    from models.bundle import Bundle
    from training.recipe import Recipe
    from training.results import TrainingResult


def train(
    recipe: Recipe, history: Path | None, keep_registers: bool, keep_uk: bool | None
) -> tuple[str, TrainingResult]:
    """Trains and writes the run; returns its id and what was trained.

    Raises UsageError if options contradict each other, BundleError if nothing is served whose models could be kept.
    """
    from training import extend, tracking
    from training import train as training
    from training.datasets import load_casebook

    if keep_registers and keep_uk:
        raise UsageError("with --keep-registers and --keep-uk nothing is left to train. Give one of them")
    if keep_uk and not history:
        raise UsageError("--keep-uk trains the histories alone. Give their directory with --history")
    served = _served(needed=bool(keep_uk or (keep_registers and history)))
    if keep_uk is None and served and history and not keep_registers:
        keep_uk = extend.only_own(history)
    with working("reading") as status:

        def progress(text: str) -> None:
            status.update(f"training: {text}")

        if keep_uk and served and history:
            err.print(
                f"The models of bundle {served.manifest.version} stay as they are (--refit-uk fits the UK's again)."
            )
            result = extend.extend(served, history, recipe, progress)
        else:
            kept = served if keep_registers and history else None
            result = training.train(load_casebook(), recipe, progress, history, kept, served)
        status.update("writing the run")
        return tracking.log(result), result


def _served(needed: bool) -> Bundle | None:
    from models import bundle as bundles

    try:
        return bundles.load(bundles.released())
    except BundleError:
        if needed:
            raise
        return None


def judged(parts: Mapping[str, str]) -> Iterator[str]:
    """How parts, such as own/no_award/draft, were judged, in sentences: those that were judged alike in one."""
    for how in dict.fromkeys(parts.values()):
        alike = [part.replace("/", " ") for part, way in parts.items() if way == how]
        yield f"{' and '.join(alike)}: judged {how}."
