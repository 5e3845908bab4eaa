"""What Tab completes: commands at the start of a line, what may stand behind one, and paths after an @."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

_ARGUMENT = re.compile(r"^(/\w+) +(\S*)$")
_PATH = re.compile(r"(?:^|\s)@(\S*)$")


class ChatCompleter(Completer):
    """Args: the commands."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)
        self._arguments: dict[str, Mapping[str, str]] = {}

    def suggest(self, command: str, words: Mapping[str, str]) -> None:
        """From now on these words complete behind a command, each with what it means."""
        self._arguments[command] = words

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand here."""
        text = document.text_before_cursor
        path = _PATH.search(text)
        if path is not None:
            yield from self._paths.get_completions(Document(path[1]), complete_event)
        elif (argument := _ARGUMENT.match(text)) is not None:
            known, begun = self._arguments.get(argument[1], {}), argument[2]
            yield from (Completion(word, -len(begun), display_meta=means) for word, means in known.items() if word.startswith(begun))
        elif text.startswith("/"):
            yield from (Completion(name, -len(text)) for name in self._commands if name.startswith(text))
