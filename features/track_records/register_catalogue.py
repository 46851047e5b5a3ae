"""The catalogue's families of features that are read from a register's records, one feature a key and span.

What they measure is computed for all rows at once in `features.track_records.register_features`; a feature looks its number up in the track
record that was read for the tender. On a register without records they are unknown.
"""

from __future__ import annotations

from features.catalogue import Direction, Theme, feature
from features.table import Measure
from features.track_records.case_records import Phrases, TrackRecord
from features.track_records.register_features import CLASS, LAGGING, PATHS, SPANS, TITLE, WORDS, label
from features.track_records.register_history import ACTIVITY, TABLES
from tenders.tender import Tender

LATELY = {"ever": "ever", "month": "in the last weeks", "quarter": "in the last months", "year": "in the last year"}


def looked_up(name: str, doc: str) -> Measure:
    """The feature function of a number that was read for the tender."""

    def measure(tender: Tender, track_record: TrackRecord) -> float | None:
        return track_record.numbers.get(name)

    measure.__name__, measure.__doc__ = name, doc
    return measure


def theme(table: tuple[str, ...]) -> Theme:
    """Where a key belongs: wording if it has words of the title, buyer if it has one, else what else it is about."""
    if set(table) & set(TITLE):
        return "wording"
    if set(table) & {"buyer", "unit", "name", "division", "service", "vehicle"}:
        return "buyer"
    return "value" if set(table) & {"band", "fee"} else "procedure"


def named(table: tuple[str, ...]) -> str:
    """A key in words: the buyer, the kind of contract and the first word of the title."""
    return " and ".join(WORDS[part] for part in table)


def path(table: tuple[str, ...]) -> str:
    """Where the last part of a key stands in a release."""
    last = table[-1]
    if last in TITLE:
        return "/tender/title"
    return "/tender/classification" if last in CLASS else PATHS.get(last, f"/tenderRisk/codes/{last}")


def _declare(
    family: str, table: tuple[str, ...], name: str, unit: str, what: str, says: str, doc: str, direction: Direction = 0
) -> None:
    feature(
        stage="draft",
        theme=theme(table),
        unit=unit,
        label=what,
        path=path(table),
        says=says,
        family=family,
        direction=direction,
    )(looked_up(name, doc))


for _table in TABLES:
    _key, _same = label(_table), f"the same {named(_table)}"
    for _span in SPANS.values():
        _declare(
            "rate",
            _table,
            f"rate_{_key}_{_span}",
            "points",
            f"Record of {named(_table)}, {_span}",
            f"Cases with {_same} have ended so {{value}} often than is usual in the register, {LATELY[_span]}.",
            "Share of earlier cases under the key that had the outcome, shrunk to that of the key above, over the "
            "register's own share of the last year. What failed before fails again. Source: track record, decayed by half-lives.",
            direction=1,
        )
    _declare(
        "cases",
        _table,
        f"cases_{_key}",
        "log cases",
        f"Cases of {named(_table)}",
        f"The register knows {{value}} earlier cases with {_same}.",
        "Logarithm of 1 + earlier cases under the key whose end is known. Source: track record.",
    )
    if _table in LAGGING:
        _declare(
            "lag",
            _table,
            f"lag_{_key}",
            "days more",
            f"Delay of {named(_table)}",
            f"Cases with {_same} take {{value}} until their end is known than is usual.",
            "Days from publication to the end of earlier cases, over the register's own. Source: track record.",
        )
    _declare(
        "other",
        _table,
        f"other_{_key}",
        "ratio",
        f"Other endings of {named(_table)}",
        f"Called off, or with fewer bidders, than usual in cases with {_same}: {{value}}.",
        "For no_award the share that the buyer called off itself, else the mean logarithm of the bidders, over the "
        "register's own. Source: track record.",
    )

for _table in ACTIVITY:
    _key, _same = label(_table), f"the same {named(_table)}"
    for _name, _unit, _what, _says, _doc in (
        ("load", "log cases", "Load of", "{value} tenders with {same} came out of late.", "Logarithm of 1 + publications, half-life 30 days. Who publishes much has little time for each."),
        ("trend", "ratio", "Trend of", "Of late more tenders with {same} come out than over the year, by a factor of e to the {value}.", "Publications of the last month over those of the year, a day, as logarithms."),
        ("since", "days", "Last call of", "The last tender with {same} came out {value} days before.", "Days since the last publication under the key. What is bought again soon was not got, or is routine."),
        ("again", "points", "Re-tenders of", "Tenders with {same} are re-tenders {value} often than is usual.", "Share of re-tenders among publications, over the register's own."),
        ("window_to", "spreads", "Time to bid against", "Bidders have {value} time than is usual with {same}.", "Logarithm of the days to bid against the mean of the key's earlier tenders, in their spread."),
        ("value_to", "spreads", "Value against", "The value is {value} than is usual with {same}.", "Logarithm of the value against the mean of the key's earlier tenders, in their spread."),
        ("open", "log cases", "Open cases of", "{value} tenders with {same} have not ended yet.", "Logarithm of 1 + publications whose end is not known yet."),
    ):  # fmt: skip
        if _name == "open" and _table not in TABLES:
            continue
        _text = _says.replace("{same}", _same)
        _full = f"{_doc} Source: track record."
        _declare(_name, _table, f"{_name}_{_key}", _unit, f"{_what} {named(_table)}", _text, _full)


@feature(
    stage="draft",
    theme="value",
    unit="log amount",
    label="Value in the register's money",
    path="/tender/value",
    also=("/tender/lots", "/planning/budget"),
    says="The value is {value} in the register's own money.",
    family="value",
)
def value_in_register(tender: Tender, track_record: TrackRecord) -> float | None:
    """Natural logarithm of the value of lot or tender in its own currency; known where a register was read.

    Source: OCDS `value`.
    """
    return track_record.numbers.get("value_in_register")


def _phrases(tender: Tender, track_record: TrackRecord) -> Phrases:
    return track_record.phrases


@feature(
    stage="draft",
    theme="wording",
    unit="log-odds",
    label="Words",
    path="/tender/title",
    also=("/tender/description",),
    says="The wording counts {value} in log-odds: {record}.",
    family="language",
    direction=1,
    evidence=_phrases,
)
def words_score(tender: Tender, track_record: TrackRecord) -> float | None:
    """What the register's model of words and pairs of words thinks, over its mean.

    It has learnt in time order, from the ends known before. Source: track record (features.track_records.text_model).
    """
    return track_record.numbers.get("words_score")


@feature(
    stage="draft",
    theme="wording",
    unit="log-odds",
    label="Words with who buys what and how",
    path="/tender/title",
    also=("/tender/description", "/buyer"),
    says="Wording together with buyer, kind and procedure counts {value} in log-odds.",
    family="language",
    direction=1,
)
def profile_score(tender: Tender, track_record: TrackRecord) -> float | None:
    """What the register's model of words with buyer and kind, and of pairs of attributes, thinks, over its mean.

    It has learnt in time order, from the ends known before. Source: track record (features.track_records.text_model).
    """
    return track_record.numbers.get("profile_score")
