"""The process of a challenger: `python -m serving.challenger DIRECTORY`, a child of the service.

It reads and checks the bundle as if it were promoted, says what it is, and then scores each request that it is sent.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from models.bundle import Bundle
from serving import served
from serving.answers import score_request
from serving.jobs.subprocess import lower_priority
from serving.pages.drafts import score_saved
from serving.requests import DEFAULTS, ScoreRequest, decode, read_many, read_request
from serving.shadow import ShadowHello, ShadowRequest, ShadowScore
from tenders import child_process
from tenders.errors import TenderRiskError


def scored(request: ShadowRequest, bundle: Bundle) -> list[ShadowScore | None]:
    """What a bundle says of each tender of a request; None of those that it cannot score."""
    if request.action == "page":
        score = score_saved(request.raw, request.stage, bundle)
        return [ShadowScore(score.stage, score.failure, score.band)]
    body = decode(request.raw)
    if request.action == "score":
        return [_scored(body, DEFAULTS, bundle)]
    entries, _, defaults = read_many(body)
    return [_scored(entry, defaults, bundle) for entry in entries]


def _scored(entry: Any, defaults: ScoreRequest, bundle: Bundle) -> ShadowScore | None:
    try:
        request = msgspec.structs.replace(read_request(entry, defaults=defaults), explain=False)
        score = score_request(request, bundle)
    except Exception:  # noqa: BLE001 - whatever it is, this challenger does not score this tender
        return None
    return ShadowScore(score.stage, score.failure, score.band)


def main(directory: Path, connection: Connection) -> None:
    """Scores what the service sends until that is gone."""
    lower_priority()
    try:
        loaded = served.load(directory)
    except TenderRiskError as error:
        connection.send_bytes(msgspec.msgpack.encode(ShadowHello(refused=str(error))))
        return
    except Exception as error:  # noqa: BLE001 - the service says so and goes on without
        refused = f"it cannot be read ({type(error).__name__})"
        connection.send_bytes(msgspec.msgpack.encode(ShadowHello(refused=refused)))
        return
    hello = ShadowHello(version=loaded.version, sha256=loaded.bundle.sha256)
    connection.send_bytes(msgspec.msgpack.encode(hello))
    for message in child_process.requests(connection):
        try:
            scores = scored(msgspec.msgpack.decode(message, type=ShadowRequest), loaded.bundle)
        except Exception:  # noqa: BLE001 - as above, of the whole request
            scores = []
        connection.send_bytes(msgspec.msgpack.encode(scores))


if __name__ == "__main__":
    main(Path(sys.argv[1]), child_process.connect())
