"""The mail tools and the outbox over a Gmail account that is on loopback, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from pydantic import SecretStr

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.model import ScopeSet
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.gmail.account import GMAIL, GmailAccount
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.gmail_carrier import COMPOSING, SENDING, GmailCarrier
from mcp_servers.outbox.server import Outbox
from mcp_servers.protocol.calls import Handler
from tests.fakes.gmail import FakeGmail
from tests.fakes.gmail_mailbox import ME, FakeMail
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.google_desk import QUICK
from tests.mcp_servers.granting import KEY

_TOKENS: dict[ScopeSet, str] = {"mail-read": "token-read", "mail": "token-write", "send": "token-send", "compose": "token-compose"}


@dataclass
class MailTokens:
    """Tokens as the accounts give them, for reading, filing and sending; what was asked for is kept."""

    given: dict[ScopeSet, str] = field(default_factory=lambda: dict(_TOKENS))
    fresh: str = ""
    """What is given once the first was refused."""
    asked: list[tuple[ScopeSet, bool]] = field(default_factory=list[tuple[ScopeSet, bool]])

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
        assert account == "work"
        self.asked.append((scopes, refused is not None))
        return SecretStr(self.fresh if refused is not None and self.fresh else self.given[scopes])


@dataclass
class GmailDesk:
    """One account, its tools, and how long it waited between two tries."""

    google: FakeGmail
    folder: Path
    tokens: MailTokens = field(default_factory=MailTokens)
    timeouts_s: tuple[float, float] = QUICK
    waits: list[float] = field(default_factory=list[float])

    def account(self) -> GmailAccount:
        return GmailAccount(GoogleApi(GMAIL, "work", self.tokens, self.google.url, wait=self.waits.append, timeouts_s=self.timeouts_s))

    def store(self) -> MailStore:
        return MailStore(self.folder, [self.account()], addresses={"work": ME})

    def tools(self) -> dict[str, Handler]:
        return MailTools(self.store()).handlers()

    def add(self, number: int, *labels: str, thread: str = "", answers: str = "", subject: str = "Plan", text: str = "x") -> FakeMail:
        """A mail that came at that minute; the fake's own idea of one, with a second part and a file where it has a number over 90."""
        message = EmailMessage()
        message["From"] = f"Person {number} <p{number}@example.org>"
        message["To"] = ME
        message["Subject"] = subject
        message["Date"] = f"Fri, 20 Nov 2026 {10 + number // 60:02d}:{number % 60:02d}:00 +0100"
        message["Message-ID"] = f"<n{number}@example.org>"
        if answers:
            message["In-Reply-To"] = message["References"] = answers
        message.set_content(text)
        if number > 90:
            message.add_alternative(f"<p>{text}</p><p style='display:none'>planted</p>", subtype="html")
            message.add_attachment(b"the budget is 40", maintype="text", subtype="plain", filename="budget.txt")
        return self.google.mailbox.add(message.as_bytes(), *(labels or ("INBOX",)), thread=thread)


def carrier(google: FakeGmail, tokens: MailTokens | None = None, timeouts_s: tuple[float, float] = QUICK) -> GmailCarrier:
    tokens = tokens or MailTokens()
    sending, composing = (
        GoogleApi(service, "work", tokens, google.url, wait=lambda _: None, timeouts_s=timeouts_s) for service in (SENDING, COMPOSING)
    )
    return GmailCarrier(sending, composing, wait=lambda _: None, clock=NOW.timestamp)


def outbox_of(store: MailStore, tmp_path: Path, way: GmailCarrier) -> Outbox:
    return Outbox(store, Delivery(tmp_path / "mail", ByAddress({ME: way})), key=KEY)
