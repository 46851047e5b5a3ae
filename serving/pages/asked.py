"""From a posted form to a page of one tender: read, worked out in a thread, refused beside the field that is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from serving.pages import home
from serving.pages.drafts import Draft
from serving.pages.received import Received, received
from tenders.errors import TenderRiskError

Found = Callable[[Received], Response]


def endpoint(found: Found) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that answers with what `found` makes of the request, or with the form and what is wrong."""

    async def answer(request: Request) -> Response:
        try:
            sent = await received(request)
        except TenderRiskError as error:
            return home.shown(Draft(), error=error)
        return await anyio.to_thread.run_sync(_tried, found, sent)

    return answer


def _tried(found: Found, sent: Received) -> Response:
    try:
        return found(sent)
    except TenderRiskError as error:
        return home.shown(sent.draft, error=error)
