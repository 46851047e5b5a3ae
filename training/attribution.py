"""Where the histories come from, for the cards: what they are, who copied them, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping

from models.bundle import ANY

SOURCES: Mapping[str, tuple[str, str]] = {
    "sicoes_bo": (
        "SICOES, Bolivia",
        "Competitive calls published 2008 to 2020 on SICOES, the procurement system of the Bolivian state; copy: "
        "github.com/sociedatos/bo-convocatorias_publicas, which states no licence for the data.",
    ),
    "placsp_es": (
        "PLACSP, Spain",
        "Lots resolved in one week of 2021 on the Plataforma de Contratación del Sector Público, Spain, a sample of "
        "its buyers; copy: github.com/Pedrodpj92/DatosAbiertos_OpenPLACSP, which states no licence for the data.",
    ),
    "dncp_py": (
        "DNCP, Paraguay",
        "Calls to July 2025 of the Dirección Nacional de Contrataciones Públicas, Paraguay; copy: "
        "github.com/diegomezapy/tableroDNCPpy, CC BY 4.0.",
    ),
    "nicgep_in": (
        "NICGEP, India",
        "Awarded tenders of Assam, Odisha and Himachal Pradesh to 2023 from the Government eProcurement System, India; "
        "copy: CivicDataLab, github.com/CivicDataLab/flood-data-ecosystem, code AGPL, data ODbL.",
    ),
    "fpds_dod_us": (
        "FPDS, Department of Defense, United States",
        "Contracts of the Department of Defense begun in fiscal years 2000 to 2010, sampled by money spent, from the "
        "Federal Procurement Data System; copy: github.com/CSISdefense/Fixed-price, which states no licence for it.",
    ),
    "ted_de": (
        "TED, Germany",
        "Award notices of German buyers in Tenders Electronic Daily, 2008 to 2014, © European Union; copy: "
        "github.com/datascience-faina/public-procurement-support, EU open data.",
    ),
    "casebook_uk": ("the UK casebook", "The project's own cases, with their sources."),
    "own": ("a history of your own", "A history that you gave."),
    ANY: ("any other register", ""),
}

TERMS = "The bundle holds models, rates and weights, no rows of any register. Name the sources wherever figures stand."


def title(register: str) -> str:
    """What a register is called."""
    return SOURCES[register][0] if register in SOURCES else register


def told(register: str) -> str:
    """What a register's history is, who copied it, and on what terms."""
    return SOURCES[register][1] if register in SOURCES else f"{register}, a history that you gave."
