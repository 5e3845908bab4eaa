"""What may be typed after a slash."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A slash command as it was typed."""

    name: str
    argument: str


COMMANDS: dict[str, str] = {
    "/help": "what can be typed",
    "/tier NAME": "have this tier answer from now on; without NAME, let the rules choose",
    "/sessions": "earlier conversations; go on with one by `variet chat --session ID`",
    "/new": "begin a new conversation",
    "/exit": "leave; Ctrl-D does the same",
}
NAMES: tuple[str, ...] = tuple(usage.split()[0] for usage in COMMANDS)
KEYS = "Alt-Enter: new line. Ctrl-C: cancel the turn, or clear the line. Up: earlier messages."


def parse_command(text: str) -> Command | None:
    """The command in a message; None for a message."""
    if not text.startswith("/") or "\n" in text:
        return None
    name, _, argument = text.partition(" ")
    return Command({"/quit": "/exit", "/?": "/help"}.get(name, name), argument.strip())


def help_text() -> str:
    """All commands, one per line."""
    width = max(map(len, COMMANDS))
    return "\n".join([*(f"{usage.ljust(width)}  {what}" for usage, what in COMMANDS.items()), KEYS])
