"""A library that an extra brings and that is not installed: one sentence with what to install, wherever code is loaded by its name."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import click

OURS = ("agent", "bots", "config", "inference", "mcp_servers")
"""What is missing of these is a fault of ours, and no extra brings it."""


class ExtraMissing(click.ClickException):
    """A library of an extra is not there."""


@contextmanager
def extra_needed(what: str, extra: str) -> Generator[None]:
    """Load in this block what needs an extra.

    Args:
        what: begins the sentence, such as "`variet chat`".
        extra: brings what it needs.

    Raises:
        ExtraMissing: it is not installed; the text says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS or not missing:
            raise
        sentence = f'{what} needs "{missing}", which is not installed. Install it with: pip install "variet[{extra}]"'
        raise ExtraMissing(sentence) from error
