"""How a procurement turned out, lot by lot and as a whole: the labels, read from published facts; and relaunches.

- `no_award`: the procedure ended and no award of it is in force. False once an award is in force.
- `early_end`: a signed contract ended before the end that was planned at signature. Without contract, None.
- `single_bid`: exactly one bid was counted. With no bid at all there is none that could be single: None.

None means not known: censored, administrative, or contradicted. Nothing published is not an outcome; and a notice
withdrawn within days and published again (`re_issued`) is a correction, so it is neither a failure nor a success.

A relaunch is a later procedure for the same need as one that ended without award. The two are linked by buyer,
near-equal title and time, because registers rarely state the link. It does not say whether the first failed: how soon
the notice was withdrawn and came back tells a correction from a failure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from difflib import SequenceMatcher

from msgspec import Struct
from msgspec.structs import replace

from tenders import dates
from tenders.codelists import TENDER_ENDED_WITHOUT_AWARD
from tenders.endings import (
    ContractEnd,
    DatedRelease,
    Ending,
    EndingKind,
    contract_end,
    correction_words,
    dated_releases,
    first_stated,
    lot_ending,
    notice_ending,
    planned_end,
    prose_ending,
    status_ending,
)
from tenders.process import Process
from tenders.tender import Award, Contract, Id, Tender, bid_count

# A correction is made at once and the notice comes back soon. A failed procedure takes longer for both.
WITHDRAWN_WITHIN_DAYS = 14
REISSUED_WITHIN_DAYS = 30

# Half a year: what comes later is as likely the next cycle of the same need.
RELAUNCHED_WITHIN_DAYS = 182
# A corrected notice may be out before the faulty one is withdrawn.
RELAUNCHED_BEFORE_DAYS = 7
# Titles of relaunches differ by a word or a typo; those of sister procedures by a number, which must be the same.
MIN_TITLE_SIMILARITY = 0.9

_AGAIN = re.compile(
    r"\b(?:re-?\s?(?:tender|issue|advert|run|launch|procurement|publish|bid)\w*|second attempt"
    r"|(?:v|version|round)\s?\d+)\b",
    re.IGNORECASE,
)

_ENDED = TENDER_ENDED_WITHOUT_AWARD | {"complete"}


class Outcome(Struct, frozen=True, kw_only=True):
    """The labels of one lot (`lot` is its id), or of a whole tender (`lot` is None).

    `award_known_on` is the date since which no_award and single_bid are known, `known_on` the one since which all
    that is known is. `path` is the JSON path that decided, `reason` the words there. `deserted` marks a no_award
    that follows from a bid count of 0: a definition, so nothing that a model may claim to have foreseen.
    """

    no_award: bool | None = None
    early_end: bool | None = None
    single_bid: bool | None = None
    kind: EndingKind | None = None
    known_on: str | None = None
    award_known_on: str | None = None
    lot: Id | None = None
    path: str | None = None
    reason: str | None = None
    deserted: bool = False

    @property
    def failure(self) -> bool | None:
        """Whether it failed either way; False only if an award was made and its contract is known not to have."""
        if self.no_award or self.early_end:
            return True
        return False if self.no_award is False and self.early_end is False else None


class _Case(Struct, frozen=True):
    """What every lot of one process is judged by."""

    tender: Tender
    at_award: Tender
    history: Sequence[DatedRelease]
    relaunched_on: str | None


def outcomes(process: Process, relaunched_on: str | None = None) -> list[Outcome]:
    """One outcome a lot, in the order of the lots; one for the whole where there are no lots.

    `relaunched_on` is the date on which the same need was published again (see `relaunches`).
    Raises DataError if the process cannot be read.
    """
    return _of_lots(_case_of(process, relaunched_on))


def outcome(process: Process, relaunched_on: str | None = None) -> Outcome:
    """The outcome of the whole tender.

    no_award is False if at least one lot was awarded, True if every lot ended without award. early_end is True if
    any contract ended early, False if none of the awarded lots' did. Where the lots leave it open, None.
    """
    case = _case_of(process, relaunched_on)
    lots = _of_lots(case)
    whole = lots[0] if len(lots) == 1 else _together(lots)
    if whole.no_award is None and _unplaced(case.tender):
        whole = replace(_of_lot(case, None), single_bid=whole.single_bid)
    counted = bid_count(case.tender, None)
    return replace(whole, lot=None, single_bid=counted == 1 if counted else whole.single_bid)


def _case_of(process: Process, relaunched_on: str | None) -> _Case:
    return _Case(process.compiled(), process.as_of("awarded"), dated_releases(process), relaunched_on)


def _of_lots(case: _Case) -> list[Outcome]:
    return [_of_lot(case, index) for index in range(len(case.tender.tender.lots))] or [_of_lot(case, None)]


def _of_lot(case: _Case, index: int | None) -> Outcome:
    lot = None if index is None else case.tender.tender.lots[index].id
    awards = [award for award in case.tender.awards if _concerns(award.related_lots, lot, case.tender)]
    contracts = _contracts_of(case.tender, lot, awards)
    count = bid_count(case.tender, lot)
    labels = Outcome(lot=lot, single_bid=count == 1 if count else None)
    signed = [contract for contract in contracts if contract.status not in ("cancelled", "pending")]
    never_signed = bool(contracts) and all(contract.status == "cancelled" for contract in contracts)
    if signed or (any(map(_in_force, awards)) and not never_signed):
        return _awarded(labels, case, signed, awards)
    if "pending" in {award.status for award in awards} | {contract.status for contract in contracts}:
        return labels
    if lot is not None and _unplaced(case.tender):
        return labels
    return _not_awarded(labels, case, index, awards, count)


def _awarded(labels: Outcome, case: _Case, contracts: Sequence[Contract], awards: Sequence[Award]) -> Outcome:
    inside = {award.id for award in awards}
    own = _first([a.date for a in awards if _in_force(a)] + [c.date_signed for c in contracts])
    on, path = first_stated(case.history, lambda tender: _award_place(tender, inside, {c.id for c in contracts}), own)
    labels = replace(labels, no_award=False, award_known_on=on, known_on=on, path=path)
    only = len(case.tender.contracts) == 1
    ends = [contract_end(c, planned_end(c, case.at_award), case.history, only=only) for c in contracts]
    early = next((end for end in ends if end and end.early), None)
    if early:
        return _with_end(labels, early, early=True)
    last = max((end for end in ends if end), key=lambda end: _day(end.on), default=None)
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
        known_on=_last([labels.award_known_on, end.on]),
    )


def _not_awarded(
    labels: Outcome, case: _Case, index: int | None, awards: Sequence[Award], count: int | None
) -> Outcome:
    ending = _ending(case, index, awards)
    if count == 0 and (ending or _bids_were_due(case.tender)):
        ending = ending or Ending(kind="unsuccessful", on=case.tender.date, path="/bids/statistics")
        labels = replace(labels, deserted=True)
    if ending is None:
        return labels
    labels = replace(
        labels, kind=ending.kind, known_on=ending.on, award_known_on=ending.on, path=ending.path, reason=ending.reason
    )
    correction = _correction(case, ending)
    if correction:
        return replace(labels, kind="re_issued", reason=correction, deserted=False)
    return replace(labels, no_award=True)


def _ending(case: _Case, index: int | None, awards: Sequence[Award]) -> Ending | None:
    """The best statement that this lot ended without award: its own, its award's, the procedure's, a notice's."""
    lots = case.tender.tender.lots
    status = lots[index].status if index is not None else case.tender.tender.status
    if index is not None and (own := lot_ending(case.tender, index, case.history)):
        return own
    if unsuccessful := next((a for a in awards if a.status == "unsuccessful"), None):
        return _award_ending(case, unsuccessful, "unsuccessful")
    if whole := status_ending(case.tender, case.history):
        return whole
    # An award may be cancelled to go to the next bidder: it ends the lot only if the lot or tender has ended.
    cancelled = next((a for a in awards if a.status == "cancelled" or _in_force(a)), None)
    if cancelled and (status in _ENDED or case.tender.tender.status in _ENDED):
        return _award_ending(case, cancelled, "cancelled")
    # Where lots say themselves how they ended, a notice is about those lots.
    if index is not None and any(lot.status in TENDER_ENDED_WITHOUT_AWARD for lot in lots):
        return None
    return notice_ending(case.history) or prose_ending(case.history)


def _award_ending(case: _Case, award: Award, kind: EndingKind) -> Ending:
    def place(tender: Tender) -> str | None:
        i = next((i for i, a in enumerate(tender.awards) if a.id == award.id and a.status == award.status), None)
        return None if i is None else f"/awards/{i}/status"

    on, path = first_stated(case.history, place, award.final_status_date or award.date)
    return Ending(kind=kind, on=on, path=path, reason=award.status_details)


def _correction(case: _Case, ending: Ending) -> str | None:
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


def _together(lots: Sequence[Outcome]) -> Outcome:
    awarded = [o for o in lots if o.no_award is False]
    if awarded:
        first = min(awarded, key=lambda o: (o.award_known_on is None, _day(o.award_known_on)))
        early = next((o for o in awarded if o.early_end), None)
        ended = None if any(o.early_end is None for o in awarded) else False
        decisive = early or (max(awarded, key=lambda o: _day(o.known_on)) if ended is False else first)
        return replace(
            decisive,
            early_end=True if early else ended,
            award_known_on=first.award_known_on,
            known_on=decisive.known_on if early or ended is False else first.award_known_on,
            single_bid=_single_bid(lots),
        )
    kinds = {o.kind for o in lots}
    if None in kinds or {o.no_award for o in lots} == {True, None}:
        return Outcome(single_bid=_single_bid(lots))
    last = max(lots, key=lambda o: _day(o.known_on))
    return replace(last, deserted=all(o.deserted for o in lots), single_bid=_single_bid(lots))


def _single_bid(lots: Sequence[Outcome]) -> bool | None:
    known = {o.single_bid for o in lots}
    return known.pop() if len(known) == 1 else False if False in known else None


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


def _unplaced(tender: Tender) -> bool:
    """Whether an award in force names none of several lots, so that it may be any one's."""
    return len(tender.tender.lots) > 1 and any(_in_force(a) and not a.related_lots for a in tender.awards)


def _in_force(award: Award) -> bool:
    return award.status == "active" or (award.status is None and bool(award.suppliers))


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
    return min(filter(None, texts), key=_day, default=None)


def _last(texts: Iterable[str | None]) -> str | None:
    return max(filter(None, texts), key=_day, default=None)


def _day(text: str | None) -> date:
    return dates.latest(text) if text else date.min


# Relaunches.


class Relaunch(Struct, frozen=True, kw_only=True):
    """The process at index `second` is for the need of the one at `first`. It was published on `on`, `days` after the
    first ended."""

    first: int
    second: int
    days: int
    on: str


class _Call(Struct, frozen=True):
    """What of a process is compared with others."""

    index: int
    published: date
    on: str
    title: str
    numbers: tuple[str, ...]


def relaunches(processes: Sequence[Process]) -> list[Relaunch]:
    """The relaunches among `processes`, in the order of the first; each first with its earliest relaunch.

    Raises DataError if a process cannot be read.
    """
    by_buyer: dict[str, list[_Call]] = defaultdict(list)
    ended: list[tuple[_Call, str, date]] = []
    for index, process in enumerate(processes):
        tender, result = process.compiled(), outcome(process)
        call, buyer = _call(index, process, tender), _buyer(tender)
        if call and buyer:
            by_buyer[buyer].append(call)
            end = dates.day(result.known_on) if result.no_award or result.kind == "re_issued" else None
            if end:
                ended.append((call, buyer, end))
    linked = (_relaunch_of(first, end, by_buyer[buyer]) for first, buyer, end in ended)
    return [relaunch for relaunch in linked if relaunch]


def outcomes_of(processes: Sequence[Process]) -> list[Outcome]:
    """The outcome of each process, with what is known of its relaunch. Raises DataError as `relaunches`."""
    again = {relaunch.first: relaunch.on for relaunch in relaunches(processes)}
    return [outcome(process, again.get(index)) for index, process in enumerate(processes)]


def _relaunch_of(first: _Call, end: date, others: Sequence[_Call]) -> Relaunch | None:
    candidates = [
        other
        for other in others
        if other.published > first.published
        and other.index != first.index
        and -RELAUNCHED_BEFORE_DAYS <= (other.published - end).days <= RELAUNCHED_WITHIN_DAYS
        and _similar(first, other)
    ]
    second = min(candidates, key=lambda other: (other.published, other.index), default=None)
    if second is None:
        return None
    return Relaunch(first=first.index, second=second.index, days=(second.published - end).days, on=second.on)


def _similar(one: _Call, other: _Call) -> bool:
    if one.numbers != other.numbers:
        return False
    matcher = SequenceMatcher(None, one.title, other.title, autojunk=False)
    return (
        matcher.real_quick_ratio() >= MIN_TITLE_SIMILARITY
        and matcher.quick_ratio() >= MIN_TITLE_SIMILARITY
        and matcher.ratio() >= MIN_TITLE_SIMILARITY
    )


def _call(index: int, process: Process, tender: Tender) -> _Call | None:
    period = tender.tender.tender_period
    first = process.releases[0].get("date")
    on = tender.tender.date_published or (period.start_date if period else None) or first
    published = dates.day(on)
    title = _AGAIN.sub(" ", tender.tender.title or "").lower()
    words = re.findall(r"[^\W\d_]+", title)
    if published is None or on is None or not words:
        return None
    return _Call(index, published, on, " ".join(words), tuple(re.findall(r"\d+", title)))


def _buyer(tender: Tender) -> str | None:
    """What a buyer is known by: the name, which differs less between notices than the identifiers do."""
    if tender.buyer is None:
        return None
    name = " ".join(re.findall(r"\w+", (tender.buyer.name or "").lower()))
    return name or (str(tender.buyer.id) if tender.buyer.id is not None else None)
