"""A stand-in for the three services: real HTTP on this machine, their manners and their faults, over a made register.

`made_register` makes procedures with whole life cycles and what became of each. `serving` answers for them as the
service does: Find a Tender newest first by cursor, Contracts Finder alike under its own names, TED by token with a total.
Of every request it measures when it came, so that `Service.too_soon` counts those that came before they were allowed.
Faults come by chance from a seed, never more than two in a row; `lasting` names those that never end.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tenders.apis import ted

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]

FAULTS = (
    "drop", "cut short", "too long", "429", "429 bare", "503", "503 bare", "403", "page again", "other order",
    "no next", "leads back", "broken number", "latin", "no page", "no JSON",
)  # fmt: skip
FIRST_DAY = date(2025, 3, 3)
SERVICES = ("find-a-tender", "contracts-finder", "ted")
BUYERS = (
    "Northfield County Council", "Borough of Eastmoor", "NHS Westhaven and Millbrook ICB", "Oakdale NHS Foundation Trust",
    "University of Fernley", "Ashcombe District Council", "Café Royale Housing Association", "Port of Brightwell Authority",
)  # fmt: skip
ADVISER = "Kestrel Procurement Partners LLP"
SUBJECTS = {
    "45233141": "Highway resurfacing", "85312000": "Community care and support", "90911200": "Office cleaning",
    "79710000": "Security guarding", "72260000": "Case management software", "55524000": "School meals £5 a day",
    "33600000": "Medicines", "77314000": "Grounds maintenance",
}  # fmt: skip
WAIT = 0.05
"""Seconds that the service wants to be left alone where it does not say so in the answer."""


class Procedure:
    """One procedure: its ocid, the releases or notices of its life with the moment of each, and how it ended."""

    def __init__(self, ocid: str, kind: str) -> None:
        self.ocid, self.kind = ocid, kind
        self.notices: list[tuple[datetime, Json]] = []
        self.lots_changed = False


class MadeRegister:
    """The procedures of one service, and all their notices in the order of their moments."""

    def __init__(self, service: str, procedures: Sequence[Procedure]) -> None:
        self.service, self.procedures = service, procedures
        notices = sorted((at, number, notice) for number, (at, notice) in enumerate(_all(procedures)))
        self.moments = [at for at, *_ in notices]
        self.notices = [notice for *_, notice in notices]

    def between(self, first: datetime, last: datetime) -> list[Json]:
        """What was published in a window, both ends included, newest first."""
        return self.notices[bisect_left(self.moments, first) : bisect_right(self.moments, last)][::-1]

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day with a notice."""
        return self.moments[0].date(), self.moments[-1].date()


def _all(procedures: Sequence[Procedure]) -> Iterator[tuple[datetime, Json]]:
    for procedure in procedures:
        yield from procedure.notices


ENDS = ("awarded", "no bids", "cancelled", "stopped in prose", "ended early", "completed", "open")
SHARES = (55, 8, 10, 3, 4, 6, 14)


def made_register(service: str, procedures: int, seed: int = 3, days: int = 200) -> MadeRegister:
    """A register of procedures, the same for the same seed: published over `days`, most of them with their end."""
    made = random.Random(f"{seed} {service}")
    life = {"find-a-tender": _find_a_tender, "contracts-finder": _contracts_finder, "ted": _ted}[service]
    ends = made.choices(ENDS, SHARES, k=procedures)
    return MadeRegister(service, [life(made, number, days, end) for number, end in enumerate(ends)])


def _moment(made: random.Random, days: int) -> datetime:
    """A second of a day; a tenth of all stand at one full hour, as where a system publishes in batches."""
    day = datetime.combine(FIRST_DAY + timedelta(days=made.randrange(days)), datetime.min.time())
    batch = made.random() < 0.1
    return day + timedelta(hours=9) if batch else day + timedelta(seconds=made.randrange(86_400))


def _party(name: str, roles: Sequence[str], **more: Any) -> Json:
    words = re.sub(r"[^a-z]+", "", name.lower())
    code = sum(map(ord, name))
    identifier = {"scheme": "GB-PPON", "id": f"P{words[:3].upper()}-{code % 10_000:04}-{words[-4:].upper()}"}
    contact = {"name": "Procurement", "email": f"tenders@{words}.example"}
    return {"id": f"GB-PPON-{identifier['id']}", "name": name, "roles": list(roles), "identifier": identifier,
            "contactPoint": contact, **more}  # fmt: skip


def _find_a_tender(made: random.Random, number: int, days: int, end: str) -> Procedure:
    """A life in the shape of the Procurement Act's notices: no `tender.classification`, CPV on items, no
    `datePublished`; what comes later is a delta."""
    process = Procedure(f"ocds-h6vhtk-{number:06x}", end)
    at, name, cpv = _moment(made, days), made.choice(BUYERS), made.choice(list(SUBJECTS))
    lots = made.choice((1, 1, 1, 2, 4))
    value = round(10 ** made.uniform(4.3, 7.5))
    bidders = 0 if end == "no bids" else made.choice((1, 2, 3, 3, 5, 8))
    advised = made.random() < 0.15
    buyer = _party(name, ["buyer"])
    counter = iter(range(10))

    def notice(days_later: float, tag: str, kind: str, **body: Any) -> None:
        moment = at + timedelta(days=days_later, seconds=made.randrange(3600) if days_later else 0)
        body.setdefault("tender", {})
        body["tender"].setdefault("documents", []).append(
            {"id": kind, "noticeType": kind, "datePublished": f"{moment:%Y-%m-%dT%H:%M:%S}Z"}
        )
        release = {
            "ocid": process.ocid,
            "id": f"{number * 10 + next(counter):06}-{moment:%Y}",
            "date": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
            "tag": [tag],
            "initiationType": "tender",
            "buyer": {"id": buyer["id"], "name": name},
            **body,
        }
        process.notices.append((moment.replace(microsecond=0), release))

    parties = [buyer]
    tender: Json = {
        "id": process.ocid,
        "title": f"{SUBJECTS[cpv]} {number}",
        "status": "active",
        "legalBasis": {"id": "2023/54", "scheme": "UKPGA"},
        "procurementMethod": made.choice(("open", "open", "selective", "limited")),
        "mainProcurementCategory": "works" if cpv.startswith("45") else "services",
        "value": {"amount": value, "currency": "GBP"},
        "lots": [{"id": str(i + 1), "status": "active", "value": {"amount": round(value / lots), "currency": "GBP"}} for i in range(lots)],
        "items": [
            {"id": str(i + 1), "relatedLot": str(i + 1), "additionalClassifications": [{"scheme": "CPV", "id": cpv}]}
            for i in range(lots)
        ],
        "tenderPeriod": {"endDate": f"{at + timedelta(days=made.choice((14, 25, 30, 35))):%Y-%m-%dT12:00:00}Z"},
        "contractPeriod": {"durationInDays": made.choice((365, 730, 1095, 1460))},
    }  # fmt: skip
    if advised:
        tender["description"] = f"{ADVISER} is running this procedure on behalf of {name}."
        parties.append(_party(ADVISER, ["processContactPoint"], roleDetails="Procurement adviser to the buyer"))
    if made.random() < 0.2:
        notice(-30, "planning", "UK2", planning={"milestones": [{"id": "1", "type": "engagement"}]})
    notice(0, "tender", "UK4", parties=parties, tender=tender)
    if made.random() < 0.25:
        later: Json = {"tenderPeriod": {"endDate": f"{at + timedelta(days=45):%Y-%m-%dT12:00:00}Z"}}
        if made.random() < 0.4:
            lots, process.lots_changed = lots + 1, True
            later["lots"] = [{"id": str(lots), "status": "active", "value": {"amount": 50_000, "currency": "GBP"}}]
        notice(10, "tenderUpdate", "UK4", tender=later)
    _ending(notice, end, made, at, value, bidders, lots)
    return process


def _ending(notice: Any, end: str, made: random.Random, at: datetime, value: float, bidders: int, lots: int) -> None:
    """The notices that tell how a procedure ended."""
    related = [str(i + 1) for i in range(lots)]
    if end == "open":
        return
    if end == "cancelled":
        notice(
            50,
            "tenderCancellation",
            "UK12",
            tender={"status": "cancelled", "lots": [{"id": lot, "status": "cancelled"} for lot in related]},
        )
        return
    if end == "stopped in prose":
        text = "The procurement has been abandoned: the contracting authority will not award a contract."
        notice(60, "tenderUpdate", "UK4", tender={"description": text})
        return
    if end == "no bids":
        notice(60, "award", "UK6", tender={"status": "unsuccessful"},
               awards=[{"id": "1", "status": "unsuccessful", "relatedLots": related}])  # fmt: skip
        return
    start, finish = at + timedelta(days=120), at + timedelta(days=120 + 730)
    period = {"startDate": f"{start:%Y-%m-%dT00:00:00}Z", "endDate": f"{finish:%Y-%m-%dT00:00:00}Z"}
    supplier = {"id": f"GB-COH-{10_000_000 + made.randrange(500)}", "name": f"Supplier {made.randrange(500)} Ltd"}
    award = {
        "id": "1", "status": "active", "date": f"{at + timedelta(days=70):%Y-%m-%dT00:00:00}Z",
        "value": {"amount": round(value * made.uniform(0.7, 1.05)), "currency": "GBP"}, "suppliers": [supplier],
        "relatedLots": related, "contractPeriod": period,
    }  # fmt: skip
    bids = {"statistics": [{"id": "1", "measure": "bids", "value": bidders}]} if bidders and lots == 1 else None
    notice(70, "award", "UK6", awards=[award], tender={"status": "complete"}, **({"bids": bids} if bids else {}))
    contract = {"id": "1", "awardID": "1", "status": "active", "dateSigned": f"{at + timedelta(days=90):%Y-%m-%dT00:00:00}Z",
                "period": period}  # fmt: skip
    notice(90, "contract", "UK7", contracts=[contract])
    if end in ("ended early", "completed"):
        last = start + timedelta(days=60) if end == "ended early" else finish
        why = "contractUnderperformance" if end == "ended early" else "contractCompleted"
        notice(
            190 if end == "ended early" else 860, "contractTermination", "UK11",
            contracts=[{**contract, "status": "terminated", "implementation": {"endDate": f"{last:%Y-%m-%dT00:00:00}Z"},
                        "terminationRationaleClassifications": [{"scheme": "UK_CA_TERMINATION_RATIONALE", "id": why}]}],
        )  # fmt: skip


def _contracts_finder(made: random.Random, number: int, days: int, end: str) -> Procedure:
    """Every release is whole. Some entries only try the service out."""
    process = Procedure(f"ocds-b5fd17-{number:08x}-0000-4000-8000-000000000000", end)
    at, name, cpv = _moment(made, days), made.choice(BUYERS), made.choice(list(SUBJECTS))
    value = round(10 ** made.uniform(4, 6))
    test = number % 97 == 0
    tender: Json = {
        "id": process.ocid, "title": "Test Notice only" if test else f"{SUBJECTS[cpv]} {number}",
        "status": "active", "value": {"amount": value, "currency": "GBP"}, "procurementMethod": "open",
        "classification": {"scheme": "CPV", "id": cpv}, "datePublished": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "tenderPeriod": {"endDate": f"{at + timedelta(days=21):%Y-%m-%dT12:00:00}Z"},
    }  # fmt: skip
    status = {
        "cancelled": "cancelled",
        "stopped in prose": "cancelled",
        "no bids": "unsuccessful",
        "open": "active",
    }.get(end, "complete")
    steps: list[tuple[int, str, str]] = [(0, "tender", "active")]
    if test:
        steps.append((1, "tenderCancellation", "cancelled"))
    elif status != "active":
        steps.append((40, "award" if status == "complete" else "tenderCancellation", status))
    for days_later, tag, now in steps:
        moment = at + timedelta(days=days_later)
        release = {
            "ocid": process.ocid, "id": f"{process.ocid}-{moment:%Y-%m-%dT%H:%M:%S}Z", "tag": [tag],
            "date": f"{moment:%Y-%m-%dT%H:%M:%S}Z", "language": "en", "initiationType": "tender",
            "buyer": {"id": f"GB-CFS-{sum(map(ord, name))}", "name": name}, "tender": {**tender, "status": now},
        }  # fmt: skip
        if tag == "award":
            release["awards"] = [
                {
                    "id": "1",
                    "status": "active",
                    "date": f"{moment:%Y-%m-%d}",
                    "suppliers": [{"id": "s", "name": f"Supplier {made.randrange(99)}"}],
                }
            ]
        process.notices.append((moment, release))
    return process


def _ted(made: random.Random, number: int, days: int, end: str) -> Procedure:
    """A call and its result, field by field."""
    process = Procedure(f"ted-{number:05}-proc", end)
    day = FIRST_DAY + timedelta(days=made.randrange(days))
    name, cpv = made.choice(BUYERS), made.choice(list(SUBJECTS))
    lots = [f"LOT-{i + 1:04}" for i in range(made.choice((1, 1, 3)))]
    base: Json = {
        "procedure-identifier": f"{number:05}-proc", "buyer-name": {"deu": [name], "eng": [name]},
        "buyer-identifier": [f"DE-{sum(map(ord, name))}"], "title-proc": {"eng": f"{SUBJECTS[cpv]} {number}"},
        "procedure-type": "open", "contract-nature": ["services"], "classification-cpv": [cpv],
        "estimated-value-proc": [str(round(10 ** made.uniform(5, 7)))], "estimated-value-cur-proc": ["EUR"],
        "identifier-lot": lots,
    }  # fmt: skip
    call = {
        **base,
        "form-type": "competition",
        "deadline-receipt-tender-date-lot": [f"{day + timedelta(days=35)}+01:00"] * len(lots),
    }
    steps = [(day, call)]
    if end != "open":
        failed = end in ("no bids", "cancelled", "stopped in prose")
        result = {**base, "form-type": "result", "result-lot-identifier": lots,
                  "winner-selection-status": ["clos-nw" if failed else "selec-w"] * len(lots)}  # fmt: skip
        if failed:
            result["non-award-justification"] = ["no-rece" if end == "no bids" else "other"] * len(lots)
        else:
            result["received-submissions-type-code"] = ["tenders"] * len(lots)
            result["received-submissions-type-val"] = [str(made.choice((1, 2, 4)))] * len(lots)
        steps.append((day + timedelta(days=100), result))
    for part, (published, fields) in enumerate(steps):
        notice = {"publication-number": f"{number * 2 + part}-2026", "publication-date": f"{published}+02:00", **fields}
        process.notices.append((datetime.combine(published, datetime.min.time()), notice))
    return process


class Service:
    """A service as it is served: what it was asked, what it answered with, and who came too soon."""

    def __init__(
        self, register: MadeRegister, page: int, pause: float, rate: float, seed: int, faults: Sequence[str]
    ) -> None:
        self.register, self.size, self.pause = register, page, pause
        self.rate, self.faults = rate, list(faults)
        self.lasting: set[str] = set()
        self.url = ""
        self.requests, self.too_soon, self.shortest = 0, 0, float("inf")
        self.shown = Counter[str]()
        self.unknown: list[str] = []
        self.made = random.Random(seed)
        self._in_a_row, self._deck = 0, list[str]()
        self._not_before = self._last = 0.0
        self._page_before: list[Json] | None = None

    def arrive(self) -> str:
        """Notes that a request came, and says which fault its answer has."""
        now = time.monotonic()
        self.requests += 1
        if now < self._not_before:
            self.too_soon += 1
        if self._last:
            self.shortest = min(self.shortest, now - self._last)
        self._last, self._not_before = now, max(self._not_before, now + self.pause)
        fault = ""
        if self.faults and self._in_a_row < 2 and self.made.random() < self.rate:
            # Each kind once before any comes again.
            self._deck = self._deck or self.made.sample(self.faults, len(self.faults))
            fault = self._deck.pop()
        self._in_a_row = self._in_a_row + 1 if fault else 0
        return fault

    def leave_alone(self, seconds: float) -> None:
        """Until then nobody may ask."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def query(self, parameters: Mapping[str, Any]) -> tuple[list[Json], int] | None:
        """What a request asks for and from which place on; None if the service would refuse it."""
        if self.register.service == "ted":
            return self._query_ted(parameters)
        first, last = (
            ("updatedFrom", "updatedTo")
            if self.register.service == "find-a-tender"
            else ("publishedFrom", "publishedTo")
        )
        moment, cursor = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), str(parameters.get("cursor", "MA=="))
        sound = (
            set(parameters) <= {"limit", "cursor", first, last}
            and 1 <= int(parameters.get("limit", 0)) <= 100
            and moment.fullmatch(str(parameters.get(first)))
            and moment.fullmatch(str(parameters.get(last)))
            and re.fullmatch(r"[A-Za-z0-9=]{1,300}", cursor)
        )
        if not sound:
            return None
        window = [datetime.fromisoformat(str(parameters[name])) for name in (first, last)]
        at = 0 if "cursor" not in parameters else int(cursor.removeprefix("p").rstrip("="))
        return self.register.between(*window), at

    def _query_ted(self, parameters: Mapping[str, Any]) -> tuple[list[Json], int] | None:
        day = re.fullmatch(r"publication-date=(\d{4})(\d\d)(\d\d)", str(parameters.get("query")))
        sound = (
            day and parameters.get("paginationMode") == "ITERATION" and parameters["limit"] * (len(parameters["fields"]) + 1) <= 10_000
        )
        if not day or not sound:
            return None
        moment = datetime.fromisoformat("-".join(day.groups()))
        return self.register.between(moment, moment), int(str(parameters.get("iterationNextToken", "t0"))[1:])

    def document(self, matching: list[Json], at: int, fault: str) -> Json:
        """A page as the service writes it."""
        if fault == "other order":
            matching = matching[::-1]
        size = self.size
        releases = matching[at : at + size]
        if fault == "page again" and self._page_before is not None:
            releases = self._page_before
        self._page_before = releases
        following = at + size if at + size < len(matching) else None
        if self.register.service == "ted":
            token = f"t{at if fault == 'leads back' else at + size}"
            tail = {} if fault == "no next" else {"iterationNextToken": token}
            return {"notices": releases, "totalNoticeCount": len(matching), "timedOut": False, **tail}
        if fault == "leads back" and following is not None:
            following = at
        if fault == "no next" or ("no next" in self.lasting and len(releases) == size):
            following = None
        name = "cursor"
        links = {} if following is None else {"next": f"https://elsewhere.example/api?limit=100&{name}=p{following}="}
        return {"uri": "https://elsewhere.example", "version": "1.1", "extensions": [], "license": "OGL",
                "publisher": {"name": "Stand-in"}, "releases": releases, "links": links}  # fmt: skip


class StandIn(ThreadingHTTPServer):
    """The server of one service."""

    daemon_threads = True

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another, with the faults that the service chooses."""

    server: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self.answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        with suppress(json.JSONDecodeError):  # of a pull that was killed while it asked
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, parameters: Mapping[str, Any]) -> None:
        fault = self.server.service.arrive()
        self.server.service.shown[fault or "sound"] += 1
        query = self.server.service.query(parameters)
        if query is None:
            self.server.service.unknown.append(str(parameters))
            self.send(400, b'{"message": "bad request"}')
        elif fault in ("429", "503"):
            # At least a second from the answer on: the header has whole seconds.
            until = datetime.now(UTC) + timedelta(seconds=2)
            later = "1" if fault == "429" else format_datetime(until.replace(microsecond=0), usegmt=True)
            self.server.service.leave_alone(0.99)
            self.send(int(fault), b"Rate limit of 12 exceeded", {"Retry-After": later})
        elif fault in ("429 bare", "503 bare", "403"):
            self.server.service.leave_alone(WAIT)
            known = fault != "403" or self.server.service.register.service == "contracts-finder"
            self.send(int(fault[:3]) if known else 503, b"later")
        elif fault == "no page":
            self.send(200, b'{"error": "try again"}')
        elif fault == "no JSON":
            self.send(200, b"<html>We are down for maintenance</html>")
        else:
            self.send_page(json.dumps(self.server.service.document(*query, fault), ensure_ascii=False), fault)

    def send_page(self, text: str, fault: str) -> None:
        made = self.server.service.made
        if fault == "broken number":
            text = re.sub(
                r'("amount": )\d+',
                lambda match: f"{match[1]}{made.choice(('1e9999', ' 000'))}",
                text,
                count=1,
            )
        body = text.encode("iso-8859-1" if fault == "latin" else "utf-8")
        lengths = {"cut short": len(body) // 2, "too long": len(body) + 10}
        self.send(200, body, {"Content-Length": str(lengths.get(fault, len(body)))}, half=fault == "drop")

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = {}, half: bool = False) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            **headers,
        }.items():
            self.send_header(name, value)
        sound = not half and int(headers.get("Content-Length", len(body))) == len(body)
        if not sound:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        try:
            self.wfile.write(body[: len(body) // 2] if half else body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()


@contextmanager
def serving(
    register: MadeRegister,
    page: int = 100,
    pause: float = 0.0,
    rate: float = 0.0,
    seed: int = 1,
    faults: Sequence[str] = FAULTS,
) -> Iterator[Service]:
    """The service on a free port of this machine. `pause` is how far apart requests have to be, `rate` the share of
    requests that meet a fault."""
    service = Service(register, page, pause, rate, seed, faults)
    server = StandIn(service)
    service.url = f"http://127.0.0.1:{server.server_port}/api"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


PULLER = """
import os, sys
from datetime import date
from pathlib import Path
from msgspec.structs import replace
from tenders import apis
from tenders.apis.pull import PullRequest, pull
name, url, first, last, out, pause, since, stated = sys.argv[1:]
api = apis.find_api(name)
# No answer has the status 599: it stands for the longest wait that an unread answer may have asked for.
api = replace(api, pause=float(pause), backoff=0.01, later={**dict.fromkeys(api.later, 0.06), 599: float(stated)})
request = PullRequest(api=name, url=url, first=date.fromisoformat(first), last=date.fromisoformat(last))
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        pull(api, request, Path(out), since_last=since == "since")
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Pulls:
    """The same pull again and again, each in a process of its own that can be killed.

    `stated` is the longest wait that the service asks for by a header.
    """

    def __init__(
        self,
        service: Service,
        first: date,
        last: date,
        out: Path,
        pause: float,
        since_last: bool = False,
        stated: float = 0.0,
    ) -> None:
        given = [service.register.service, service.url, first, last, out, pause, "since" * since_last, stated]
        self._server = subprocess.Popen(
            [sys.executable, "-c", PULLER, *map(str, given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def begin(self) -> int:
        """Starts the pull, and answers its process."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def end(self, kill: int | None = None) -> int:
        """Waits for the pull, which is killed before if that is its process: its exit code, or minus the signal."""
        assert self._server.stdout
        if kill is not None:
            with suppress(ProcessLookupError):
                os.kill(kill, signal.SIGKILL)
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """No more pulls."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait(10)
        self._server.stdout.close()


def killed_pulls(service: Service, pulls: Pulls, kills: int, made: random.Random, apart: float) -> int:
    """Runs a pull that is killed so many times after a few requests each, then to its end. How many kills met it."""
    met = 0
    for _ in range(kills):
        process, wanted = pulls.begin(), service.requests + made.randrange(1, 4)
        until = time.monotonic() + 20
        while service.requests < wanted and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(made.random() * apart)
        met += pulls.end(process) == -signal.SIGKILL
    pulls.begin()
    assert pulls.end() == 0
    return met


def published_releases(register: MadeRegister, first: date, last: date) -> dict[tuple[str, str], Json]:
    """Every notice of some days, by ocid and id, as a release."""
    within = register.between(datetime.combine(first, datetime.min.time()), datetime.combine(last, datetime.max.time()))
    releases = map(ted.release, within) if register.service == "ted" else within
    return {(release["ocid"], release["id"]): release for release in releases}


def written(path: Path) -> tuple[dict[tuple[str, str], Json], int]:
    """Every release in an output, by ocid and id, and how many there are. A process has one line."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({line["ocid"] for line in lines}) == len(lines)
    releases = [release for line in lines for release in line.get("releases", [line])]
    return {(release["ocid"], release["id"]): release for release in releases}, len(releases)


def without_amounts(value: Any) -> Any:
    """A document without its amounts, which may be the broken numbers of an answer."""
    if isinstance(value, dict):
        return {name: without_amounts(inner) for name, inner in value.items() if name != "amount"}
    return [without_amounts(item) for item in value] if isinstance(value, list) else value
