"""`python -m serving.bento`: builds the bento under the version of the released bundle, and with it as its model.

`bentoml build` draws a tag at random and lists no model: both are for whoever asks later what a bento serves.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import bentoml
import yaml

from models import bundle as bundles

ROOT = Path(__file__).parent.parent
MODEL = "tender-risk"


def build() -> str:
    """The tag of the bento that was built from `bentofile.yaml`; an earlier one with this tag is replaced.

    Raises BundleError without a released bundle or for one that does not verify.
    """
    directory = bundles.released()
    manifest = bundles.load(directory).manifest
    options = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    options["models"] = [_store(directory, manifest.commit)]
    options["labels"] = {**options.get("labels", {}), "bundle": directory.name}
    name = f"tender_risk:{directory.name}"
    if name in {str(bento.tag) for bento in bentoml.list()}:
        bentoml.delete(name)
    with tempfile.TemporaryDirectory() as folder:
        described = Path(folder) / "bentofile.yaml"
        described.write_text(yaml.safe_dump(options), encoding="utf-8")
        built = bentoml.bentos.build_bentofile(str(described), version=directory.name, build_ctx=str(ROOT))
    return str(built.tag)


def _store(directory: Path, commit: str) -> str:
    """The tag of a bundle in BentoML's store of models, to which it is copied first."""
    tag = f"{MODEL}:{directory.name}"
    if tag in {str(model.tag) for model in bentoml.models.list()}:
        bentoml.models.delete(tag)
    with bentoml.models.create(tag, labels={"project": MODEL}, metadata={"commit": commit}) as model:
        shutil.copytree(directory, model.path, dirs_exist_ok=True)
    return tag


if __name__ == "__main__":
    print(build())
