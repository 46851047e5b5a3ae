"""The text model learns the outcomes that it is given, when it is given them, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.track_records.attributes import HashedAttributes, hash_attributes
from features.track_records.text_model import CROSSES, TextModel, tokens
from tenders.io.read import to_process

DAY = 730_000
titles = st.lists(st.text("abc ", max_size=12), min_size=1, max_size=6)


def described(*given_titles: str) -> HashedAttributes:
    return hash_attributes([to_process({"tender": {"title": title}}).as_of("draft") for title in given_titles])


def taught(attributes: HashedAttributes, y: list[float], model: TextModel | None = None, day: int = DAY) -> TextModel:
    """A model that has learnt every row once."""
    model = model or TextModel.empty(0.3, DAY)
    rows = np.arange(attributes.rows)
    model.update(tokens(attributes, False), rows, np.array(y), np.full(len(rows), day), np.ones(len(rows)))
    return model


def think(model: TextModel, *given_titles: str) -> list[float]:
    attributes = described(*given_titles)
    return list(model.log_odds(tokens(attributes, False), np.arange(attributes.rows)))


def test_untaught_it_thinks_everything_as_likely_as_its_rate() -> None:
    assert think(TextModel.empty(0.2, DAY), "bridge", "") == pytest.approx([np.log(0.25)] * 2)


def test_it_learns_the_word_that_tells() -> None:
    rng = np.random.default_rng(0)
    with_bridge = rng.random(400) < 0.5
    given_titles = [f"{'bridge' if bridge else 'road'} {rng.choice(['north', 'south'])}" for bridge in with_bridge]
    model = taught(described(*given_titles), [float(bridge) for bridge in with_bridge])
    bridge, road, both, neither = think(model, "bridge", "road", "bridge road", "unheard")
    assert bridge > 1 + road
    assert road < both < bridge
    assert neither == pytest.approx(model.bias)


@given(given_titles=titles)
def test_a_tender_is_thought_of_in_company_as_alone(given_titles: list[str]) -> None:
    model = taught(described("a b", "b c", "c a"), [1.0, 0.0, 1.0])
    together = think(model, *given_titles)
    assert together == pytest.approx([think(model, title)[0] for title in given_titles])


@given(given_titles=titles)
def test_tokens_are_words_and_pairs_of_words_laid_out_row_by_row(given_titles: list[str]) -> None:
    attributes = described(*given_titles)
    all_tokens = tokens(attributes, False)
    for row in range(attributes.rows):
        count = int(attributes.start[row + 1] - attributes.start[row])
        assert all_tokens.start[row + 1] - all_tokens.start[row] == max(0, 2 * count - 1)
        alone = tokens(described(given_titles[row]), False)
        assert np.array_equal(all_tokens.slots[all_tokens.start[row] : all_tokens.start[row + 1]], alone.slots)


def test_crossed_tokens_add_who_buys_what_and_how() -> None:
    document = {"buyer": {"id": "b", "name": "B"}, "tender": {"title": "road", "procurementMethod": "open"}}
    attributes = hash_attributes([to_process(document).as_of("draft")])
    known = sum(all(name in attributes.hashes for name in names) for names in CROSSES)
    assert len(tokens(attributes, True).slots) == 1 + 1 + known  # the word, the word with the buyer, the crosses
    assert known >= 3


def test_a_row_of_no_weight_teaches_nothing() -> None:
    attributes = described("bridge")
    model = TextModel.empty(0.3, DAY)
    model.update(tokens(attributes, False), np.array([0]), np.array([1.0]), np.array([DAY]), np.zeros(1))
    assert not model.weight.any() and model.bias == TextModel.empty(0.3, DAY).bias


def test_what_was_damped_long_ago_is_learnt_again() -> None:
    often = described(*["bridge"] * 500)
    model = taught(often, [1.0, 0.0] * 250)
    damped, recovered = ((taught(described("bridge"), [1.0], _copy(model), day)) for day in (DAY, DAY + 5 * 365))
    slots = tokens(described("bridge"), False).slots
    assert (
        abs(recovered.weight[slots] - model.weight[slots]).sum()
        > 2 * abs(damped.weight[slots] - model.weight[slots]).sum()
    )


def _copy(model: TextModel) -> TextModel:
    return TextModel(weight=model.weight.copy(), damping=model.damping.copy(), bias=model.bias, origin=model.origin)
