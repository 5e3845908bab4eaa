"""Mail servers on loopback that read as slowly and steadily as a line is, stop in the middle, and answer what a test tells them to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 50_000
SMTP_SAYS: Mapping[str, bytes] = {
    "EHLO": b"250-hello\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 welcome\r\n",
    "DATA": b"354 go on\r\n",
    "QUIT": b"221 bye\r\n",
}
IMAP_SAYS: Mapping[str, bytes] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n",
    "LIST": b'* LIST (\\Sent) "/" Sent\r\n',
    "EXAMINE": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n",
    "UID": b"* SEARCH\r\n",
}


@dataclass
class SlowServer:
    """How one behaves, and what it got."""

    answers: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """What it says instead, by command; `.` is a mail's end."""
    bytes_a_second: float = 1e9
    cut_after: int = 0
    """Of a mail it reads no more bytes than these, and hangs up; 0: all."""
    port: int = 0
    mails: list[bytes] = field(default_factory=list[bytes])
    """Those that it has whole."""
    commands: list[bytes] = field(default_factory=list[bytes])

    def take(self, connection: socket.socket, is_whole: Callable[[bytes], bool]) -> bytes | None:
        """One mail; None where it hung up, or the other end did."""
        got = b""
        while not is_whole(got):
            piece = connection.recv(PIECE)
            got += piece
            if not piece or (self.cut_after and len(got) > self.cut_after):
                return None
            time.sleep(len(piece) / self.bytes_a_second)
        self.mails.append(got)
        return got


@contextmanager
def slow_smtp(server: SlowServer) -> Generator[SlowServer]:
    """An SMTP server that behaves so, without encryption."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        for command in _lines(connection):
            server.commands.append(command)
            name = command[:4].decode("ascii", "replace").upper()
            connection.sendall({**SMTP_SAYS, **server.answers}.get(name, b"250 ok\r\n"))
            if name == "DATA":
                if server.take(connection, lambda got: got.endswith(b"\r\n.\r\n")) is None:
                    return
                connection.sendall(server.answers.get(".", b"250 taken\r\n"))

    with _listening(server, talk):
        yield server


@contextmanager
def slow_imap(server: SlowServer) -> Generator[SlowServer]:
    """An IMAP server that behaves so, with an empty folder for what was sent."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK hello\r\n")
        lines = _lines(connection)
        for command in lines:
            server.commands.append(command)
            tag, _, said = command.partition(b" ")
            name = said.split()[0].decode("ascii", "replace").upper()
            if name == "AUTHENTICATE":
                connection.sendall(b"+ \r\n")
                server.commands.append(next(lines))
            if name == "APPEND":
                size = int(said.rpartition(b"{")[2].split(b"}")[0])
                connection.sendall(b"+ go on\r\n")
                if server.take(connection, lambda got, whole=size: len(got) >= whole + 2) is None:
                    return
            connection.sendall({**IMAP_SAYS, **server.answers}.get(name, b"") + tag + b" OK done\r\n")

    with _listening(server, talk):
        yield server


@contextmanager
def _listening(server: SlowServer, talk: Callable[[socket.socket], None]) -> Generator[None]:
    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    talk(connection)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server.port = int(listener.getsockname()[1])
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _lines(connection: socket.socket) -> Generator[bytes]:
    # Byte by byte: what follows a command may be a mail.
    line = b""
    while byte := connection.recv(1):
        line += byte
        if byte == b"\n":
            yield line.strip()
            line = b""
