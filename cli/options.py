"""The arguments and options that commands share, where they read, and where they print."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from tenders.errors import UsageError
from tenders.facts import STAGES, Stage
from tenders.io.remote import local_copy, locate

if TYPE_CHECKING:
    # Importing it takes longer than most commands.
    from tenders.process import Process

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[str, typer.Argument(metavar="FILE|-", help="An OCDS file or a filled form; - for standard input.")]
BundleDir = Annotated[Path | None, typer.Option("--bundle", help="A bundle's directory. The released one by default.")]
AtStage = Annotated[str | None, typer.Option("--stage", help="draft, bids_in or awarded. The latest known by default.")]
ColumnsOf = Annotated[str | None, typer.Option("--register", help="The tables of IN have this register's own columns.")]


def read_processes(file: str) -> list[Process]:
    """The processes of a file or address, or of standard input for `-`. Raises DataError or UnreachableError."""
    from tenders.io.read import read_bytes, read_file

    if file == "-":
        return read_bytes(sys.stdin.buffer.read())
    with local_copy(locate(file)) as near:
        return read_file(near)


@contextmanager
def as_path(file: str) -> Iterator[Path]:
    """The file of this name, for an address a copy, for `-` one that holds standard input, and says what it is."""
    if file != "-":
        with local_copy(locate(file)) as near:
            yield near
        return
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "standard input.json"
        held.write_bytes(sys.stdin.buffer.read())
        yield held


def parse_stage(text: str | None) -> Stage | None:
    """The stage of this name. Raises UsageError if there is none."""
    if text is not None and text not in STAGES:
        raise UsageError(f"{text!r} is no stage. Use one of {', '.join(STAGES)}")
    return text


def print_json(value: object) -> None:
    """Prints one line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
