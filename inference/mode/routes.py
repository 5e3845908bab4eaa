"""Tell and set the mode over HTTP: `GET` and `PUT` (or `POST`) of `{"mode": "NORMAL"}`; on the mode's own port and in the engine."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
from pydantic import ValidationError

from inference.contract.mode import Mode, ModeStatus
from inference.door.access import key_of
from inference.door.answer import Answer
from inference.door.incoming import ClientGone, Receive, Scope, Send, read_body
from inference.errors import EngineError, InvalidRequest, RouteNotFound
from inference.mode.state import read_mode, write_mode

_BODY_BOUND = 2**20
"""Bytes; the least that the sentence about a body that is too large can name."""


class ModeRoutes:
    """The ASGI application behind one path. Whoever puts it there checks keys first."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, scope["path"])
        try:
            match scope["method"]:
                case "GET" | "HEAD":
                    mode = await anyio.to_thread.run_sync(read_mode, self._file)
                case "PUT" | "POST":
                    # The whole machine's mode is not for a client that may use a part of it.
                    key_of(scope).check_everything()
                    mode = await self._set(scope, receive)
                case other:
                    raise RouteNotFound(f"There is no {other} {scope['path']} here.", is_permanent=True)
        except ClientGone:
            return
        except EngineError as error:
            await answer.fail(error)
            return
        body = ModeStatus(mode=mode).model_dump_json().encode()
        await answer.begin(200, [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())])
        await answer.end(body)

    async def _set(self, scope: Scope, receive: Receive) -> Mode:
        raw = await read_body(scope["headers"], receive, _BODY_BOUND)
        try:
            mode = ModeStatus.model_validate_json(raw).mode
        except ValidationError as error:
            raise InvalidRequest('Send {"mode": "NORMAL"} or {"mode": "GAMING"}.', is_permanent=True) from error
        try:
            await anyio.to_thread.run_sync(write_mode, self._file, mode)
        except OSError as error:
            raise EngineError(f"The mode could not be written to {self._file}: {error.strerror}.") from error
        return mode
