"""What `variet ask` was asked: words of the command line, or what is piped in; and what is piped in beside the words.

A pipe is read only where that was asked for: unasked it would take away the rest of a script's loop. What it holds is then not lost
without a word, either.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from agent.errors import AgentError
from agent.event_parts import Attached
from agent.whole_text import whole
from bots.standard_input import take_any_bytes

PIPE = "-"
"""In the question's place it is what is piped in; behind the question, that is put beside it."""
MAX_PIPED_BYTES = 64 * 1024
"""As of a file that the chat shows."""
UNREAD = "variet ask: standard input was not read; a - behind the question puts it beside it, and </dev/null says that it is not meant."


def question_text(words: Sequence[str]) -> str:
    """The question.

    Raises:
        click.UsageError: there is none.
    """
    if not words and sys.stdin.isatty():
        raise click.UsageError('Give a question, or pipe one in: variet ask "…"')
    if tuple(words) in ((), (PIPE,)):
        take_any_bytes()
        said = sys.stdin.read()
    else:
        said = " ".join(words[:-1] if _has_more(words) else words)
    text = whole(said.strip())
    if not text:
        raise click.UsageError("The question is empty.")
    return text


def piped_beside(words: Sequence[str]) -> tuple[Attached, ...]:
    """What is piped in beside the question, where that was asked for.

    Raises:
        AgentError: it cannot be shown.
    """
    if not _has_more(words):
        return ()
    take_any_bytes()
    # No more than would be too much anyway.
    text = whole(sys.stdin.read(MAX_PIPED_BYTES + 1)).removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    if len(text.encode()) > MAX_PIPED_BYTES:
        raise AgentError(f"What is piped in has more than {MAX_PIPED_BYTES // 1024} KB; pipe in a part of it, such as by tail.")
    if "\0" in text:
        raise AgentError("What is piped in is no text.")
    return (Attached(name="standard input", text=text),)


def tell_unread(words: Sequence[str]) -> bool:
    """Say on standard error that something is piped in and was not asked for.

    Returns:
        Whether it was said.
    """
    if not words or words[-1] == PIPE or not _has_unread():
        return False
    click.echo(UNREAD, err=True)
    return True


def _has_more(words: Sequence[str]) -> bool:
    return len(words) > 1 and words[-1] == PIPE


def _has_unread() -> bool:
    """Whether there is something to read now; what a slow program has yet to write is not."""
    if sys.platform == "win32":
        return False
    import fcntl
    import termios

    with suppress(OSError, ValueError, AttributeError):
        number = sys.stdin.fileno()
        state = os.fstat(number)
        if stat.S_ISREG(state.st_mode):
            return os.lseek(number, 0, os.SEEK_CUR) < state.st_size
        if stat.S_ISFIFO(state.st_mode) or stat.S_ISSOCK(state.st_mode):
            return int.from_bytes(fcntl.ioctl(number, termios.FIONREAD, bytes(4)), sys.byteorder) > 0
    return False
