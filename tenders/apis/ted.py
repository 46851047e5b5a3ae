"""Tenders Electronic Daily: the notices of the European Union, field by field, made OCDS releases.

| field | where it goes |
|---|---|
| `procedure-identifier`, else `publication-number` | `ocid`, after `ted-` |
| `publication-number`, `publication-date` | `id`, `date`; of a call `tender.datePublished`, `tenderPeriod.startDate` |
| `form-type` | `tag` |
| `buyer-name`, `buyer-identifier` | `buyer` |
| `title-proc`, else `notice-title`; `description-proc` | `tender.title`, `description` |
| `procedure-type` | `tender.procurementMethod`, `procurementMethodDetails` |
| `contract-nature` | `tender.mainProcurementCategory` |
| `classification-cpv` | `tender.classification`, `items` |
| `estimated-value-proc`, `estimated-value-cur-proc` | `tender.value` |
| `deadline-receipt-tender-date-lot`, the last | `tender.tenderPeriod.endDate` |
| `contract-duration-start-date-lot`, `contract-duration-end-date-lot`, first and last | `tender.contractPeriod` |
| `identifier-lot`, `title-lot`, `estimated-value-lot`, `estimated-value-cur-lot` | `tender.lots` |
| `winner-selection-status` | an award a result: `selec-w` active, `clos-nw` unsuccessful, `open-nw` none yet |
| `non-award-justification` | `awards[].statusDetails` of an unsuccessful one |
| `result-lot-identifier`, `winner-name`, `tender-value`, `-cur` | `awards[].relatedLots`, `suppliers`, `value` |
| `received-submissions-type-val`, `-code` | `bids.statistics`, where the code is `tenders` |

Arrays that belong together are paired where they have one length, and else left out: nothing says which of two lots a
single title belongs to. Amounts of nothing or less are unknown.

Source: the search API, version 3, and the field list in its documentation. At most 10,000 cells are answered at a time,
a row's number included. A day ends when all the notices that it has are there, for there is always a next token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from tenders.apis.api import Api, Page, PageRequest, Window, object_array

FIELDS = (
    "publication-number", "publication-date", "form-type", "procedure-identifier", "buyer-name", "buyer-identifier",
    "title-proc", "notice-title", "description-proc", "procedure-type", "contract-nature", "classification-cpv",
    "estimated-value-proc", "estimated-value-cur-proc", "deadline-receipt-tender-date-lot",
    "contract-duration-start-date-lot", "contract-duration-end-date-lot", "identifier-lot", "title-lot",
    "estimated-value-lot", "estimated-value-cur-lot", "result-lot-identifier", "winner-selection-status",
    "non-award-justification", "winner-name", "tender-value", "tender-value-cur", "received-submissions-type-code",
    "received-submissions-type-val",
)  # fmt: skip
LIMIT = 250
CELLS = 10_000
METHODS = {
    "open": "open",
    "restricted": "selective",
    "neg-w-call": "selective",
    "comp-dial": "selective",
    "innovation": "selective",
    "comp-tend": "selective",
    "neg-wo-call": "limited",
}
CATEGORIES = {"works": "works", "services": "services", "supplies": "goods"}
TAGS = {
    "planning": "planning",
    "competition": "tender",
    "result": "award",
    "dir-awa-pre": "award",
    "cont-modif": "contractAmendment",
    "compl": "implementation",
}
LANGUAGE = "eng"
"""The language that is read of a text in many languages; where it is missing, the first one."""

PAGE = min(LIMIT, CELLS // (len(FIELDS) + 1))
"""Notices that are asked for at a time."""

Notice = Mapping[str, Any]
Item = TypeVar("Item")


def release(notice: Notice) -> dict[str, Any]:
    """A notice as an OCDS release."""
    number, published = _text(notice, "publication-number"), _day(notice, "publication-date")
    form = _text(notice, "form-type")
    call = published if form == "competition" else None
    codes = list(dict.fromkeys(_texts(notice, "classification-cpv")))
    tender = {
        "id": number,
        "title": _text(notice, "title-proc") or _text(notice, "notice-title"),
        "description": _text(notice, "description-proc"),
        "datePublished": call,
        "procurementMethod": METHODS.get(_text(notice, "procedure-type") or ""),
        "procurementMethodDetails": _text(notice, "procedure-type"),
        "mainProcurementCategory": CATEGORIES.get(_text(notice, "contract-nature") or ""),
        "classification": _cpv(codes[0]) if codes else None,
        "items": [{"id": str(number), "classification": _cpv(code)} for number, code in enumerate(codes, start=1)],
        "value": _first(_values(notice, "estimated-value-proc", "estimated-value-cur-proc")),
        "tenderPeriod": _stated(
            {"startDate": call, "endDate": max(_days(notice, "deadline-receipt-tender-date-lot"), default=None)}
        ),
        "contractPeriod": _stated(
            {
                "startDate": min(_days(notice, "contract-duration-start-date-lot"), default=None),
                "endDate": max(_days(notice, "contract-duration-end-date-lot"), default=None),
            }
        ),
        "lots": list(_lots(notice)),
    }
    return _stated(
        {
            "ocid": f"ted-{_text(notice, 'procedure-identifier') or number}",
            "id": number,
            "date": published,
            "tag": [TAGS[form]] if form in TAGS else [],
            "buyer": _stated({"id": _text(notice, "buyer-identifier"), "name": _text(notice, "buyer-name")}),
            "tender": _stated(tender),
            "awards": list(_awards(notice)),
            "bids": _stated({"statistics": list(_bids(notice))}),
        }
    )


def _lots(notice: Notice) -> Iterator[dict[str, Any]]:
    names = _texts(notice, "identifier-lot")
    titles = _beside(names, _texts(notice, "title-lot"))
    values = _beside(names, _values(notice, "estimated-value-lot", "estimated-value-cur-lot"))
    lots = (
        _stated({"id": name, "title": title, "value": value})
        for name, title, value in zip(names, titles, values, strict=True)
        if name
    )
    # A lot may be named more than once.
    yield from {lot["id"]: lot for lot in lots}.values()


def _awards(notice: Notice) -> Iterator[dict[str, Any]]:
    results = _texts(notice, "winner-selection-status")
    lots = _result_lots(notice, results)
    won = [result for result in results if result == "selec-w"]
    lost = [result for result in results if result == "clos-nw"]
    names = iter(_beside(won, _texts(notice, "winner-name")))
    values = iter(_beside(won, _values(notice, "tender-value", "tender-value-cur")))
    reasons = iter(_beside(lost, _texts(notice, "non-award-justification")))
    for number, (result, lot) in enumerate(zip(results, lots, strict=True), start=1):
        award = {"id": str(number), "relatedLots": [lot] if lot else None}
        if result == "selec-w":
            # There is a supplier, even where it is not named.
            supplier = _stated({"name": next(names)})
            yield _stated({**award, "status": "active", "value": next(values)}) | {"suppliers": [supplier]}
        elif result == "clos-nw":
            yield _stated({**award, "status": "unsuccessful", "statusDetails": next(reasons)})


def _bids(notice: Notice) -> Iterator[dict[str, Any]]:
    codes, counts = _texts(notice, "received-submissions-type-code"), _texts(notice, "received-submissions-type-val")
    if len(codes) != len(counts):
        return
    bids = [count for code, count in zip(codes, counts, strict=True) if code == "tenders" and count.isdecimal()]
    results = _texts(notice, "winner-selection-status")
    lots = _result_lots(notice, results) if len(bids) == len(results) else [None] * len(bids)
    if len(bids) > 1 and len(bids) != len(results):
        return
    for number, (count, lot) in enumerate(zip(bids, lots, strict=True), start=1):
        yield _stated({"id": str(number), "measure": "bids", "value": int(count), "relatedLot": lot})


def _result_lots(notice: Notice, results: Sequence[str]) -> list[str | None]:
    """The lot of each result."""
    return _beside(results, _texts(notice, "result-lot-identifier"))


def _beside(these: Sequence[Any], those: Sequence[Any]) -> list[Any]:
    """`those` if there is one for each of `these`, else as many None."""
    return list(those) if len(these) == len(those) else [None] * len(these)


def _values(notice: Notice, amount: str, currency: str) -> list[dict[str, Any] | None]:
    amounts, currencies = _texts(notice, amount), _texts(notice, currency)
    if len(currencies) == 1:
        currencies = currencies * len(amounts)
    return list(map(_value, amounts, _beside(amounts, currencies)))


def _value(amount: str, currency: str | None) -> dict[str, Any] | None:
    try:
        number = float(amount)
    except ValueError:
        return None
    return {"amount": number, "currency": currency} if currency and 0 < number < float("inf") else None


def _cpv(code: str) -> dict[str, str]:
    return {"scheme": "CPV", "id": code}


def _texts(notice: Notice, field: str) -> list[str]:
    """A field's values as texts; of a text in many languages those of one."""
    return list(_flat(notice.get(field)))


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        spoken = LANGUAGE if LANGUAGE in value else next(iter(value), None)
        yield from _flat(value.get(spoken))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(_flat, value))
    elif isinstance(value, str | int | float):
        yield str(value)


def _text(notice: Notice, field: str) -> str | None:
    return _first(_texts(notice, field))


def _days(notice: Notice, field: str) -> list[str]:
    """Days without the zone that is written behind them."""
    return [text[:10] for text in _texts(notice, field)]


def _day(notice: Notice, field: str) -> str | None:
    return _first(_days(notice, field))


def _first(values: Sequence[Item]) -> Item | None:
    return next(iter(values), None)


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not empty."""
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}


def _request(window: Window, cursor: str | None) -> PageRequest:
    body = {
        "query": f"publication-date={window.first:%Y%m%d}",
        "fields": FIELDS,
        "limit": PAGE,
        "scope": "ALL",
        "paginationMode": "ITERATION",
    }
    return PageRequest(json=body if cursor is None else {**body, "iterationNextToken": cursor})


def _page(document: Any) -> Page:
    notices = object_array(document, "notices")
    following, count = document.get("iterationNextToken"), document.get("totalNoticeCount")
    return Page(
        releases=list(map(release, notices)),
        following=following if notices and isinstance(following, str) else None,
        count=count if isinstance(count, int) else None,
    )


TED = Api(
    name="ted",
    url="https://api.ted.europa.eu/v3/notices/search",
    pause=5,
    later={429: 60, 503: 60},
    request=_request,
    page=_page,
    full=PAGE,
    by_time=False,
)
