"""What the person typed in chats, kept in a file beside the log for the keys that bring it back; it leaves with the conversation."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from agent.errors import AgentError
from config.disk.whole_file import write_whole

HISTORY_FILE = "chat_history"
"""As prompt_toolkit writes it: each line behind a plus, and before each entry a line that says when."""
_LINE = "+"


def forget(file: Path, texts: Collection[str]) -> None:
    """Take every entry out that is one of these texts. A chat that is open opens the file anew for each line that it adds.

    Raises:
        AgentError: it cannot be read or written.
    """
    try:
        if not texts or not file.exists():
            return
        # Where it is a link, what it leads to: the words are there.
        real = file.resolve()
        history = real.read_bytes().decode("utf-8", errors="replace")
        if (kept := without(history, texts)) != history:
            write_whole(real, kept)
    except OSError as error:
        raise AgentError(f"{file} holds what was typed and cannot be changed: {error.strerror}; nothing was deleted.") from error


def without(history: str, texts: Collection[str]) -> str:
    """A history without the entries that are one of these texts, blanks around it or not."""
    gone = {text.strip() for text in texts}
    kept, head, typed = list[str](), list[str](), list[str]()
    # A line more than there is: the end of the last entry. At line feeds alone, for a text may have other ends of lines in it.
    for line in [*history.split("\n"), ""]:
        if typed and not line.startswith(_LINE):
            if "\n".join(each.removeprefix(_LINE) for each in typed).strip() not in gone:
                kept += [*head, *typed]
            head, typed = [], []
        (typed if line.startswith(_LINE) else head).append(line)
    return "\n".join([*kept, *head[:-1]])
