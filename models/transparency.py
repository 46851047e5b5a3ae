"""The algorithmic transparency record of a bundle: the fields of the UK standard (ATRS v3), filled from its manifest.

What only the organisation that uses it can say (who owns it, how it decides, who reviews) is left to it, and says so.
Source: Algorithmic Transparency Recording Standard, template v3.0, Government Digital Service.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from models.bundle import FAILURE_OUTCOMES, Bundle
from tenders import casebook

STANDARD = "Algorithmic Transparency Recording Standard v3.0"
TO_FILL = "To be filled in by the organisation that uses it."
NONE = "None."


class RecordField(msgspec.Struct, frozen=True):
    """One field of the standard: its number, its name, and what it says."""

    number: str
    name: str
    text: str

    @property
    def open(self) -> bool:
        """Whether the organisation has to fill it in."""
        return self.text == TO_FILL


class RecordSection(msgspec.Struct, frozen=True):
    """One section of the standard."""

    title: str
    fields: tuple[RecordField, ...]


def transparency_record(bundle: Bundle) -> tuple[RecordSection, ...]:
    """The record of a bundle, every field of the standard in its order."""
    return (
        _section("Tier 1: information for everyone", "", _overview()),
        _section("Tier 2, owner and responsibility", "1.", _owner()),
        _section("Tier 2, description and rationale", "2.", _description()),
        _section("Tier 2, decision making process", "3.", _process()),
        _section("Tier 2, tool specification", "4.1.", _tool(bundle)),
        _section("Tier 2, model specification", "4.2.", _model(bundle)),
        _section("Tier 2, development data", "4.3.", _data(bundle)),
        _section("Tier 2, risks, mitigations and impact assessments", "5.", _risks()),
    )


def record_text(bundle: Bundle) -> str:
    """The record as Markdown."""
    lines = [f"# Algorithmic transparency record: Tender Risk, bundle {bundle.manifest.version}", ""]
    lines += [f"Fields of the {STANDARD}. Generated from the bundle; not a published record.", ""]
    for section in transparency_record(bundle):
        lines += [f"## {section.title}", ""]
        for field in section.fields:
            lines += [f"**{field.number} {field.name}.** {field.text}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, before: str, fields: list[tuple[str, str]]) -> RecordSection:
    numbered = (RecordField(f"{before}{at}", name, text) for at, (name, text) in enumerate(fields, start=1))
    return RecordSection(title, tuple(numbered))


def _overview() -> list[tuple[str, str]]:
    return [
        ("Name", "Tender Risk"),
        (
            "Description",
            (
                "It gives the risk that a public tender fails: that it ends with no contract, or that the contract "
                "ends early because it does not work. It shows the reasons, past cases like it, and what would "
                "lower the risk. It helps people to ask questions about a tender. It decides nothing."
            ),
        ),
        ("Website URL", TO_FILL),
        ("Contact email", TO_FILL),
    ]


def _owner() -> list[tuple[str, str]]:
    names = ("Organisation or department", "Team", "Senior responsible owner", "External supplier involvement")
    supplier = ("External supplier", "Companies House number", "External supplier role")
    return [(name, TO_FILL) for name in (*names, *supplier, "Procurement procedure type", "Data access terms")]


def _description() -> list[tuple[str, str]]:
    return [
        (
            "Detailed description",
            (
                "A tender is read as of a stage (draft, bids counted, awarded), with only the facts known by then. "
                "Facts become features, and one model for each outcome and stage gives a probability with a 95% "
                "interval. Every output says which facts moved it, which are unknown, and which bundle made it."
            ),
        ),
        (
            "Scope",
            (
                "UK public tenders for services, and tenders of the registers named under 4.2.8. It judges no "
                "person, buyer or supplier, and is not for choosing between bids."
            ),
        ),
        (
            "Benefit",
            (
                "Risks of a contract's shape are seen while they can still be changed, and reviews go to the "
                "tenders that need them most. What it gains in use has not been measured."
            ),
        ),
        ("Previous process", TO_FILL),
        (
            "Alternatives considered",
            ("Always stating the usual rate, and simpler models; the model card compares them with what is used."),
        ),
    ]


def _process() -> list[tuple[str, str]]:
    return [
        ("Process integration", TO_FILL),
        (
            "Provided information",
            (
                "A probability, its interval and class against the usual rate; reasons in percentage points; "
                "documented factors; changes with past cases for and against; look-alikes with sources; what is "
                "unknown; the evidence behind it in one sentence."
            ),
        ),
        ("Frequency and scale of usage", TO_FILL),
        (
            "Human decisions and review",
            (
                "The tool takes no decision. Each row of a worklist takes a reviewer's verdict, which is kept and "
                "exported. Who reviews and who decides: to be filled in by the organisation that uses it."
            ),
        ),
        ("Required training", TO_FILL),
        ("Appeals and review", TO_FILL),
    ]


def _tool(bundle: Bundle) -> list[tuple[str, str]]:
    manifest = bundle.manifest
    return [
        (
            "System architecture",
            (
                "A Python package with a command line, a web service and pages, on the organisation's own "
                "machines. It calls no other service when it scores. Models are files of a bundle whose digests "
                "are checked when it is loaded."
            ),
        ),
        ("Phase", TO_FILL),
        (
            "Maintenance",
            (
                f"Bundle {manifest.version}, made {manifest.created}, from commit {manifest.commit}. A new bundle "
                "is served only if it is not worse than the one before by more than chance explains. Drift is "
                "measured against the data that it learnt from."
            ),
        ),
        (
            "Models",
            (
                f"{len(manifest.parts)} models of the register {manifest.register}: "
                f"{', '.join(part.name for part in manifest.parts)}. Other registers with models of their own: "
                f"{', '.join(bundle.registers) or 'none'}."
            ),
        ),
    ]


def _model(bundle: Bundle) -> list[tuple[str, str]]:
    manifest = bundle.manifest
    labels = "; ".join(feature.label for feature in bundle.weighed)
    return [
        ("Model name", f"Tender Risk, register {manifest.register}"),
        ("Model version", manifest.version),
        (
            "Model task",
            (
                f"Probability of {' and '.join(FAILURE_OUTCOMES)}, which together are failure, and beside them of a "
                "single bid, at each stage where the outcome is open."
            ),
        ),
        ("Model input", f"{len(bundle.weighed)} features of a tender: {labels}."),
        ("Model output", "A probability with a 95% interval, and the effect of each feature on it."),
        (
            "Model architecture",
            "Gradient boosted trees (XGBoost) and a calibration. The model card says how each was built.",
        ),
        ("Model performance", f"{manifest.evidence} {' '.join(_figures(bundle))}"),
        ("Datasets", "; ".join(source.name for source in manifest.data) + "."),
        (
            "Dataset purposes",
            (
                f"{casebook.NAME}: building and judging the UK models; the model card says which part the cases play. "
                "Every other: training on its earlier years and judgement on its last ones."
            ),
        ),
    ]


def _figures(bundle: Bundle) -> Iterator[str]:
    """The area under the curve of each UK outcome, with its interval and its rows."""
    for name, figure in bundle.manifest.metrics.items():
        outcome, stage, cases = (*name.split("/"), "", "")[:3]
        if outcome in bundle.registers or cases != "cohort" or figure.get("auc") is None:
            continue
        low, high = figure.get("auc_low"), figure.get("auc_high")
        interval = f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
        happened, rows = int(figure.get("positives") or 0), int(figure.get("n") or 0)
        yield f"{outcome} at {stage}: AUC {figure['auc']:.2f}{interval}, happened in {happened} of {rows}."


def _data(bundle: Bundle) -> list[tuple[str, str]]:
    sources = bundle.manifest.data
    return [
        (
            "Development data description",
            (
                "Public tenders and contracts whose end is known: for the UK a casebook of researched cases with "
                "their sources, elsewhere public registers."
            ),
        ),
        ("Data modality", "Tables and text."),
        ("Data quantities", "; ".join(f"{s.name}: {s.rows:,} cases, {s.first} to {s.last}" for s in sources) + "."),
        (
            "Sensitive attributes",
            (
                "No personal attributes. Names of buyers, suppliers and advisers are those of organisations; a "
                "sole trader's name may be a person's."
            ),
        ),
        (
            "Data completeness and representativeness",
            (
                "The UK cases are few and no sample: some were chosen because of how they ended and stand apart in "
                "every figure. Unknown facts stay unknown; the UK models cannot learn from what is missing."
            ),
        ),
        (
            "Data URL",
            (
                "The casebook is in the package (tenders/casebook) with its sources case by case. "
                "docs/registers.md names the publisher of each register."
            ),
        ),
        ("Data collection", "Published notices, registers, audits and press, read by researchers or downloaded."),
        ("Data cleaning", "Rows that cannot be read are named and left out. Cases too recent to tell are censored."),
        ("Data sharing agreements", "None needed: all sources are public. docs/registers.md names the licences."),
        (
            "Data access and storage",
            (
                f"Files with their digests: {'; '.join(f'{s.name} sha256 {s.sha256[:16]}' for s in sources)}. The "
                "service stores no tender but uploaded portfolios, until they expire or are deleted."
            ),
        ),
    ]


def _risks() -> list[tuple[str, str]]:
    return [
        ("Impact assessment", TO_FILL),
        (
            "Risks and mitigations",
            (
                "Weak evidence taken for strong: the evidence stands beside every number. A link taken for a "
                "cause: reasons and changes say that they are links. Buyers treated unevenly: the report of a "
                "portfolio audits flag and error rates by size of buyer and region. What is listed decides what is "
                "learnt: a share of a worklist can be drawn at random. A model that has aged: drift is measured, "
                "and a release is refused if it is worse."
            ),
        ),
    ]
