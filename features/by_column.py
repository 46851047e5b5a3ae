"""A feature that is arithmetic on columns, as one that can be asked of a single tender too."""

from __future__ import annotations

import math
from functools import update_wrapper

from features.table import Columns, Floats
from features.table import OldColumn as Column
from features.table_builder import alone
from features.track_records.case_records import TrackRecord
from tenders.tender import Tender


class by_column:  # noqa: N801 (a decorator)
    """A feature of many tenders as one of a single tender; `column` measures it of many.

    So a feature that is arithmetic is written once and costs a portfolio next to nothing.
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self.__name__ = column.__name__
        update_wrapper(self, column)

    def column(self, columns: Columns) -> Floats:
        """The feature of many tenders: measured once, however many ask for it. Not to be changed."""
        found = columns.measured.get(self.__name__)
        if found is None:
            found = columns.measured[self.__name__] = self._column(columns)
        return found

    def __call__(self, tender: Tender, track_record: TrackRecord) -> float | None:
        value = float(self.column(alone(tender, track_record))[0])
        return None if math.isnan(value) else value
