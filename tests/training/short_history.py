"""A made table of calls over a few months, as an audit office exports one: Spanish words, semicolons left out, half of
the calls without a value, more than a quarter deserted, and some not decided yet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FIRST = date(2025, 3, 3)
GOODS = ("Servicio de aseo", "Reactivos de laboratorio", "Arriendo de maquinaria", "Obras de pavimentación",
         "Alimentación escolar", "Insumos médicos", "Asesoría técnica", "Mantención de ascensores")  # fmt: skip
LURE = (0.9, 0.8, -0.6, 0.1, -0.9, -0.2, 0.2, 0.4)
"""How much more often than others, in log-odds, a call for such goods is deserted."""
COLUMNS = ("codigo", "organismo", "nombre", "tipo", "monto_estimado", "publicada", "cierre", "ofertas", "estado",
           "fecha_estado", "region", "garantia")  # fmt: skip

MAPPING = """\
file = "{file}"
id = "codigo"
published = "publicada"
known_on = "fecha_estado"
currency = "CLP"

[facts]
organismo = "buyer"
nombre = "title"
tipo = "procurement_method"
monto_estimado = "value"
cierre = "tender_end"
ofertas = "bidders"

[values.tipo]
"LP" = "open"
"CO" = "selective"

[outcomes.no_award]
column = "estado"
yes = ["Desierta"]
no = ["Adjudicada"]
"""


def rows(calls: int = 5000, days: int = 121, copied_after: int = 75, seed: int = 0) -> list[tuple[str, ...]]:
    """The rows under COLUMNS of a table that was copied so many days after its last publication.

    An award is told after 18 to 70 days, a desertion after 10 to 40.
    """
    rng = np.random.default_rng(seed)
    habit = rng.normal(0, 0.7, 160)
    copied = FIRST + timedelta(days + copied_after)
    made = []
    for number in range(calls):
        buyer, kind = int(rng.zipf(1.6)) % 160, int(rng.integers(len(GOODS)))
        published = FIRST + timedelta(int(rng.integers(days)))
        period = int(rng.integers(5, 31))
        value = float(np.exp(rng.normal(16.5, 1.2)))
        logit = -1.15 + habit[buyer] + LURE[kind] - 0.05 * (period - 17) - 0.25 * (np.log(value) - 16.5)
        deserted = bool(rng.random() < 1 / (1 + np.exp(-logit)))
        delay = int(rng.integers(*((10, 41) if deserted else (18, 71))))
        decided = published + timedelta(max(delay, period))
        open_still = decided > copied
        made.append(
            (
                f"C-{number + 1}",
                f"Municipalidad {buyer}",
                f"{GOODS[kind]} {('zona norte', 'zona sur', 'año 2025')[int(rng.integers(3))]}",
                ("LP", "CO")[int(rng.random() < 0.2)],
                f"{value:.0f}" if rng.random() < 0.5 else "",
                published.isoformat(),
                (published + timedelta(period)).isoformat(),
                "" if open_still else str(int(rng.integers(1, 7)) if not deserted or rng.random() < 0.4 else 0),
                "Publicada" if open_still else "Desierta" if deserted else "Adjudicada",
                "" if open_still else decided.isoformat(),
                ("Norte", "Centro", "Sur")[buyer % 3],
                f"{int(rng.integers(0, 11))}",
            )
        )
    return made


def write(directory: Path, mapping: str = MAPPING, **kwargs: int) -> Path:
    """Writes `calls.csv` and the mapping `own.toml` into a directory, and returns the directory."""
    return write_files(directory, [COLUMNS, *rows(**kwargs)], mapping)


def write_files(directory: Path, table: Sequence[Sequence[str]], mapping: str) -> Path:
    """Writes a table with its heading as `calls.csv`, and its mapping, into a directory; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(table)
    (directory / "own.toml").write_text(mapping.format(file="calls.csv"), encoding="utf-8")
    return directory
