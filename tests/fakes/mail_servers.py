"""Real mail servers on loopback: pymap for IMAP and aiosmtpd for SMTP, each in a process or thread of its own."""

from __future__ import annotations

import imaplib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "demouser", "demopass"
START_BOUND_S = 60.0


def need(module: str) -> Any:
    """A peer that only the tests need: CI has it, other machines may do without."""
    if "CI" in os.environ:
        return import_module(module)
    return pytest.importorskip(module)


@contextmanager
def imap_server(folder: Path, *, certificate: tuple[Path, Path] | None = None, keywords: Sequence[str] = ()) -> Generator[int]:
    """A real IMAP server with a few mails of its own.

    Args:
        folder: where its log goes.
        certificate: certificate and key files: then it takes TLS by STARTTLS.
        keywords: what mails can be labelled with; with any, the mails lie in a Maildir below the folder.

    Yields:
        Its port.
    """
    need("pymap")
    folder.mkdir(exist_ok=True)
    port = _free_port()
    tls = ["--cert", str(certificate[0]), "--key", str(certificate[1])] if certificate else ["--no-tls"]
    program = Path(sys.executable).with_name("pymap")
    backend = _maildir(folder, keywords) if keywords else ["dict", "--demo-data"]
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), *tls, *backend]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.kill()


def _maildir(folder: Path, keywords: Sequence[str]) -> list[str]:
    for part in ("cur", "new", "tmp"):
        (folder / USER / part).mkdir(parents=True)
    (folder / USER / "dovecot-keywords").write_text("".join(f"{number} {name}\n" for number, name in enumerate(keywords)))
    (folder / "pymap-etc-passwd").write_text(f"{USER}:x:1000:1000::{USER}:\n")
    hashed = need("pysasl.hashing").BuiltinHash(rounds=1000).hash(PASSWORD)
    (folder / "pymap-etc-shadow").write_text(f"{USER}:{hashed}:::::::\n")
    return ["maildir", str(folder)]


def clear_imap(port: int) -> imaplib.IMAP4:
    """A connection of the test's own, after everything in the inbox was deleted."""
    wire = imaplib.IMAP4("127.0.0.1", port, timeout=30)
    wire.login(USER, PASSWORD)
    wire.delete("Trash")  # pymap's own can only be read
    wire.select("INBOX")
    wire.store("1:*", "+FLAGS", r"(\Deleted)")
    wire.expunge()
    return wire


@dataclass
class Sink:
    """What an SMTP server got, and how it is to behave."""

    port: int = 0
    options: list[list[str]] = field(default_factory=list[list[str]])
    """What was said of each mail's sender."""
    mails: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list[tuple[str, tuple[str, ...], bytes]])
    refuses: str = ""
    """An address that it does not take mail to."""
    data_answer: str = ""
    """Instead of taking the mail."""
    hangs_up: bool = False
    """It takes the mail, and breaks the connection off instead of saying so."""
    logins: list[bytes] = field(default_factory=list[bytes])

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.mail_from, envelope.mail_options = address, options
        self.options.append(options)
        return "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address == self.refuses:
            return "550 nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if self.data_answer:
            return self.data_answer
        self.mails.append((envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content))
        if self.hangs_up:
            server.transport.abort()
        return "250 taken"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
        result = need("aiosmtpd.smtp").AuthResult
        self.logins.append(data.login)
        return result(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@contextmanager
def smtp_server(*, certificate: tuple[Path, Path] | None = None, takes_utf8: bool = True) -> Generator[Sink]:
    """A real SMTP server that keeps what it gets; with a certificate it wants STARTTLS and a login."""
    library = need("aiosmtpd.controller")
    sink = Sink()
    options: dict[str, Any] = {"enable_SMTPUTF8": takes_utf8}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        options |= {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": sink.authenticate}
    controller = library.Controller(sink, hostname="127.0.0.1", port=_free_port(), ready_timeout=START_BOUND_S, **options)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_BOUND_S
    while time.monotonic() < give_up_at and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"no mail server on port {port}")
