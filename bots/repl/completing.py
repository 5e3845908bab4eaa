"""What Tab completes: commands at the start of a line, and paths after an @."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

_PATH = re.compile(r"(?:^|\s)@(\S*)$")


class ChatCompleter(Completer):
    """Args: the commands."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand here."""
        text = document.text_before_cursor
        path = _PATH.search(text)
        if path is not None:
            yield from self._paths.get_completions(Document(path[1]), complete_event)
        elif text.startswith("/"):
            yield from (Completion(name, -len(text)) for name in self._commands if name.startswith(text))
