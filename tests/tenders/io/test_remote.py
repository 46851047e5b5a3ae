"""An address of a store is taken or refused by what stands in it, and what it needs is said in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tenders.errors import UsageError
from tenders.io.remote import RemotePath, local_copy, locate, read_head, without_secrets


@pytest.mark.parametrize("text", ["a.jsonl", "/data/a.jsonl", "..", "C:/a", "s3:/bucket/a", "a:b"])
def test_what_has_no_scheme_is_a_path(text: str) -> None:
    assert locate(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://audit/in.jsonl", "s3://audit/in.jsonl"),
        ("S3://audit/2024/", "s3://audit/2024"),
        ("s3://audit/a@b:c #1.csv", "s3://audit/a@b:c #1.csv"),
        ("gs://audit/in.jsonl", "gs://audit/in.jsonl"),
        ("abfs://box@account.dfs.core.windows.net/in.jsonl", "abfs://box@account.dfs.core.windows.net/in.jsonl"),
    ],
)
def test_an_address_of_a_store_is_taken(text: str, url: str) -> None:
    assert locate(text) == RemotePath(url)


@pytest.mark.parametrize(
    "text",
    [
        "s3://key:hidden@audit/in.jsonl",
        "s3://hidden@audit/in.jsonl",
        "abfs://box:hidden@account/in.jsonl",
        "s3://audit/in.jsonl?X-Amz-Signature=hidden",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="with a password or parameters is not taken") as raised:
        locate(text)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://user:hidden@example.org/a", "nothing is read from https://"),
        ("file:///etc/passwd", "nothing is read from file://"),
        ("s3://audit", "no address of a file or folder"),
        ("s3:///in.jsonl", "no address of a file or folder"),
        ("s3://audit/a::file:///etc/passwd", "no address of a file or folder"),
    ],
)
def test_other_addresses_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        locate(text)
    assert "hidden" not in str(raised.value)


def test_parts_of_an_address() -> None:
    place = RemotePath("s3://audit/2024/scores.parquet")
    assert (place.name, place.stem, place.suffix) == ("scores.parquet", "scores", ".parquet")
    assert place.with_name("a") == RemotePath("s3://audit/2024/a")
    assert RemotePath("s3://audit/2024") / "scores.parquet" == place


def test_without_the_package_of_a_store_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^gs:// needs the package gcsfs: install tender-risk\[remote\] and gcsfs$"):
        RemotePath("gs://audit/in.jsonl").is_file()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"^s3:// needs the package s3fs: install tender-risk\[remote\]$"):
        RemotePath("s3://audit/in.jsonl").read_bytes()


def test_messages_of_others_lose_their_secrets() -> None:
    message = 'Could not connect to "https://key:hidden@store:9000/audit/in?X-Amz-Signature=hidden" in time'
    assert without_secrets(message) == 'Could not connect to "https://…store:9000/audit/in…" in time'


def test_a_file_of_this_machine_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"{}")
    assert read_head(path, 1) == b"{"
    with local_copy(path) as near:
        assert near == path
