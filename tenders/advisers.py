"""Who advises the buyer, read off a notice. OCDS has no role for an adviser, so this says for each where it was read.

In this order, and only where a name is told:

- `roleDetails` of a party says that it advises, consults, or acts for another;
- the description says that a party which is not the buyer does something *on behalf of* somebody;
- the procuring entity or the contact is another organisation than the buyer (`tenders.organisations`) and answers at
  another mail domain, or is a team or unit that only ever works for others (a commissioning support unit).

Nobody is an adviser who supplies, bids, reviews or pays, nor a central purchasing body, whose frameworks everybody
uses. By its contact alone no council, health body or university is one: it may be buying too. A mail domain that serves
many bodies (nhs.net) tells nothing. Where these leave a doubt there is no adviser: a wrong name would bring a wrong
record.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import msgspec

from tenders.organisations import name_key, organisation_keys
from tenders.tender import OrganizationReference, Party, Tender

ADVISES = re.compile(r"\b(advis|consult)", re.I)
ON_BEHALF = re.compile(r"\b(?:acting|act|acts) for\b|\bon behalf of\b", re.I)
SHARED_DOMAINS = frozenset(
    ("nhs.net", "gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "yahoo.co.uk", "btinternet.com", "icloud.com")
)
"""Mail domains that serve many bodies."""
_BIDS, _RUNS = frozenset(("supplier", "tenderer")), frozenset(("procuringEntity", "processContactPoint"))
_NO_ADVISER = frozenset(
    ("supplier", "tenderer", "removedSupplier", "reviewBody", "reviewContactPoint", "mediationBody", "funder", "payer",
     "payee", "centralPurchasingBody", "procurementServiceProvider", "buyer", "leadBuyer")
)  # fmt: skip
_FOR_OTHERS = ("team:", "csu:")
"""Kinds of bodies that only ever work for others."""
_BUYS_TOO = ("council:", "icb:", "ccg:", "pct:", "trust:", "university:")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n")


class FoundAdviser(msgspec.Struct, frozen=True):
    """An adviser's name, the JSON path where it was read, and why it is taken for one."""

    name: str
    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.name} is taken for an adviser: {self.why}"


def find_advisers(tender: Tender, later_roles: Collection[str] = ()) -> tuple[FoundAdviser, ...]:
    """The advisers that a notice shows, each once. Roles that a party takes later are not read."""
    parties = tender.parties
    if not parties and tender.tender.procuring_entity is None:
        return ()
    roles = [frozenset(party.roles).difference(later_roles) for party in parties]
    advisers: dict[str, FoundAdviser] = {}
    for adviser in _advisers(tender, parties, roles):
        advisers.setdefault(name_key(adviser.name) or adviser.name, adviser)
    return tuple(advisers.values())


def may_show_advisers(roles: Collection[tuple[str, ...]], details: Collection[str | None]) -> bool:
    """Whether parties with these roles and details of them may be advisers, where no tender has a procuring entity.

    Of nearly all tenders none is, and that is seen of many at once.
    """
    return any(details) or any(not _RUNS.isdisjoint(some) for some in set(roles))


def _advisers(tender: Tender, parties: Sequence[Party], roles: Sequence[Collection[str]]) -> Iterator[FoundAdviser]:
    for number, party in enumerate(parties):
        # A party whose roles all come later is not there yet.
        there = bool(roles[number]) or not party.roles
        bids = bool(roles[number]) and _BIDS.issuperset(roles[number])
        if there and not bids and party.name and party.role_details:
            if ADVISES.search(party.role_details):
                yield FoundAdviser(party.name, f"/parties/{number}/roleDetails", "its role is described as advising")
            elif ON_BEHALF.search(party.role_details) and "buyer" not in roles[number]:
                yield FoundAdviser(party.name, f"/parties/{number}/roleDetails", "its role is to act for another")
    if not any(_RUNS & set(names) for names in roles) and tender.tender.procuring_entity is None:
        return
    others = [
        (number, party)
        for number, party in enumerate(parties)
        if party.name and roles[number] and _NO_ADVISER.isdisjoint(roles[number]) and not _is_buyer(tender, party)
    ]
    yield from _by_wording(tender, others)
    yield from _by_contact(tender, others, roles)
    entity = tender.tender.procuring_entity
    if entity and entity.name and (name_key(entity.name) or "").startswith(_FOR_OTHERS) and not _same(tender, entity):
        yield FoundAdviser(entity.name, "/tender/procuringEntity", "it runs the procedure and works for others")


def _by_wording(tender: Tender, others: Sequence[tuple[int, Party]]) -> Iterator[FoundAdviser]:
    """Parties that a sentence names before it says on whose behalf they act."""
    for path, text in (("/tender/description", tender.tender.description), ("/tender/title", tender.tender.title)):
        if not text or not others or not ("behalf" in text.lower() or " for" in text):
            continue
        for sentence in _SENTENCE.split(text):
            acts = ON_BEHALF.search(sentence)
            before = sentence[: acts.start()].casefold() if acts else ""
            for _, party in others:
                if party.name and party.name.casefold() in before:
                    yield FoundAdviser(party.name, path, "the wording says that it acts on behalf of another")


def _by_contact(
    tender: Tender, others: Sequence[tuple[int, Party]], roles: Sequence[Collection[str]]
) -> Iterator[FoundAdviser]:
    """Parties that run the procedure, or answer questions, from another mail domain than the buyer's."""
    buyers = [party for party in tender.parties if _is_buyer(tender, party)]
    own = {domain for buyer in buyers if (domain := _domain(buyer))}
    for number, party in others:
        if not party.name or _RUNS.isdisjoint(roles[number]):
            continue
        domain, kind = _domain(party), name_key(party.name) or ""
        if own and domain and domain not in own and not kind.startswith(_BUYS_TOO):
            why = f"it runs the procedure from {domain}, and the buyer writes from {', '.join(sorted(own))}"
            yield FoundAdviser(party.name, f"/parties/{number}/contactPoint/email", why)
        elif kind.startswith(_FOR_OTHERS):
            yield FoundAdviser(party.name, f"/parties/{number}/roles", "it runs the procedure and works for others")


def _domain(party: Party) -> str | None:
    """The mail domain of a party's contact, by its last three labels (`x.nhs.uk`); None for one that is shared."""
    mail = party.contact_point.email if party.contact_point else None
    domain = mail.lower().rsplit("@", 1)[1].strip() if mail and "@" in mail else ""
    return ".".join(domain.split(".")[-3:]) if domain and domain not in SHARED_DOMAINS else None


def _is_buyer(tender: Tender, party: Party) -> bool:
    """Whether a party is the buyer: by its role, its id, or its name, also where one name holds the other."""
    reference = OrganizationReference(id=party.id, name=party.name)
    return "buyer" in party.roles or _same(tender, reference)


def _same(tender: Tender, body: OrganizationReference) -> bool:
    buyers = [party for party in tender.parties if "buyer" in party.roles]
    names = [buyer.name for buyer in (tender.buyer, *buyers) if buyer and buyer.name]
    ids = {str(buyer.id) for buyer in (tender.buyer, *buyers) if buyer and buyer.id is not None}
    if body.id is not None and str(body.id) in ids:
        return True
    own = _words(body.name)
    return any(own <= _words(name) or _words(name) <= own for name in names)


def _words(name: str | None) -> frozenset[str]:
    """The words of an organisation's key: a division has all the words of its body, and more."""
    keys = organisation_keys(name)
    return frozenset(keys[0].replace(":", " ").split()[1:]) if keys else frozenset()
