"""The columns of a table of tenders: every fact that is read of a tender, declared once.

A column says what it is called, where its fact stands in a release, what kind it is, and from which stage on it is
known. Those with a label are also the fields of the flat form, and their name is the form's key. From the declaration
follow the table that features read (`features.table`), the readers of forms, `as_of`, the web form and its page in the
docs. To add a fact is to add its field (`tenders.facts` or `tenders.tender`) and its column here.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from tenders import column_readers as read
from tenders.codelists import CURRENCIES
from tenders.column_readers import Read
from tenders.facts import STAGES, IncumbentKind, Stage, Touches, Vehicle
from tenders.tender_chunk import TenderChunk, Values

Kind = Literal["text", "number", "count", "yes_no", "date", "choice", "list"]

DAYS_A_YEAR = 365.25
CURRENCY_CODES: tuple[str | None, ...] = (None, *sorted(CURRENCIES))


_REACHED = {stage: STAGES[: place + 1] for place, stage in enumerate(STAGES)}
"""Each stage and those before it."""


class Column(msgspec.Struct, frozen=True):
    """One fact of a tender.

    `kind` decides how a table holds it: numbers, counts and yes/no as floats, dates as days (`tenders.dates.ordinals`),
    texts, choices and lists (tuples) as categories. `write` turns the form's value into what stands at `path`.

    `read` is for a column that takes more than the value at its path: it reads many tenders as of a stage, at which
    they may know more. `staged` facts carry a stage of their own, by which `read` leaves out what came later; then
    `stage` is only the form's. `per` names the column that counts the values of each tender: lots, for a fact of each
    lot. `categories` are all values that there can be, so that the codes of two columns can be compared.

    In a table of forms, a column with a label is the cell of its name and any other is unknown, unless `of_form`
    computes it from the cells (`features.form_columns.FormCells`).
    """

    name: str
    kind: Kind
    path: str
    label: str = ""
    help: str = ""
    unit: str = ""
    stage: Stage = "draft"
    choices: tuple[str, ...] = ()
    write: Callable[[Any], Any] = lambda value: value
    read: Read | None = None
    of_form: Callable[[Any], Any] | None = None
    per: str = ""
    staged: bool = False
    categories: tuple[Any, ...] = ()

    @property
    def unknown(self) -> Any:
        """What stands for unknown among its values."""
        return () if self.kind == "list" and not self.per else None

    @property
    def is_number(self) -> bool:
        """Whether a table holds it as floats."""
        return self.kind in ("number", "count", "yes_no", "date") or (self.kind == "list" and bool(self.per))

    def known_at(self, stage: Stage) -> bool:
        """Whether its fact can be known at a stage."""
        return self.staged or self.stage in _REACHED[stage]

    def values(self, chunk: TenderChunk, stage: Stage) -> Values:
        """What it says of each tender as of a stage at which it can be known; dates as texts."""
        return chunk.values(self.path) if self.read is None else self.read(chunk, stage)


def _lots(count: float) -> list[dict[str, Any]]:
    return [{"id": str(i + 1)} for i in range(int(count))]


def _lot_values(values: list[float]) -> list[dict[str, Any]]:
    return [{"id": str(i + 1), "value": {"amount": amount}} for i, amount in enumerate(values)]


FORM: tuple[Column, ...] = (
    Column("title", "text", "/tender/title", "Title"),
    Column("description", "text", "/tender/description", "Description", "What is bought, as the notice will say it."),
    Column("buyer", "text", "/buyer/name", "Buyer", "The body whose money it is."),
    Column(
        "procuring_entity",
        "text",
        "/tender/procuringEntity/name",
        "Run by",
        "The body that runs the procedure, if another.",
    ),
    Column("region", "text", "/tender/items/0/deliveryAddresses/0/region", "Region", "ITL or NUTS code, or a name."),
    Column(
        "cpv",
        "text",
        "/tender/items/0/classification/id",
        "CPV code",
        "Eight digits; the first two say most.",
        read=read.first_cpv,
    ),
    Column("category", "choice", "/tender/mainProcurementCategory", "Category", choices=("goods", "works", "services")),
    Column("value", "number", "/tender/value/amount", "Value", "Of the whole term, without VAT.", "money"),
    Column(
        "currency",
        "text",
        "/tender/value/currency",
        "Currency",
        "ISO 4217 code; GBP if left out.",
        categories=CURRENCY_CODES,
        of_form=read.form_currency,
    ),
    Column(
        "outsourced_service",
        "yes_no",
        "/tenderRisk/outsourcedService",
        "Large outsourced service",
        "Where the value does not tell: a supplier runs it, with staff, systems or sites.",
    ),
    Column(
        "lots",
        "count",
        "/tender/lots",
        "Lots",
        "1 means one block.",
        "lots",
        write=_lots,
        read=read.count_at("/tender/lots"),
        of_form=lambda cells: np.nan_to_num(cells.number("lots")),
    ),
    Column(
        "lot_values",
        "list",
        "/tender/lots",
        "Value of each lot",
        "Separated by semicolons.",
        "money",
        write=_lot_values,
        read=read.value_at("/tender/lots/*/value/amount"),
        per="lots",
    ),
    Column("single_block", "yes_no", "/tenderRisk/singleBlock", "One contract for the whole scope"),
    Column("no_lots_rationale", "text", "/tender/lotDetails/noLotsDivisionRationale", "Why no lots"),
    Column("service_lines", "count", "/tenderRisk/serviceLines", "Service lines bundled", "", "services"),
    Column("published", "date", "/tender/datePublished", "Published on"),
    Column("tender_start", "date", "/tender/tenderPeriod/startDate", "Tender period starts"),
    Column(
        "tender_end",
        "date",
        "/tender/tenderPeriod/endDate",
        "Bids are due",
        read=read.end_of("/tender/tenderPeriod"),
    ),
    Column("tender_period_days", "number", "/tender/tenderPeriod/durationInDays", "Days to bid", "", "days"),
    Column("enquiry_period_days", "number", "/tender/enquiryPeriod/durationInDays", "Days for questions", "", "days"),
    Column("contract_start", "date", "/tender/contractPeriod/startDate", "Contract starts"),
    Column(
        "contract_end",
        "date",
        "/tender/contractPeriod/endDate",
        "Contract ends",
        read=read.end_of("/tender/contractPeriod"),
    ),
    Column(
        "term_years",
        "number",
        "/tender/contractPeriod/durationInDays",
        "Term",
        "Without options.",
        "years",
        write=lambda years: years * DAYS_A_YEAR,
        read=read.value_at("/tender/contractPeriod/durationInDays", lambda days: days / DAYS_A_YEAR),
    ),
    Column(
        "procurement_method",
        "choice",
        "/tender/procurementMethod",
        "Route",
        choices=("open", "selective", "limited", "direct"),
    ),
    Column("competition", "yes_no", "/tenderRisk/competition", "Competed for", "Where the route is not known by name."),
    Column("procurement_method_details", "text", "/tender/procurementMethodDetails", "Procedure by name"),
    Column("framework", "yes_no", "/tender/techniques/hasFrameworkAgreement", "Framework agreement"),
    Column(
        "award_criteria",
        "choice",
        "/tender/awardCriteria",
        "How bids are judged",
        choices=("priceOnly", "costOnly", "qualityOnly", "ratedCriteria"),
        read=read.criteria_code,
    ),
    Column("risk_details", "text", "/tender/riskDetails", "Risks stated in the notice"),
    Column("market_engagement", "yes_no", "/tenderRisk/marketEngagement", "Market engaged before the notice"),
    Column(
        "advisers",
        "list",
        "/tenderRisk/advisers",
        "Outside advisers",
        "Names, separated by semicolons.",
        write=lambda names: [{"name": name} for name in names],
        read=read.advisers,
        staged=True,
    ),
    Column("outcome_based_payment", "yes_no", "/tenderRisk/outcomeBasedPayment", "Paid by outcomes"),
    Column("staff_transfer", "yes_no", "/tenderRisk/staffTransfer", "Staff transfer (TUPE)"),
    Column(
        "new_legal_vehicle_required",
        "yes_no",
        "/tenderRisk/newLegalVehicleRequired",
        "A new legal vehicle is required",
    ),
    Column("parent_guarantee_required", "yes_no", "/tenderRisk/parentGuaranteeRequired", "Parent guarantee required"),
    Column("savings_assumed", "yes_no", "/tenderRisk/savingsAssumed", "Price ceiling below present cost"),
    Column(
        "price_to_former_cost", "number", "/tenderRisk/priceToFormerCost", "Price ceiling / present cost", "", "ratio"
    ),
    Column("first_of_its_kind", "yes_no", "/tenderRisk/firstOfItsKind", "First of its kind for the buyer"),
    Column("incumbents", "list", "/tenderRisk/incumbents", "Who provides it now", "Names, separated by semicolons."),
    Column(
        "incumbent_kind", "choice", "/tenderRisk/incumbentKind", "Kind of incumbent", choices=get_args(IncumbentKind)
    ),
    Column("predecessor_failed", "yes_no", "/tenderRisk/predecessorFailed", "The contract before it failed"),
    Column("retender", "yes_no", "/tenderRisk/retender", "Tendered before without result"),
    Column(
        "bidders_interested", "count", "/tenderRisk/biddersInterested", "Bidders interested", "", "bidders", "bids_in"
    ),
    Column(
        "bidders", "count", "/tender/numberOfTenderers", "Bidders", "", "bidders", "bids_in", read=read.bidder_counts
    ),
    Column(
        "structure_changes",
        "list",
        "/tenderRisk/structureChanges",
        "Changes since publication",
        "What each touched: " + ", ".join(get_args(Touches)) + ".",
        stage="bids_in",
        choices=get_args(Touches),
        write=lambda touched: [{"touches": touch} for touch in touched],
        read=read.changes,
        staged=True,
    ),
    Column(
        "assurance_holds",
        "list",
        "/tenderRisk/assuranceHolds",
        "Holds by a regulator or assurer",
        "Who put each, separated by semicolons.",
        stage="bids_in",
        write=lambda names: [{"by": name} for name in names],
        read=read.holds,
        staged=True,
    ),
    Column("legal_challenge", "yes_no", "/tenderRisk/legalChallenge", "Legal challenge", stage="bids_in"),
    Column(
        "award_value",
        "number",
        "/awards/0/value/amount",
        "Awarded price",
        "",
        "money",
        "awarded",
    ),
    Column("award_date", "date", "/awards/0/date", "Awarded on", stage="awarded", read=read.award_date),
    Column(
        "supplier",
        "text",
        "/awards/0/suppliers",
        "Supplier",
        stage="awarded",
        write=lambda name: [{"id": "form-supplier", "name": name}],
        read=read.first_supplier,
    ),
    Column(
        "legal_vehicle",
        "choice",
        "/tenderRisk/legalVehicle",
        "Supplier's vehicle",
        stage="awarded",
        choices=get_args(Vehicle),
    ),
    Column("tax_unresolved", "yes_no", "/tenderRisk/taxUnresolved", "VAT or other tax unresolved", stage="awarded"),
)
"""The fields of the flat form, in its order."""


def _gross(name: str, path: str, per: str = "") -> Column:
    """The gross amount of the value at a path, where no net one is stated."""
    return Column(name, "number", f"{path}/amountGross", read=read.gross_at(path), per=per)


def _currency(name: str, path: str, per: str = "") -> Column:
    return Column(name, "text", path, per=per, categories=CURRENCY_CODES)


def _period(name: str, path: str, per: str = "") -> tuple[Column, Column, Column]:
    """Days, start and end of the period at a path."""
    return (
        Column(f"{name}_days", "number", f"{path}/durationInDays", per=per),
        Column(f"{name}_start", "date", f"{path}/startDate", per=per),
        Column(f"{name}_end", "date", f"{path}/endDate", read=read.end_of(path), per=per),
    )


def _fees(name: str, kind: str) -> tuple[Column, Column, Column]:
    """How many fees of a kind there are, their amounts and their currencies."""
    path = "/tender/participationFees"
    amount, currency = (read.fees(kind, attrgetter(field)) for field in ("amount", "currency"))
    return (
        Column(name, "count", path, read=read.fee_count(kind)),
        Column(f"{name}_values", "number", f"{path}/*/value/amount", read=amount, per=name),
        Column(
            f"{name}_currencies", "text", f"{path}/*/value/currency", read=currency, per=name, categories=CURRENCY_CODES
        ),
    )


NOT_ON_FORM: tuple[Column, ...] = (
    _gross("value_gross", "/tender/value"),
    Column("budget", "number", "/planning/budget/amount/amount"),
    _gross("budget_gross", "/planning/budget/amount"),
    _currency("budget_currency", "/planning/budget/amount/currency"),
    _gross("lot_values_gross", "/tender/lots/*/value", per="lots"),
    _currency("lot_currencies", "/tender/lots/*/value/currency", per="lots"),
    *_period("lot", "/tender/lots/*/contractPeriod", per="lots"),
    Column(
        "lot_bids",
        "count",
        "/bids/statistics",
        stage="bids_in",
        read=read.lot_bids,
        of_form=read.form_bids_of_each_lot,
        per="lots",
    ),
    Column("lot_title", "text", "/tender/lots/0/title"),
    Column("extendable", "yes_no", "/tender/lots/0/hasRenewal", read=read.extendable),
    Column(
        "contract_days",
        "number",
        "/tender/contractPeriod/durationInDays",
        of_form=lambda cells: cells.number("term_years") * DAYS_A_YEAR,
    ),
    Column(
        "tender_start_stated",
        "yes_no",
        "/tender/tenderPeriod/startDate",
        read=read.is_stated("/tender/tenderPeriod/startDate"),
        of_form=lambda cells: np.where(cells.is_known("tender_start"), 1.0, np.nan),
    ),
    *_period("enquiry", "/tender/enquiryPeriod")[1:],
    *_period("bid_validity", "/tender/submissionTerms/bidValidityPeriod"),
    Column("first_meeting", "date", "/tender/clarificationMeetings", read=read.first_meeting),
    Column(
        "year_without_day",
        "number",
        "/tender/datePublished",
        read=read.years_without_day,
        of_form=read.form_year_without_day,
    ),
    Column("tenderers", "count", "/tender/tenderers", stage="bids_in", read=read.tenderers),
    Column("own_cpv", "text", "/tender/classification/id", read=read.own_cpv),
    Column("cpv_codes", "list", "/tender/items", read=read.all_cpv, of_form=read.form_listed("cpv")),
    Column("criteria", "list", "/tender/awardCriteria", read=read.criteria),
    Column("price_weight", "text", "/tenderRisk/codes/price_weight"),
    Column("covers", "text", "/tenderRisk/codes/covers"),
    Column("call_number", "count", "/tenderRisk/callNumber"),
    Column(
        "own_cells", "list", "/tenderRisk/own", read=read.value_at("/tenderRisk/own", lambda own: tuple(own.items()))
    ),
    Column("legal_basis", "text", "/tender/legalBasis/id", read=read.text_at("/tender/legalBasis/id")),
    Column("legal_basis_description", "text", "/tender/legalBasis/description"),
    Column("procurement_method_rationale", "text", "/tender/procurementMethodRationale"),
    Column("health_regime_named", "yes_no", "/description", read=read.health_regime_named),
    Column(
        "buyer_reference",
        "list",
        "/buyer",
        read=read.organisation(lambda tender: tender.buyer),
        of_form=read.form_named("buyer"),
    ),
    Column(
        "procuring_entity_reference",
        "list",
        "/tender/procuringEntity",
        read=read.organisation(lambda tender: tender.tender.procuring_entity),
        of_form=read.form_named("procuring_entity"),
    ),
    Column("central_purchasing", "yes_no", "/parties", read=read.central_purchasing, staged=True),
    Column(
        "role_details",
        "list",
        "/parties/*/roleDetails",
        read=read.of_parties(lambda party, _: party.role_details),
        staged=True,
    ),
    Column(
        "advising_parties",
        "list",
        "/parties",
        read=read.advising_parties,
        staged=True,
    ),
    Column("buyer_mail_domains", "list", "/parties", read=read.mail_domains("buyer"), staged=True),
    Column("contact_mail_domains", "list", "/parties", read=read.mail_domains("processContactPoint"), staged=True),
    Column("no_engagement_rationale", "text", "/planning/noEngagementNoticeRationale"),
    Column("engagement_planned", "yes_no", "/planning/milestones", read=read.engagement),
    Column("first_engagement", "date", "/planning/milestones", read=read.first_engagement),
    Column("unsuccessful_before", "yes_no", "/relatedProcesses", read=read.no_result_before),
    *_fees("deposits", "deposit"),
    *_fees("document_fees", "document"),
    Column("changes_counted", "yes_no", "/tenderRisk/changesCounted"),
    Column(
        "amendments",
        "count",
        "/tender/amendments",
        stage="bids_in",
        read=read.known_count_at("/tender/amendments"),
    ),
    Column("late_changes", "list", "/tenderRisk/structureChanges", read=read.late_changes, staged=True),
    Column(
        "awards", "count", "/awards", stage="awarded", read=read.known_count_at("/awards"), of_form=read.form_awards
    ),
    Column(
        "award_values",
        "number",
        "/awards/*/value/amount",
        stage="awarded",
        of_form=lambda cells: cells.spread("awards", cells.number("award_value")),
        per="awards",
    ),
    Column(
        "award_currencies",
        "text",
        "/awards/*/value/currency",
        stage="awarded",
        of_form=read.form_award_currencies,
        per="awards",
        categories=CURRENCY_CODES,
    ),
    Column(
        "started",
        "date",
        "/contracts/0/period/startDate",
        stage="awarded",
        read=read.started,
        of_form=lambda cells: cells.days("contract_start"),
    ),
    Column("days_at_award", "number", "/awards/*/contractPeriod", stage="awarded", read=read.days_at_award),
    Column(
        "value_at_award",
        "number",
        "/awards/*/value",
        stage="awarded",
        read=read.at_award(attrgetter("amount")),
        of_form=read.form_value_at_award,
    ),
    Column(
        "currency_at_award",
        "text",
        "/awards/*/value",
        stage="awarded",
        read=read.at_award(attrgetter("currency")),
        of_form=read.form_currency_at_award,
        categories=CURRENCY_CODES,
    ),
    Column("signed_before_start", "number", "/contracts/0/dateSigned", stage="awarded", read=read.signed_before_start),
    Column(
        "suppliers",
        "list",
        "/awards/*/suppliers",
        stage="awarded",
        read=read.suppliers,
        of_form=read.form_listed("supplier"),
    ),
)
"""What is read of a release besides the fields of the form."""

COLUMNS: dict[str, Column] = {column.name: column for column in (*FORM, *NOT_ON_FORM)}
