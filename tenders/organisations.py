"""Who an organisation is: one key for all its spellings, and whose record it takes over.

    organisation_key("NHS Norfolk & Waveney ICB")           icb:norfolk waveney
    organisation_key("Cook Ltd", ["GB-COH-2345671"])        GB-COH:02345671
    organisation_keys("Cook Ltd", ["GB-COH-2345671"])       GB-COH:02345671, name:cook
    inherits("icb:norfolk waveney")                         ccg:great yarmouth waveney, ccg:north norfolk, …

An organisation is who its identifiers say: GB-PPON, GB-COH (padded to 8 digits), GB-NHS, in this order; without any of
them it is who its name says. A name key tells the kind of body before its name, so that Dorset Council, Dorset CCG and
Dorset ICB are three: `council:`, `icb:` (integrated care board), `ccg:` (clinical commissioning group), `pct:` (primary
care trust), `csu:` (commissioning support unit), `trust:` (NHS trust), `university:`, `team:` (advisers with several
names) and `name:` for all others. A text that names several bodies is a `name:` of its own: it is none of them.

The same organisation may stand with an identifier in one notice and without in the next. A `Directory` learns from
notices which keys belong together, and gives all of them one.

`inherits` names the predecessors whose record an organisation takes over: how much of it counts is for the reader to
say. CCGs ended on 30 June 2022; `nhs_boards.csv` has the boards that took over, by name, with their predecessors.

How often names are joined rightly: `python -m benchmarks.organisations`. Sources: org-id.guide (the lists' codes), NHS
Organisation Data Service (boards and their codes), The Integrated Care Boards (Establishment) Order 2022.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import msgspec

BOARDS = Path(__file__).with_name("nhs_boards.csv")

PPON, COMPANY, HEALTH = "GB-PPON", "GB-COH", "GB-NHS"
_SCHEMES = (PPON, COMPANY, HEALTH)
_SHAPES = {
    PPON: re.compile(r"[A-Z]{4}-\d{4}-[A-Z]{4}"),
    COMPANY: re.compile(r"[A-Z0-9]{2}\d{6}|R\d{7}|IP\d{5}R|SP\d{5}R"),
    HEALTH: re.compile(r"[A-Z0-9]{3,6}"),
}
_NOBODY = re.compile(r"(\d)\1+|0?1234567|12345678")
"""Numbers of the right shape that forms are filled with where there is none."""

TEAMS: Mapping[str, tuple[str, ...]] = {
    # The Strategic Projects Team was hosted by Greater East Midlands CSU and advised under its name too.
    "strategic projects": (
        "strategic projects team", "nhs strategic projects team", "the nhs strategic projects team (spt)", "nhs spt",
        "gem csu", "nhs gem csu", "greater east midlands csu", "nhs greater east midlands csu",
        "strategic projects team (gem csu)", "gem csu strategic projects team", "gem strategic projects team",
        "strategic projects team, greater east midlands csu", "nhs midlands and east strategic projects team",
    ),
    "shared business services": ("nhs shared business services", "nhs sbs", "shared business services"),
    "south central west": (
        "nhs south, central and west csu", "south, central and west csu", "nhs south, central and west", "scw csu",
        "nhs scw csu", "scwcsu", "nhs scw",
    ),
    "north east london": ("nel csu", "nhs nel csu", "north east london csu", "nhs north east london csu", "nel"),
    "arden gem": ("arden and gem csu", "nhs arden and gem csu", "agem csu", "nhs agem csu"),
    "midlands lancashire": ("midlands and lancashire csu", "nhs midlands and lancashire csu", "mlcsu", "ml csu"),
    "east midlands procurement": ("empact", "east midlands procurement and commissioning transformation"),
    "pricewaterhousecoopers": ("pwc", "pricewaterhousecoopers", "price waterhouse coopers"),
    "ernst young": ("ey", "ernst and young"),
    "gowling": ("wragge lawrence graham", "wragge lawrence graham and co", "gowling wlg", "gowling wlg (uk)"),
}  # fmt: skip
"""Teams and firms that are known under several names: names that no rule joins."""
_GROUPS_IN_SHORT = {"new devon": "northern eastern western devon"}
"""Groups that are known by a short name which is not their board's."""
_TEAM_PREDECESSORS = {"team:arden gem": ("team:strategic projects", "csu:arden")}
"""Greater East Midlands and Arden CSU became Arden and GEM CSU in 2015."""

_SPELLED_OUT = {
    "icb": "integrated care board", "ccg": "clinical commissioning group", "pct": "primary care trust",
    "csu": "commissioning support unit", "ft": "foundation trust", "lb": "london borough", "rb": "royal borough",
    "cc": "county council", "bc": "borough council", "dc": "district council", "mbc": "metropolitan borough council",
    "univ": "university", "dept": "department", "st": "saint", "gov": "government", "assoc": "association",
}  # fmt: skip
"""Words of a name that are short for others, in names of public bodies."""
_SAME_NAME = {
    "mod": "ministry of defence", "dwp": "department for work and pensions", "moj": "ministry of justice",
    "dft": "department for transport", "dfe": "department for education", "hmrc": "hm revenue and customs",
    "tfl": "transport for london", "dvsa": "driver and vehicle standards agency",
    "daera": "department of agriculture environment and rural affairs", "ypo": "yorkshire purchasing organisation",
    "espo": "eastern shires purchasing organisation", "ukri": "uk research and innovation",
    "nwssp": "nhs wales shared services partnership", "invest ni": "invest northern ireland",
    "dsit": "department for science innovation and technology", "nhse": "nhs england",
}  # fmt: skip
"""Whole names that are short for others."""

_LEGAL_FORM = re.compile(r" (?:ltd|limited|plc|llp|lp|cic|inc|cyf|cyfyngedig)$")
_BEFORE_ANOTHER = re.compile(r"\b(?:on behalf of|acting (?:for|on behalf)|trading as|c/o|t/as?|acting through)\b.*")
_END_BRACKET = re.compile(r"\s*\(([^()]*)\)\s*$")
_PUBLIC = re.compile(
    r"\b(?:council|nhs|university|department|ministry|authority|agency|government|commission|ccg|icb|pct|csu|ft)\b"
    r"|commissioning (?:group|unit)|care board"
)
_LETTERS = re.compile(r"\b\w(?: \w\b)+")
_NOT_WORD = re.compile(r"[^\w]+")
_SMALL = frozenset(("the", "of", "and", "y", "for"))
"""Words that spellings of one name have and lack."""

_RANKS = frozenset("council city county borough metropolitan district cyngor sir".split())  # noqa: SIM905
_BOROUGH_OF = re.compile(r"(?:the )?(?:(?:london|royal|metropolitan) )?borough of |(?:the )?city and county of ")
_OF_BOROUGH = re.compile(r"(?:london|royal) borough")
_OWN_COUNCILS = re.compile(r"\b(?:town|parish|village|community|british|arts|research|combined|sports?|general)\b")
"""A council with one of these words is no local authority, or one of another tier than that of the same place."""
_NO_PLACE = frozenset(("nhs", "clinical", "lead", "reference", "police", "fire", "group", "ccgs"))
"""Words of a text that names more than one local authority."""
_HEALTH_BODIES = {
    "integrated care board": "icb",
    "clinical commissioning group": "ccg",
    "primary care trust": "pct",
    "commissioning support unit": "csu",
}
_TRUST = re.compile(r"(?P<name>.+?)(?: nhs)? (?:foundation trust|trust)(?: nhs)?")
_UNIVERSITY = re.compile(
    r"university (?P<of>(?!hospital).+?)(?: higher education corporation)?|(?P<before>.+) university"
)
_REGION = re.compile(r"(nhs england .+?) region")
_SEVERAL = re.compile(
    r"\b(?:councils|ccgs|icbs|pcts|trusts|authorities|bodies|commissioners)\b"
    r"|(?:council|ccg|icb|pct|trust|dc|cc|bc|group|board) (?:and|with) (?!others|partner)|[;+/]| / "
)
_AND_OTHERS = re.compile(r",? and (?:others|other bodies|partner \w+|its subsidiaries)$")


class Predecessor(msgspec.Struct, frozen=True):
    """An organisation that another took over from: its key, and whether as a whole or in part."""

    key: str
    whole: bool = True


def organisation_key(name: str | None, identifiers: Iterable[str | tuple[str | None, object]] = ()) -> str | None:
    """The first of `organisation_keys`; None for an organisation without a name or identifier."""
    return next(iter(organisation_keys(name, identifiers)), None)


def organisation_keys(name: str | None, identifiers: Iterable[str | tuple[str | None, object]] = ()) -> tuple[str, ...]:
    """All keys of an organisation, strongest first: its identifiers in the order PPON, COH, NHS, then its name.

    An identifier is a pair of scheme and id, or both in one text (`GB-COH-01234567`). What has another scheme or not
    the shape of its own, and numbers that stand for nobody, are passed over.
    """
    by_scheme = sorted(filter(None, map(_identifier, identifiers)), key=lambda pair: _SCHEMES.index(pair[0]))
    keys = [f"{scheme}:{number}" for scheme, number in by_scheme]
    plain = name_key(name) if name else None
    return tuple(dict.fromkeys([*keys, plain] if plain else keys))


def _identifier(identifier: str | tuple[str | None, object]) -> tuple[str, str] | None:
    """Scheme and number as they are compared; None if it is none of ours."""
    text = identifier if isinstance(identifier, str) else f"{identifier[0] or ''}-{identifier[1] or ''}"
    text = text.strip().upper()
    for scheme in _SCHEMES:
        # Party ids repeat the scheme: GB-COH-GB-COH-01234567.
        if text.startswith(scheme):
            number = re.sub(rf"^(?:{scheme}[-: ]*)+", "", text)
            if scheme == COMPANY:
                number = _padded(number.replace(" ", ""))
            sound = _SHAPES[scheme].fullmatch(number) and not _NOBODY.fullmatch(number)
            return (scheme, number) if sound else None
    return None


def _padded(number: str) -> str:
    """A company number with 8 characters: zeros are lost in front of it, and behind the letters of its register."""
    letters = re.match(r"[A-Z]*", number)
    prefix = letters[0] if letters else ""
    return prefix + number[len(prefix) :].rjust(8 - len(prefix), "0") if number else number


@lru_cache(maxsize=1 << 16)
def name_key(name: str) -> str | None:
    """The key of a name: its kind of body and what is left of it without case, accents, punctuation, small words and
    legal form. None if nothing is left."""
    lower = _lower(name)
    if _team(lower):
        return f"team:{_team(lower)}"
    several = bool(_SEVERAL.search(_BEFORE_ANOTHER.sub("", lower)))
    plain = _plain(lower)
    if not plain:
        return None
    if several:
        return f"name:{_bare(_NOT_WORD.sub(' ', lower))}"
    return _by_kind(plain)


def _by_kind(plain: str) -> str:
    for ending, kind in _HEALTH_BODIES.items():
        if plain.endswith(ending) and plain != ending:
            own = plain.removesuffix(ending).removeprefix("nhs ").strip()
            team = _team(f"{own} {kind}")
            return f"team:{team}" if team else f"{kind}:{_boards_name(kind, own)}"
    bare = _bare(plain)
    if ("nhs" in bare.split() or "foundation trust" in bare) and (trust := _TRUST.fullmatch(bare)):
        return f"trust:{trust['name'].removeprefix('nhs ')}"
    if place := _council_of(plain, bare):
        return f"council:{place}"
    if university := _UNIVERSITY.fullmatch(bare):
        return f"university:{university['of'] or university['before']}"
    return "name:" + _REGION.sub(r"\1", bare)


def _council_of(plain: str, bare: str) -> str | None:
    """The place of a local authority, whatever rank stands beside it: Borough, City, County, Metropolitan."""
    councils = bare.split().count("council")
    if councils > 1 or not (councils or _BOROUGH_OF.match(plain)) or _OWN_COUNCILS.search(bare):
        return None
    place = [word for word in _OF_BOROUGH.sub("", bare).split() if word not in _RANKS]
    return " ".join(place) if place and _NO_PLACE.isdisjoint(place) else None


def _lower(name: str) -> str:
    """A name in lower case, without accents and apostrophes, `&` as and; single letters as one word (H M as hm)."""
    text = unicodedata.normalize("NFKD", name).lower().replace("&", " and ")
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"['’`]", "", text)
    return " ".join(_LETTERS.sub(lambda run: run[0].replace(" ", ""), re.sub(r"\s+", " ", text)).split())


def _plain(lower: str) -> str:
    """The words of one body's name, spelled out, without what stands in brackets at its end, and whom it acts for."""
    text = _AND_OTHERS.sub("", _BEFORE_ANOTHER.sub("", lower).strip(" ,-"))
    bracket = _END_BRACKET.search(text)
    before = text[: bracket.start()] if bracket else text
    if bracket and (_PUBLIC.search(before) or _is_short_for(bracket[1], before)):
        text = before
    words = _NOT_WORD.sub(" ", text).strip()
    words = _SAME_NAME.get(words, words)
    return " ".join(_SPELLED_OUT.get(word, word) for word in words.split())


def _is_short_for(short: str, words: str) -> bool:
    """Whether a text is made of the first letters of words."""
    letters = _NOT_WORD.sub("", short)
    return _SAME_NAME.get(letters) == words or letters in {
        "".join(word[0] for word in words.split()),
        "".join(word[0] for word in words.split() if word not in _SMALL),
    }


def _bare(words: str) -> str:
    """Words without small words and legal form."""
    bare = " ".join(word for word in words.split() if word not in _SMALL)
    while (shorter := _LEGAL_FORM.sub("", bare)) != bare:
        bare = shorter
    return bare or words


@cache
def _teams() -> Mapping[str, str]:
    return {_bare(_NOT_WORD.sub(" ", name)): team for team, names in TEAMS.items() for name in names}


def _team(lower: str) -> str | None:
    """The team of that name, spelled with or without NHS, small words and legal form."""
    bare = _bare(_NOT_WORD.sub(" ", lower)).replace("commissioning support unit", "csu")
    return _teams().get(bare)


@cache
def _boards() -> tuple[Mapping[str, str], Mapping[str, tuple[Predecessor, ...]]]:
    """Names of boards that are short for others, and predecessors by key; also by the boards' GB-NHS codes."""
    names, predecessors = dict(_GROUPS_IN_SHORT), dict[str, tuple[Predecessor, ...]]()
    with BOARDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            own = _list_name(row["name"])
            for other in filter(None, row["also"].split(";")):
                names[_list_name(other)] = own
            before = (
                *(Predecessor(f"ccg:{name}") for name in _listed(row["groups"])),
                *(Predecessor(f"icb:{name}") for name in _listed(row["boards"])),
                *(Predecessor(f"icb:{name}", whole=False) for name in _listed(row["boards_in_part"])),
            )
            predecessors[f"icb:{own}"] = before
            if row["ods"]:
                predecessors[f"{HEALTH}:{row['ods']}"] = before
    return names, predecessors


def _listed(names: str) -> list[str]:
    """The names in a cell, without those that are short for another of them."""
    return list(dict.fromkeys(_list_name(name) for name in names.split(";") if name))


def _list_name(name: str) -> str:
    """A name as keys have it."""
    words = _NOT_WORD.sub(" ", _lower(name)).split()
    return _bare(" ".join(_SPELLED_OUT.get(word, word) for word in words))


def _boards_name(kind: str, own: str) -> str:
    """The name of a board or group as the list has it."""
    bare = _bare(own)
    return _boards()[0].get(bare, bare)


def inherits(key: str) -> tuple[Predecessor, ...]:
    """The organisations whose record an organisation takes over, those before its predecessors included.

    What a predecessor took over in part, or left in part, is had in part. A key that is of nobody known has none.
    """
    predecessors = dict[str, Predecessor]()
    waiting = [Predecessor(key)]
    while waiting:
        heir = waiting.pop(0)
        for before in _predecessors(heir.key):
            if before.key not in predecessors:
                predecessors[before.key] = Predecessor(before.key, whole=before.whole and heir.whole)
                waiting.append(predecessors[before.key])
    return tuple(predecessors.values())


def _predecessors(key: str) -> tuple[Predecessor, ...]:
    kind, _, name = key.partition(":")
    if kind == "ccg":
        # A group that had the name of a trust had its place: trusts ended when groups began, on 31 March 2013.
        return (Predecessor(f"pct:{name}"),)
    return _boards()[1].get(key, tuple(map(Predecessor, _TEAM_PREDECESSORS.get(key, ()))))


_LEGAL_NOISE = re.compile(r"\b(the|ltd|limited|plc|llp|of|and|nhs|trust|council|foundation)\b|[^a-z0-9 ]")


@lru_cache(maxsize=1 << 16)
def plain_name(name: str) -> str:
    """A name without case, punctuation and legal form. Registers' records and released bundles have their keys by it.

    It takes Dorset Council for NHS Dorset; `name_key` does not.
    """
    return " ".join(_LEGAL_NOISE.sub(" ", name.lower().replace("&", " and ")).split())


def adviser_name(name: str) -> str:
    """The first name of a team or firm that is known under several, else the name as it is."""
    team = _team(_lower(name))
    return TEAMS[team][0] if team else name


class Directory:
    """Which keys belong to one organisation, as notices show them together. Keys are as `organisation_keys` gives them.

    Identifiers that stand with one party are of one organisation. A name belongs to it if it never stands with
    another organisation's identifier: of two companies of one name neither is taken for the other.
    """

    def __init__(self) -> None:
        self._parent = dict[str, str]()
        self._of_name = defaultdict[str, set[str]](set)

    def add(self, keys: tuple[str, ...]) -> None:
        """Takes up a party's keys. The order in which parties are taken up does not matter."""
        identifiers = [key for key in keys if _is_identifier(key)]
        for key in identifiers:
            self._parent.setdefault(key, key)
            first, other = sorted((self._root(identifiers[0]), self._root(key)), key=_strength)
            self._parent[other] = first
        for key in keys:
            if identifiers and not _is_identifier(key):
                self._of_name[key].add(identifiers[0])

    def key(self, keys: tuple[str, ...]) -> str | None:
        """The one key of the organisation that has these; None without any."""
        if not keys:
            return None
        if _is_identifier(keys[0]):
            return self._root(keys[0])
        owners = {self._root(identifier) for identifier in self._of_name.get(keys[0], ())}
        return owners.pop() if len(owners) == 1 else keys[0]

    def _root(self, key: str) -> str:
        while (parent := self._parent.get(key, key)) != key:
            key = parent
        return key


def _is_identifier(key: str) -> bool:
    return key.partition(":")[0] in _SCHEMES


def _strength(key: str) -> tuple[int, str]:
    return _SCHEMES.index(key.partition(":")[0]), key
