"""Writes what the product is made of: `make inventory`, or `python docs/inventory.py DIR`.

`sbom.json` is a CycloneDX 1.6 bill of materials of everything that requirements.lock pins, with the digests that pip
checks; `licences.csv` lists each package with its licence, as the packages that are installed here state it. It ends
with 1 if the packages were last chosen anew (`make upgrade`) longer ago than SECURITY.md allows.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
CHOSEN = ROOT / "requirements.chosen"
"""The day on which every package of the lock was last chosen anew."""
MOST_DAYS = 90
"""As SECURITY.md has it."""
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
UNKNOWN = ""
"""The licence of a package that is not installed here, or states none."""


class Package(NamedTuple):
    """A package that the lock pins: the digests of its files, and its licence where that is known."""

    name: str
    version: str
    digests: tuple[str, ...]
    licence: str

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def packages(lock: Path = LOCK) -> list[Package]:
    """Every package of the lock, in its order."""
    return [*_packages(lock.read_text(encoding="utf-8"))]


def _packages(text: str) -> Iterator[Package]:
    # A package is a line that begins with its name, and the lines of digests that follow it.
    for block in re.split(r"\n(?=\S)", text):
        if pinned := _PINNED.match(block):
            name, version = pinned["name"], pinned["version"]
            yield Package(name, version, tuple(_HASH.findall(block)), licence(name))


def licence(name: str) -> str:
    """The licence that an installed package states: its SPDX expression, its field, or its classifiers."""
    try:
        stated = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return UNKNOWN
    if expression := stated.get("License-Expression"):
        return str(expression)
    classifiers = [text for text in stated.get_all("Classifier") or [] if text.startswith("License ::")]
    names = [classifier.rpartition(" :: ")[2] for classifier in classifiers]
    # Some packages put the whole text into the field.
    field = (stated.get("License") or "").strip()
    return "; ".join(names) or (field if "\n" not in field else field.splitlines()[0].strip())


def bill(installed: list[Package]) -> dict[str, Any]:
    """The bill of materials."""
    product = metadata.metadata("tender-risk")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": product["Name"],
                "version": product["Version"],
                "licenses": [{"expression": product["License-Expression"]}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": package.purl,
                "name": package.name,
                "version": package.version,
                "purl": package.purl,
                "licenses": [{"license": {"name": package.licence}}] if package.licence else [],
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": package.purl,
                        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.digests],
                    }
                ],
            }
            for package in installed
        ],
    }


def days_since_chosen(today: date) -> int:
    """Days since the packages of the lock were chosen anew."""
    return (today - date.fromisoformat(CHOSEN.read_text(encoding="utf-8").strip())).days


def main(folder: Path, today: date) -> int:
    """Writes both files into a folder; the exit code."""
    installed = packages()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.json").write_text(json.dumps(bill(installed), indent=1) + "\n", encoding="utf-8")
    with (folder / "licences.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["package", "version", "licence"])
        writer.writerows((package.name, package.version, package.licence) for package in installed)
    unknown = sum(not package.licence for package in installed)
    print(f"{len(installed)} packages in {folder}; of {unknown} the licence is not stated here")
    days = days_since_chosen(today)
    print(f"they were last chosen anew {days} days ago; SECURITY.md allows {MOST_DAYS}")
    if days > MOST_DAYS:
        print("error: choose them anew: make upgrade", file=sys.stderr)
    return int(days > MOST_DAYS)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build"), datetime.now(UTC).date()))
