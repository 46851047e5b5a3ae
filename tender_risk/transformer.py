"""The features of tenders as a scikit-learn transformer: that of training (`features.matrix`), for frames and lists."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from features.catalogue import catalogue
from features.categorical import Categorical
from features.matrix import TableFeatures
from features.table import TenderTable, TrackRecords
from features.table_builder import of_tenders
from features.track_records.case_records import CaseHistory, ResolvedCase
from features.track_records.resolutions import resolved_cases
from tender_risk.api import as_frame, as_stage, row_processes
from tenders.errors import DataError, UsageError
from tenders.facts import Stage
from tenders.history import UNDATED, LabelledTender
from tenders.process import Process


class TenderFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Tenders as features (docs/features.md), NaN for unknown: shape (tenders, features), one row a tender.

    X is a frame as `Model.predict_proba` takes it, or a list of forms or OCDS documents. Only what is known at `stage`
    is read. `features` names those that are wanted; by default those that differ among the tenders of `fit`.

    `known_on` names the column of X with the days on which outcomes became known. Then `fit(X, y)` learns the track
    records of buyers, advisers, suppliers and markets from y (1 for failed, NaN for unknown), and every tender reads
    what was known before its own day of publication: in `cross_val_score`, of the training folds alone.

    `columns` names the columns of arrays, which have no names. `errors` is that of `predict_proba`.
    """

    def __init__(
        self,
        stage: str = "draft",
        features: Sequence[str] | None = None,
        known_on: str | None = None,
        columns: Sequence[str] | None = None,
        errors: Literal["raise", "coerce"] = "raise",
    ) -> None:
        self.stage = stage
        self.features = features
        self.known_on = known_on
        self.columns = columns
        self.errors = errors

    def fit(self, X: Any, y: ArrayLike | None = None) -> TenderFeatures:
        """Chooses the features, and with `known_on` learns track records.

        Raises DataError that names row and column, UsageError for features that do not exist or an outcome that is
        missing.
        """
        frame, known_on = self._frame(X, reset=True)
        cases = self._cases(frame)
        self.history_ = CaseHistory()
        if known_on is not None:
            self.history_ = _history(cases, known_on, y)
        wanted = self._wanted()
        self.feature_names_ = list(wanted.names)
        if self.features is None and cases:
            self.feature_names_ = list(wanted.that_differ(self._table(cases)).names or wanted.names)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The features of tenders, shape (tenders, features). Raises NotFittedError, and DataError as `fit` does."""
        check_is_fitted(self)
        frame, _ = self._frame(X, reset=False)
        cases = self._cases(frame)
        values = np.full((len(frame), len(self.feature_names_)), np.nan)
        if cases:
            chosen = TableFeatures(self._stage, tuple(catalogue()[name] for name in self.feature_names_))
            values[list(cases)] = chosen.values(self._table(cases))
        return values

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """The names of the features, in the order of the columns."""
        check_is_fitted(self)
        return np.array(self.feature_names_, dtype=object)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes a fitted transformer as JSON: what it was asked for, its features, and its track records."""
        check_is_fitted(self)
        state = {
            "params": self.get_params(),
            "features": self.feature_names_,
            "history": self.history_.resolved,
            "columns": list(getattr(self, "feature_names_in_", ())),
        }
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> TenderFeatures:
        """Reads what `save` wrote. Raises ValueError if it is something else."""
        state = msgspec.json.decode(Path(path).read_bytes(), type=SavedFeatures)
        loaded = cls(**state.params)
        loaded.history_ = CaseHistory(resolved=state.history)
        loaded.feature_names_ = list(state.features)
        if state.columns:
            loaded.feature_names_in_ = np.array(state.columns, dtype=object)
            loaded.n_features_in_ = len(state.columns)
        return loaded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.dict = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "feature_names_")

    def _frame(self, X: Any, reset: bool) -> tuple[pd.DataFrame, pd.Series[Any] | None]:
        """X as a frame, and the days on which outcomes became known, if they are asked for and there."""
        documents = isinstance(X, Sequence) and len(X) > 0 and isinstance(X[0], Mapping)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif not documents:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)
            names = list(self.columns or ())[: X.shape[1]]
            if len(names) < X.shape[1]:
                problem = f"an array of {X.shape[1]} columns, of which {len(names)} have names"
                raise DataError.at("X", problem, "Give a DataFrame, or name them with columns=")
            X = pd.DataFrame(X, columns=names)
        frame = as_frame(X)
        if self.known_on is None or self.known_on not in frame:
            if self.known_on is not None and reset:
                raise UsageError(f"there is no column {self.known_on!r}, which should say when outcomes became known")
            return frame, None
        return frame.drop(columns=self.known_on), frame[self.known_on]

    def _wanted(self) -> TableFeatures:
        if self.features is None:
            return TableFeatures.of(self._stage)
        if unknown := [name for name in self.features if name not in catalogue()]:
            raise UsageError(f"no such features: {', '.join(unknown)}. docs/features.md lists them")
        return TableFeatures(self._stage, tuple(catalogue()[name] for name in self.features))

    @property
    def _stage(self) -> Stage:
        return as_stage(self.stage) or "draft"

    def _cases(self, frame: pd.DataFrame) -> dict[int, Process]:
        """The tenders by their row, without those that are refused."""
        if not len(frame):
            return {}
        with warnings.catch_warnings():
            if self.errors == "coerce":
                warnings.simplefilter("ignore", UserWarning)
            return dict(row_processes(frame, self.errors))

    def _table(self, cases: Mapping[int, Process]) -> TenderTable:
        """The table of tenders as of the stage, each with the track records of its day; without a day with none."""
        stage, processes = self._stage, cases.values()
        days = [process.published_on() for process in processes]
        records = TrackRecords(cases=Categorical.of([day or date.min for day in days]).map(self.history_.as_of))
        return of_tenders([process.as_of(stage) for process in processes], stage, days, records)


class SavedFeatures(msgspec.Struct, frozen=True):
    """What `TenderFeatures.save` writes."""

    params: dict[str, Any]
    features: tuple[str, ...]
    history: tuple[ResolvedCase, ...]
    columns: tuple[str, ...] = ()


def _history(cases: Mapping[int, Process], known_on: pd.Series[Any], y: ArrayLike | None) -> CaseHistory:
    """The track records of tenders whose outcome became known on a day; of the others nothing is learnt."""
    if y is None:
        raise UsageError("track records need outcomes: fit(X, y)")
    failed = pd.Series(np.asarray(y)).astype("Float64")
    days = pd.to_datetime(known_on.reset_index(drop=True), errors="coerce")
    labelled = [
        LabelledTender(
            tender=process.compiled(),
            published=process.published_on() or UNDATED,
            known_on=days[row].date(),
            outcomes={"failure": bool(failed[row])},
            kind="",
            cluster_id=str(row),
            row=row,
        )
        for row, process in cases.items()
        if pd.notna(days[row]) and pd.notna(failed[row])
    ]
    return CaseHistory.of(resolved_cases(labelled))
