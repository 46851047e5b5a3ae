"""What was answered is not kept: the long form, of 200,000 scores, is `benchmarks.load`."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from benchmarks.load import resident_megabytes
from tests.serving.conftest import address, running

WARM_UP, REQUESTS = 300, 2_000


def _send(url: str, count: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for _ in range(count):
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"\n"
    connection.close()


def test_two_thousand_requests_leave_nothing_behind() -> None:
    with running() as process:
        url = address(process)
        _send(url, WARM_UP)
        before = resident_megabytes(process.pid)
        _send(url, REQUESTS)
        # A timer for each request, which held 4 KB, made it 8 MB.
        assert resident_megabytes(process.pid) - before < 4
