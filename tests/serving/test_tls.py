"""With a certificate the service speaks TLS 1.2 and 1.3 and nothing else, and tells browsers to stay with it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from serving import running
from serving.middleware import SiteGuard
from serving.tls import CERTIFICATE, HSTS, KEY, tls_context
from tenders.errors import TenderRiskError


def made(folder: Path, days: int = 2, password: bytes = b"") -> dict[str, str]:
    """A certificate of the machine's own for loopback, and its key, as the environment names them."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    builder = builder.not_valid_before(now - timedelta(9)).not_valid_after(now + timedelta(days))
    certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    folder.mkdir(exist_ok=True)
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    (folder / "key.pem").write_bytes(pem)
    (folder / "key.pem").chmod(0o600)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return {CERTIFICATE: str(folder / "certificate.pem"), KEY: str(folder / "key.pem")}


async def scheme(request: Request) -> JSONResponse:
    return JSONResponse({"scheme": request.url.scheme})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The port of a server with the service's own settings and guard, and its certificate."""
    files = made(tmp_path_factory.mktemp("tls"))
    application = SiteGuard(Starlette(routes=[Route("/", scheme)]))
    config = running.server_config(application, tls_context(files))
    config.lifespan = "off"
    server = uvicorn.Server(config)
    with running.listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1], files[CERTIFICATE]
        server.should_exit = True
        thread.join(20)


def client(certificate: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that trusts this certificate and speaks one version alone."""
    context = ssl.create_default_context(cafile=certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_answers_by_tls_and_tells_browsers_to_stay_with_it(served: tuple[int, str], version: ssl.TLSVersion) -> None:
    port, certificate = served
    with httpx.Client(verify=client(certificate, version)) as http:
        answer = http.get(f"https://localhost:{port}/")
    assert answer.json() == {"scheme": "https"}
    assert answer.headers["Strict-Transport-Security"] == HSTS
    assert int(HSTS.removeprefix("max-age=")) >= 365 * 86_400


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(served: tuple[int, str], version: ssl.TLSVersion) -> None:
    port, certificate = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, pytest.raises((ssl.SSLError, OSError)):
        client(certificate, version).wrap_socket(plain, server_hostname="localhost")


def test_a_cipher_without_forward_secrecy_is_refused(served: tuple[int, str]) -> None:
    context = client(served[1], ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA:AES256-GCM-SHA384")
    with (
        socket.create_connection(("127.0.0.1", served[0]), timeout=10) as plain,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_nothing_is_answered_without_tls(served: tuple[int, str]) -> None:
    with socket.create_connection(("127.0.0.1", served[0]), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"200" not in plain.recv(1000)


def test_without_tls_nothing_is_said_of_it(http: httpx.Client) -> None:
    assert "Strict-Transport-Security" not in http.get("/about").headers
    # A proxy on the same machine that ends TLS says so.
    assert http.get("/about", headers={"X-Forwarded-Proto": "https"}).headers["Strict-Transport-Security"] == HSTS


def test_files_that_do_not_do_are_refused_in_words(tmp_path: Path) -> None:
    good, other, old = made(tmp_path / "a"), made(tmp_path / "b"), made(tmp_path / "c", days=-1)
    locked = made(tmp_path / "d", password=b"secret")
    assert tls_context({}) is None
    assert tls_context(good)
    open_key = made(tmp_path / "e")
    Path(open_key[KEY]).chmod(0o644)
    for files, problem in (
        ({CERTIFICATE: good[CERTIFICATE]}, "TENDER_RISK_TLS_KEY is not set"),
        ({KEY: good[KEY]}, "TENDER_RISK_TLS_CERTIFICATE is not set"),
        ({**good, KEY: other[KEY]}, "no private key of this certificate"),
        (locked, "or one with a password"),
        (old, "the certificate expired on"),
        (open_key, "other users of this machine can open"),
        ({**good, CERTIFICATE: good[KEY]}, "begins with no certificate in PEM"),
        ({**good, CERTIFICATE: str(tmp_path / "none")}, "No such file"),
        ({**good, KEY: str(tmp_path / "none")}, "No such file"),
    ):
        with pytest.raises(TenderRiskError, match=problem):
            tls_context(files)


def test_the_command_looks_at_them_before_it_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, file in {**made(tmp_path), KEY: str(tmp_path / "none")}.items():
        monkeypatch.setenv(name, file)
    with pytest.raises(TenderRiskError, match="TENDER_RISK_TLS_KEY"):
        running.serve(port=0)
