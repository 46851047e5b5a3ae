"""Models of histories beside those of a served bundle, which stay as they are: nothing of the UK is fitted again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from models.bundle import ANY, UNRELEASED, Bundle
from tenders.errors import DataError, Problem
from tenders.registers import own
from training.cards import add_register_cards, register_title
from training.recipe import Recipe
from training.registers import RegistersResult, history_files, manifest_metrics, train_registers
from training.results import CaseCounts, TrainingResult

Progress = Callable[[str], None]


def only_own(directory: Path) -> bool:
    """Whether a history of one's own is the only one in a directory. Raises UnreachableError if there is none such."""
    return {register.name for register, _ in history_files(directory)} == {own.NAME}


def extend(served: Bundle, directory: Path, recipe: Recipe, progress: Progress = lambda _: None) -> TrainingResult:
    """A bundle with all models of the served one, and new ones of the registers in a directory.

    Raises as `train_registers` and `with_models`.
    """
    result = with_models(train_registers(directory, recipe, progress, served))
    fresh = {name: bundle for name, bundle in result.bundles.items() if name != ANY or ANY not in served.registers}
    result = msgspec.structs.replace(result, bundles=fresh)
    known = {name: row for name, row in served.manifest.metrics.items() if name.partition("/")[0] not in fresh}
    manifest = msgspec.structs.replace(
        served.manifest,
        version=UNRELEASED,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=(*(source for source in served.manifest.data if source.name not in fresh), *result.data),
        metrics=known | manifest_metrics(result),
    )
    bundle = msgspec.structs.replace(
        served,
        manifest=manifest,
        registers={**served.registers, **add_register_cards(result)},
        card=_card(served, result),
    )
    return TrainingResult(
        bundle=bundle,
        fits={},
        headline={},
        recipe=recipe,
        counts=CaseCounts(researched=0, dated=0, cohort=0, picked=0, failed=0),
        registers=result,
    )


def with_models(result: RegistersResult) -> RegistersResult:
    """The same. Raises DataError if no model could be fitted, with how many more outcomes that takes."""
    if not result.bundles:
        few = [Problem(path=name, problem=text) for name, _, text in (line.partition(": ") for line in result.too_few)]
        none = Problem(
            path="/", problem="no outcome is known of any case", remedy="Check how the history tells outcomes"
        )
        raise DataError(few or [none])
    return result


def _card(served: Bundle, result: RegistersResult) -> str:
    """The card of the served bundle, and what was added to it."""
    lines = [f"- [{register_title(name)}]({name}/MODEL_CARD.md)" for name in result.bundles]
    text = f"All other models, and the text above, are those of bundle {served.manifest.version}, as they were."
    return f"{served.card.partition(ADDED)[0].rstrip()}\n\n{ADDED}\n\n{text}\n\n" + "\n".join(lines) + "\n"


ADDED = "## Added later"
