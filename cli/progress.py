"""How far long work is: a line that changes on a terminal, and elsewhere, as in a log, a new line every ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

from cli.options import err

SECONDS = 10.0
"""Between two lines where there is no terminal. Work that takes less prints none."""


class Working(Protocol):
    """What shows how far work is."""

    def update(self, text: str, /) -> None:
        """Says what is done now."""


class WorkingLines:
    """Prints what is done every so many seconds, whether or not that has changed: a long fit says nothing itself."""

    def __init__(self, text: str, console: Console, seconds: float) -> None:
        self._text, self._console, self._seconds = text, console, seconds
        self._begun, self._ended = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def update(self, text: str, /) -> None:
        """Says what is done now."""
        self._text = text

    def start(self) -> None:
        """Begins to print."""
        self._thread.start()

    def stop(self) -> None:
        """Prints no more."""
        self._ended.set()
        self._thread.join()

    def _print(self) -> None:
        while not self._ended.wait(self._seconds):
            seconds = int(time.monotonic() - self._begun)
            self._console.print(f"{seconds // 60:02}:{seconds % 60:02} {self._text}", markup=False)


@contextmanager
def working(text: str, console: Console = err, seconds: float = SECONDS) -> Iterator[Working]:
    """Shows a text, and what `update` puts in its place, on standard error while the block runs."""
    if console.is_terminal:
        with console.status(text) as status:
            yield status
        return
    lines = WorkingLines(text, console, seconds)
    lines.start()
    try:
        yield lines
    finally:
        lines.stop()
