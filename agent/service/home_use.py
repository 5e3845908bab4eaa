"""The home's folders, made ready to be written, or one sentence that says why they cannot be.

For commands: what stands in the way is the disk, which only the person can put right.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from agent.service.faults import ServiceError
from config.paths import HOME_VARIABLE, AnothersFolder, Home

UNUSABLE = "home_unusable"
"""The code of that error, for programs."""


def prepared(home: Home) -> Home:
    """The home with its folders.

    Raises:
        ServiceError: they cannot be made.
    """
    with writing_in(home):
        return home.prepare()


@contextmanager
def writing_in(home: Home) -> Generator[None]:
    """Write in this block into the home.

    Raises:
        ServiceError: the disk does not let us.
    """
    try:
        yield
    except AnothersFolder as error:
        raise ServiceError(f"{error.filename} cannot be Variet's own folder: {error.strerror}.", UNUSABLE) from error
    except OSError as error:
        what = f"{error.filename or home.state_dir}: {error.strerror or error}"
        sentence = f"Variet's own folder cannot be used: {what}. Make it writable, or name another one in {HOME_VARIABLE}."
        raise ServiceError(sentence, UNUSABLE) from error
