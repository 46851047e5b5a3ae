"""Releases that tests make in a moment: the released bundle under another version, with other probabilities.

They are signed by a key that `trusted` tells a service to trust.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models import bundle as bundles
from models import signatures
from models.bundle import BundleManifest
from models.calibration import Calibration

KEY = Ed25519PrivateKey.generate()


def trusted(directory: Path) -> dict[str, str]:
    """The environment of a service that serves the releases in a directory."""
    (directory / "tests.pub").write_bytes(signatures.public_pem(KEY))
    return {"TENDER_RISK_BUNDLES": str(directory), signatures.KEYS: str(directory / "tests.pub")}


def released_as(version: str, directory: Path, shift: float = 0.0) -> Path:
    """The released bundle in `directory/version`, its UK probabilities moved by so much in log-odds.

    Its other files have a second name instead of a copy: replace them, and do not write into them.
    """
    made = directory / version
    shutil.copytree(bundles.released(), made, copy_function=os.link)
    manifest = msgspec.json.decode((made / bundles.MANIFEST).read_bytes(), type=BundleManifest)
    fitted = msgspec.json.decode((made / bundles.CALIBRATION).read_bytes(), type=dict[str, Calibration])
    calibration = msgspec.json.encode({name: part.moved(shift) for name, part in fitted.items()})
    replace(made / bundles.CALIBRATION, calibration)
    digests = manifest.digests | {bundles.CALIBRATION: hashlib.sha256(calibration).hexdigest()}
    replace(
        made / bundles.MANIFEST,
        msgspec.json.encode(msgspec.structs.replace(manifest, version=version, digests=digests)),
    )
    (made / signatures.SIGNATURE).unlink()
    signatures.sign_manifest(made, KEY)
    return made


def replace(file: Path, content: bytes) -> None:
    """Puts another file in the place of one that may have several names."""
    file.unlink()
    file.write_bytes(content)
