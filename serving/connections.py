"""How long a connection may wait, and how many there may be: uvicorn's protocol with bounds before a request is there.

uvicorn bounds the time between two requests and not that of the first: half-sent headers would hold a connection for
ever.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0
"""For the whole head of a request, from the opening of the connection or from its first byte."""
MOST_CONNECTIONS = 500
"""Open at once; for another one, that which has waited longest for a request is closed."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 by uvicorn; a connection on which no request comes in time is closed."""

    waiting: ClassVar[OrderedDict[BoundedProtocol, None]] = OrderedDict()
    """The connections without a request, the oldest first."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait()
        while len(self.connections) > MOST_CONNECTIONS and self.waiting:
            oldest, _ = self.waiting.popitem(last=False)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Waits on while the head of a request is incomplete."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._timer is None and not self.transport.is_closing():
            self._wait()

    def on_response_complete(self) -> None:
        """Between two requests uvicorn's own timer runs; a connection may be closed for another one all the same."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self.waiting[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting[self] = None
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
