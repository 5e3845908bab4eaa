"""The least that can stand between a server and its client: bytes in, bytes out. What a chunk costs here, no proxy in Python can save.

`python -m bench.relay PORT` relays to 127.0.0.1:PORT from a free port, which it prints.
"""

from __future__ import annotations

import asyncio
import sys

HOST = "127.0.0.1"


class _Side(asyncio.Protocol):
    """One end of a relayed connection; what comes in goes out at the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Client(_Side):
    """The client's end; it waits for the server's before it is read."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport is not None
        self.transport.pause_reading()
        _, server = await asyncio.get_running_loop().create_connection(_Side, HOST, self._port)
        self.other, server.other = server, self
        self.transport.resume_reading()


async def _relay(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Client(port), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_relay(int(sys.argv[1])))
