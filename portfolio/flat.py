"""Rows of a table of forms as columns, many at once and none as a tender: what most rows of most tables hold.

A row of which a cell is out of the ordinary, or can be told only by what stands beside it, is left to `rows`, which
says what is wrong with it or reads it one by one. The tests hold every row that is read here to what is read there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.categorical import Categorical
from features.form_columns import FormColumns, either, is_none
from features.procedure import competed
from features.table import Columns, Periods, Values
from features.table_builder import nobody
from features.track_records.case_records import BUYERS, MARKETS, SUPPLIERS
from tenders import dates
from tenders.columns import DAYS_A_YEAR, DEFAULT_CURRENCY
from tenders.facts import STAGES, Stage
from tenders.io.read import unread_warnings
from tenders.io.streams import Block
from tenders.io.tables import FormRows, read_arrow
from tenders.process import AWARD_LAG

ABOUT = ("title", "buyer", "region", "category")
"""The keys that a table of scores shows as they are."""


class Flat(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table that are scored at one `stage`: their numbers, what is read of them, and what a table of scores
    says of each, an array a column.

    The columns are without track records, which a bundle has. `odd` are the numbers of the rows that were left out.
    """

    stage: Stage
    numbers: NDArray[np.int64]
    columns: Columns
    published: Categorical[date | None]
    about: dict[str, pa.Array]
    warnings: tuple[str, ...]
    odd: frozenset[int]


def flat(block: Block, most: int, stage: Callable[[Stage], Stage | None]) -> Iterator[Flat]:
    """The rows of a block of OF_FORMS, of up to `most` at a time those of each stage.

    `stage` tells at which one what has reached a stage is scored, or None if it is not to be read here.
    """
    table, unread, odd = _table(block)
    warnings = tuple(unread_warnings([f"/{name}" for name in unread]))
    for at in range(0, table.num_rows, most):
        cells = FormColumns(table.slice(at, most), odd[at : at + most])
        first = block.first + at
        scored = np.array([_NOWHERE if at is None else STAGES.index(at) for at in map(stage, STAGES)])[cells.reached()]
        cells.odd[cells.keep[scored == _NOWHERE]] = True
        for place in sorted({*scored.tolist()} - {_NOWHERE}) or [0]:
            some, name = cells.only(scored == place), STAGES[place]
            yield Flat(
                stage=name,
                numbers=first + some.keep,
                columns=_columns(some, name),
                published=_published(some),
                about={key: some.texts(key) for key in ABOUT},
                warnings=warnings,
                odd=frozenset((np.flatnonzero(cells.odd) + first).tolist()),
            )


def _table(block: Block) -> tuple[pa.Table, list[str], NDArray[np.bool_]]:
    """The rows of a block, the names of the columns that are not read, and which rows are no rows of cells."""
    if block.kind == "arrow":
        table, unread = read_arrow(block.data)
        return table, unread, np.zeros(table.num_rows, dtype=bool)
    cells = msgspec.msgpack.decode(block.data, type=FormRows)
    nothing = [""] * len(cells.columns)
    # A row of text says why it is none; one that is short lacks its last cells.
    rows = [nothing if isinstance(row, str) else [*row, *nothing[len(row) :]] for row in cells.rows]
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    odd = np.array([isinstance(row, str) for row in cells.rows])
    return pa.table(dict(zip(cells.columns, texts, strict=True))), cells.unread, odd


_NOWHERE = -1


def _published(cells: FormColumns) -> Categorical[date | None]:
    """The day of each row, as `published_on` tells it of a tender."""
    stated = cells.first_of("published", "tender_start").map(_first_day)
    return either(stated, cells.kept("award_date").map(_first_day).map(lambda day: day and day - AWARD_LAG))


def _first_day(text: str | None) -> date | None:
    return dates.earliest(text) if text else None


def _columns(cells: FormColumns, stage: Stage) -> Columns:
    kept, numbers, days = cells.kept, cells.numbers, cells.days
    count = len(cells.keep)
    none, unstated = np.full(count, math.nan), np.zeros(count, dtype=np.int32)
    amounts, lots = numbers("value"), np.nan_to_num(numbers("lots"))
    currency = kept("currency")
    assumed = currency.where(is_none) & ~np.isnan(amounts)
    of_lots = np.full(int(lots.sum()), math.nan)
    return Columns(
        records=Categorical([], unstated),
        published=days("published"),
        dated=cells.first_of("published", "tender_start", "tender_end").rows(),
        unopened=kept("tender_start").where(is_none),
        tender_period=Periods(stated=numbers("tender_period_days"), start=days("tender_start"), end=days("tender_end")),
        enquiry_period=Periods(stated=numbers("enquiry_period_days"), start=none, end=none),
        contract_period=Periods(
            stated=numbers("term_years") * DAYS_A_YEAR,
            start=days("contract_start"),
            end=days("contract_end"),
        ),
        value=Values(
            amount=amounts,
            currency=Categorical(
                [*currency.categories, DEFAULT_CURRENCY],
                np.where(assumed, len(currency.categories), currency.codes),
            ),
        ),
        budget=Values(amount=none, currency=Categorical([None], unstated)),
        lots=lots,
        lot_values=Values(amount=of_lots, currency=Categorical([None], np.zeros(len(of_lots), dtype=np.int32))),
        lot_periods=Periods(stated=of_lots, start=of_lots, end=of_lots),
        single_block=numbers("single_block"),
        service_lines=numbers("service_lines"),
        first_of_its_kind=numbers("first_of_its_kind"),
        incumbent_kind=kept("incumbent_kind"),
        buyers=_pairs(kept("buyer"), kept("procuring_entity")).map(BUYERS.__getitem__),
        markets=kept("cpv").map(lambda code: () if code is None else MARKETS[code,]),
        **_later(cells, stage),
    )


def _later(cells: FormColumns, stage: Stage) -> dict[str, Any]:
    """The columns of what is known after the draft."""
    count = len(cells.keep)
    unknown = np.full(count, math.nan)
    found: dict[str, Any] = dict.fromkeys(("competed", "bidders", "awarded", "started"), unknown)
    if stage != "draft":
        methods = _pairs(cells.kept("procurement_method"), cells.kept("competition"))
        found |= {"competed": methods.numbers(lambda told: competed(*told)), "bidders": cells.numbers("bidders")}
    if stage != "awarded":
        return {**found, "suppliers": nobody(count)}
    suppliers = cells.kept("supplier").map(lambda name: () if name is None else SUPPLIERS[name,])
    return {
        **found,
        "awarded": cells.days("award_date"),
        "started": cells.days("contract_start"),
        "suppliers": suppliers,
    }


def _pairs(first: Categorical[Any], second: Categorical[Any]) -> Categorical[tuple[Any, Any]]:
    """What stands beside what."""
    if len(second.categories) == 1:
        return first.map(lambda each: (each, second.categories[0]))
    return Categorical.of(zip(first.rows(), second.rows(), strict=True))
