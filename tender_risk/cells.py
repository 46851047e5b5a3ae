"""What the cells of a frame say, whatever pandas and NumPy made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pandas as pd

SECONDS_A_DAY = 86_400

Series: TypeAlias = "pd.Series[Any]"


def plain_dtype(column: Series) -> Series:
    """A column without the dtypes that only pandas has: categories and periods as their values, spans as days."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.astype(dtype.categories.dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return column.astype(str).where(column.notna())
    if isinstance(dtype, pd.DatetimeTZDtype):
        # The day that is written, not that of Greenwich.
        return column.dt.tz_localize(None)
    if pd.api.types.is_timedelta64_dtype(dtype):
        return column.dt.total_seconds() / SECONDS_A_DAY
    return column


def cell(value: Any) -> Any:
    """A cell or a part of a document as JSON has it: missing values are None, days are texts, arrays are lists."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): cell(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [cell(inner) for inner in value]
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        return cell(value.item())
    return _cell_of(value)


def _cell_of(value: Any) -> Any:
    if isinstance(value, float | Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value / timedelta(days=1)
    # A day is a day, also where a time of midnight is written with it.
    return str(value.isoformat()).removesuffix("T00:00:00") if hasattr(value, "isoformat") else str(value)


def encoded(document: Any) -> bytes:
    """A document as JSON, whatever pandas and NumPy put into it. Raises TypeError for what no JSON can hold."""
    return msgspec.json.encode(document, enc_hook=cell)


def as_text(value: Any) -> str | None:
    """A cell as the form has it: lists are separated by semicolons."""
    if type(value) is float:
        # So are the values of all lots of all tenders.
        return str(int(value)) if value.is_integer() else str(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join([text for inner in value if (text := as_text(inner)) is not None])
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
