"""Ask one model's server to save, restore and erase its slots, over llama-server's own routes; bounded, and every failure one exception."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any, Literal, NamedTuple

import anyio

from config.vocabulary import is_table
from inference.upstream.address import Address
from inference.upstream.outgoing import Request
from inference.upstream.wire import Broken, Connection, Connections

ANSWER_BOUND_S = 10.0
"""For one slot: some gigabytes at the pace of a disk. A busy slot makes the server wait, but nothing runs when this is asked."""
_OK = 200
_NOT_SUPPORTED = 501
_SHOWN_CHARS = 300


class SlotRefused(Exception):
    """The server did not do it; the message says what it said."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """`status` is None where there was no answer."""
        super().__init__(message)
        self.is_for_good = status == _NOT_SUPPORTED
        """This server cannot do it with this model at all."""
        self.is_about_file = status is not None and not self.is_for_good
        """It could, but not with this file."""


class Moved(NamedTuple):
    """What was written or read."""

    tokens: int
    size: int
    """Bytes."""


async def save(connections: Connections, address: Address, slot: int, file: str) -> Moved:
    """Write a slot to a file in the server's folder.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    said = await _ask(connections, address, slot, "save", file)
    return Moved(_number(said, "n_saved"), _number(said, "n_written"))


async def restore(connections: Connections, address: Address, slot: int, file: str) -> Moved:
    """Read a slot from a file in the server's folder.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    said = await _ask(connections, address, slot, "restore", file)
    return Moved(_number(said, "n_restored"), _number(said, "n_read"))


async def erase(connections: Connections, address: Address, slot: int) -> None:
    """Empty a slot.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    await _ask(connections, address, slot, "erase", None)


async def _ask(
    connections: Connections, address: Address, slot: int, action: Literal["save", "restore", "erase"], file: str | None
) -> dict[str, Any]:
    what = f"{action} of slot {slot}"
    body = json.dumps({} if file is None else {"filename": file}).encode()
    headers = [(b"content-type", b"application/json"), *address.shown_key()]
    request = Request("POST", f"/slots/{slot}?action={action}".encode(), headers, body)
    try:
        with anyio.fail_after(ANSWER_BOUND_S):
            with closing(await connections.ask(address.port, request)) as answer:
                status, text = answer.status, await _text(answer)
    except (Broken, TimeoutError) as error:
        raise SlotRefused(f"{what}: {str(error) or 'no answer in time'}") from error
    if status != _OK:
        raise SlotRefused(f"{what}: {status} {text[:_SHOWN_CHARS]}", status=status)
    try:
        said: Any = json.loads(text)
    except ValueError:
        said = None
    return said if is_table(said) else {}


async def _text(answer: Connection) -> str:
    parts: list[bytes] = []
    while part := await answer.read():
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def _number(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) else 0
