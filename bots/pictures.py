"""A picture of this machine, read for a message: no more of it than may be shown, and refused in one sentence."""

from __future__ import annotations

from pathlib import Path

from agent.errors import AgentError
from agent.event_parts import PictureFile
from agent.view.pictures import MAX_PICTURE_BYTES, looked_at


def picture_of(file: Path, name: str, *, is_secret: bool = False) -> PictureFile:
    """A picture of this machine.

    Args:
        file: where it is.
        name: as the model and the log know it.
        is_secret: its name says that nobody is to see it.

    Raises:
        AgentError: it cannot be read, or is none that can be shown.
    """
    if is_secret:
        raise AgentError(f"{name} looks like a secret and is not shown.")
    try:
        # No more than would be too much anyway.
        with file.open("rb") as opened:
            content = opened.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise AgentError(f"{name} cannot be read: {error.strerror}.") from error
    looked_at(name, content)
    return PictureFile(name=name, content=content)
