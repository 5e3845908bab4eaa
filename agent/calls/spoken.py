"""What of an answer is said to the person, where a server passed on the marks that a model puts before it.

Pure. Only what stands at the beginning is taken out, so that an answer can be shown as it grows and ends as it was shown. The log keeps the
answer as it was generated, and a model is sent that again.
"""

from __future__ import annotations

import re

from agent.calls.halves import is_mere_beginning

_TO_ALL = re.compile(r"\s*+>>>all[^\S\n]*+(?:\n|\Z)")
"""Functionary's recipient of what is for the person."""
_FINAL = re.compile(r"\s*+(?:<\|start\|>assistant)?(?:<\|channel\|>(?:final|commentary)(?:\s*+<\|constrain\|>\w++)?)<\|message\|>")
"""gpt-oss's channels for the person: its answer, and what it says before it calls a tool."""
_END = re.compile(r"<\|(?:end|return|call)\|>\s*+\Z")
"""Of such a message. It is not shown before it has ended, so its end can be taken out too."""
_STEPS = re.compile(r"\s*+\*{0,2}(?:Thought|Action):")
_FINAL_STEP = re.compile(r"^[^\S\n]*+\*{0,2}Final Answer:\*{0,2}\s*+", re.MULTILINE)
"""ReAct's last step, behind its thoughts."""


def spoken(text: str) -> str:
    """What an answer says: all of it but the marks before it; nothing where it is the mere beginning of a call.

    Args:
        text: without the model's thoughts, and no call.
    """
    if begun := _TO_ALL.match(text):
        return text[begun.end() :]
    if begun := _FINAL.match(text):
        return _END.sub("", text[begun.end() :])
    if _STEPS.match(text):
        final = _FINAL_STEP.search(text)
        return text[final.end() :] if final is not None else text
    return "" if is_mere_beginning(text) else text
