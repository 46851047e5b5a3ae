"""The transparency record: every field of the standard in its order, filled from the bundle or left to its user."""

from __future__ import annotations

from models.bundle import Bundle
from models.transparency import TO_FILL, record_text, transparency_record

NUMBERS = {"": 4, "1.": 9, "2.": 5, "3.": 6, "4.1.": 4, "4.2.": 9, "4.3.": 10, "5.": 2}
"""How many fields each section of the standard has, by what their numbers begin with."""


def test_every_field_of_the_standard_is_there_once_in_order(bundle: Bundle) -> None:
    numbers = [field.number for section in transparency_record(bundle) for field in section.fields]
    assert numbers == [f"{before}{at}" for before, count in NUMBERS.items() for at in range(1, count + 1)]
    assert all(field.text for section in transparency_record(bundle) for field in section.fields)


def test_figures_and_data_are_those_of_the_bundle(bundle: Bundle) -> None:
    text, manifest = record_text(bundle), bundle.manifest
    for part in (manifest.version, manifest.created, manifest.commit, manifest.evidence):
        assert part in text
    for source in manifest.data:
        assert f"{source.name}: {source.rows:,} cases" in text and source.sha256[:16] in text
    figure = manifest.metrics["failure/draft/cohort"]
    assert f"failure at draft: AUC {figure['auc']:.2f}" in text
    assert all(feature.label in text for feature in bundle.weighed)


def test_what_only_its_user_knows_is_left_open(bundle: Bundle) -> None:
    left = {field.number for section in transparency_record(bundle) for field in section.fields if field.open}
    assert {"4", "1.1", "1.3", "3.1", "3.6", "5.1"} <= left and "4.2.7" not in left
    assert record_text(bundle).count(TO_FILL) == len(left)
