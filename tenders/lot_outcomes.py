"""How one lot of a procurement turned out. `tenders.outcomes` puts the lots of a tender together.

The newest release wins: what is called off and awarded again on the same day is awarded, and what is called off after
an award, nobody knows of which part, is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tenders import dates
from tenders.codelists import TENDER_ENDED_WITHOUT_AWARD
from tenders.contract_ends import (
    RATINGS,
    ContractEnd,
    Performance,
    Rating,
    contract_end,
    performance,
    planned_end,
    unrated,
)
from tenders.ending_words import says_abandoned, says_no_award
from tenders.endings import (
    DatedRelease,
    Ending,
    EndingKind,
    award_status,
    before_procurement_act,
    contract_status,
    correction_words,
    dated_releases,
    first_stated,
    is_market,
    last_cancellation,
    lot_ending,
    notice_ending,
    notices,
    prose_ending,
    status_ending,
    status_field,
    status_of,
    was_opened,
)
from tenders.process import Process
from tenders.tender import Award, Contract, Id, Tender, bid_count

# A correction is made at once and the notice comes back soon. A failed procedure takes longer for both.
WITHDRAWN_WITHIN_DAYS = 14
REISSUED_WITHIN_DAYS = 30

CONTRACTS_FINDER = "ocds-b5fd17-"
"""Its status `complete` means awarded."""
_ENDED = TENDER_ENDED_WITHOUT_AWARD | {"complete"}


class Outcome(Struct, frozen=True, kw_only=True):
    """The labels of one lot (`lot` is its id), or of a whole tender (`lot` is None).

    `award_known_on` is the date since which no_award and single_bid are known, `known_on` the one since which all
    that is known is, but for what is in `performed`, which has a date of its own. `path` is the JSON path that decided,
    `reason` the words there. `deserted` marks a no_award that follows from a bid count of 0: a definition, so nothing
    that a model may claim to have foreseen. The kind `part` is of a tender with lots that were awarded and lots that
    were not.
    """

    no_award: bool | None = None
    early_end: bool | None = None
    single_bid: bool | None = None
    performed: Performance | None = None
    kind: EndingKind | None = None
    known_on: str | None = None
    award_known_on: str | None = None
    lot: Id | None = None
    path: str | None = None
    reason: str | None = None
    deserted: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def failure(self) -> bool | None:
        """Whether it failed either way; False only if an award was made and its contract is known not to have."""
        if self.no_award or self.early_end:
            return True
        return False if self.no_award is False and self.early_end is False else None

    @property
    def performance(self) -> Rating | None:
        """The worst rating that was published of a contract."""
        return self.performed.rating if self.performed else None


class LotCase(Struct, frozen=True):
    """What every lot of one process is judged by."""

    tender: Tender
    at_award: Tender
    history: Sequence[DatedRelease]
    relaunched_on: str | None


def case_of(process: Process, relaunched_on: str | None) -> LotCase:
    """What the lots of a process are judged by. Raises DataError if it cannot be read."""
    return LotCase(process.compiled(), process.as_of("awarded"), dated_releases(process), relaunched_on)


def of_lots(case: LotCase) -> list[Outcome]:
    """The outcomes of the lots, in their order; one for the whole where there are no lots."""
    return [of_lot(case, index) for index in range(len(case.tender.tender.lots))] or [of_lot(case, None)]


def of_lot(case: LotCase, index: int | None) -> Outcome:
    """The outcome of the lot at an index; None is the whole tender, as if it had no lots."""
    lot = None if index is None else case.tender.tender.lots[index].id
    awards = [award for award in case.tender.awards if _concerns(award.related_lots, lot, case.tender)]
    contracts = _contracts_of(case.tender, lot, awards)
    count = bid_count(case.tender, lot)
    labels = with_performance(Outcome(lot=lot, single_bid=count == 1 if count else None), contracts, case)
    if is_market(case.history):
        return _warned(
            labels, "a dynamic market is a list of suppliers: its notices neither award nor end a procurement"
        )
    signed = [contract for contract in contracts if contract_status(contract) not in ("cancelled", "pending")]
    never_signed = bool(contracts) and all(contract_status(contract) == "cancelled" for contract in contracts)
    in_force = [] if never_signed and not signed else [award for award in awards if _in_force(award)]
    if signed or in_force:
        return _of_awarded_lot(labels, case, index, signed, awards, count)
    pending = [award for award in awards if award_status(award) == "pending"]
    if (pending or any(map(_is_pending, contracts))) and not _called_off_since(case, pending, contracts):
        return _warned(labels, f"{_pending_place(case, pending, contracts)}: the award is pending")
    if lot is not None and unplaced(case.tender):
        return labels
    return _not_awarded(labels, case, index, awards, count)


def _of_awarded_lot(
    labels: Outcome,
    case: LotCase,
    index: int | None,
    signed: Sequence[Contract],
    awards: Sequence[Award],
    count: int | None,
) -> Outcome:
    """The outcome of a lot with an award in force or a contract, unless something newer stands against it."""
    scope = _called_off_after_award(case, labels.lot, signed, awards)
    if scope == "lot" and not signed and not before_procurement_act(case.tender, case.history):
        return _not_awarded(labels, case, index, awards, count)
    if scope in ("lot", "unclear"):
        return _warned(labels, "it was called off after the award, and it is not stated what of it")
    if not signed and (doubt := _award_doubt(case, awards)):
        return _warned(labels, doubt)
    labels = _awarded(labels, case, signed, awards)
    return (
        _warned(labels, "it was called off and awarded the same day: a correction") if scope == "same day" else labels
    )


def _awarded(labels: Outcome, case: LotCase, contracts: Sequence[Contract], awards: Sequence[Award]) -> Outcome:
    inside = {award.id for award in awards}
    own = _first([a.date for a in awards if _in_force(a)] + [c.date_signed for c in contracts])
    on, path = first_stated(case.history, lambda tender: _award_place(tender, inside, {c.id for c in contracts}), own)
    labels = replace(labels, no_award=False, award_known_on=on, known_on=on, path=path)
    only = len(case.tender.contracts) == 1
    ends = [contract_end(c, planned_end(c, case.at_award), case.history, only=only) for c in contracts]
    early = next((end for end in ends if end and end.early), None)
    if early:
        return _with_end(labels, early, early=True)
    for end in ends:
        if end and end.doubt:
            labels = _warned(labels, f"{end.path}: {end.doubt}")
    last = max((end for end in ends if end), key=lambda end: day_of(end.on), default=None)
    if last and all(end and end.early is False for end in ends):
        return _with_end(labels, last, early=False)
    return labels


def _with_end(labels: Outcome, end: ContractEnd, *, early: bool) -> Outcome:
    return replace(
        labels,
        early_end=early,
        kind="terminated" if early else None,
        path=end.path,
        reason=end.reason,
        known_on=latest_of([labels.award_known_on, end.on]),
    )


def with_performance(labels: Outcome, contracts: Sequence[Contract], case: LotCase) -> Outcome:
    """The labels with the worst that was published of how the contracts were performed."""
    performances = [performed for contract in contracts if (performed := performance(contract, case.history))]
    if performances:
        return replace(labels, performed=max(performances, key=lambda entry: RATINGS.index(entry.rating)))
    odd = any(map(unrated, contracts))
    return _warned(labels, "indicators are published without a rating of the scale") if odd else labels


def _warned(labels: Outcome, warning: str) -> Outcome:
    return labels if warning in labels.warnings else replace(labels, warnings=(*labels.warnings, warning))


def _not_awarded(
    labels: Outcome, case: LotCase, index: int | None, awards: Sequence[Award], count: int | None
) -> Outcome:
    ending = _ending(case, index, awards)
    if count == 0 and (ending or _bids_were_due(case.tender)):
        ending = ending or Ending(kind="unsuccessful", on=case.tender.date, path="/bids/statistics")
        labels = replace(labels, deserted=True)
    if ending is None:
        named = next((a for a in awards if award_status(a) == "unsuccessful"), None)
        if named:
            place = _award_ending(case, named, "unsuccessful").path
            return _warned(labels, f"{place}: it is about one bidder, and the procedure is open")
        return labels if awards else _with_contract_notice(labels, case, index)
    if ending.kind != "unsuccessful" and not was_opened(case.history):
        return _warned(labels, f"{ending.path}: it withdraws a plan, and nothing was called for before")
    if index is not None and _is_artefact(case, index, ending):
        return _warned(labels, f"{ending.path}: a lot cancelled under an award in force says nothing before 2025")
    labels = replace(
        labels, kind=ending.kind, known_on=ending.on, award_known_on=ending.on, path=ending.path, reason=ending.reason
    )
    correction = _correction(case, ending)
    if correction:
        return replace(labels, kind="re_issued", reason=correction, deserted=False)
    return replace(labels, no_award=True)


def _ending(case: LotCase, index: int | None, awards: Sequence[Award]) -> Ending | None:
    """The best statement that this lot ended without award: its own, its award's, the procedure's, a notice's."""
    lots = case.tender.tender.lots
    status, whole_status = (
        status_of(lots[index] if index is not None else case.tender.tender),
        status_of(case.tender.tender),
    )
    if index is not None and (own := lot_ending(case.tender, index, case.history)):
        return own
    ended = status in _ENDED or whole_status in _ENDED
    # An award that names a bidder fails or is cancelled to go to the next: it ends the lot only if that has ended.
    failed = [a for a in awards if award_status(a) == "unsuccessful" and (ended or not _names_a_bidder(a))]
    if failed and all(award_status(a) in ("unsuccessful", "cancelled") for a in awards):
        return _award_ending(case, failed[0], "unsuccessful")
    if whole := status_ending(case.tender, case.history):
        return whole
    cancelled = next((a for a in awards if award_status(a) == "cancelled" or _is_active(a)), None)
    if cancelled and ended:
        return _award_ending(case, cancelled, "cancelled")
    # Where lots say themselves how they ended, a notice is about those lots.
    if index is not None and any(status_of(lot) in TENDER_ENDED_WITHOUT_AWARD for lot in lots):
        return None
    return notice_ending(case.history) or prose_ending(case.history)


def _is_artefact(case: LotCase, index: int, ending: Ending) -> bool:
    """Whether a lot is marked as cancelled under an award in force, as British registers did before the new law."""
    lot = case.tender.tender.lots[index]
    if ending.kind != "cancelled" or status_of(lot) != "cancelled" or "/lots/" not in ending.path:
        return False
    if lot.status_details and says_no_award(lot.status_details):
        return False
    let = any(map(_in_force, case.tender.awards)) and status_of(case.tender.tender) not in TENDER_ENDED_WITHOUT_AWARD
    return let and before_procurement_act(case.tender, case.history)


def _names_a_bidder(award: Award) -> bool:
    return bool(award.suppliers or award.related_bid or award.related_bids)


def _pending_place(case: LotCase, awards: Sequence[Award], contracts: Sequence[Contract]) -> str:
    if awards:
        return _award_ending(case, awards[0], "unsuccessful").path
    ids = {contract.id for contract in contracts}

    def place(tender: Tender) -> str | None:
        i = next((i for i, c in enumerate(tender.contracts) if c.id in ids and _is_pending(c)), None)
        return None if i is None else f"/contracts/{i}/status"

    return first_stated(case.history, place)[1]


def _is_pending(contract: Contract) -> bool:
    return contract_status(contract) == "pending"


def _called_off_since(case: LotCase, awards: Sequence[Award], contracts: Sequence[Contract]) -> bool:
    """Whether the procedure was called off in a release that is newer than a pending award, or that says so itself."""
    if len(case.history) < 2:
        return bool(notice_ending(case.history) or prose_ending(case.history))
    last = last_cancellation(case.history)
    return last is not None and last[0] >= _last_awarding(case, awards, contracts)


def _called_off_after_award(
    case: LotCase, lot: Id | None, contracts: Sequence[Contract], awards: Sequence[Award]
) -> Literal["lot", "others", "unclear", "same day"] | None:
    """What a cancellation concerns that is newer than the award: this lot, other lots, or nobody knows.

    "same day": it is older, and the award followed within the day. None without such a cancellation.
    """
    last = last_cancellation(case.history)
    if last is None:
        return None
    i, ending = last
    awarded = _last_awarding(case, awards, contracts)
    if awarded > i or (awarded == i and "/tag" not in ending.path and "escription" not in ending.path):
        days = dates.days_between(case.history[i].date, case.history[awarded].date)
        return "same day" if awarded > i and days == 0 else None
    named = [other.id for other in case.history[i].tender.tender.lots if status_of(other) in TENDER_ENDED_WITHOUT_AWARD]
    if lot is None or not named:
        return "unclear"
    return "lot" if str(lot) in map(str, named) else "others"


def _last_awarding(case: LotCase, awards: Sequence[Award], contracts: Sequence[Contract]) -> int:
    """The newest release that states one of these awards, with a supplier or its status, or contracts; -1 if none."""
    ids, signed = {str(award.id) for award in awards}, {str(contract.id) for contract in contracts}
    for i in range(len(case.history) - 1, -1, -1):
        stated = case.history[i].tender
        if any(str(a.id) in ids and (award_status(a) in ("active", "pending") or a.suppliers) for a in stated.awards):
            return i
        if any(str(c.id) in signed and contract_status(c) not in ("cancelled", "terminated") for c in stated.contracts):
            return i
    return -1


def _award_doubt(case: LotCase, awards: Sequence[Award]) -> str | None:
    """Why an award without a contract may not be one: its standstill still runs, or bids were not yet due."""
    standing = [award for award in awards if _in_force(award)]
    for award in standing:
        end = award.standstill_period.end_date if award.standstill_period else None
        if end and case.tender.date and dates.earliest(end) >= dates.latest(case.tender.date):
            return f"the award is in standstill until {end[:10]}"
    section = case.tender.tender
    due = section.tender_period.end_date if section.tender_period else None
    open_ended = section.techniques and (
        section.techniques.has_framework_agreement or section.techniques.has_dynamic_purchasing_system
    )
    if not due or open_ended or section.procurement_method == "direct" or dates.is_placeholder(due):
        return None
    if _says_awarded(case.tender):
        return None
    inside: set[Id | None] = {award.id for award in standing}
    on, path = first_stated(
        case.history, lambda tender: _award_place(tender, inside, set()), _first(a.date for a in standing)
    )
    if on and dates.latest(on) < dates.earliest(due):
        return f"{path}: an award of {on[:10]}, before bids were due on {due[:10]}"
    return None


def contract_notice(case: LotCase) -> tuple[str | None, str] | None:
    """Since when a notice says that there is a contract (UK7 to UK11), and where, if no contract is listed."""
    if case.tender.contracts:
        return None
    for release in case.history:
        for place, document, says in notices(release.tender):
            if says in ("contract", "contract end"):
                return document.date_published or release.date, release.where + place
    return None


def _says_awarded(tender: Tender) -> bool:
    return (tender.ocid or "").startswith(CONTRACTS_FINDER) and status_of(tender.tender) == "complete"


def _with_contract_notice(labels: Outcome, case: LotCase, index: int | None) -> Outcome:
    """The labels of a lot of which only a notice, or the register's own word for it, says that it was let."""
    if index is not None and len(case.tender.tender.lots) > 1:
        return labels
    stated = contract_notice(case)
    if stated is None and _says_awarded(case.tender):
        field = status_field(case.tender.tender)
        stated = first_stated(
            case.history,
            lambda tender: f"/tender/{field}" if status_of(tender.tender) == "complete" else None,
            case.tender.tender.final_status_date,
        )
    if stated is None:
        return labels
    on, path = stated
    return replace(labels, no_award=False, award_known_on=on, known_on=on, path=path)


def _award_ending(case: LotCase, award: Award, kind: EndingKind) -> Ending:
    def place(tender: Tender) -> str | None:
        same = (i for i, a in enumerate(tender.awards) if a.id == award.id and award_status(a) == award_status(award))
        i = next(same, None)
        return None if i is None else f"/awards/{i}/{status_field(award)}"

    on, path = first_stated(case.history, place, award.final_status_date or award.date)
    return Ending(kind=kind, on=on, path=path, reason=award.status_details)


def _correction(case: LotCase, ending: Ending) -> str | None:
    """Why the end is a mere correction, None if it is a true one."""
    if ending.kind == "unsuccessful":
        return None
    if words := correction_words(case.tender):
        return words
    out = dates.days_between(_published(case.tender, case.history), ending.on)
    back = dates.days_between(ending.on, case.relaunched_on)
    if out is None or back is None or out > WITHDRAWN_WITHIN_DAYS or abs(back) > REISSUED_WITHIN_DAYS:
        return None
    return f"withdrawn {out} days after publication, published again on {case.relaunched_on}"


def _published(tender: Tender, history: Sequence[DatedRelease]) -> str | None:
    period = tender.tender.tender_period
    first = history[0].date if len(history) > 1 else None
    return tender.tender.date_published or first or (period.start_date if period else None)


def _concerns(lots: Sequence[Id], lot: Id | None, tender: Tender) -> bool:
    """Whether what names `lots` is about `lot`; what names none is about the only one there is."""
    if lots:
        return lot is None or str(lot) in map(str, lots)
    return lot is None or len(tender.tender.lots) == 1


def _contracts_of(tender: Tender, lot: Id | None, awards: Sequence[Award]) -> list[Contract]:
    """The contracts of a lot: by the lots they name, else by their award, else because there is one lot only."""
    inside = {str(award.id) for award in awards}
    known = {str(award.id) for award in tender.awards}
    return [
        contract
        for contract in tender.contracts
        if (
            str(contract.award_id) in inside
            if not contract.related_lots and str(contract.award_id) in known
            else _concerns(contract.related_lots, lot, tender)
        )
    ]


def unplaced(tender: Tender) -> bool:
    """Whether an award in force names none of several lots, so that it may be any one's."""
    return len(tender.tender.lots) > 1 and any(_in_force(a) and not a.related_lots for a in tender.awards)


def _is_active(award: Award) -> bool:
    status = award_status(award)
    return status == "active" or (status is None and bool(award.suppliers))


def _in_force(award: Award) -> bool:
    """Whether an award stands: it is active, and its own words do not say that it was abandoned."""
    return _is_active(award) and not any(
        text and says_abandoned(text) for text in (award.title, award.description, award.status_details)
    )


def _award_place(tender: Tender, awards: set[Id | None], contracts: set[Id | None]) -> str | None:
    for i, award in enumerate(tender.awards):
        if award.id in awards and _in_force(award):
            return f"/awards/{i}"
    return next((f"/contracts/{i}" for i, contract in enumerate(tender.contracts) if contract.id in contracts), None)


def _bids_were_due(tender: Tender) -> bool:
    period = tender.tender.tender_period
    days = dates.days_between(period.end_date if period else None, tender.date)
    return days is not None and days > 0


def _first(texts: Iterable[str | None]) -> str | None:
    return min(filter(None, texts), key=day_of, default=None)


def latest_of(texts: Iterable[str | None]) -> str | None:
    """The latest of some dates; None if there is none."""
    return max(filter(None, texts), key=day_of, default=None)


def day_of(text: str | None) -> date:
    """The last day that a date can mean; the first of all days for None. For ordering only."""
    return dates.latest(text) if text else date.min
