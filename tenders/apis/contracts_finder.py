"""Contracts Finder: the notices of public bodies in England, also below the thresholds, as OCDS releases.

Some answers are ISO-8859-1, and who asks too often is answered 403 for five minutes. It holds entries that only try the
service out ("Test Notice only", cancelled), and until early 2025 most of Find a Tender's notices again, under other
ocids and without a link between the two.

Source: the service's OCDS search, under the Open Government Licence v3.0.
"""

from __future__ import annotations

from tenders.apis.api import Api, between, package

API = Api(
    name="contracts-finder",
    url="https://www.contractsfinder.service.gov.uk/Published/Notices/OCDS/Search",
    pause=5,
    later={403: 300, 429: 300, 503: 120},
    ask=between("publishedFrom", "publishedTo"),
    page=package,
)
