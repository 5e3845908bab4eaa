"""What keys do at a prompt, beside what prompt_toolkit has them do: how a question is left, a line cleared, a new one begun."""

from __future__ import annotations

from prompt_toolkit.filters import is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


def leaving_by_escape() -> KeyBindings:
    """A question is left by Esc as an answer is: as by Ctrl-C."""
    keys = KeyBindings()

    # Not at once: Esc is also how a key with Alt begins.
    @keys.add("escape", filter=~is_searching)
    def leave(event: KeyPressEvent) -> None:
        """End the question without an answer."""
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    del leave
    return keys


def of_messages() -> KeyBindings:
    """Where a message is typed."""
    keys = KeyBindings()

    @keys.add("c-c", filter=~is_searching)
    def interrupt(event: KeyPressEvent) -> None:
        """Clear the line; on an empty one, tell the chat."""
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        """Alt-Enter: a new line in the message."""
        event.current_buffer.insert_text("\n")

    del interrupt, new_line
    return keys
