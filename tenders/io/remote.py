"""Files of an object store, at an address such as `s3://bucket/in.jsonl`, read and written like those of a folder.

fsspec does it, with the package of each store; the extra `remote` brings the one for S3. Credentials come from where
these packages look for them (the environment, a profile, a role) and never from an address, which is shown and kept.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import msgspec

from tenders.errors import TenderRiskError, UnreachableError, UsageError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs"}
"""The schemes of addresses, and the packages that read them."""
EXTRA = "s3fs"
"""The package that the extra `remote` brings."""
READ_AHEAD = 4 * 2**20
"""Bytes that one request asks for while a file is read from its beginning to its end."""
BUFFER = 2**18
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SECRET = re.compile(r"(?<=//)[^/@\s]+:[^/@\s]+@|\?[^\s'\"]+")
_TAGS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime")
"""What stores tell of a file that changes when its content does, the surest first."""


class FileStatus(msgspec.Struct, frozen=True):
    """The part of `os.stat_result` that stores have: bytes of a file."""

    st_size: int


class RemotePath(msgspec.Struct, frozen=True):
    """A file or folder of a store, with the part of `pathlib.Path` that readers use.

    `size` in bytes and `tag`, which differs when the content does, are there if a listing has given them. Methods raise
    UsageError where the package of the store is missing, UnreachableError if the store does not answer or refuses.
    """

    url: str
    size: int = -1
    tag: str = ""

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The last suffix of the name."""
        return PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> RemotePath:
        """The file of another name beside this one."""
        return RemotePath(f"{self.url.rpartition('/')[0]}/{name}")

    def resolve(self) -> RemotePath:
        """The same address: it has no links."""
        return self

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.size >= 0 or self._status() is not None

    def is_dir(self) -> bool:
        """Whether files are below it."""
        with _reaching(self.url):
            system, path = _system(self.url)
            return bool(system.isdir(path))

    def exists(self) -> bool:
        """Whether it is a file, or files are below it."""
        return self.is_file() or self.is_dir()

    def stat(self) -> FileStatus:
        """Its size. Raises UnreachableError if there is no such file."""
        return FileStatus(self.known().size)

    def known(self) -> RemotePath:
        """The same file with size and tag. Raises UnreachableError if there is no such file."""
        if self.size >= 0 and self.tag:
            return self
        status = self._status()
        if status is None:
            raise UnreachableError(f"{self.url}: no such file. Check the name")
        return _listed(self.url, status)

    def open(self, mode: str = "rb", buffering: int = BUFFER) -> io.BufferedReader:  # noqa: ARG002
        """The file to be read."""
        with _reaching(self.url):
            system, path = _system(self.url)
            file = system.open(path, "rb", block_size=READ_AHEAD, cache_type="readahead")
        return io.BufferedReader(_RemoteReader(self.url, file), max(buffering, 1))

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with _reaching(self.url):
            system, path = _system(self.url)
            return bytes(system.cat_file(path, start=0, end=size)) if self.stat().st_size else b""

    def read_bytes(self) -> bytes:
        """The whole content."""
        with _reaching(self.url):
            system, path = _system(self.url)
            return bytes(system.cat_file(path))

    def write_bytes(self, content: bytes) -> None:
        """Writes the file, whole or not at all."""
        with _reaching(self.url):
            system, path = _system(self.url)
            system.pipe_file(path, content)

    def write_new(self, content: bytes) -> bool:
        """Writes the file, whole or not at all, if there is none. Returns whether it was written."""
        with _reaching(self.url):
            system, path = _system(self.url)
            try:
                system.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
        return True

    def upload(self, local: Path) -> None:
        """Writes the file with the content of one of this machine, whole or not at all."""
        with _reaching(self.url):
            system, path = _system(self.url)
            system.put_file(str(local), path)

    def download(self, to: Path) -> None:
        """Copies the file to this machine."""
        with _reaching(self.url):
            system, path = _system(self.url)
            system.get_file(path, str(to))

    def unlink(self) -> None:
        """Deletes the file. One that is not there is no error."""
        with _reaching(self.url):
            system, path = _system(self.url)
            try:
                system.rm_file(path)
            except FileNotFoundError:
                return

    def files(self) -> list[tuple[str, RemotePath]]:
        """Every file below it with its path relative to it, in the order of these."""
        with _reaching(self.url):
            system, path = _system(self.url)
            base = path.rstrip("/") + "/"
            entries = system.find(path, detail=True)
        below = [(name.removeprefix(base), status) for name, status in entries.items() if name.startswith(base)]
        return sorted((name, _listed(f"{self.url}/{name}", status)) for name, status in below if _is_file(status))

    def _status(self) -> dict[str, Any] | None:
        """What the store says of a file; None if it is none."""
        with _reaching(self.url):
            system, path = _system(self.url)
            try:
                status: dict[str, Any] = system.info(path)
            except FileNotFoundError:
                return None
        return status if _is_file(status) else None


AnyPath: TypeAlias = Path | RemotePath
"""A file or folder, of this machine or of a store."""


def _is_file(status: dict[str, Any]) -> bool:
    return status.get("type") == "file" and not str(status.get("name", "")).endswith("/")


def _listed(url: str, status: dict[str, Any]) -> RemotePath:
    stated = next((str(status[name]) for name in _TAGS if status.get(name)), "")
    tag = hashlib.sha256(stated.encode()).hexdigest() if stated else ""
    return RemotePath(url, int(status["size"]), tag)


class _RemoteReader(io.RawIOBase):
    """A file of a store, to be read and sought in. Errors are UnreachableError."""

    def __init__(self, url: str, file: Any) -> None:
        self._url, self._file = url, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _reaching(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def is_address(text: str) -> bool:
    """Whether a text is the address of a store or of anything else on a network, and no path."""
    return _ADDRESS.match(text) is not None


def locate(text: str) -> AnyPath:
    """The file or folder of this name, of this machine or of a store.

    Raises UsageError for an address of another kind, and for one with a password or parameters, because addresses are
    shown and kept.
    """
    match = _ADDRESS.match(text)
    if match is None:
        return Path(text)
    scheme, rest = match[1].lower(), text[match.end() :].rstrip("/")
    if scheme not in PACKAGES:
        known = ", ".join(f"{name}://" for name in PACKAGES)
        raise UsageError(f"nothing is read from {scheme}://. Give a file, a folder, or an address of {known}")
    authority, _, path = rest.partition("/")
    # Azure's own addresses are container@account.
    user = authority.rpartition("@")[0]
    if "?" in rest or ":" in user or (user and not scheme.startswith("abfs")):
        raise UsageError(
            f"an address of {scheme}:// with a password or parameters is not taken, because addresses are shown and "
            f"kept. Give credentials as {PACKAGES[scheme]} finds them: in the environment, a profile or a role"
        )
    if not (authority and path) or "::" in rest:
        raise UsageError(f"{text!r} is no address of a file or folder. Give one such as {scheme}://bucket/name.jsonl")
    return RemotePath(f"{scheme}://{rest}")


def read_head(path: AnyPath, size: int) -> bytes:
    """The first bytes of a file. Raises OSError if it cannot be read."""
    if isinstance(path, RemotePath):
        return path.head(size)
    with path.open("rb") as file:
        return file.read(size)


@contextmanager
def local_copy(path: AnyPath) -> Iterator[Path]:
    """A file or folder of a store as one of this machine, under its own name and for as long; others as they are."""
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder, path.name)
        if path.is_file():
            path.download(to)
        else:
            below = path.files()
            if not below:
                raise UnreachableError(f"{path}: no such file. Check the name")
            for name, file in below:
                near = to / name
                if not near.resolve().is_relative_to(to.resolve()):
                    raise UnreachableError(f"{path}: a file in it has a name that leads out of it")
                near.parent.mkdir(parents=True, exist_ok=True)
                file.download(near)
        yield to


def without_secrets(text: str) -> str:
    """A message of another's without what may be a secret: passwords and parameters of addresses."""
    return _SECRET.sub("…", text)


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Whatever a store's package raises, as a message for the user; FileNotFoundError stays one where it is caught."""
    try:
        yield
    except TenderRiskError:
        raise
    except ImportError:
        scheme = url.partition("://")[0]
        package = PACKAGES[scheme]
        install = "tender-risk[remote]" if package == EXTRA else f"tender-risk[remote] and {package}"
        raise UsageError(f"{scheme}:// needs the package {package}: install {install}") from None
    except FileNotFoundError:
        raise UnreachableError(f"{url}: no such file. Check the name") from None
    except Exception as error:  # noqa: BLE001
        # Each store has errors of its own, which are no OSError.
        why = without_secrets(str(error).strip().partition("\n")[0]) or type(error).__name__
        raise UnreachableError(f"{url}: {why}") from None


def _system(url: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it. Listings are not kept, because others write too."""
    import fsspec

    # fsspec keeps one for each process and store.
    system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return system, str(path)
