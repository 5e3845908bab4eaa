"""The terminal's side of a chat, put together: imported while the service is starting, because its libraries take as long as that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bots.link import Link
from bots.repl.chat import Chat
from bots.repl.commands import NAMES
from bots.repl.offers import Offers
from bots.repl.shown.screen import Screen
from bots.repl.typed.pipe import PipePerson
from bots.repl.typed.terminal import TerminalPerson
from bots.standard_input import is_at_keyboard


def open_chat(link: Link, *, greeting: str, history: Path | None, tier: str | None, session: str | None, roots: Sequence[Path]) -> Chat:
    """The conversation, on this terminal or at the end of this pipe.

    Args:
        link: the front-end's connection.
        greeting: said first; empty for nothing.
        history: what was typed before; None to keep nothing.
        tier: pins the tier.
        session: to go on with.
        roots: folders whose files may be shown to the assistant, the one that paths begin at first.
    """
    screen = Screen()
    if greeting:
        screen.block(greeting, "dim")
    if screen.is_live and is_at_keyboard():
        offers = Offers(roots)
        person = TerminalPerson(screen, history=history, commands=list(NAMES), names=offers.names)
        return Chat(link, screen, person, tier=tier, session=session, offers=offers)
    return Chat(link, screen, PipePerson(), tier=tier, session=session, is_unattended=not is_at_keyboard())
