"""What a person is told of a turn that broke inside Variet."""

from __future__ import annotations

from typing import cast

from agent.errors import NotWritable

INTERNAL_SENTENCE = "Something went wrong inside Variet; the log has the details. Nothing more was done in this turn."


def sentence_of(error: BaseException) -> str:
    """Of a disk that takes nothing more, its own: the log may be on that disk too."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return str(error) if isinstance(error, NotWritable) else INTERNAL_SENTENCE
