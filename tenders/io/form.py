"""The flat form: one short key a fact, as in the web form, in JSON, CSV or YAML.

Each field says where its fact lives in a release, so that the form goes through the same door as OCDS
and a reason can name the key that the user filled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

from tenders.errors import DataError, Problem
from tenders.facts import IncumbentKind, Touches, Vehicle
from tenders.io.fields import Field, parsed

DAYS_A_YEAR = 365.25
CURRENCY = "GBP"
"""The currency of a form that gives an amount and no currency: it is a form for UK tenders."""


def _lots(count: float) -> list[dict[str, Any]]:
    return [{"id": str(i + 1)} for i in range(int(count))]


def _lot_values(values: list[float]) -> list[dict[str, Any]]:
    return [{"id": str(i + 1), "value": {"amount": amount}} for i, amount in enumerate(values)]


FIELDS: tuple[Field, ...] = (
    Field("title", "text", "/tender/title", "Title"),
    Field("description", "text", "/tender/description", "Description", "What is bought, as the notice will say it."),
    Field("buyer", "text", "/buyer/name", "Buyer", "The body whose money it is."),
    Field(
        "procuring_entity",
        "text",
        "/tender/procuringEntity/name",
        "Run by",
        "The body that runs the procedure, if another.",
    ),
    Field("region", "text", "/tender/items/0/deliveryAddresses/0/region", "Region", "ITL or NUTS code, or a name."),
    Field("cpv", "text", "/tender/items/0/classification/id", "CPV code", "Eight digits; the first two say most."),
    Field("category", "choice", "/tender/mainProcurementCategory", "Category", choices=("goods", "works", "services")),
    Field("value", "number", "/tender/value/amount", "Value", "Of the whole term, without VAT.", "money"),
    Field("currency", "text", "/tender/value/currency", "Currency", "ISO 4217 code; GBP if left out."),
    Field("lots", "count", "/tender/lots", "Lots", "1 means one block.", "lots", write=_lots),
    Field(
        "lot_values",
        "list",
        "/tender/lots",
        "Value of each lot",
        "Separated by semicolons.",
        "money",
        write=_lot_values,
    ),
    Field("single_block", "yes_no", "/tenderRisk/singleBlock", "One contract for the whole scope"),
    Field("no_lots_rationale", "text", "/tender/lotDetails/noLotsDivisionRationale", "Why no lots"),
    Field("service_lines", "count", "/tenderRisk/serviceLines", "Service lines bundled", "", "services"),
    Field("published", "date", "/tender/datePublished", "Published on"),
    Field("tender_start", "date", "/tender/tenderPeriod/startDate", "Tender period starts"),
    Field("tender_end", "date", "/tender/tenderPeriod/endDate", "Bids are due"),
    Field("tender_period_days", "number", "/tender/tenderPeriod/durationInDays", "Days to bid", "", "days"),
    Field("enquiry_period_days", "number", "/tender/enquiryPeriod/durationInDays", "Days for questions", "", "days"),
    Field("contract_start", "date", "/tender/contractPeriod/startDate", "Contract starts"),
    Field("contract_end", "date", "/tender/contractPeriod/endDate", "Contract ends"),
    Field(
        "term_years",
        "number",
        "/tender/contractPeriod/durationInDays",
        "Term",
        "Without options.",
        "years",
        write=lambda years: years * DAYS_A_YEAR,
    ),
    Field(
        "procurement_method",
        "choice",
        "/tender/procurementMethod",
        "Route",
        choices=("open", "selective", "limited", "direct"),
    ),
    Field("competition", "yes_no", "/tenderRisk/competition", "Competed for", "Where the route is not known by name."),
    Field("procurement_method_details", "text", "/tender/procurementMethodDetails", "Procedure by name"),
    Field("framework", "yes_no", "/tender/techniques/hasFrameworkAgreement", "Framework agreement"),
    Field(
        "award_criteria",
        "choice",
        "/tender/awardCriteria",
        "Awarded on",
        choices=("priceOnly", "costOnly", "qualityOnly", "ratedCriteria"),
    ),
    Field("risk_details", "text", "/tender/riskDetails", "Risks stated in the notice"),
    Field("market_engagement", "yes_no", "/tenderRisk/marketEngagement", "Market engaged before the notice"),
    Field(
        "advisers",
        "list",
        "/tenderRisk/advisers",
        "Outside advisers",
        "Names, separated by semicolons.",
        write=lambda names: [{"name": name} for name in names],
    ),
    Field("outcome_based_payment", "yes_no", "/tenderRisk/outcomeBasedPayment", "Paid by outcomes"),
    Field("staff_transfer", "yes_no", "/tenderRisk/staffTransfer", "Staff transfer (TUPE)"),
    Field(
        "new_legal_vehicle_required",
        "yes_no",
        "/tenderRisk/newLegalVehicleRequired",
        "A new legal vehicle is required",
    ),
    Field("parent_guarantee_required", "yes_no", "/tenderRisk/parentGuaranteeRequired", "Parent guarantee required"),
    Field("savings_assumed", "yes_no", "/tenderRisk/savingsAssumed", "Price ceiling below present cost"),
    Field(
        "price_to_former_cost", "number", "/tenderRisk/priceToFormerCost", "Price ceiling / present cost", "", "ratio"
    ),
    Field("first_of_its_kind", "yes_no", "/tenderRisk/firstOfItsKind", "First of its kind for the buyer"),
    Field("incumbents", "list", "/tenderRisk/incumbents", "Who provides it now", "Names, separated by semicolons."),
    Field(
        "incumbent_kind", "choice", "/tenderRisk/incumbentKind", "Kind of incumbent", choices=get_args(IncumbentKind)
    ),
    Field("predecessor_failed", "yes_no", "/tenderRisk/predecessorFailed", "The contract before it failed"),
    Field("retender", "yes_no", "/tenderRisk/retender", "Tendered before without result"),
    Field(
        "bidders_interested", "count", "/tenderRisk/biddersInterested", "Bidders interested", "", "bidders", "bids_in"
    ),
    Field("bidders", "count", "/tender/numberOfTenderers", "Bidders", "", "bidders", "bids_in"),
    Field(
        "structure_changes",
        "list",
        "/tenderRisk/structureChanges",
        "Changes since publication",
        "What each touched: " + ", ".join(get_args(Touches)) + ".",
        stage="bids_in",
        choices=get_args(Touches),
        write=lambda touched: [{"touches": each} for each in touched],
    ),
    Field(
        "assurance_holds",
        "list",
        "/tenderRisk/assuranceHolds",
        "Holds by a regulator or assurer",
        "Who put each, separated by semicolons.",
        stage="bids_in",
        write=lambda names: [{"by": name} for name in names],
    ),
    Field("legal_challenge", "yes_no", "/tenderRisk/legalChallenge", "Legal challenge", stage="bids_in"),
    Field("award_value", "number", "/awards/0/value/amount", "Awarded price", "", "money", "awarded"),
    Field("award_date", "date", "/awards/0/date", "Awarded on", stage="awarded"),
    Field(
        "supplier",
        "text",
        "/awards/0/suppliers",
        "Supplier",
        stage="awarded",
        write=lambda name: [{"id": "form-supplier", "name": name}],
    ),
    Field(
        "legal_vehicle",
        "choice",
        "/tenderRisk/legalVehicle",
        "Supplier's vehicle",
        stage="awarded",
        choices=get_args(Vehicle),
    ),
    Field("tax_unresolved", "yes_no", "/tenderRisk/taxUnresolved", "VAT or other tax unresolved", stage="awarded"),
)
BY_KEY = {field.key: field for field in FIELDS}


def release(form: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The form as an OCDS release, and the keys that it does not know.

    Raises DataError with one problem a key whose value cannot be read.
    """
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    for field in [each for each in FIELDS if each.key in form]:
        try:
            value = parsed(field, form[field.key])
        except ValueError as error:
            problems.append(Problem(path=f"/{field.key}", problem=str(error), remedy=field.help))
            continue
        if value is not None:
            given[field.key] = value
    if mismatch := _lots_mismatch(given):
        problems.append(mismatch)
    if problems:
        raise DataError(problems)
    return _placed(given), [f"/{str(key)[:80]}" for key in form if key not in BY_KEY]


def placed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The release of values that were read already, by key; none of them None. Raises DataError as `release` does."""
    if mismatch := _lots_mismatch(given):
        raise DataError(mismatch)
    return _placed(given)


def _lots_mismatch(given: Mapping[str, Any]) -> Problem | None:
    lots, values = given.get("lots"), given.get("lot_values")
    if lots and values and lots != len(values):
        return Problem(path="/lot_values", problem=f"{len(values)} values for {lots} lots")
    return None


def _placed(given: Mapping[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = {"tender": {}}
    for field in [each for each in FIELDS if each.key in given]:
        put(built, field.path, field.write(given[field.key]))
    for each in (built["tender"], *built["tender"].get("lots", ()), *built.get("awards", ())):
        if "amount" in each.get("value", ()):
            each["value"].setdefault("currency", given.get("currency", CURRENCY))
    return built


def key_of(path: str, given: Collection[str] = ()) -> str:
    """The form's key for an OCDS path, as a JSON path into the form; the path itself if there is none.

    What several keys fill is named by one of them that was `given`: of an object such as a period by its number,
    which stands over its days.
    """
    filling = [f for f in FIELDS if f.key in given and f"{f.path}/".startswith(f"{path}/")]
    if filling:
        return f"/{min(filling, key=lambda f: f.kind != 'number').key}"
    if path.startswith("/tender/lots/"):
        return "/lot_values"
    above = [f for f in FIELDS if path == f.path or path.startswith(f"{f.path}/")]
    return f"/{max(above, key=lambda f: len(f.path)).key}" if above else path


def known_columns(names: Sequence[str]) -> list[str]:
    """The columns of a table that are keys of the form. Raises DataError if there are none, or one occurs twice."""
    known = [name for name in names if name in BY_KEY]
    if not known:
        remedy = "See docs/form.md for the keys of the form; a register's own file is read by the register's name"
        raise DataError.at("row 1", "no column is a key of the form", remedy)
    if repeated := [name for name in known if known.count(name) > 1]:
        raise DataError.at("row 1", f"two columns are called {repeated[0]}", "Keep the one that is meant")
    return known


def put(target: Any, path: str, value: Any) -> None:
    """Sets `value` at a JSON path of names and 0, making the objects and arrays on the way."""
    parents, last = _steps(path)
    for name, fresh in parents:
        if name == "0":
            target[:] = target or [fresh()]
            target = target[0]
        else:
            target = target.setdefault(name, fresh())
    target[last] = value


def value_at(document: Any, path: str) -> Any:
    """The value at a JSON path of names and 0; None if there is none."""
    for step in path.strip("/").split("/"):
        if step == "0":
            document = document[0] if isinstance(document, list | tuple) and document else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[tuple[str, type], ...], str]:
    """The names on the way to a place, each with what is made there if there is nothing, and the last name."""
    *parents, last = path.strip("/").split("/")
    made = tuple(list if name == "0" else dict for name in [*parents[1:], last])
    return tuple(zip(parents, made, strict=True)), last
