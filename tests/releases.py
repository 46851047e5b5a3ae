"""Releases that tests make in a moment: the released bundle under another version, and with other probabilities."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import msgspec

from models import bundle as bundles
from models.bundle import BundleManifest
from models.calibration import Calibration


def released_as(version: str, directory: Path, shift: float = 0.0) -> Path:
    """The released bundle in `directory/version`, its UK probabilities moved by so much in log-odds.

    Its other files have a second name instead of a copy: replace them, and do not write into them.
    """
    made = directory / version
    shutil.copytree(bundles.released(), made, copy_function=os.link)
    manifest = msgspec.json.decode((made / bundles.MANIFEST).read_bytes(), type=BundleManifest)
    fitted = msgspec.json.decode((made / bundles.CALIBRATION).read_bytes(), type=dict[str, Calibration])
    calibration = msgspec.json.encode({name: each.moved(shift) for name, each in fitted.items()})
    replace(made / bundles.CALIBRATION, calibration)
    digests = manifest.digests | {bundles.CALIBRATION: hashlib.sha256(calibration).hexdigest()}
    replace(
        made / bundles.MANIFEST,
        msgspec.json.encode(msgspec.structs.replace(manifest, version=version, digests=digests)),
    )
    return made


def replace(file: Path, content: bytes) -> None:
    """Puts another file in the place of one that may have several names."""
    file.unlink()
    file.write_bytes(content)
