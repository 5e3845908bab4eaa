"""An IMAP server on loopback that answers what a test tells it to, at the step that it tells: garbage, half an answer, or nothing more."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress

Answer = bytes | Callable[[str], bytes]
"""What is said to a command, or how that is made of the command."""
HANG_UP = b""
GREETING = b"* OK ready\r\n"
MAIL = b"From: Carla <carla@example.org>\r\nSubject: Minutes\r\nDate: Fri, 20 Nov 2026 08:00:00 +0100\r\n\r\nx\r\n"
USUAL: Mapping[str, bytes] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 MOVE UIDPLUS\r\n",
    "LOGIN": b"",
    "LIST": b'* LIST () "/" INBOX\r\n* LIST (\\Archive) "/" Archive\r\n',
    "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [PERMANENTFLAGS (\\Flagged \\Seen \\*)] ok\r\n",
    "EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n",
    "SEARCH": b"* SEARCH 1\r\n",
    "FLAGS": b"* 1 FETCH (UID 1 FLAGS ())\r\n",
    "BODY": b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s)\r\n" % (len(MAIL), MAIL),
    "STORE": b"",
    "MOVE": b"* OK [COPYUID 9 1 4] moved\r\n* 1 EXPUNGE\r\n",
    "LOGOUT": b"* BYE\r\n",
}
"""What a server with one mail says before its `OK`, by command; what is fetched has a name of its own."""


@contextmanager
def rude_imap(answers: Mapping[str, Answer], greeting: bytes = GREETING) -> Generator[int]:
    """The server, until the body is done.

    Args:
        answers: what it says instead, by command: `OK` follows unless there is a tag in it as `%TAG`; `HANG_UP` ends the connection.
        greeting: what it says first.

    Yields:
        Its port.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, {**USUAL, **answers}, greeting, answers), daemon=True).start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, answers: Mapping[str, Answer], greeting: bytes, rude: Mapping[str, Answer]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_talk, args=(connection, answers, greeting, rude), daemon=True).start()


def _talk(connection: socket.socket, answers: Mapping[str, Answer], greeting: bytes, rude: Mapping[str, Answer]) -> None:
    with connection, connection.makefile("rb") as lines, suppress(OSError):
        connection.sendall(greeting)
        for line in lines:
            tag, _, said = line.strip().partition(b" ")
            command = said.decode("ascii", "replace")
            name = _name(command)
            answer = answers.get(name, b"")
            answer = answer if isinstance(answer, bytes) else answer(command)
            if name in rude and answer == HANG_UP:
                return
            ends = b"" if b"%TAG" in answer else tag + b" OK done\r\n"
            connection.sendall(answer.replace(b"%TAG", tag) + ends)


def _name(said: str) -> str:
    words = said.upper().removeprefix("UID ").split()
    return ("BODY" if "BODY" in said.upper() else "FLAGS") if words[:1] == ["FETCH"] else re.sub(r"\W.*", "", words[0]) if words else ""
