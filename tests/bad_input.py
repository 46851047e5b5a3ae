"""Everything wrong that people and programs send, with the place that the refusal must name.

The readers, the command line and the service are all held to this table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tenders.io.read import MAX_BYTES
from tests import samples


class Bad(NamedTuple):
    """One refused input: name, bytes, ending of its file, JSON path of the first problem, HTTP status."""

    name: str
    data: bytes
    suffix: str
    path: str
    status: int = 400


def _json(name: str, document: Any, path: str) -> Bad:
    return Bad(name, samples.data(document), ".json", path)


def _tender(name: str, path: str, **fields: Any) -> Bad:
    """A release whose tender object has these wrong fields."""
    return _json(name, {**samples.draft(), "tender": {**samples.draft()["tender"], **fields}}, path)


def _release(name: str, path: str, **fields: Any) -> Bad:
    return _json(name, samples.draft(**fields), path)


def _form(name: str, path: str, **keys: Any) -> Bad:
    return _json(name, {"title": "Community nursing", **keys}, path)


def _text(name: str, text: str, path: str, suffix: str = ".json") -> Bad:
    return Bad(name, text.encode(), suffix, path)


def _raw(name: str, path: str, amount: str) -> Bad:
    """A number that Python's own writer would not write."""
    return _text(name, f'{{"tender": {{"value": {{"amount": {amount}, "currency": "GBP"}}}}}}', path)


def _pair(name: str, path: str, **second: Any) -> Bad:
    """A package with a notice and a wrong update of it; a value of None takes the field away."""
    later = {**samples.update("2024-04-01T09:00:00Z", "tenderUpdate", tender={"id": "t1"}), **second}
    given = {key: value for key, value in later.items() if value is not None}
    return _json(name, {"releases": [samples.draft(), given]}, path)


_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

FILES = [
    _text("an empty file", "", ""),
    _text("only a byte order mark", "\ufeff", ""),
    _text("only spaces", " \n\t ", ""),
    _text("truncated JSON", '{"tender": {"title": "Comm', ""),
    _text("a word behind a JSON value", '{"tender": {}} tender', ""),
    _text("a broken line of JSON lines", '{"tender": {"title": "x"}}\n{"tender": \n', "line 2"),
    _text("half a character in an escape", '{"tender": {"title": "\\ud800"}}', ""),
    _text("100,000 brackets", "[" * 100_000, ""),
    _text("100,000 objects in a tender", '{"tender":' * 100_000, ""),
    _text("100,000 brackets closed again", '{"tender": {"lots": ' + "[" * 100_000 + "]" * 100_000 + "}}", ""),
    Bad("Latin-1", '{"tender": {"title": "Soins à domicile"}}'.encode("latin-1"), ".json", ""),
    Bad("UTF-16", '{"tender": {"title": "x"}}'.encode("utf-16"), ".json", ""),
    Bad("bytes of a zip file", b"PK\x03\x04\x14\x00\x08\x08\xff\xfe", ".json", ""),
]

SHAPES = [
    _json("null", None, ""),
    _json("a string", "tender", ""),
    _json("a number", 12, ""),
    _json("an empty list", [], ""),
    _json("an empty object", {}, ""),
    _json("a list that mixes a release and a number", [samples.draft(), 5], "/1"),
    _json("a list in a list", [[samples.draft()]], "/0"),
    _json("an object of neither kind", {"colour": "red"}, ""),
    _json("a package whose releases are an object", {"releases": {"tender": {}}}, "/releases"),
    _json("a package without releases", {"releases": []}, ""),
    _json("a package with a null release", {"releases": [None]}, "/releases/0"),
    _json("a package with a number as ocid", {"releases": [{"ocid": 5, "tender": {}}]}, "/releases/0/ocid"),
    _json("a second release without tender", {"releases": [samples.draft(), {"ocid": "b"}]}, "/releases/1/tender"),
    _json("a record package whose records are text", {"records": "x"}, "/records"),
    _json("a record without releases", {"records": [{"ocid": "a"}]}, "/records/0"),
    _json("a record with linked releases only", {"records": [{"releases": [{"url": "https://x"}]}]}, "/records/0"),
    _json("a record whose releases are a number", {"records": [{"releases": 5}]}, "/records/0/releases"),
    _json("a record with a number as release", {"records": [{"releases": [5]}]}, "/records/0/releases/0"),
    _json("a compiled release that is a list", {"compiledRelease": []}, "/compiledRelease"),
    _json("a release without tender", {"ocid": "a"}, "/tender"),
    _release("a null tender", "/tender", tender=None),
    _release("a tender that is text", "/tender", tender="x"),
    _release("a tag that is not a list", "/tag", tag="tender"),
    _release("a tag with an object in it", "/tag/0", tag=[{}]),
    _pair("several releases, one without date", "/releases/1/date", date=None),
    _pair("several releases, one with a date that is no date", "/releases/1/date", date="soon"),
    _pair("several releases, one with a tag that is not a list", "/releases/1/tag", tag="tenderUpdate"),
    _pair("several releases, one with a list as tender", "/releases/1/tender", tender=[1]),
    _pair("a wrong type in a later release", "/releases/1/tender/lots/0/value", tender={"lots": [{"value": 3}]}),
    _pair("an id that is an object in a later release", "/releases/1/parties/0/id", parties=[{"id": {}}]),
    _pair("a wrong date in a later release", "/releases/1/awards/0/date", awards=[{"id": "a", "date": "2024-02-30"}]),
]

VALUES = [
    _tender("lots that are an object", "/tender/lots", lots={"id": "1"}),
    _tender("a lot that is text", "/tender/lots/1", lots=[{"id": "1"}, "2"]),
    _tender("a list as title", "/tender/title", title=["x"]),
    _tender("a number as description", "/tender/description", description=5),
    _tender("a string as amount", "/tender/value/amount", value={"amount": "12"}),
    _tender("true as amount", "/tender/value/amount", value={"amount": True}),
    _tender("true as number of tenderers", "/tender/numberOfTenderers", numberOfTenderers=True),
    _tender("half a tenderer", "/tender/numberOfTenderers", numberOfTenderers=1.5),
    _tender("minus one tenderer", "/tender/numberOfTenderers", numberOfTenderers=-1),
    _tender("1e50 tenderers", "/tender/numberOfTenderers", numberOfTenderers=10**50),
    _tender("a negative amount", "/tender/lots/0/value/amount", lots=[{"value": {"amount": -5}}]),
    _raw("1e999", "/tender/value/amount", "1e999"),
    _raw("-1e999", "/tender/value/amount", "-1e999"),
    _raw("NaN", "/tender/value/amount", "NaN"),
    _raw("Infinity", "/tender/value/amount", "Infinity"),
    _raw("5,000 digits", "/tender/value/amount", "9" * 5000),
    _raw("more than there is money", "/tender/value/amount", "1e300"),
    _tender("a negative duration", "/tender/tenderPeriod/durationInDays", tenderPeriod={"durationInDays": -1}),
    _tender("30 February", "/tender/tenderPeriod/endDate", tenderPeriod={"endDate": "2024-02-30"}),
    _tender("a thirteenth month", "/tender/datePublished", datePublished="2024-13"),
    _tender("a date in words", "/tender/datePublished", datePublished="next week"),
    _tender("a number as date", "/tender/datePublished", datePublished=20240101),
    _tender("no currency", "/tender/value/currency", value={"amount": 1, "currency": "POUNDS"}),
    _tender("a currency in small letters", "/tender/lots/0/value/currency", lots=[{"value": {"currency": "gbp"}}]),
    _tender("10,000 lots", "/tender/lots", lots=[{"id": str(i)} for i in range(10_000)]),
    _release("a date that is an object", "/date", date={}),
    _release("an ocid that is a list", "/ocid", ocid=["a"]),
    _release("a buyer that is text", "/buyer", buyer="Example Council"),
    _release("parties that are text", "/parties", parties="x"),
    _release("roles that are text", "/parties/0/roles", parties=[{"id": "a", "roles": "buyer"}]),
    _release("awards that are an object", "/awards", awards={"id": "a"}),
    _release("bids that are a list", "/bids", bids=[]),
    _release("statistics that are a number", "/bids/statistics", bids={"statistics": 3}),
    _release("a negative price ratio", "/tenderRisk/priceToFormerCost", tenderRisk={"priceToFormerCost": -0.1}),
    _release(
        "a stage of no name", "/tenderRisk/advisers/0/since", tenderRisk={"advisers": [{"name": "A", "since": "later"}]}
    ),
    _release("an adviser without name", "/tenderRisk/advisers/0", tenderRisk={"advisers": [{"role": "legal"}]}),
    _release("a vehicle of no name", "/tenderRisk/legalVehicle", tenderRisk={"legalVehicle": "spaceship"}),
]

FORMS = [
    _form("a category of no name", "/category", category="service"),
    _form("a change of no name", "/structure_changes", structure_changes="scope;weather"),
    _form("a number in words", "/value", value="a million"),
    _form("a number with a decimal comma", "/value", value="1.234,50"),
    _form("a negative number", "/value", value=-1),
    _form("an infinite number", "/value", value="inf"),
    _form("true as number", "/value", value=True),
    _form("half a lot", "/lots", lots=1.5),
    _form("10,000 lots in a form", "/lots", lots=10_000),
    _form("a million lots in a form", "/lots", lots=1_000_000),
    _form("as many values as not lots", "/lot_values", lots=3, lot_values="1;2"),
    _form("a list in a list of a form", "/advisers", advisers=[["A", "B"]]),
    _form("an object in a list of a form", "/incumbents", incumbents=[{"name": "A"}]),
    _form("an object as text", "/title", title={"en": "x"}),
    _form("a list as yes or no", "/single_block", single_block=["yes"]),
    _form("a word that is neither yes nor no", "/single_block", single_block="perhaps"),
    _form("a date that does not exist", "/published", published="2024-02-31"),
    _form("a currency that does not exist", "/currency", currency="BTC"),
    _form("a term longer than numbers", "/term_years", term_years=1e17),
    _form("a value of a lot in words", "/lot_values", lot_values="1;two"),
]

TABLES = [
    _text("an empty CSV", "", "row 1", ".csv"),
    _text("a CSV with no known column", "colour,size\nred,5\n", "row 1", ".csv"),
    _text("a CSV of column names only", "title,lots\n", "row 2", ".csv"),
    _text("a CSV row with too many cells", "title,lots\nNursing,1\nNursing, at home,2\n", "row 3", ".csv"),
    _text("a CSV cell that is wrong", "title,lots\nNursing,1\nNursing,many\n", "row 3, column lots", ".csv"),
    _text("a CSV date that does not exist", "title,published\nNursing,2024-02-31\n", "row 2, column published", ".csv"),
    _text("a CSV cell of 200,000 characters", f"title\n{'x' * 200_000}\n", "row 2", ".csv"),
    _text("broken YAML", "title: [1, 2", "", ".yaml"),
    _text("an empty YAML", "# nothing\n", "", ".yaml"),
    _text("a Python object in YAML", "title: x\nvalue: !!python/object/apply:os.getcwd []\n", "line 2", ".yaml"),
    _text("a name of a Python function in YAML", "title: !!python/name:os.system\n", "line 1", ".yaml"),
    _text("bytes in YAML", "title: !!binary aGVsbG8=\n", "line 1", ".yaml"),
    _text("a billion laughs in YAML", _LAUGHS, "line 2", ".yaml"),
    _text("a YAML value within itself", "a: &a [*a]\n", "line 1", ".yaml"),
    _text("100,000 YAML levels", "- " * 100_000, "", ".yaml"),
    _text("1,000 YAML brackets", "[" * 1000 + "]" * 1000, "", ".yaml"),
    _text("two YAML documents", "title: x\n---\ntitle: y\n", "", ".yaml"),
    _text("a YAML list as key", "? [a, b]\n: 1\n", "", ".yaml"),
    _text("a YAML date that does not exist", "published: 2024-02-31\n", "/published", ".yaml"),
    _text("YAML infinity", "value: .inf\n", "/value", ".yaml"),
    _text("YAML not-a-number in OCDS", "tender: {value: {amount: .nan}}\n", "/tender/value/amount", ".yaml"),
]

BAD: list[Bad] = [*FILES, *SHAPES, *VALUES, *FORMS, *TABLES]


def too_large() -> Bad:
    """A file above the limit, made when asked for because of its size."""
    return Bad("a file above the limit", b" " * (MAX_BYTES + 1), ".json", "", 413)


def ids(bad: Bad) -> str:
    """The name, for pytest."""
    return bad.name
