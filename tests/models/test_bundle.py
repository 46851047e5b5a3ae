"""A bundle comes back as it was saved, or is refused with the name of what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import bundle as bundles
from models import bundle_files, signatures
from models import score as scoring
from models.bundle import Bundle
from tenders.errors import BundleError
from tenders.io.read import read_file

ROOT = Path(__file__).parents[2]
MANCHESTER = read_file(ROOT / "examples/manchester-lco.json")[0]


@pytest.fixture(scope="module")
def once(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released bundle, saved anew."""
    directory = tmp_path_factory.mktemp("once") / "saved"
    bundles.save(bundle, directory)
    return directory


@pytest.fixture
def saved(once: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return shutil.copytree(once, tmp_path / "saved")


def test_what_is_saved_and_loaded_scores_to_the_last_byte_the_same(bundle: Bundle, saved: Path) -> None:
    again = bundles.load(saved)
    for stage in ("draft", "bids_in"):
        assert msgspec.json.encode(scoring.score(again, MANCHESTER, stage)) == msgspec.json.encode(
            scoring.score(bundle, MANCHESTER, stage)
        )


def test_saving_again_gives_the_same_files(bundle: Bundle, saved: Path, tmp_path: Path) -> None:
    bundles.save(bundles.load(saved), tmp_path / "again")
    first, again = (bundles.load(path).manifest for path in (saved, tmp_path / "again"))
    assert first.digests == again.digests == bundle.manifest.digests
    assert first == again


def test_the_track_record_comes_back_as_it_was(bundle: Bundle, saved: Path) -> None:
    assert bundles.load(saved).case_history.resolved == bundle.case_history.resolved


def test_saving_replaces_the_bundle_and_leaves_nothing_beside_it(bundle: Bundle, saved: Path) -> None:
    (saved / "stray").write_text("x")
    bundles.save(bundle, saved)
    assert not (saved / "stray").exists()
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_the_manifest_has_a_digest_of_every_other_file(saved: Path) -> None:
    manifest = json.loads((saved / bundles.MANIFEST).read_bytes())
    assert set(manifest["digests"]) == {path.relative_to(saved).as_posix() for path in held(saved)} - {bundles.MANIFEST}


def test_nothing_in_a_bundle_is_a_pickle(saved: Path) -> None:
    assert {path.suffix for path in held(saved)} == {".json", ".ubj", ".parquet", ".md", ".svg"}
    assert not any(path.read_bytes().startswith(b"\x80") for path in held(saved))


def held(directory: Path) -> list[Path]:
    """Every file of a bundle, those of its registers too."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


FILES = [path.relative_to(bundles.released()).as_posix() for path in held(bundles.released())]
FILES.remove(bundles.MANIFEST)
FILES.remove(signatures.SIGNATURE)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} is not the file that was released"):
        bundles.load(saved)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        bundles.load(saved)


def test_all_that_is_wrong_is_named_at_once(saved: Path) -> None:
    for name in FILES:
        (saved / name).unlink()
    with pytest.raises(BundleError) as refused:
        bundles.load(saved)
    assert all(name in str(refused.value) for name in FILES)


def _rewritten(saved: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    manifest = json.loads((saved / bundles.MANIFEST).read_bytes())
    change(manifest)
    (saved / bundles.MANIFEST).write_text(json.dumps(manifest))
    return saved


@pytest.fixture
def boosted(bundle: Bundle, tmp_path: Path) -> Path:
    """A bundle whose models are boosters: that of a register, saved by itself."""
    bundles.save(bundle.registers["placsp_es"], tmp_path / "boosted")
    return tmp_path / "boosted"


def test_a_feature_that_this_version_does_not_have_is_named(boosted: Path) -> None:
    _rewritten(boosted, lambda manifest: manifest["parts"][0]["features"].append("moon_phase"))
    with pytest.raises(BundleError, match=r"\.ubj reads the unknown feature moon_phase"):
        bundles.load(boosted)


def test_an_effect_of_a_feature_that_this_version_does_not_have_is_named(saved: Path) -> None:
    _rewritten(saved, lambda manifest: manifest["effects"][0].update(feature="moon_phase"))
    with pytest.raises(BundleError, match="reads the unknown feature moon_phase"):
        bundles.load(saved)


def test_a_bundle_of_another_format_is_refused(saved: Path) -> None:
    _rewritten(saved, lambda manifest: manifest.update(format=bundles.FORMAT + 1))
    with pytest.raises(BundleError, match="Release it anew"):
        bundles.load(saved)


@pytest.mark.parametrize("name", [bundles.CALIBRATION, bundles.TRACK_RECORDS, bundles.CARD, "no_award-draft.ubj"])
def test_a_file_without_a_digest_is_named(boosted: Path, name: str) -> None:
    _rewritten(boosted, lambda manifest: manifest["digests"].pop(name))
    with pytest.raises(BundleError, match=f"{name} has no digest"):
        bundles.load(boosted)


def test_a_line_of_calibration_that_is_not_there_is_named(bundle: Bundle, tmp_path: Path) -> None:
    lines = {key: line for key, line in bundle.calibration.items() if key != ("no_award", "draft")}
    bundles.save(msgspec.structs.replace(bundle, calibration=lines), tmp_path / "short")
    with pytest.raises(BundleError, match="no line for no_award-draft"):
        bundles.load(tmp_path / "short")


def test_columns_in_another_order_are_named(boosted: Path) -> None:
    _rewritten(boosted, lambda manifest: manifest["parts"][0]["features"].reverse())
    with pytest.raises(BundleError, match=r"\.ubj reads other features than the manifest says"):
        bundles.load(boosted)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "\x00"])
def test_a_manifest_that_is_none_is_refused(saved: Path, text: str) -> None:
    (saved / bundles.MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        bundles.load(saved)


def test_a_part_that_lies_elsewhere_is_refused(boosted: Path) -> None:
    _rewritten(boosted, lambda manifest: manifest["parts"][0].update(outcome="../../no_award"))
    with pytest.raises(BundleError, match="has no digest"):
        bundles.load(boosted)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle there"):
        bundles.load(tmp_path / "nowhere")


def rename(directory: Path, name: str, other: str) -> None:
    """Lets the manifest call a file by another name."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["digests"][other] = manifest["digests"].pop(name)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("form", ["../{0}/{1}", "{2}/{1}", "./{1}", "x/../{1}", "{1}/", "", ".", "x\x00", "..\\{1}"])
def test_a_name_that_leads_out_of_the_bundle_is_refused(saved: Path, form: str) -> None:
    rename(saved, "MODEL_CARD.md", form.format(saved.name, "MODEL_CARD.md", saved))
    with pytest.raises(BundleError, match="is no file of the bundle's own"):
        bundles.load(saved)


def test_links_are_not_followed(saved: Path, tmp_path: Path) -> None:
    card = saved / "MODEL_CARD.md"
    card.rename(tmp_path / "card")
    card.symlink_to(tmp_path / "card")
    with pytest.raises(BundleError, match=r"'MODEL_CARD.md' is no file of the bundle's own"):
        bundles.load(saved)
    card.unlink()
    (saved / "linked").symlink_to(tmp_path)
    rename(saved, "MODEL_CARD.md", "linked/card")
    with pytest.raises(BundleError, match="'linked/card' is no file of the bundle's own"):
        bundles.load(saved)
    (saved / "manifest.json").rename(tmp_path / "manifest")
    (saved / "manifest.json").symlink_to(tmp_path / "manifest")
    with pytest.raises(BundleError, match=r"manifest.json is a link"):
        bundles.load(saved)


def test_a_manifest_of_any_size_is_not_read(saved: Path) -> None:
    with (saved / "manifest.json").open("r+b") as file:
        file.truncate(bundle_files.MAX_MANIFEST_BYTES + 1)
    with pytest.raises(BundleError, match="larger than 16 MB"):
        bundles.load(saved)


def test_without_a_release_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "current")
    with pytest.raises(BundleError, match="tender-risk train"):
        bundles.released()


def test_a_killed_save_leaves_the_old_bundle(bundle: Bundle, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("models.bundle.pq.write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        bundles.save(bundle, saved)
    monkeypatch.undo()
    assert bundles.load(saved).manifest == bundles.load(bundles.released()).manifest


def test_a_part_that_a_bundle_has_not_is_a_key_error(bundle: Bundle) -> None:
    with pytest.raises(KeyError):
        bundle.part("no_award", "awarded")


def test_the_released_bundle_verifies_wherever_it_is_copied(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundles.released(), tmp_path / "copy")
    assert bundles.load(tmp_path / "copy").manifest == bundle.manifest
