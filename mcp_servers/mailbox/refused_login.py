"""What a mail server means that lets an account not in, and what its owner does about it: the same for reading and for sending.

Pure. A server's own words may say it best (`Application-specific password required`), but one may also repeat what it was sent: words with
any piece of the password in them, also a coded one, are left out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import SecretStr

from mcp_servers.mailbox.mail_server import MailServer
from mcp_servers.outside.quoting import clean_line

LOGIN = "Set them right in the settings."
BEYOND_ASCII = "its user name or password has letters beyond ASCII"
ANOTHER = "Set another, such as an app password."
_LATER = "Try again later, or ask who runs it."
_CODE = re.compile(r"^\[([A-Z]+)[^\]]*\]\s*", re.IGNORECASE)
"""What an IMAP server's refusal is for (RFC 5530)."""
_PASSING_CODES = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "CONTACTADMIN"})
_PASSING = re.compile(r"\btemporar(?:y|ily)\b|\btoo many\b|\btry again later\b|\bexceeded\b.*\blimit", re.IGNORECASE)
_SMTP_WRONG = "5.7.8"
_CODED = re.compile(r"[A-Za-z0-9+/]{6,}")
_PIECE = 4
"""Letters of a password that stand in a text by no chance."""
_APP_PASSWORD = "Set an app password: {} takes no other ({})."
_OWN_WAYS = {
    ("gmail.com", "googlemail.com"): _APP_PASSWORD.format("Gmail", "myaccount.google.com/apppasswords") + ' Or set kind = "google".',
    ("mail.me.com", "icloud.com"): _APP_PASSWORD.format("iCloud", "account.apple.com, app-specific passwords"),
    ("yahoo.com",): _APP_PASSWORD.format("Yahoo", "login.yahoo.com/account/security"),
    ("aol.com",): _APP_PASSWORD.format("AOL", "login.aol.com/account/security"),
    ("fastmail.com",): _APP_PASSWORD.format("Fastmail", "app.fastmail.com/settings/security"),
    ("gmx.net", "gmx.com", "gmx.de", "web.de"): (
        f"{LOGIN} GMX and WEB.DE let programs in once the mailbox's own settings allow POP3 and IMAP; "
        "with two-factor login they take an app password alone."
    ),
    ("outlook.com", "office365.com", "hotmail.com", "live.com"): (
        "Microsoft takes no password for reading mail any more, and for sending only where an organisation allows it; "
        "Variet has no other way in yet. Read and send that mail with a mail program."
    ),
}
"""Providers that take no account's own password, or not at once, by the domain of their servers."""


@dataclass(frozen=True)
class Why:
    """Why nobody was let in."""

    what: str
    """The server does not do, in words of ours."""
    advice: str
    """What to do next."""
    words: str = ""
    """The server's own; empty where they say nothing more, or may say too much."""

    @property
    def told(self) -> str:
        """What it does not do, with its own words."""
        return f"{self.what} ({self.words})" if self.words else self.what


def why_refused(server: MailServer, said: str, secret: SecretStr | None = None, *, is_passing: bool = False, whose: str = "") -> Why:
    """What a refused login means.

    Args:
        server: that refused.
        said: in its own words, such as `[UNAVAILABLE] Temporary authentication failure.`
        secret: what it may have repeated; None for the server's password.
        is_passing: it has said so by a number.
        whose: the login was, such as ` of work`.
    """
    line = clean_line(said)
    found = _CODE.match(line)
    code = found[1].upper() if found else ""
    is_wrong = code == "AUTHENTICATIONFAILED" or line.startswith(_SMTP_WRONG)
    words = line[found.end() if found else 0 :][:200]
    known = secret or server.password
    shown = "" if is_wrong or (known is not None and _repeats(line, known.get_secret_value())) else words
    if is_passing or code in _PASSING_CODES or (not is_wrong and _PASSING.search(line)):
        return Why("does not let anybody in just now", _LATER, shown)
    return Why(f"did not take the user name and password{whose}", _advice(server.host), shown)


def plain_response(user: str, secret: SecretStr) -> bytes:
    """A login by `PLAIN` (RFC 4616), the one that takes letters beyond ASCII."""
    return b"\0" + user.encode() + b"\0" + secret.get_secret_value().encode()


def _advice(host: str) -> str:
    name = f".{host.lower()}"
    return next((advice for domains, advice in _OWN_WAYS.items() if any(name.endswith(f".{domain}") for domain in domains)), LOGIN)


def _repeats(said: str, secret: str) -> bool:
    """Whether any piece of the secret stands in a text, as it is, in other letters, for an address or in base64."""
    pieces = {secret[start : start + _PIECE].lower() for start in range(max(1, len(secret) - _PIECE + 1))}
    coded = (run[shift:] for run in _CODED.findall(said) for shift in range(4))
    texts = [said, unquote(said), *(_decoded(run) for run in coded)]
    return any(piece in text.lower() for text in texts for piece in pieces)


def _decoded(run: str) -> str:
    return base64.b64decode(run[: len(run) // 4 * 4]).decode("utf-8", "ignore")
