"""A bundle is taken only from whom this machine trusts, and only as it was signed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from models import bundle as bundles
from models import signatures
from models.bundle import Bundle
from models.register_histories import LazyHistories, files
from tenders.errors import BundleError, UsageError

FLIPS = 300
ROOT = Path(__file__).parents[2]
OFFICE = Ed25519PrivateKey.generate()


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine where nothing is configured."""
    monkeypatch.delenv(signatures.UNSIGNED)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def small(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with boosters, histories and a card, which nobody has signed: that of a register by itself."""
    directory = tmp_path_factory.mktemp("small") / "bundle"
    bundles.save(bundle.registers["dncp_py"], directory)
    return directory


@pytest.fixture
def unsigned(small: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small, tmp_path / "bundle")


@pytest.fixture
def signed(unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, signed by an office's key, which is pinned."""
    signatures.sign_manifest(unsigned, OFFICE)
    monkeypatch.setenv(signatures.KEYS, str(public(tmp_path / "office.pub", OFFICE)))
    return unsigned


def public(file: Path, key: Ed25519PrivateKey) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(signatures.public_pem(key))
    return file


@pytest.mark.parametrize("directory", [bundles.released(), *sorted(bundles.RELEASED.glob("2*"))])
def test_what_is_released_is_signed_by_the_project(directory: Path) -> None:
    assert bundles.load(directory).signer == "tender-risk"


def test_an_unsigned_bundle_is_refused_unless_that_is_allowed(unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match=r"the bundle is not signed.*set TENDER_RISK_UNSIGNED=allow"):
        bundles.load(unsigned)
    monkeypatch.setenv(signatures.UNSIGNED, "yes")
    with pytest.raises(BundleError, match="not signed"):
        bundles.load(unsigned)
    monkeypatch.setenv(signatures.UNSIGNED, "allow")
    assert bundles.load(unsigned).signer == ""
    assert bundles.load(unsigned, signed=False).signer == ""


def test_the_command_refuses_it_too(unsigned: Path) -> None:
    command = [sys.executable, "-c", "from cli.main import run; run()", "score", "examples/manchester-lco.json"]
    ended = subprocess.run(
        [*command, "--bundle", str(unsigned)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 3
    assert "the bundle is not signed" in ended.stderr and "Traceback" not in ended.stderr


def test_an_office_that_pins_its_key_takes_no_other(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bundles.load(signed).signer == "office"
    with pytest.raises(BundleError, match=r"by none of the trusted keys \(office\)"):
        bundles.load(bundles.released())
    both = tmp_path / "both"
    public(both / "office.pub", OFFICE)
    shutil.copy(signatures.PROJECT_KEYS / "tender-risk.pub", both)
    monkeypatch.setenv(signatures.KEYS, str(both))
    assert [bundles.load(folder).signer for folder in (signed, bundles.released())] == ["office", "tender-risk"]
    monkeypatch.delenv(signatures.KEYS)
    with pytest.raises(BundleError, match=r"by none of the trusted keys \(tender-risk\)"):
        bundles.load(signed)


def test_allowing_unsigned_bundles_allows_no_wrong_signature(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signatures.UNSIGNED, "allow")
    for wrong in (bytes(64), b"", b"x" * 1000):
        (signed / signatures.SIGNATURE).write_bytes(wrong)
        with pytest.raises(BundleError, match="by none of the trusted keys"):
            bundles.load(signed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: None,
        lambda place: place.mkdir(),
        lambda place: place.write_text("no key"),
        lambda place: place.write_bytes(private_pem(generate_private_key(65537, 2048))),
    ],
)
def test_pinned_keys_that_cannot_be_read_open_nothing(
    unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object]
) -> None:
    spoil(tmp_path / "keys")
    signatures.sign_manifest(unsigned, OFFICE)
    monkeypatch.setenv(signatures.KEYS, str(tmp_path / "keys"))
    with pytest.raises(BundleError, match="keys"):
        bundles.load(unsigned)


def test_an_edited_manifest_with_true_digests_is_refused(signed: Path) -> None:
    manifest = signed / bundles.MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"evidence": "', b'"evidence": "Strong evidence. '))
    with pytest.raises(BundleError, match="or the manifest was changed"):
        bundles.load(signed)
    assert bundles.load(signed, signed=False).manifest.evidence.startswith("Strong evidence.")


def test_any_changed_byte_of_any_file_is_detected(signed: Path) -> None:
    seeded = random.Random(7)
    files = sorted(path for path in signed.rglob("*") if path.is_file())
    # Every file a few times, the manifest and its signature more often than their size would have it.
    chosen = [*files * 3, *[signed / bundles.MANIFEST] * 60, *[signed / signatures.SIGNATURE] * 60]
    chosen += [seeded.choice(files) for _ in range(FLIPS - len(chosen))]
    contents = {file: file.read_bytes() for file in files}
    for file in chosen:
        changed = bytearray(contents[file])
        changed[seeded.randrange(len(changed))] ^= seeded.randrange(1, 256)
        file.write_bytes(changed)
        with pytest.raises(BundleError):
            bundles.load(signed)
        file.write_bytes(contents[file])
    assert len(chosen) >= FLIPS and bundles.load(signed).signer == "office"


def test_this_users_own_key_is_made_once_and_trusted(unsigned: Path) -> None:
    key = signatures.signing_key()
    bundles.sign(unsigned, key)
    assert bundles.load(unsigned).signer == "own"
    assert signatures.own_key().stat().st_mode & 0o777 == 0o600
    assert signatures.public_pem(signatures.signing_key()) == signatures.public_pem(key)


def private_pem(key: object) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    return pem


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (private_pem(OFFICE), 0o644, "chmod 600"),
        (b"no key", 0o600, "no private key"),
        (private_pem(generate_private_key(65537, 2048)), 0o600, "expected an Ed25519 key"),
        (None, 0o600, "openssl genpkey -algorithm ed25519"),
    ],
)
def test_a_key_that_cannot_sign_is_wrong_usage(tmp_path: Path, content: bytes | None, mode: int, says: str) -> None:
    file = tmp_path / "some.key"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(UsageError, match=says):
        signatures.signing_key(file)


def test_what_does_not_verify_is_not_signed(unsigned: Path) -> None:
    (unsigned / bundles.CARD).write_text("another")
    with pytest.raises(BundleError, match=r"MODEL_CARD.md is not the file"):
        bundles.sign(unsigned, OFFICE)
    assert not (unsigned / signatures.SIGNATURE).exists()


def test_no_private_key_is_in_the_tree() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    held = [name for name in tracked if (ROOT / name).is_file() and b"PRIVATE KEY--" in (ROOT / name).read_bytes()]
    assert held in ([], ["tests/models/test_signatures.py"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calibration.json", b"{"),
        ("calibration.json", b'{"no_award-draft": {"slope": "x"}}'),
        ("track_records.parquet", b"PAR1 and no more PAR1"),
        ("MODEL_CARD.md", b"\xff"),
        ("reference.json", b'"\xff"'),
    ],
)
def test_a_signed_file_that_is_not_what_a_bundle_has_is_refused_in_words(
    unsigned: Path, name: str, content: bytes, tmp_path: Path
) -> None:
    (unsigned / name).write_bytes(content)
    manifest = json.loads((unsigned / bundles.MANIFEST).read_bytes())
    manifest["digests"][name] = hashlib.sha256(content).hexdigest()
    (unsigned / bundles.MANIFEST).write_bytes(json.dumps(manifest).encode())
    with pytest.raises(BundleError, match=r"a file of it cannot be read|reference\.json"):
        bundles.load(unsigned, signed=False)


def test_so_is_the_history_of_a_register(small: Path) -> None:
    histories = bundles.load(small, signed=False).histories
    outcome = next(iter(histories))
    damaged = LazyHistories(dict.fromkeys(files(outcome), b"PAR1"))
    with pytest.raises(BundleError, match=f"the history of {outcome} cannot be read"):
        damaged[outcome]
