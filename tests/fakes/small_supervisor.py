"""The smallest owner of one child: starts it, tells its progress on standard output, and waits to be killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio

from inference.processes.child import Child, Launch, Progress


async def supervise(log_path: Path, port: int, argv: tuple[str, ...]) -> None:
    launch = Launch(
        argv=argv,
        env={**os.environ, "LLAMA_SERVER_ROUTER_PORT": "1"},
        port=port,
        health_path="/health",
        speaks_state_lines=True,
        stall_timeout_s=60,
        stop_timeout_s=5,
    )
    child = await Child.spawn(launch, log_path=log_path, on_progress=tell)
    await child.wait_ready()
    await anyio.sleep_forever()


def tell(progress: Progress) -> None:
    sys.stdout.write(f"{progress.phase}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(supervise, Path(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
