"""What sentences say of an end: that a procedure was abandoned, that a notice was a correction, that a contract was
completed or not.

Abandoned vehicles, abandoned calls, what a buyer *may* do, and what became of an earlier procedure are not the end of
this one: so one sentence must hold the word, a procedure, a completed act, and none of the doubtful words.
"""

from __future__ import annotations

import re

MAX_TEXT = 20_000
"""The reason stands at the start of a notice; no text may cost more than its first pages."""
MAX_CORRECTION = 500
"""Characters of a text in which words on a correction of the notice are looked for."""

_STEMS = ("abandon", "discontinu", "cancel", "terminat", "withdrawn", "withdraw", "not to ", "no contract", "no award")
_SENTENCE = re.compile(r"[.;!?\n]+(?:\s|$)")
_MAY_THE_MONTH = re.compile(r"(?<=\d )May\b|\bMay(?= \d)")

_PROCEDURES = r"(?:procurement|procedure|process|competition|tender|selection|exercise)"
_PROCEDURE = re.compile(rf"\b(?:{_PROCEDURES}|award)\b", re.IGNORECASE)
_ABANDONED = re.compile(
    r"\b(?:has|have|had|is|was|were|been|being|decided|decision|hereby|notice)\b.*\babandon(?:ed|ing|ment)?\b"
    r"|\babandonment of (?:the|this|a)\b|\babandoned (?:the|this)\b",
    re.IGNORECASE,
)
_ABANDONMENT_NOTICE = re.compile(r"\bnotice of abandonment\b|\babandonment notice\b", re.IGNORECASE)
_CALLED_OFF = re.compile(
    # This procurement process has now been cancelled.
    rf"\b(?:this|the)(?: [\w-]+){{0,3}}? {_PROCEDURES}(?: {_PROCEDURES})?(?: now)?"
    r" (?:(?:has|have) (?:\w+ )?been|is hereby|was) (?:cancelled|canceled|discontinued|terminated|withdrawn)\b"
    # The council has decided to discontinue the procurement.
    r"|\b(?:decided|decision|resolved|hereby)\b(?: [\w-]+){0,3}? (?:cancel|discontinue|terminate|withdraw)s?"
    rf" (?:this|the)(?: [\w-]+){{0,3}}? {_PROCEDURES}\b",
    re.IGNORECASE,
)
_NOT_AWARDED = re.compile(
    # The trust has decided not to award the contract. No award will be made.
    r"\b(?:(?:has|have|had|was) decided|decision (?:has been |was )?(?:made|taken)) not to"
    r" (?:award|make an award|proceed with (?:the|this|an?) (?:award|procurement|process|competition|tender))\b"
    r"|\bno (?:contract|award) (?:has been|was|will be|is being) (?:awarded|made)\b",
    re.IGNORECASE,
)
_ENDING = r"(?:abandon|cancel|discontinu|terminat|withdr)"
_UNCERTAIN = r"may|might|could|would|can|reserves?|right"
_ANOTHER = r"previous(?:ly)?|earlier|former|prior|last|original(?:ly)?"
_DOUBTFUL = re.compile(
    rf"\b(?:{_UNCERTAIN}|not|never|{_ANOTHER})\b(?:\W+\w+){{0,6}}?\W+{_ENDING}"
    rf"|\b(?:if|unless|should|in the event)\b.*{_ENDING}"
    rf"|{_ENDING}\w*(?:\W+\w+){{0,3}}\W+(?:{_ANOTHER})\b"
    r"|abandoned (?:vehicle|car|call|building|well|mine|waste|trolley|land|boat|animal)|calls? abandon",
    re.IGNORECASE,
)
_NOT_AWARDED_DOUBTFUL = re.compile(
    rf"\b(?:{_UNCERTAIN}|{_ANOTHER}|if|unless|should|in the event|until|where)\b", re.IGNORECASE
)
_OF_THIS = re.compile(
    rf"\bthis(?: [\w-]+){{0,3}}? (?:{_PROCEDURES}|notice|award)\b|\bnotice of abandonment\b|\babandonment notice\b",
    re.IGNORECASE,
)
_MARKED_TITLE = re.compile(
    r"^\W*(?:abandon|cancel|discontinu|withdraw)\w*(?: (?:notice|tender|procurement))?\s*(?:[\])|:*–—]|-\s)",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\b(?:published|issued|created|entered|released|submitted) (?:in error|by mistake|twice|in duplicate)\b"
    r"|\bduplicate(?: of)?(?: (?:a|an|the|this|another))? (?:notice|entry|publication|tender)\b"
    r"|\badministrative error\b"
    r"|\b(?:republished|re-published|re-?issued) (?:as|under|with|in)\b|\btest notice\b|^\W*test\W*$",
    re.IGNORECASE,
)

_NO_BIDS = re.compile(
    r"\b(?:no|zero|nil|insufficient)\b(?: [\w-]+){0,3}? (?:bids?|tenders?|offers?|responses?|submissions?)\b"
    r"|\b(?:all|every)\b(?: [\w-]+){0,2}? (?:bids?|tenders?|offers?)\b.*\breject\w*|\bnot? award\w*\b|\bunsuccessful\b",
    re.IGNORECASE,
)
_COMPLETED = re.compile(
    r"\b(?:complet(?:ed?|ion)|expir(?:ed|y)|(?:reached|at|come to|came to) (?:its|the|an) (?:natural )?end"
    r"|end of (?:the )?(?:term|contract)|discharged?|ran its (?:full )?(?:course|term)|fulfilled)\b",
    re.IGNORECASE,
)
_NOT_COMPLETED = re.compile(
    r"\b(?:not|never|before|prior|early|without|unable|fail\w*|until|in[ -]?complet\w*)\b", re.IGNORECASE
)
_FAILED = re.compile(
    r"\b(?:breach\w*|default\w*|insolven\w*|liquidat\w*|bankrupt\w*|receivership|(?:in|into|enter\w*) administration"
    r"|ceased trading|fail(?:ed|ure|s|ing)|poor(?:ly)? perform\w*|under-?perform\w*|unsatisfactory"
    r"|non-?(?:performance|delivery|compliance)|rescind\w*|rescission|repudiat\w*|set aside"
    r"|terminated early|early terminat\w*|terminat\w* (?:early|for convenience|by (?:the )?supplier)"
    r"|(?:not|un)able to|withdr(?:ew|awn?)|handed back|(?:mutual\w*|by) agree(?:d|ment)"
    r"|no longer (?:required|needed|viable)|(?:not|never) (?:been )?completed)\b",
    re.IGNORECASE,
)


def says_abandoned(text: str, *, of_this: bool = False) -> bool:
    """Whether one sentence says that this procedure was abandoned, called off, or ended without award.

    `of_this` asks for the word "this", as in the notice that opens a procedure and may speak of an earlier one.
    """
    start = text[:MAX_TEXT]
    lower = start.lower()
    if not any(stem in lower for stem in _STEMS):
        return False
    sentences = _SENTENCE.split(_MAY_THE_MONTH.sub("", start))
    return any(_abandons(sentence) and (not of_this or bool(_OF_THIS.search(sentence))) for sentence in sentences)


def _abandons(sentence: str) -> bool:
    if _ABANDONMENT_NOTICE.search(sentence):
        return True
    if _NOT_AWARDED.search(sentence) and not _NOT_AWARDED_DOUBTFUL.search(sentence):
        return True
    match = _CALLED_OFF.search(sentence) or (_ABANDONED.search(sentence) and _PROCEDURE.search(sentence))
    return bool(match) and not _DOUBTFUL.search(sentence)


def says_no_award(text: str) -> bool:
    """Whether words on a lot say why it was not let: no bids, none acceptable, or that it was called off."""
    return bool(_NO_BIDS.search(text)) or says_abandoned(text)


def is_marked_title(title: str) -> bool:
    """Whether a title begins with a mark that it is over, such as "CANCELLED - Road works"."""
    return bool(_MARKED_TITLE.search(title))


def says_correction(text: str) -> bool:
    """Whether words call the end of a notice a correction: in error, a duplicate, re-issued, a test."""
    return bool(_CORRECTION.search(text[:MAX_CORRECTION]))


def says_completed(text: str) -> bool | None:
    """Whether words say that a contract was completed (True), that it was not (False), or neither (None)."""
    if _COMPLETED.search(text) and not _NOT_COMPLETED.search(text):
        return True
    return False if _FAILED.search(text) else None
