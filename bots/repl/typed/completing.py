"""What Tab completes: commands at the start of a line, what may stand behind one, and files after an @."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from bots.repl.typed.mentions import written

_ARGUMENT = re.compile(r"^(/\w+) +(\S*)$")
_MENTION = re.compile(r'(?:^|\s)@(?:"([^"\n]*)"?|"([^"\n]*/)"(\S+)|([^\s"]\S*|))$')
"""Also behind a folder in quotes, which Tab has closed."""
Names = Callable[[str], Iterable[str]]
"""What the name of a file that begins so can be; a folder ends in a slash."""


def no_names(_: str) -> Iterable[str]:
    """Where no file can be mentioned."""
    return ()


class ChatCompleter(Completer):
    """What is offered is what the chat takes.

    Args:
        commands: those that there are.
        names: of what can be mentioned.
    """

    def __init__(self, commands: Sequence[str], names: Names = no_names) -> None:
        self._commands = commands
        self._names = names
        self._arguments: dict[str, Mapping[str, str]] = {}

    def suggest(self, command: str, words: Mapping[str, str]) -> None:
        """From now on these words complete behind a command, each with what it means."""
        self._arguments[command] = words

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand here."""
        text = document.text_before_cursor
        mention = _MENTION.search(text)
        if mention is not None:
            # The whole name is put in the place of what was typed of it: it may need quotes around it.
            typed = len(mention[0].lstrip()) - len("@")
            forms = {name: written(name) for name in self._names("".join(filter(None, mention.groups())))}
            yield from (Completion(form, -typed, display=name) for name, form in forms.items() if form is not None)
        elif (argument := _ARGUMENT.match(text)) is not None:
            known, begun = self._arguments.get(argument[1], {}), argument[2]
            yield from (Completion(word, -len(begun), display_meta=means) for word, means in known.items() if word.startswith(begun))
        elif text.startswith("/"):
            yield from (Completion(name, -len(text)) for name in self._commands if name.startswith(text))
