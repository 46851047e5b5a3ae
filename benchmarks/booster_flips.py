"""Can a booster that was altered end the process that serves it? `python -m benchmarks.booster_flips [--flips 2000]`.

Bytes of the released boosters are changed at random, one to four in a file, with digests and signatures off. Each file
goes first to XGBoost as it stands, in a process of its own: that is what a service without the check would meet. Then
it goes through `models.booster_check`, and what that wrote is loaded and asked for rows, again in a process of its own.

It prints how often each ended, and ends with 1 if what the check let through ended a process or gave no number.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xgboost as xgb

from models.booster_check import rewritten
from models.bundle import RELEASED, released

SECONDS = 20
ROWS = 200


def altered(content: bytes, made: random.Random) -> bytes:
    """The file with one to four of its bytes changed."""
    data = bytearray(content)
    for _ in range(made.choice((1, 1, 2, 4))):
        data[made.randrange(len(data))] ^= made.randrange(1, 256)
    return bytes(data)


def load_and_predict(content: bytes) -> bytes:
    """Loads a booster as the service does and asks it for rows of chance; nothing."""
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    rows = np.random.default_rng(2).normal(0, 1e4, (ROWS, booster.num_features())).astype(np.float32)
    rows[::3] = np.nan
    margins = booster.inplace_predict(rows, predict_type="margin", validate_features=False)
    shares = booster.predict(xgb.DMatrix(rows, nthread=1), pred_contribs=True, validate_features=False)
    if not (np.isfinite(margins).all() and np.isfinite(shares).all()):
        raise ValueError("no numbers")
    return b""


def outcome(work: Callable[[bytes], bytes], content: bytes) -> tuple[str, bytes]:
    """How a process of its own ended that did this work: `fine` with what it gave, `refused`, or by which signal."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if not process:
        code = 1
        try:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.alarm(SECONDS)
            with os.fdopen(writer, "wb") as out:
                out.write(work(content))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as given:
        data = given.read()
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return ("fine" if code == 0 else "refused" if code > 0 else signal.Signals(-code).name), data


def main() -> int:
    """Alters boosters and prints what became of them; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=23)
    options = parser.parse_args()
    made = random.Random(options.seed)
    files: list[Path] = sorted(released().rglob("*.ubj"))
    contents = [file.read_bytes() for file in files]
    bare, checked, after = Counter[str](), Counter[str](), Counter[str]()
    for _ in range(options.flips):
        content = altered(made.choice(contents), made)
        bare[outcome(load_and_predict, content)[0]] += 1
        how, written = outcome(rewritten, content)
        checked[how] += 1
        if how == "fine":
            after[outcome(load_and_predict, written)[0]] += 1
    print(f"{options.flips:,} altered boosters of {released().relative_to(RELEASED)}, {len(files)} files")
    for what, counts in (("as they stand", bare), ("in the check", checked), ("after the check", after)):
        print(f"{what}: {', '.join(f'{count:,} {how}' for how, count in sorted(counts.items()))}")
    return 0 if set(after) <= {"fine"} else 1


if __name__ == "__main__":
    sys.exit(main())
