"""The United Kingdom's two services that publish notices as OCDS releases, under the Open Government Licence v3.0.

Find a Tender has the notices above the thresholds since January 2021 (OCDS API, version 1.0). A day is asked for by
when notices were updated, in local time; long windows lose notices. It is not asked by `stages`, which drops most
calls. A release is what changed, so the releases of one process belong together.

Contracts Finder has the notices of public bodies in England, also below the thresholds (OCDS search). Some answers are
ISO-8859-1, and who asks too often is answered 403 for five minutes. It holds entries that only try the service out
("Test Notice only", cancelled) and, until early 2025, most of Find a Tender's notices again, under other ocids and
without a link between the two.
"""

from __future__ import annotations

from tenders.apis.api import Api, package_page, time_window

FIND_A_TENDER = Api(
    name="find-a-tender",
    url="https://www.find-tender.service.gov.uk/api/1.0/ocdsReleasePackages",
    pause=5,
    later={429: 120, 503: 120},
    request=time_window("updatedFrom", "updatedTo"),
    page=package_page,
)
CONTRACTS_FINDER = Api(
    name="contracts-finder",
    url="https://www.contractsfinder.service.gov.uk/Published/Notices/OCDS/Search",
    pause=5,
    later={403: 300, 429: 300, 503: 120},
    request=time_window("publishedFrom", "publishedTo"),
    page=package_page,
)
