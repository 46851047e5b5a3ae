"""How a fact that is set stands among those that a tender holds already: what it replaces, and what it makes untrue.

Each rule takes the tender's document, the document that the form makes of what is set, and the keys that are set. What
contradicts a fact that is set goes; what says the same stays. So setting a fact to what it is changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from tenders.errors import DataError
from tenders.io import form

Json = dict[str, Any]
Rule = Callable[[Json, Json, Collection[str]], None]

COMPETITIVE = ("open", "selective")
# What lots are let on, beside value and term.
TERMS = ("awardCriteria", "hasRenewal", "hasOptions", "renewal")


def apply(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """Sets in `document` the facts that `fresh` holds for `keys` of the form. Raises DataError naming a key."""
    done: list[Rule] = []
    for key in keys:
        rule = RULES.get(key)
        if rule is None:
            path = form.BY_KEY[key].path
            form.put(document, path, _at(fresh, path))
        elif rule not in done:
            done.append(rule)
            rule(document, fresh, keys)


def _at(document: Any, path: str) -> Any:
    """What stands at a JSON path of names and 0; None if nothing does."""
    for step in path.strip("/").split("/"):
        if step == "0":
            document = document[0] if isinstance(document, list) and document else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document


def _facts(document: Json) -> Json:
    facts: Json = document.setdefault("tenderRisk", {})
    return facts


def _value(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """An amount keeps the tender's currency unless one is set."""
    now = document["tender"].setdefault("value", {})
    given = fresh["tender"].get("value", {})
    if "currency" in keys or "currency" not in now:
        now["currency"] = given.get("currency", form.CURRENCY)
    if "value" in keys:
        now["amount"] = given["amount"]


def _lots(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """As many equal lots, on the terms of those before; the value of the whole stays."""
    now, facts = document["tender"].get("lots", []), _facts(document)
    block = (fresh.get("tenderRisk") or {}).get("singleBlock")
    wanted = fresh["tender"].get("lots")
    if wanted is None and now and block is not (len(now) == 1):
        if not block:
            raise DataError.at("/single_block", "how many lots instead?", "Set lots to 2 or more")
        wanted = [{"id": "1"}]
    if block is not None:
        facts["singleBlock"] = block
    if wanted is None:
        return
    if not wanted:
        raise DataError.at("/lots", "expected at least one lot, got 0", form.BY_KEY["lots"].help)
    if block is not None and block is not (len(wanted) == 1):
        raise DataError.at("/single_block", f"{len(wanted)} lots say otherwise", "Set one of the two")
    facts.pop("singleBlock", None)
    if len(wanted) != len(now) or "lot_values" in keys:
        document["tender"]["lots"] = _on_the_same_terms(document, now, wanted, keys)


def _on_the_same_terms(document: Json, now: list[Json], wanted: list[Json], keys: Collection[str]) -> list[Json]:
    if len(wanted) == len(now):
        pairs = zip(now, wanted, strict=True)
        lots = [{**lot, "value": {**lot.get("value", {}), **each["value"]}} for lot, each in pairs]
    else:
        _keep_whole(document["tender"], now, valued="lot_values" in keys)
        terms = {name: each for name, each in now[0].items() if name in TERMS} if now else {}
        lots = [{**terms, **each} for each in wanted]
    currency = document["tender"].get("value", {}).get("currency")
    for lot in lots:
        if currency and "lot_values" in keys and "currency" not in keys:
            lot["value"]["currency"] = currency
    return lots


def _keep_whole(tender: Json, lots: list[Json], valued: bool) -> None:
    """The value and the term of the whole, where only the lots state them, before the lots go.

    `valued` says that the new lots have values of their own, which then sum up to that of the whole.
    """
    values = [lot.get("value", {}) for lot in lots]
    alike = len({value.get("currency") for value in values}) == 1
    if not valued and "amount" not in tender.get("value", {}) and alike and all(v.get("amount") for v in values):
        tender["value"] = {**values[0], "amount": math.fsum(v["amount"] for v in values)}
    terms = [lot["contractPeriod"] for lot in lots if lot.get("contractPeriod")]
    if terms and not tender.get("contractPeriod"):
        tender["contractPeriod"] = max(terms, key=lambda period: period.get("durationInDays", 0))


def _period(name: str, start: str, end: str, length: str) -> Rule:
    """A length that is set stands over the days, a day that is set over the length."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        now = document["tender"].setdefault(name, {})
        given = fresh["tender"][name]
        moved = [each for key, each in ((start, "startDate"), (end, "endDate")) if key in keys]
        if length not in keys and any(now.get(each) != given[each] for each in moved):
            now.pop("durationInDays", None)
        now.update(given)

    return rule


def _cpv(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """One code stands for the whole: the others go, or the tender would span both markets."""
    code = _at(fresh, form.BY_KEY["cpv"].path)
    tender = document["tender"]
    items = tender.get("items", [])
    held = [each["classification"] for each in (tender, *items) if each.get("classification")]
    if [each.get("id") for each in held] == [code]:
        return
    tender.pop("classification", None)
    for item in items:
        item.pop("classification", None)
    form.put(document, form.BY_KEY["cpv"].path, code)


def _method(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """The named method and the stated fact must agree: what is not set goes where it says otherwise."""
    tender, facts = document["tender"], _facts(document)
    if "procurement_method" in keys:
        tender["procurementMethod"] = fresh["tender"]["procurementMethod"]
        facts.pop("competition", None)
    if "competition" in keys:
        facts["competition"] = fresh["tenderRisk"]["competition"]
        named = tender.get("procurementMethod")
        if "procurement_method" not in keys and named and (named in COMPETITIVE) is not facts["competition"]:
            del tender["procurementMethod"]


def _savings(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """Savings are assumed where the ceiling is under the present cost: what is not set goes where it says otherwise."""
    facts = _facts(document)
    facts.update(fresh["tenderRisk"])
    ratio, assumed = facts.get("priceToFormerCost"), facts.get("savingsAssumed")
    if ratio is not None and assumed is not None and (ratio < 1) is not assumed:
        for key, name in (("savings_assumed", "savingsAssumed"), ("price_to_former_cost", "priceToFormerCost")):
            if key not in keys:
                del facts[name]


def _bidders(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """A count of bidders stands over the statistics of the whole; those of one among several lots stay."""
    document["tender"]["numberOfTenderers"] = fresh["tender"]["numberOfTenderers"]
    alone = len(document["tender"].get("lots", ())) <= 1
    statistics = document.get("bids", {}).get("statistics", [])
    if statistics:
        document["bids"]["statistics"] = [] if alone else [each for each in statistics if "relatedLot" in each]


def _organisation(path: str) -> Rule:
    """Another name is another body: its id goes with the old name."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        if _at(document, path) != _at(fresh, path):
            (_at(document, path.rpartition("/")[0]) or {}).clear()
            form.put(document, path, _at(fresh, path))

    return rule


def _listed(path: str, name: str) -> Rule:
    """A list is set anew unless it names the same."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        now, given = (_at(each, path) or [] for each in (document, fresh))
        if [each.get(name) for each in now] != [each[name] for each in given]:
            form.put(document, path, given)

    return rule


def _awards(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """The price is that of all awards together; day and supplier are those of the first."""
    awards = document.setdefault("awards", []) or [{}]
    (given,) = fresh["awards"]
    if "award_value" in keys:
        for other in awards[1:]:
            other.pop("value", None)
        currency = given["value"]["currency"] if "currency" in keys else _currency(document, awards[0])
        awards[0]["value"] = {**given["value"], "currency": currency}
    if "award_date" in keys and _first_day(awards) != given["date"]:
        for award in awards:
            award.pop("date", None)
        awards[0]["date"] = given["date"]
    if "supplier" in keys and _at(awards, "/0/suppliers/0/name") != given["suppliers"][0]["name"]:
        awards[0]["suppliers"] = given["suppliers"]
    document["awards"] = awards


def _first_day(awards: list[Json]) -> Any:
    return min((award["date"] for award in awards if "date" in award), default=None)


def _currency(document: Json, award: Json) -> str:
    held = (award.get("value", {}).get("currency"), document["tender"].get("value", {}).get("currency"))
    return next((each for each in held if each), form.CURRENCY)


_TENDER_PERIOD = _period("tenderPeriod", "tender_start", "tender_end", "tender_period_days")
_CONTRACT_PERIOD = _period("contractPeriod", "contract_start", "contract_end", "term_years")

RULES: dict[str, Rule] = {
    **dict.fromkeys(("value", "currency"), _value),
    **dict.fromkeys(("lots", "lot_values", "single_block"), _lots),
    **dict.fromkeys(("tender_start", "tender_end", "tender_period_days"), _TENDER_PERIOD),
    **dict.fromkeys(("contract_start", "contract_end", "term_years"), _CONTRACT_PERIOD),
    **dict.fromkeys(("procurement_method", "competition"), _method),
    **dict.fromkeys(("savings_assumed", "price_to_former_cost"), _savings),
    **dict.fromkeys(("award_value", "award_date", "supplier"), _awards),
    "cpv": _cpv,
    "bidders": _bidders,
    "buyer": _organisation("/buyer/name"),
    "procuring_entity": _organisation("/tender/procuringEntity/name"),
    "advisers": _listed("/tenderRisk/advisers", "name"),
    "structure_changes": _listed("/tenderRisk/structureChanges", "touches"),
    "assurance_holds": _listed("/tenderRisk/assuranceHolds", "by"),
}
