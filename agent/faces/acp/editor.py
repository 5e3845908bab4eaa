"""The editor at the other end of the line: what it is told, and what it is asked until it answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

Write = Callable[[bytes], Awaitable[None]]


@dataclass
class _Question:
    """A request of ours that the client has not answered yet."""

    answered: anyio.Event = field(default_factory=anyio.Event)
    result: Any = None


class Editor:
    """One editor.

    Args:
        write: sends one line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._sending = anyio.Lock()
        self._ids = itertools.count(1)
        self._questions: dict[int, _Question] = {}

    async def update(self, session: str, update: Mapping[str, Any]) -> None:
        """Tell what is new in a session."""
        await self._send({"method": "session/update", "params": {"sessionId": session, "update": update}})

    async def reply(self, number: Any, result: Mapping[str, Any]) -> None:
        """Answer one of its requests."""
        await self._send({"id": number, "result": result})

    async def refuse(self, number: Any, code: int, sentence: str) -> None:
        """Answer one of its requests with an error."""
        await self._send({"id": number, "error": {"code": code, "message": sentence}})

    async def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """Ask it something, and wait for as long as it takes; None where it answers with an error."""
        number, question = next(self._ids), _Question()
        self._questions[number] = question
        try:
            await self._send({"id": number, "method": method, "params": params})
            await question.answered.wait()
        finally:
            self._questions.pop(number, None)
        return question.result

    def take_answer(self, message: Mapping[str, Any]) -> None:
        """What it has answered; to nothing that is asked (any more), it is nothing."""
        number = message.get("id")
        question = self._questions.get(number) if isinstance(number, int) else None
        if question is not None:
            question.result = message.get("result")
            question.answered.set()

    async def _send(self, message: Mapping[str, Any]) -> None:
        # Half a character, which a client may well have sent as its id, stays in JSON's own way of writing it.
        line = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode(errors="backslashreplace")
        async with self._sending:
            await self._write(line + b"\n")
