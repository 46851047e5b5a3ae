"""Counts what passes a Dask scheduler: `dask scheduler --preload benchmarks/scheduler_traffic.py`.

Bytes that it reads from its connections and bytes that it writes to them, of every client and worker, heartbeats
included. `counted(client)` asks for them.
"""

from __future__ import annotations

from typing import Any

from distributed.comm import tcp

COUNTED = {"read": 0, "written": 0}


def dask_setup(scheduler: Any) -> None:
    """What Dask calls when the scheduler starts."""
    read, write = tcp.read_bytes_rw, tcp.TCP.write

    async def counting_read(stream: Any, size: int) -> Any:
        COUNTED["read"] += size
        return await read(stream, size)

    async def counting_write(comm: Any, message: Any, *arguments: Any, **named: Any) -> Any:
        size = await write(comm, message, *arguments, **named)
        COUNTED["written"] += size or 0
        return size

    tcp.read_bytes_rw, tcp.TCP.write = counting_read, counting_write
    # Functions that Dask runs there find the counts by this name.
    scheduler.counted_traffic = COUNTED


def counted(client: Any) -> int:
    """The bytes that have passed the client's scheduler so far, read and written together."""
    return sum(client.run_on_scheduler(_counted).values())


def _counted(dask_scheduler: Any) -> dict[str, int]:
    return dict(dask_scheduler.counted_traffic)
