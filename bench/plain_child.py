"""The plainest model server there is: it starts in a blink, loads as long or reads as much as told, and answers when told.

For measurements of the engine, where the child's own work must be the same each time and its start nearly nothing. It speaks what the
engine needs of llama-server: state lines, the exit command, and one route that answers every POST.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import threading
import time
from pathlib import Path

STATE = "cmd_child_to_router:state:"
EXIT = "cmd_router_to_child:exit"
WINDOW_BYTES = 1024**2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
BODY = b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'


def plain_binary(folder: Path) -> Path:
    """A program in `folder` that runs this file as a configuration can name it."""
    path = folder / "plain-llama-server"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-S", __file__])} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def main(arguments: list[str]) -> None:
    """Listen, load, say so, and answer until told to leave."""
    listener = socket.create_server(("127.0.0.1", int(_value(arguments, "--port", "0"))))
    if "--reads-its-file" in arguments:
        _read(_value(arguments, "-m", ""))
    # Its own start is part of the load, so that a load takes what it is said to.
    time.sleep(max(0.0, float(_value(arguments, "--loads-s", "0")) - time.process_time()))
    _tell({"state": "ready", "payload": {}})
    threading.Thread(target=_obey, daemon=True).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _value(arguments: list[str], name: str, otherwise: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else otherwise


def _tell(state: dict[str, object]) -> None:
    os.write(1, f"{STATE}{json.dumps(state)}\n".encode())


def _read(path: str) -> None:
    buffer = bytearray(WINDOW_BYTES)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _obey() -> None:
    for line in sys.stdin:
        if line.strip() == EXIT:
            os._exit(0)
    os._exit(1)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as incoming:
        while incoming.readline():
            length = 0
            while (line := incoming.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body: dict[str, float] = json.loads(incoming.read(length)) if length else {}
            time.sleep(body.get("answers_s", 0.0))
            connection.sendall(HEAD % len(BODY) + BODY)


if __name__ == "__main__":
    main(sys.argv[1:])
