"""Find a Tender: the United Kingdom's notices above the thresholds since January 2021, as OCDS releases.

A day is asked for by when notices were updated, in the United Kingdom's local time; long windows lose notices. Not by
`stages`, which drops most calls. A release is what changed, so the releases of one process belong together.

Source: the service's OCDS API, version 1.0, under the Open Government Licence v3.0.
"""

from __future__ import annotations

from datetime import date

from tenders.apis.api import Api, Ask, package

LIMIT = 100


def _ask(day: date, following: str | None) -> Ask:
    asked = {"limit": str(LIMIT), "updatedFrom": f"{day}T00:00:00", "updatedTo": f"{day}T23:59:59"}
    return Ask(params=asked if following is None else {**asked, "cursor": following})


API = Api(
    name="find-a-tender",
    url="https://www.find-tender.service.gov.uk/api/1.0/ocdsReleasePackages",
    pause=5,
    later={429: 120, 503: 120},
    ask=_ask,
    page=package,
)
