"""A made-up register, small enough for every benchmark to run in seconds."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS, UNITS, DAYS = 900, 12, 900
FIRST = date(2018, 1, 1)
TITLES = ("provision de papel", "obra de agua", "servicio de limpieza", "compra de medicamentos")


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one register: units that fail each at a rate of their own, in titles that repeat."""
    rng = np.random.default_rng(3)
    unit = rng.integers(0, UNITS, ROWS)
    failed = rng.random(ROWS) < np.linspace(0.05, 0.7, UNITS)[unit]
    published = [FIRST + timedelta(int(day)) for day in np.sort(rng.integers(0, DAYS, ROWS))]
    unsuccessful = np.where(rng.random(ROWS) < 0.5, "Desierto", "Cancelado")
    table = {
        "cuce": [f"18-{100 + unit[row]:04}-00-{row:06}-1-1" for row in range(ROWS)],
        "estado": np.where(failed, unsuccessful, "Contratado").tolist(),
        "fecha_publicacion": published,
        "fecha_presentacion": [day + timedelta(int(rng.integers(5, 30))) for day in published],
        "fecha_adjudicacion_desierta": [day + timedelta(40) for day in published],
        "entidad": [f"Entidad {number}" for number in unit],
        "tipo_de_contratacion": rng.choice(["Bienes", "Obras"], ROWS).tolist(),
        "modalidad": rng.choice(["ANPE", "LP"], ROWS).tolist(),
        "objeto_de_contratacion": rng.choice(TITLES, ROWS).tolist(),
    }
    directory = tmp_path_factory.mktemp("history")
    pq.write_table(pa.table(table), directory / "sicoes_bo.parquet")
    return directory
