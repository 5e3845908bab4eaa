"""A tool's result as a person reads it: without the lines around outside text and without what stands there for the model alone.

Pure. The log keeps what the model was told, to the byte; this is for the screen, the editor, the export and the host's own answers.
"""

from __future__ import annotations

from agent.calls.handles import without_offer
from agent.calls.repeats import unnoted
from agent.view.fences import unfenced


def for_person(text: str) -> str:
    """A result for a person."""
    return unfenced(unmarked(text))


def unmarked(text: str) -> str:
    """A result without the handles and notes that are for the model; what others wrote stays marked as theirs."""
    return without_offer(unnoted(text))
