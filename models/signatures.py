"""Signatures of bundles: Ed25519 over the bytes of the manifest, which holds the digest of every other file.

A bundle is taken if its signature is by a key that this machine trusts: the project's (`models/keys/`), and the one
that `tender-risk release` made for this user. An office that names its own keys in TENDER_RISK_BUNDLE_KEYS trusts those
alone. Keys are PEM files, as `openssl genpkey -algorithm ed25519` writes them; no private key is in the repository.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from models.bundle_files import manifest_bytes, own_bytes
from tenders import files
from tenders.errors import BundleError, UsageError

SIGNATURE = "manifest.json.sig"
"""The file of the signature: 64 bytes."""
KEYS, UNSIGNED, ALLOW = "TENDER_RISK_BUNDLE_KEYS", "TENDER_RISK_UNSIGNED", "allow"
PROJECT_KEYS = Path(__file__).parent / "keys"
PUBLIC = ".pub"
MAX_KEY_BYTES, MAX_SIGNATURE_BYTES = 10_000, 64
HOW = "openssl genpkey -algorithm ed25519 -out FILE"


def sign_manifest(directory: Path, key: Ed25519PrivateKey) -> None:
    """Signs the manifest in a directory."""
    files.write_whole(directory / SIGNATURE, key.sign(manifest_bytes(directory)))


def signer_of(directory: Path, manifest: bytes) -> str:
    """The name of the key that signed a manifest; blank for a bundle without a signature, where those are allowed.

    Raises BundleError if there is no signature, or none of the trusted keys made it.
    """
    try:
        signature = own_bytes(directory, SIGNATURE, MAX_SIGNATURE_BYTES) or b""
    except OSError:
        if os.environ.get(UNSIGNED, "").strip() == ALLOW:
            return ""
        raise BundleError(
            f"{directory}: the bundle is not signed. Release it with 'tender-risk release', sign it with "
            f"'tender-risk sign', or set {UNSIGNED}={ALLOW}"
        ) from None
    keys = dict(trusted_keys())
    for name, key in keys.items():
        try:
            key.verify(signature, manifest)
        except InvalidSignature:
            continue
        return name
    names = ", ".join(sorted(keys))
    raise BundleError(f"{directory}: {SIGNATURE} is by none of the trusted keys ({names}), or the manifest was changed")


def trusted_keys() -> Iterator[tuple[str, Ed25519PublicKey]]:
    """The keys that this machine trusts, by name. Raises BundleError if there are none or one cannot be read."""
    pinned = os.environ.get(KEYS, "").strip()
    if pinned:
        place = Path(pinned).expanduser()
        files = sorted(place.glob(f"*{PUBLIC}")) if place.is_dir() else [place]
        if not files:
            raise BundleError(f"{KEYS}: {place} holds no key: no file there ends with {PUBLIC}")
    else:
        files = sorted(PROJECT_KEYS.glob(f"*{PUBLIC}"))
        own = own_key().with_suffix(PUBLIC)
        files += [own] if own.is_file() else []
    for file in files:
        yield file.stem, _public_key(file)


def own_key() -> Path:
    """Where this user's private key is kept; the public one lies beside it."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    return Path(os.path.expanduser(home)) / "tender-risk" / "own.key"  # noqa: PTH111 - Path's own raises without a home


def signing_key(file: Path | None = None) -> Ed25519PrivateKey:
    """The private key in a file, or this user's own, which is made at first use.

    Raises UsageError if there is no Ed25519 key in the file, or other users can read it.
    """
    if file is None:
        file = own_key()
        if not file.exists():
            _make_key(file)
    try:
        mode, data = file.stat().st_mode, file.read_bytes()[:MAX_KEY_BYTES]
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}. Make a key: {HOW}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{file}: other users of this machine can open this key. Run: chmod 600 {file}")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{file}: no private key without a password in PEM. Make one: {HOW}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{file}: expected an Ed25519 key. Make one: {HOW}")
    return key


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half of a key, as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public_key(file: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(file.read_bytes()[:MAX_KEY_BYTES])
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BundleError(f"{file}: no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{file}: expected an Ed25519 key")
    return key


def _make_key(file: Path) -> None:
    key = Ed25519PrivateKey.generate()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.with_suffix(PUBLIC).write_bytes(public_pem(key))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        output.write(private)
