"""How a procurement turned out, lot by lot and as a whole: the labels, read from published facts.

- `no_award`: the procedure ended and no award of it is in force. False once an award is in force.
- `early_end`: a signed contract ended before the end that was planned at signature. Without contract, None.
- `single_bid`: exactly one bid was counted. With no bid at all there is none that could be single: None.
- `performance`: the worst rating that was published of a contract (`tenders.contract_ends`).

A relaunch is a later procedure for the same need as one that ended without award. The two are linked by buyer,
near-equal title and time, because registers rarely state the link. It does not say whether the first failed: how soon
the notice was withdrawn and came back tells a correction from a failure.

None means not known: censored, administrative, or contradicted; `warnings` say what stands against a label. Nothing
published is not an outcome; and a notice withdrawn within days and published again (`re_issued`) is a correction, so it
is neither a failure nor a success. The newest release wins: what is called off and awarded again on the same day is
awarded, and what is called off after an award, nobody knows of which part, is not known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from difflib import SequenceMatcher

from msgspec import Struct
from msgspec.structs import replace

from tenders import dates
from tenders.contract_ends import Rating
from tenders.lot_outcomes import (
    Outcome,
    case_of,
    contract_notice,
    day_of,
    latest_of,
    of_lot,
    of_lots,
    unplaced,
    with_performance,
)
from tenders.process import Process
from tenders.tender import Id, Tender, bid_count

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


class LotOutcome(Struct, frozen=True, kw_only=True):
    """How a lot ended, for people and programs to read; None for what is not known."""

    lot: Id | None
    no_award: bool | None
    early_end: bool | None
    single_bid: bool | None
    performance: Rating | None
    kind: str | None
    known_on: str | None
    path: str | None
    reason: str | None
    warnings: tuple[str, ...]


class TenderOutcome(Struct, frozen=True, kw_only=True):
    """How a tender and each of its lots ended, for people and programs to read; None for what is not known.

    `known_on` is the day since which all of it is known. `kind` is an `EndingKind`, or `awarded`.
    """

    ocid: str | None
    no_award: bool | None
    early_end: bool | None
    single_bid: bool | None
    performance: Rating | None
    kind: str | None
    known_on: str | None
    path: str | None
    reason: str | None
    warnings: tuple[str, ...]
    lots: tuple[LotOutcome, ...]


def outcomes(process: Process, relaunched_on: str | None = None) -> list[Outcome]:
    """One outcome a lot, in the order of the lots; one for the whole where there are no lots.

    `relaunched_on` is the date on which the same need was published again (see `relaunches`).
    Raises DataError if the process cannot be read.
    """
    return of_lots(case_of(process, relaunched_on))


def outcome(process: Process, relaunched_on: str | None = None) -> Outcome:
    """The outcome of the whole tender.

    no_award is False if at least one lot was awarded, True if every lot ended without award. early_end is True if
    any contract ended early, False if none of the awarded lots' did. Where the lots leave it open, None.
    """
    case = case_of(process, relaunched_on)
    lots = of_lots(case)
    whole = lots[0] if len(lots) == 1 else _together(lots)
    if whole.no_award is None and len(lots) > 1 and (unplaced(case.tender) or contract_notice(case)):
        whole = replace(of_lot(case, None), single_bid=whole.single_bid)
    counted = bid_count(case.tender, None)
    whole = with_performance(whole, case.tender.contracts, case)
    return replace(whole, lot=None, single_bid=counted == 1 if counted else whole.single_bid)


def describe(process: Process, whole: Outcome, lots: Sequence[Outcome]) -> TenderOutcome:
    """The outcomes of a tender and of its lots as they are shown."""
    parts = [_shown(lot) for lot in lots if lot.lot is not None]
    shown = _shown(whole)
    return TenderOutcome(
        ocid=process.ocid,
        **{name: getattr(shown, name) for name in LotOutcome.__struct_fields__ if name not in ("lot", "warnings")},
        warnings=(*process.all_warnings(), *whole.warnings),
        lots=tuple(parts),
    )


def _shown(result: Outcome) -> LotOutcome:
    performed = result.performed
    ended = result.kind is not None or result.early_end is not None
    decisive = performed if performed and not ended else result
    return LotOutcome(
        lot=result.lot,
        no_award=result.no_award,
        early_end=result.early_end,
        single_bid=result.single_bid,
        performance=result.performance,
        kind=result.kind or ("awarded" if result.no_award is False else None),
        known_on=latest_of([result.known_on, performed.on if performed else None]),
        path=decisive.path,
        reason=decisive.reason,
        warnings=result.warnings,
    )


def _together(lots: Sequence[Outcome]) -> Outcome:
    warnings = tuple(dict.fromkeys(warning for lot in lots for warning in lot.warnings))
    return replace(_all_lots(lots), single_bid=_single_bid(lots), warnings=warnings)


def _all_lots(lots: Sequence[Outcome]) -> Outcome:
    awarded = [o for o in lots if o.no_award is False]
    if awarded:
        return _partly(_of_awarded(awarded, lots), [o for o in lots if o.no_award])
    kinds = {o.kind for o in lots}
    if None in kinds or {o.no_award for o in lots} == {True, None}:
        return Outcome()
    last = max(lots, key=lambda o: day_of(o.known_on))
    return replace(last, deserted=all(o.deserted for o in lots))


def _of_awarded(awarded: Sequence[Outcome], lots: Sequence[Outcome]) -> Outcome:
    first = min(awarded, key=lambda o: (o.award_known_on is None, day_of(o.award_known_on)))
    early = next((o for o in awarded if o.early_end), None)
    ended = None if any(o.early_end is None for o in awarded) else False
    decisive = early or (max(awarded, key=lambda o: day_of(o.known_on)) if ended is False else first)
    return replace(
        decisive,
        early_end=True if early else ended,
        award_known_on=first.award_known_on,
        known_on=decisive.known_on if early or ended is False else first.award_known_on,
    )


def _partly(whole: Outcome, failed: Sequence[Outcome]) -> Outcome:
    """The outcome of awarded lots, with those that were not awarded told apart."""
    if not failed:
        return whole
    if whole.early_end:
        return replace(whole, kind="part")
    return replace(whole, kind="part", path=failed[0].path, reason=failed[0].reason)


def _single_bid(lots: Sequence[Outcome]) -> bool | None:
    known = {o.single_bid for o in lots}
    return known.pop() if len(known) == 1 else False if False in known else None


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


def tender_outcomes(processes: Sequence[Process]) -> list[TenderOutcome]:
    """How each tender and each of its lots ended, for people to read. Raises DataError as `relaunches`."""
    again = {relaunch.first: relaunch.on for relaunch in relaunches(processes)}
    return [
        describe(process, outcome(process, again.get(index)), outcomes(process, again.get(index)))
        for index, process in enumerate(processes)
    ]


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
