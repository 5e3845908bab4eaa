"""What may be typed after a slash."""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple


class Command(NamedTuple):
    """A slash command as it was typed."""

    name: str
    argument: str


LOCAL = "!"
"""Before a command that the person's own shell runs."""
COMMANDS: dict[str, str] = {
    "/help": "what can be typed",
    "/tier [NAME]": "which tiers there are; NAME answers from now on, or auto",
    "/deeper": "the last message again, answered one tier up",
    "/routes [TEXT]": "who can answer, and the last decisions; who would answer TEXT",
    "/tools": "what the assistant can do, and what is asked about before",
    "/mcp": "the tool servers, and why one is not there",
    "/show": "the calls of the last turn with all that they brought",
    "/approvals": "what waits for your yes anywhere; asks for each",
    "/sessions [WORDS]": "earlier conversations, or those in which WORDS were said",
    "/sessions N": "go on with the one of that number, or of that id",
    "/new": "begin a new conversation",
    "/fork": "go on in a copy of this conversation",
    "/undo": "drop the last exchange and ask differently",
    "/unsend": "take back a mail that is about to go out; Esc does the same",
    "/compact": "make room: sum up all but the last exchange",
    "/export [FILE]": "write it all to a new FILE: Markdown, or events (.jsonl)",
    "/exit": "leave; Ctrl-D does the same",
}
NAMES: tuple[str, ...] = tuple(dict.fromkeys(usage.split()[0] for usage in COMMANDS))
KEYS = """!COMMAND runs here; @! in a message shows its output, @PATH a file or
a picture.
Alt-Enter: new line. Up, Ctrl-R: earlier messages. Tab: complete.
Ctrl-C, Esc: cancel the turn; what was said and typed stays.
While an answer comes, type on: Enter queues the line."""
NEAR = 0.6
"""How alike a name must be to be offered, from 0 to 1."""


def parse_command(text: str) -> Command | None:
    """The command in a message; None for a message."""
    if text.startswith(LOCAL):
        return Command(LOCAL, text.removeprefix(LOCAL).strip())
    if not text.startswith("/") or "\n" in text:
        return None
    name, _, argument = text.partition(" ")
    if "/" in name[1:]:
        return None  # a path: terminals write one where a picture is dropped
    return Command({"/quit": "/exit", "/?": "/help"}.get(name, name), argument.strip())


def help_text() -> str:
    """All commands, one per line."""
    width = max(map(len, COMMANDS))
    return "\n".join([*(f"{usage.ljust(width)}  {what}" for usage, what in COMMANDS.items()), KEYS])


def unknown_text(name: str) -> str:
    """That there is no such command, and which ones it may have been."""
    near = get_close_matches(name.casefold(), NAMES, cutoff=NEAR)
    return f"There is no {name}; did you mean {' or '.join(near)}?" if near else f"There is no {name}; /help shows what there is."
