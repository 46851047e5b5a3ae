"""A tender with some of its facts overridden, as if they had been so from the start: set to something else, or unknown.

Overrides are given as keys of the flat form, whether the process came as OCDS or as a form. They are set on the tender
as it is compiled for a moment, not in the notices: a changed notice would look like a change after publication. What
contradicts a fact that is set goes; what agrees with it stays. So setting a fact to what it is changes nothing.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from datetime import date
from functools import cached_property
from typing import Any

import msgspec

from tenders import stages
from tenders.codelists import COMPETED
from tenders.column_readers import DEFAULT_CURRENCY
from tenders.columns import Column
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.form import parse_field
from tenders.io.ocds import to_tender
from tenders.process import Process, to_json
from tenders.tender import Tender

Overrides = Mapping[str, Any]
"""Keys of the flat form with their values as a user wrote them; None makes a fact unknown."""
Json = dict[str, Any]
Rule = Callable[[Json, Json, Collection[str]], None]
"""Sets a fact: takes the tender's document, the document that the form makes of the overrides, and their keys."""

LOT_TERMS = ("awardCriteria", "hasRenewal", "hasOptions", "renewal")
"""What lots are let on, beside value and term."""
OTHER_PLACES: dict[str, tuple[str, ...]] = {
    "buyer": ("/buyer",),
    "procuring_entity": ("/tender/procuringEntity",),
    "region": ("/tender/items/*/deliveryAddresses",),
    "cpv": (
        "/tender/classification",
        "/tender/additionalClassifications",
        "/tender/items/*/classification",
        "/tender/items/*/additionalClassifications",
    ),
    "lot_values": ("/tender/lots/*/value",),
    "bidders": ("/tender/numberOfTenderers", "/tender/tenderers", "/bids/statistics"),
    "award_value": ("/awards/*/value",),
    "award_date": ("/awards/*/date",),
    "supplier": ("/awards/*/suppliers",),
}
"""Keys whose fact a file may state in other places than where the form puts it; `*` is every entry of a list."""


class OverriddenProcess(Process, frozen=True, kw_only=True, dict=True):
    """The process `original` with `overrides` in place of its own facts. Reasons still point into the user's file."""

    original: Process
    overrides: Overrides

    def compiled(self) -> Tender:
        """Everything known today, with the overrides."""
        return self._overridden

    def has_reached(self, stage: Stage) -> bool:
        """Whether it has reached a stage, with its overrides or without: trying a later deadline takes no bid back."""
        return stages.has_reached(self.compiled(), stage) or self.original.has_reached(stage)

    def all_warnings(self) -> tuple[str, ...]:
        """The warnings of the original process."""
        return self.original.all_warnings()

    def _at(self, moment: Stage | date) -> Tender:
        before = self.original.as_of(moment)
        # Most drafts hold nothing that comes later, and then one tender is enough.
        same = before == self.original.compiled()
        after = self._overridden if same else apply_overrides(to_json(before), self.overrides)
        return stages.as_of(after, moment)

    @cached_property
    def _overridden(self) -> Tender:
        return apply_overrides(self.original.document, self.overrides)


def override(process: Process, overrides: Overrides, stage: Stage) -> OverriddenProcess:
    """The process with its facts overridden, to be scored at a stage.

    Raises DataError with one problem for each key that is not a key of the form, has a blank or a wrong value, or is
    known only after the stage.
    """
    problems = [problem for key, value in overrides.items() if (problem := _key_problem(key, value, stage))]
    if problems:
        raise DataError(problems)
    overridden = OverriddenProcess(
        releases=process.releases,
        where=process.where,
        warnings=process.warnings,
        form=process.form,
        typed=process.typed,
        original=process,
        overrides=dict(overrides),
    )
    overridden.as_of(stage)
    return overridden


def apply_overrides(document: Json, overrides: Overrides) -> Tender:
    """The tender of a document with its facts overridden. Raises DataError whose paths are keys of the form."""
    stated = {key: value for key, value in overrides.items() if value is not None}
    fresh, _ = form.to_release(stated)
    # A deep copy: the document itself stays as it is.
    document = msgspec.to_builtins(document)
    _clear(document, overrides.keys() - stated.keys())
    _set(document, fresh, stated)
    try:
        return to_tender(document)
    except DataError as error:
        raise DataError([msgspec.structs.replace(p, path=form.key_of(p.path)) for p in error.problems]) from None


def _key_problem(key: str, value: Any, stage: Stage) -> Problem | None:
    field = form.BY_KEY.get(key)
    if field is None:
        close = difflib.get_close_matches(key[:80], form.BY_KEY, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Use a key of the form, see docs/form.md"
        return Problem(path=f"/{key[:80]}", problem="there is no such fact to set", remedy=remedy)
    if value is None:
        return None
    if _is_blank(field, value):
        return Problem(path=f"/{key}", problem="there is no value to set it to", remedy=field.help)
    if STAGES.index(field.stage) > STAGES.index(stage):
        problem = f"known at {field.stage} only, and this is scored at {stage}"
        return Problem(path=f"/{key}", problem=problem, remedy=f"Score it at the stage {field.stage}")
    return None


def _is_blank(field: Column, value: Any) -> bool:
    try:
        return parse_field(field, value) is None
    except ValueError:
        # Wrong, not blank: the form says how.
        return False


def _clear(document: Json, keys: Collection[str]) -> None:
    """Takes facts out of a tender's document, as if nobody had stated them. Raises DataError that names a key.

    What other facts tell of the same stays known.
    """
    have_values = any(lot.get("value") for lot in document["tender"].get("lots", ()))
    if "lots" in keys and "lot_values" not in keys and have_values:
        raise DataError.at("/lots", "the value of each lot says how many there are", "Empty that too")
    for party in document.get("parties", ()) if "buyer" in keys else ():
        party["roles"] = [role for role in party.get("roles", ()) if role != "buyer"]
    for key in keys:
        for path in OTHER_PLACES.get(key, (form.BY_KEY[key].path,)):
            _remove(document, path.strip("/").split("/"))


def _remove(value: Any, steps: list[str]) -> None:
    first, *rest = steps
    if isinstance(value, list):
        for item in value if first == "*" else value[:1]:
            _remove(item, rest)
    elif isinstance(value, dict) and not rest:
        value.pop(first, None)
    elif isinstance(value, dict):
        _remove(value.get(first), rest)


def _set(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """Sets in `document` the facts that `fresh` holds for `keys` of the form. Raises DataError that names a key."""
    done: list[Rule] = []
    for key in keys:
        rule = _RULES.get(key)
        if rule is None:
            path = form.BY_KEY[key].path
            form.put(document, path, form.value_at(fresh, path))
        elif rule not in done:
            done.append(rule)
            rule(document, fresh, keys)


def _facts(document: Json) -> Json:
    facts: Json = document.setdefault("tenderRisk", {})
    return facts


def _set_value(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """An amount keeps the tender's currency unless one is set."""
    value = document["tender"].setdefault("value", {})
    new = fresh["tender"].get("value", {})
    if "currency" in keys or "currency" not in value:
        value["currency"] = new.get("currency", DEFAULT_CURRENCY)
    if "value" in keys:
        value["amount"] = new["amount"]


def _set_lots(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """As many equal lots, on the terms of those before; the value of the whole stays."""
    lots, facts = document["tender"].get("lots", []), _facts(document)
    single = (fresh.get("tenderRisk") or {}).get("singleBlock")
    new = fresh["tender"].get("lots")
    if new is None and lots and single is not (len(lots) == 1):
        if not single:
            raise DataError.at("/single_block", "how many lots instead?", "Set lots to 2 or more")
        new = [{"id": "1"}]
    if single is not None:
        facts["singleBlock"] = single
    if new is None:
        return
    if not new:
        raise DataError.at("/lots", "expected at least one lot, got 0", form.BY_KEY["lots"].help)
    if single is not None and single is not (len(new) == 1):
        raise DataError.at("/single_block", f"{len(new)} lots say otherwise", "Set one of the two")
    facts.pop("singleBlock", None)
    if len(new) != len(lots) or "lot_values" in keys:
        document["tender"]["lots"] = _on_the_same_terms(document, lots, new, keys)


def _on_the_same_terms(document: Json, lots: list[Json], new: list[Json], keys: Collection[str]) -> list[Json]:
    if len(new) == len(lots):
        pairs = zip(lots, new, strict=True)
        made = [{**lot, "value": {**lot.get("value", {}), **other["value"]}} for lot, other in pairs]
    else:
        _keep_whole(document["tender"], lots, new_values="lot_values" in keys)
        terms = {name: term for name, term in lots[0].items() if name in LOT_TERMS} if lots else {}
        made = [{**terms, **lot} for lot in new]
    currency = document["tender"].get("value", {}).get("currency")
    for lot in made:
        if currency and "lot_values" in keys and "currency" not in keys:
            lot["value"]["currency"] = currency
    return made


def _keep_whole(tender: Json, lots: list[Json], new_values: bool) -> None:
    """Moves the value and the term of the lots to the whole, where only the lots state them, before the lots go.

    `new_values` says that the new lots have values of their own, which then sum up to that of the whole.
    """
    values = [lot.get("value", {}) for lot in lots]
    one_currency = len({value.get("currency") for value in values}) == 1
    stated = "amount" in tender.get("value", {})
    if not new_values and not stated and one_currency and all(value.get("amount") for value in values):
        tender["value"] = {**values[0], "amount": math.fsum(value["amount"] for value in values)}
    terms = [lot["contractPeriod"] for lot in lots if lot.get("contractPeriod")]
    if terms and not tender.get("contractPeriod"):
        tender["contractPeriod"] = max(terms, key=lambda period: period.get("durationInDays", 0))


def _set_period(name: str, start: str, end: str, length: str) -> Rule:
    """A rule by which a length that is set overrides the days, and a day that is set the length."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        period, new = document["tender"].setdefault(name, {}), fresh["tender"][name]
        days = [day for key, day in ((start, "startDate"), (end, "endDate")) if key in keys]
        if length not in keys and any(period.get(day) != new[day] for day in days):
            period.pop("durationInDays", None)
        period.update(new)

    return rule


def _set_cpv(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """One code for the whole: the others go, or the tender would span both markets."""
    code = form.value_at(fresh, form.BY_KEY["cpv"].path)
    tender = document["tender"]
    places = (tender, *tender.get("items", []))
    stated = [place["classification"] for place in places if place.get("classification")]
    if [classification.get("id") for classification in stated] == [code]:
        return
    for place in places:
        place.pop("classification", None)
        place.pop("additionalClassifications", None)
    form.put(document, form.BY_KEY["cpv"].path, code)


def _set_method(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """The named method and the stated fact must agree: the one that is not set goes where it says otherwise."""
    tender, facts = document["tender"], _facts(document)
    if "procurement_method" in keys:
        tender["procurementMethod"] = fresh["tender"]["procurementMethod"]
        facts.pop("competition", None)
    if "competition" in keys:
        facts["competition"] = fresh["tenderRisk"]["competition"]
        competed = COMPETED.get(tender.get("procurementMethod", ""))
        if "procurement_method" not in keys and competed is not None and competed is not facts["competition"]:
            del tender["procurementMethod"]


def _set_savings(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """Savings are assumed where the ceiling is below the present cost: what is not set goes where it says otherwise."""
    facts = _facts(document)
    facts.update(fresh["tenderRisk"])
    ratio, assumed = facts.get("priceToFormerCost"), facts.get("savingsAssumed")
    if ratio is not None and assumed is not None and (ratio < 1) is not assumed:
        for key, name in (("savings_assumed", "savingsAssumed"), ("price_to_former_cost", "priceToFormerCost")):
            if key not in keys:
                del facts[name]


def _set_bidders(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """A count of bidders overrides the statistics of the whole; those of one lot among several stay."""
    document["tender"]["numberOfTenderers"] = fresh["tender"]["numberOfTenderers"]
    one_lot = len(document["tender"].get("lots", ())) <= 1
    statistics = document.get("bids", {}).get("statistics", [])
    if statistics:
        document["bids"]["statistics"] = [] if one_lot else [count for count in statistics if "relatedLot" in count]


def _set_organisation(path: str) -> Rule:
    """A rule by which another name is another body: its id goes with the old name."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        name = form.value_at(fresh, path)
        if form.value_at(document, path) != name:
            (form.value_at(document, path.rpartition("/")[0]) or {}).clear()
            form.put(document, path, name)

    return rule


def _set_list(path: str, name: str) -> Rule:
    """A rule by which a list is replaced unless it has the same names."""

    def rule(document: Json, fresh: Json, keys: Collection[str]) -> None:
        before, new = (form.value_at(source, path) or [] for source in (document, fresh))
        if [item.get(name) for item in before] != [item[name] for item in new]:
            form.put(document, path, new)

    return rule


def _set_awards(document: Json, fresh: Json, keys: Collection[str]) -> None:
    """The price is that of all awards together; day and supplier are those of the first."""
    awards = document.setdefault("awards", []) or [{}]
    (new,) = fresh["awards"]
    if "award_value" in keys:
        for other in awards[1:]:
            other.pop("value", None)
        currency = new["value"]["currency"] if "currency" in keys else _award_currency(document, awards[0])
        awards[0]["value"] = {**new["value"], "currency": currency}
    first_day = min((award["date"] for award in awards if "date" in award), default=None)
    if "award_date" in keys and first_day != new["date"]:
        for award in awards:
            award.pop("date", None)
        awards[0]["date"] = new["date"]
    if "supplier" in keys and form.value_at(awards, "/0/suppliers/0/name") != new["suppliers"][0]["name"]:
        awards[0]["suppliers"] = new["suppliers"]
    document["awards"] = awards


def _award_currency(document: Json, award: Json) -> str:
    return (
        award.get("value", {}).get("currency")
        or document["tender"].get("value", {}).get("currency")
        or DEFAULT_CURRENCY
    )


_set_tender_period = _set_period("tenderPeriod", "tender_start", "tender_end", "tender_period_days")
_set_contract_period = _set_period("contractPeriod", "contract_start", "contract_end", "term_years")

_RULES: dict[str, Rule] = {
    **dict.fromkeys(("value", "currency"), _set_value),
    **dict.fromkeys(("lots", "lot_values", "single_block"), _set_lots),
    **dict.fromkeys(("tender_start", "tender_end", "tender_period_days"), _set_tender_period),
    **dict.fromkeys(("contract_start", "contract_end", "term_years"), _set_contract_period),
    **dict.fromkeys(("procurement_method", "competition"), _set_method),
    **dict.fromkeys(("savings_assumed", "price_to_former_cost"), _set_savings),
    **dict.fromkeys(("award_value", "award_date", "supplier"), _set_awards),
    "cpv": _set_cpv,
    "bidders": _set_bidders,
    "buyer": _set_organisation("/buyer/name"),
    "procuring_entity": _set_organisation("/tender/procuringEntity/name"),
    "advisers": _set_list("/tenderRisk/advisers", "name"),
    "structure_changes": _set_list("/tenderRisk/structureChanges", "touches"),
    "assurance_holds": _set_list("/tenderRisk/assuranceHolds", "by"),
}
"""The keys that need more than to be put at their path."""
