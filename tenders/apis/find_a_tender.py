"""Find a Tender: the United Kingdom's notices above the thresholds since January 2021, as OCDS releases.

A day is asked for by when notices were updated, in the United Kingdom's local time; long windows lose notices. Not by
`stages`, which drops most calls. A release is what changed, so the releases of one process belong together.

Source: the service's OCDS API, version 1.0, under the Open Government Licence v3.0.
"""

from __future__ import annotations

from tenders.apis.api import Api, between, package

API = Api(
    name="find-a-tender",
    url="https://www.find-tender.service.gov.uk/api/1.0/ocdsReleasePackages",
    pause=5,
    later={429: 120, 503: 120},
    ask=between("updatedFrom", "updatedTo"),
    page=package,
)
