"""A promotion reaches the running service without a restart, a lost request or two answers to one draft."""

from __future__ import annotations

import gc
import os
import re
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import bundle as bundles
from models import signatures
from portfolio.manifest import bundle_digest
from serving import served
from serving.audit.entry import read_entry
from serving.audit.store import AuditStore, SqliteTrail
from serving.served import HEADER, BundleWatch, ServedBundle
from tenders.errors import BundleError, UnreachableError
from tests.releases import released_as, replace, trusted
from tests.serving.conftest import address, running
from tests.serving.jobs import made
from tests.serving.made import MANCHESTER
from training.promotion import write_pointer

OLD, NEW, BROKEN = "2026.1.1", "2026.1.2", "2026.1.3"
BODY = {"tender": MANCHESTER, "stage": "draft", "explain": False}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases: one, one that gives other probabilities, and one of which a file was changed."""
    directory = tmp_path_factory.mktemp("releases")
    released_as(OLD, directory)
    released_as(NEW, directory, shift=0.5)
    replace(released_as(BROKEN, directory) / bundles.CALIBRATION, b"{}")
    return directory


@pytest.fixture
def home(releases: Path, tmp_path: Path) -> Path:
    """A directory of releases of which OLD is served."""
    directory = tmp_path / "released"
    shutil.copytree(releases, directory, copy_function=os.link)
    write_pointer(directory / "current", OLD)
    return directory


@pytest.fixture(scope="module")
def service(releases: Path) -> Iterator[httpx.Client]:
    """A client of a service that serves what the pointer in `releases` names, and has a challenger score if there is one."""
    write_pointer(releases / "current", OLD)
    with (
        running(
            **trusted(releases), TENDER_RISK_SHADOW="challenger", TENDER_RISK_DATA=str(releases.with_name("served"))
        ) as process,
        httpx.Client(base_url=address(process)) as http,
    ):
        http.timeout = httpx.Timeout(60)
        yield http


@pytest.fixture
def http(service: httpx.Client, releases: Path) -> httpx.Client:
    """The same client; OLD is served."""
    promote(service, releases, OLD)
    return service


def promote(http: httpx.Client, releases: Path, version: str) -> float:
    """Serves another bundle; the seconds until it is served."""
    write_pointer(releases / "current", version)
    return until(lambda: ready(http)["bundle"] == version and not ready(http)["warnings"])


def until(holds: Callable[[], bool], seconds: float = 100) -> float:
    """Waits; the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + seconds
        time.sleep(0.05)
    return time.monotonic() - began


def ready(http: httpx.Client) -> dict[str, Any]:
    answer = http.get("/readyz")
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state


class Load:
    """Clients that send one draft over and over, and keep what they were answered: status, bundle and probability."""

    def __init__(self, url: str, clients: int = 3) -> None:
        self.answers: list[tuple[int, str, float]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(url,)) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _send(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            while not self._over.is_set():
                answer = http.post("/score", json=BODY)
                score = answer.json()
                named = answer.headers[HEADER].partition(";")[0]
                assert named == score["bundle"]
                self.answers.append((answer.status_code, named, score["failure"]))


def test_a_promotion_and_a_rollback_under_load(http: httpx.Client, releases: Path) -> None:
    with Load(str(http.base_url)) as load:
        until(lambda: len(load.answers) > 20)
        promote(http, releases, NEW)
        begun = len(load.answers)
        until(lambda: len(load.answers) > begun + 20)
        promote(http, releases, OLD)
    assert {status for status, _, _ in load.answers} == {200}
    by_bundle = {version: {p for _, v, p in load.answers if v == version} for version in (OLD, NEW)}
    assert [len(probabilities) for probabilities in by_bundle.values()] == [1, 1]
    assert by_bundle[OLD] != by_bundle[NEW]
    store = AuditStore(SqliteTrail(releases.with_name("served") / "audit.sqlite", made=False), made=False)
    entries = [read_entry(text) for _, text, _ in store.rows()]
    switches = [entry for entry in entries if entry.action == "bundle served"]
    # At the start, and twice since; each says what was served before, and by whom the new one is signed.
    assert [entry.subject for entry in switches] == [OLD, NEW, OLD]
    digests = {version: bundle_digest(releases / version) for version in (OLD, NEW)}
    assert [entry.bundle_sha256 for entry in switches] == [digests[OLD], digests[NEW], digests[OLD]]
    assert [entry.before for entry in switches] == ["", *(f"{v}; sha256={digests[v]}" for v in (OLD, NEW))]
    assert {entry.note for entry in switches} == {"signed by tests"}
    # What was told by the new one comes after the entry that it is served.
    first = next(entry.action for entry in entries if entry.bundle == NEW)
    assert first == "bundle served"


def test_it_says_what_it_serves(http: httpx.Client, releases: Path) -> None:
    digest = bundle_digest(releases / OLD)
    assert ready(http) == {"ready": True, "bundle": OLD, "bundle_sha256": digest, "warnings": []}
    for path in ("/", "/about", "/nowhere", "/livez", "/style.css", "/score"):
        assert http.get(path).headers[HEADER] == f"{OLD}; sha256={digest}"
    promote(http, releases, NEW)
    assert NEW in http.get("/about").text
    metrics = http.get("/metrics").text
    assert re.search(rf'tender_risk_bundle{{sha256="\w+",version="{NEW}"}} 1.0', metrics)
    assert re.search(rf'tender_risk_bundle{{sha256="\w+",version="{OLD}"}} 0.0', metrics)


@pytest.mark.parametrize("pointer", [BROKEN, "2026.1.9", "../2026.1.2", "/etc", "", "x" * 9_999])
def test_a_bundle_that_is_refused_leaves_the_old_one_in_service(home: Path, pointer: str, watched: BundleWatch) -> None:
    noted: list[tuple[str, ...]] = []

    def note(*about: str) -> None:
        noted.append(about)
        if len(noted) == 1:
            raise UnreachableError("the trail cannot be written")

    watched = BundleWatch(note_refusal=note)
    write_pointer(home / "current", pointer)
    watched.look()
    assert served.served().version == OLD
    assert served.refused().startswith(f"the promoted bundle is refused, {OLD} is served: ")
    # The trail gets which bundle it is and why once it can be written, and no more often.
    watched.look()
    watched.look()
    assert noted[0] == noted[1] and len(noted) == 2
    version, digest, reason, before = noted[1]
    known = pointer[:100] if pointer[:1] in "2x" else ""
    assert (version, digest) == (known, bundle_digest(home / BROKEN) if pointer == BROKEN else "")
    assert served.refused().endswith(reason) and before == served.served().header
    write_pointer(home / "current", NEW)
    watched.look()
    assert (served.served().version, served.refused()) == (NEW, "")


def test_jobs_keep_the_bundle_with_which_they_began(http: httpx.Client, releases: Path) -> None:
    begun = made.upload(http, made.long(2), "register.jsonl.gz")
    until(lambda: http.get(f"/jobs/{begun['id']}").json()["bundle"] == OLD)
    promote(http, releases, NEW)
    # One that is refused does not stop the jobs: they go on with what is served.
    write_pointer(releases / "current", BROKEN)
    until(lambda: bool(ready(http)["warnings"]))
    state = ready(http)
    assert (state["ready"], state["bundle"]) == (True, NEW)
    assert "calibration.json is not the file that was released" in state["warnings"][0]
    assert "tender_risk_bundle_refused 1.0" in http.get("/metrics").text
    done = made.ended(http, begun["id"], 200)
    later = made.ended(http, made.upload(http, made.portfolio(5))["id"], 200)
    assert [(job["state"], job["bundle"]) for job in (done, later)] == [("done", OLD), ("done", NEW)]
    for job in (done, later):
        manifest = http.get(job["links"]["manifest"]).json()
        assert manifest["bundle_sha256"] == bundle_digest(releases / job["bundle"])


def test_a_challenger_scores_in_the_shadow_and_no_answer_shows_it(http: httpx.Client, releases: Path) -> None:
    many = [BODY, {"tender": {"lots": -1}}, {**BODY, "explain": True}]

    def answers() -> list[bytes]:
        programs = [http.post(path, json=body).content for path, body in (("/score", BODY), ("/score_many", many))]
        return [*programs, http.get("/answer", params={"title": "Care", "value": "240m", "stage": "draft"}).content]

    def shown(sample: str) -> float:
        match = re.search(rf"^tender_risk_shadow_{re.escape(sample)} (\S+)$", http.get("/metrics").text, re.M)
        return float(match[1]) if match else 0.0

    alone = answers()
    challenger = releases / "challenger"
    try:
        write_pointer(challenger, NEW)
        until(lambda: shown(f'bundle{{sha256="{bundle_digest(releases / NEW)}",version="{NEW}"}}') == 1)
        assert answers() == alone
        until(lambda: shown('tenders_total{outcome="compared"}') == 4)
        # NEW says more of each: see `releases`.
        of = '{higher="challenger",stage="draft"}'
        points = shown(f"difference_points_sum{of}") / shown(f"difference_points_count{of}")
        assert shown(f"difference_points_count{of}") == 4 and 1 < points < 20
        bands = re.findall(r"^tender_risk_shadow_bands_total\{.*\} (\S+)$", http.get("/metrics").text, re.M)
        assert sum(map(float, bands)) == 4
        # One that cannot be used is refused; the answers are the same.
        write_pointer(challenger, BROKEN)
        until(lambda: shown("refused") == 1)
        assert "no shadow scoring" in ready(http)["warnings"][0]
        assert answers() == alone
        assert shown('tenders_total{outcome="dropped"}') == 4 and shown('tenders_total{outcome="failed"}') == 0
    finally:
        challenger.unlink()
    until(lambda: not ready(http)["warnings"])


@pytest.fixture
def watched(home: Path, monkeypatch: pytest.MonkeyPatch) -> BundleWatch:
    """The watch of this process, which serves OLD."""
    monkeypatch.setenv(signatures.KEYS, trusted(home)[signatures.KEYS])
    monkeypatch.setattr(bundles, "RELEASED", home)
    monkeypatch.setattr(bundles, "POINTER", home / "current")
    monkeypatch.setattr(served, "_state", served.BundleState())
    assert served.served().version == OLD
    return BundleWatch()


def test_nothing_is_read_again_while_the_pointer_stays(watched: BundleWatch) -> None:
    watched.look()
    before = served.served()
    watched.look()
    assert served.served() is before


def test_the_old_bundle_does_not_stay_in_memory(watched: BundleWatch, home: Path) -> None:
    old = [weakref.ref(part) for part in (served.served(), *served.served_bundle().registers["any"].boosters.values())]
    write_pointer(home / "current", NEW)
    watched.look()
    gc.collect()
    assert [reference() for reference in old] == [None] * len(old)


def test_what_is_computed_of_a_bundle_is_computed_anew_of_the_next(watched: BundleWatch, home: Path) -> None:
    calls: list[str] = []

    @served.once_a_bundle
    def version(word: str) -> str:
        calls.append(word)
        return f"{word} {served.served().version}"

    assert [version("a"), version("a"), version("b")] == [f"a {OLD}", f"a {OLD}", f"b {OLD}"]
    write_pointer(home / "current", NEW)
    watched.look()
    assert version("a") == f"a {NEW}"
    assert calls == ["a", "b", "a"]


def test_a_bundle_that_gives_no_probability_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.math, "isfinite", lambda _: False)
    with pytest.raises(BundleError, match="which is no probability"):
        served.load(bundles.released())


def test_what_the_trail_cannot_have_is_not_served(watched: BundleWatch, home: Path) -> None:
    noted: list[tuple[str, str]] = []

    def note(new: ServedBundle, old: ServedBundle) -> None:
        noted.append((new.version, old.version))
        if len(noted) == 1:
            raise UnreachableError("the trail cannot be written")

    watch = BundleWatch(note=note)
    write_pointer(home / "current", NEW)
    watch.look()
    assert served.served().version == OLD and "the trail cannot be written" in served.refused()
    watch.look()
    assert (served.served().version, served.refused(), noted) == (NEW, "", [(NEW, OLD)] * 2)


def test_pages_are_prepared_by_the_new_bundle_before_it_is_served(watched: BundleWatch, home: Path) -> None:
    seen: list[tuple[str, str]] = []

    def prepare() -> None:
        current: ServedBundle | None = served._state.current
        assert current is not None
        seen.append((served.served().version, current.version))

    write_pointer(home / "current", NEW)
    BundleWatch([prepare]).look()
    assert seen == [(NEW, OLD)]
