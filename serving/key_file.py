"""The key file: one key a line, as its name, its SHA-256, its scopes and limits.

    {"name": "audit-office", "sha256": "…", "scopes": ["score", "portfolio"], "expires": "2027-12-01"}

A key is 256 random bits, so that nobody finds it from its digest, and a fast digest is enough: a slow one, which
protects passwords that people choose, would only make each request slow. A line that is no JSON is a key itself, as
files had before: it is called after its digest and may do all but what needs admin.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec

from serving.callers import SCOPES, Caller
from serving.jobs.settings import settings
from tenders import files
from tenders.errors import UnreachableError, UsageError

KEYS, KEYS_FILE = "TENDER_RISK_KEYS", "TENDER_RISK_KEYS_FILE"
NAME = "keys.jsonl"
"""The file in the data directory, unless KEYS_FILE names another."""
MIN_LENGTH = 16
"""Characters of a key that was not made by `keys add`. Drawn at random, so many cannot be guessed over a network."""
MAX_FILE_BYTES = 2**20
REMEDY = "Make one with: tender-risk keys add NAME"
AT_ONCE = 64
"""Requests of one key at the same time, unless its line says otherwise."""
PLAIN_SCOPES = ("score", "portfolio")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key: `expires` is the first day on which it does not open. `per_minute` requests, and `at_once` of them."""

    name: str
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    scopes: tuple[str, ...]
    created: str = ""
    expires: date | None = None
    per_minute: Count | None = None
    at_once: Count = AT_ONCE

    @property
    def id(self) -> str:
        """The beginning of its digest, which tells keys of one name apart."""
        return self.sha256[:8]

    @property
    def caller(self) -> Caller:
        """Who comes with it."""
        return Caller(self.name, frozenset(self.scopes))

    def has_expired(self, today: date) -> bool:
        """Whether it no longer opens."""
        return self.expires is not None and today >= self.expires


def digest(key: bytes) -> str:
    """The SHA-256 of a key."""
    return hashlib.sha256(key).hexdigest()


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def key_place(environment: Mapping[str, str] = os.environ) -> Path:
    """The key file: the one that is set, else that of the data directory, where there may be none."""
    return Path(environment.get(KEYS_FILE) or settings(environment).data / NAME)


def keys_are_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment holds keys or says where they are."""
    return bool(environment.get(KEYS) or environment.get(KEYS_FILE))


def has_keys(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment or the data directory names keys, which others then have."""
    return keys_are_named(environment) or key_place(environment).exists()


def plain_keys(texts: Sequence[str], where: str) -> list[ApiKey]:
    """Keys that stand somewhere themselves. Raises UsageError, which never quotes a key."""
    keys = [text.strip() for text in texts if text.strip()]
    if any(len(key) < MIN_LENGTH for key in keys):
        raise UsageError(f"{where}: a key has fewer than {MIN_LENGTH} characters. {REMEDY}")
    digests = [digest(key.encode("utf-8", "surrogateescape")) for key in keys]
    return [ApiKey(name=f"key-{sha256[:8]}", sha256=sha256, scopes=PLAIN_SCOPES) for sha256 in digests]


def read_keys(file: Path, where: str = KEYS_FILE) -> list[ApiKey]:
    """The keys in a file. Raises UsageError for a file that others can open or a line that is not valid, and
    UnreachableError if it cannot be read."""
    place = f"{where}: {file}"
    keys: list[ApiKey] = []
    for number, line in enumerate(_read(file, where).splitlines(), 1):
        text = line.strip()
        if text.startswith("{"):
            keys.append(_described(text, f"{place}, line {number}"))
        elif not text.startswith("#"):
            keys += plain_keys([text], place)
    return keys


def _described(text: str, place: str) -> ApiKey:
    try:
        key = msgspec.json.decode(text, type=ApiKey)
    except msgspec.DecodeError as error:
        raise UsageError(f"{place} is no key: {error}. {REMEDY}") from None
    _check(key.name, key.scopes, place)
    return key


def _check(name: str, scopes: Sequence[str], place: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{place}: a name has small letters, digits, '.', '_' and '-', got {name[:80]!r}")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise UsageError(f"{place}: scopes are {', '.join(SCOPES)}, got {', '.join(scopes)[:80] or 'none'}")


def _read(file: Path, where: str) -> str:
    try:
        # Before it is opened: to open a pipe would wait for who writes into it.
        if not stat.S_ISREG(file.stat().st_mode):
            raise UsageError(f"{where}: {file} is no plain file")
        with file.open("rb") as content:
            mode = os.fstat(content.fileno()).st_mode
            if mode & (stat.S_IRWXO | stat.S_IWGRP):
                who = "every user of this machine can open" if mode & stat.S_IRWXO else "its group can change"
                raise UsageError(f"{where}: {who} {file}. Run: chmod 600 {file}")
            data = content.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(f"{where}: {file} is larger than {MAX_FILE_BYTES // 2**20} MB")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{where}: {file} cannot be read: {type(error).__name__}") from None


def add_key(
    file: Path,
    name: str,
    scopes: Sequence[str],
    expires: date | None = None,
    per_minute: int | None = None,
    at_once: int = AT_ONCE,
) -> tuple[str, ApiKey]:
    """Adds a key of a name to a file, which is made if it is missing: the key itself, which nobody has again.

    A name may have several keys, so that one can be exchanged while both open. Raises as `read_keys`, and UsageError
    for a name or scopes that are not valid.
    """
    _check(name, scopes, "keys add")
    text = secrets.token_urlsafe(32)
    key = ApiKey(
        name=name,
        sha256=digest(text.encode()),
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created=today().isoformat(),
        expires=expires,
        per_minute=per_minute,
        at_once=at_once,
    )
    with _changing(file):
        lines = _lines(file)
        _write(file, [*lines, msgspec.json.encode(key).decode()])
    return text, key


def revoke_key(file: Path, name: str) -> list[ApiKey]:
    """Takes the keys of a name, or the one with an id, out of a file. Raises as `read_keys`, UsageError without one."""
    with _changing(file):
        revoked, kept = [], []
        for line in _lines(file):
            keys = [] if line.startswith("#") else _of_line(line, file)
            gone = [key for key in keys if name in (key.name, key.id)]
            revoked += gone
            kept += [] if gone else [line]
        if not revoked:
            raise UsageError(f"{file} has no key {name[:80]!r}. 'tender-risk keys list' shows them")
        _write(file, kept)
    return revoked


def _of_line(line: str, file: Path) -> list[ApiKey]:
    return [_described(line, str(file))] if line.startswith("{") else plain_keys([line], str(file))


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    read_keys(file, "keys")
    return [line.strip() for line in _read(file, "keys").splitlines() if line.strip()]


def _changing(file: Path) -> Any:
    """Holds the file's lock: two commands at once must not lose a key."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnreachableError(f"{file.parent}: {error.strerror}") from None
    return files.hold_lock(file.with_name(f"{file.name}.lock"), f"another command changes {file}. Try again")


def _write(file: Path, lines: Sequence[str]) -> None:
    partial = files.partial_path(file)
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:  # noqa: PTH123 - its mode
            written.write("".join(f"{line}\n" for line in lines))
            written.flush()
            os.fsync(written.fileno())
        partial.replace(file)
    except OSError as error:
        raise UnreachableError(f"{file}: {error.strerror}") from None


def expiry(text: str) -> date:
    """A day, as in 2027-01-31, or a number of days from today, as in 90. Raises UsageError."""
    try:
        if text.isascii() and text.isdecimal():
            day = today() + timedelta(days=int(text) if len(text) < 6 else -1)
        else:
            day = date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(f"--expires: expected days, as in 90, or a day, as in 2027-01-31, got {text[:40]!r}") from None
    if day <= today():
        raise UsageError(f"--expires: {day} is not in the future")
    return day
