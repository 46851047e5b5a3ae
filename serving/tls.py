"""TLS by the service itself: a certificate and its key, looked at before anything is served.

TENDER_RISK_TLS_CERTIFICATE names a PEM file with the certificate and those that lead to its issuer,
TENDER_RISK_TLS_KEY one with its private key. With them nothing is answered without TLS.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tenders.errors import UnreachableError, UsageError

CERTIFICATE, KEY = "TENDER_RISK_TLS_CERTIFICATE", "TENDER_RISK_TLS_KEY"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: those with forward secrecy that authenticate what they encrypt. TLS 1.3 has no others."""
HSTS = "max-age=31536000"
"""A year, in which a browser asks this name by TLS alone."""


def tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext | None:
    """TLS 1.2 and 1.3 as the environment says; None if it says nothing.

    Raises UsageError if one of the two files is not named, others can open the key, it does not fit or the certificate
    has expired; UnreachableError if one cannot be read.
    """
    certificate, key = environment.get(CERTIFICATE, "").strip(), environment.get(KEY, "").strip()
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise UsageError(f"{KEY if certificate else CERTIFICATE} is not set: TLS takes a certificate and its key")
    _check_certificate(Path(certificate))
    _check_mode(Path(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password it would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise UsageError(
            f"{KEY}: no private key of this certificate, or one with a password ({error.reason})"
        ) from None
    return context


def _check_certificate(file: Path) -> None:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise UnreachableError(f"{CERTIFICATE}: {file}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{CERTIFICATE}: {file} begins with no certificate in PEM") from None
    if (end := certificate.not_valid_after_utc) < datetime.now(UTC):
        raise UsageError(f"{CERTIFICATE}: the certificate expired on {end.date().isoformat()}")


def _check_mode(file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise UnreachableError(f"{KEY}: {file}: {error.strerror}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(
            f"{KEY}: other users of this machine can open {file}, or its group can change it. Run: chmod 600 {file}"
        )
