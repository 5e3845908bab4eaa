"""Ask one model's server to save, restore and erase its slots, over llama-server's own routes; bounded, and every failure one exception."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import httpx2

from config.vocabulary import is_table

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


async def save(port: int, slot: int, file: str) -> Moved:
    """Write a slot to a file in the server's folder.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    said = await _ask(port, slot, "save", file)
    return Moved(_number(said, "n_saved"), _number(said, "n_written"))


async def restore(port: int, slot: int, file: str) -> Moved:
    """Read a slot from a file in the server's folder.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    said = await _ask(port, slot, "restore", file)
    return Moved(_number(said, "n_restored"), _number(said, "n_read"))


async def erase(port: int, slot: int) -> None:
    """Empty a slot.

    Raises:
        SlotRefused: it was not, or not in time.
    """
    await _ask(port, slot, "erase", None)


async def _ask(port: int, slot: int, action: Literal["save", "restore", "erase"], file: str | None) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/slots/{slot}?action={action}"
    try:
        # Never through a proxy from the environment: this is our own machine.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=ANSWER_BOUND_S) as client:
            answer = await client.post(url, json={} if file is None else {"filename": file})
    except httpx2.TransportError as error:
        raise SlotRefused(f"{action} of slot {slot}: {str(error) or type(error).__name__}") from error
    if answer.status_code != _OK:
        raise SlotRefused(f"{action} of slot {slot}: {answer.status_code} {answer.text[:_SHOWN_CHARS]}", status=answer.status_code)
    try:
        said: Any = answer.json()
    except ValueError:
        said = None
    return said if is_table(said) else {}


def _number(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) else 0
