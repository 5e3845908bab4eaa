"""Whether a model's thoughts are sent again with the conversation: decided by what its chat template does with them, and never by its name.

A server's cache holds what was thought. It pays to send thoughts again only where the template writes them back where they were, in every
later prompt; one that leaves them out (most do, from the next question on) or puts them elsewhere makes the server read a whole turn again.
Without them each prompt begins with the one before, and only the model's own few words are read once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Carriage = Literal["field", "inline"]
"""How thoughts come and go: in a field of their own, or in the text, between their tags."""
Verdict = Literal["kept", "dropped", "moved"]
"""What the template does with the thoughts of earlier answers: keeps them where they were, leaves them out, or puts them elsewhere."""
THOUGHT, OTHER_THOUGHT = "zebra-thinks-first", "walrus-thinks-next"
ANSWER, OTHER_ANSWER = "The answer is amber.", "The answer is green."
_CALL = {"id": "probecall", "type": "function", "function": {"name": "look_up", "arguments": '{"what":"amber"}'}}
_RESULT = "The look-up says amber."
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks something up.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]},
    },
}
"""What the probe's conversation with a call offers."""

Message = Mapping[str, Any]


class Scene(NamedTuple):
    """A conversation at two moments; what is rendered of the later one should begin with what is of the earlier."""

    earlier: tuple[Message, ...]
    later: tuple[Message, ...]
    follows: str
    """What the first thought stands before."""
    tools: tuple[Mapping[str, Any], ...] = ()


def scenes(carriage: Carriage) -> tuple[Scene, ...]:
    """The conversations that are rendered to find a verdict: two questions and answers, and a question with a call."""
    ask, again, more = ({"role": "user", "content": text} for text in ("What is it?", "Are you sure?", "And now?"))
    first, second = _thinking(carriage, THOUGHT, ANSWER), _thinking(carriage, OTHER_THOUGHT, OTHER_ANSWER)
    plain = Scene((ask, first, again), (ask, first, again, second, more), ANSWER)
    if carriage == "inline":
        return (plain,)
    call = {"role": "assistant", "content": "", "reasoning_content": THOUGHT, "tool_calls": [_CALL]}
    result = {"role": "tool", "tool_call_id": _CALL["id"], "content": _RESULT}
    return plain, Scene((ask, call, result), (ask, call, result, second, again), _RESULT, (TOOL,))


def verdict_on(scene: Scene, earlier: str, later: str) -> Verdict:
    """What a template does with thoughts in one scene.

    1. They are in neither prompt, or not in the later one any more: dropped.
    2. They stand after what they led to, or the later prompt does not begin with the earlier: moved.
    3. Else they are where they were.

    Args:
        scene: what was rendered.
        earlier: its first moment as a prompt, without the beginning of an answer.
        later: its second.
    """
    if THOUGHT not in later:  # 1
        return "dropped"
    is_before = later.index(THOUGHT) < later.find(scene.follows)
    if not is_before or not later.startswith(earlier.rstrip()):  # 2
        return "moved"
    return "kept"  # 3


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of all scenes together: one that breaks a prompt decides."""
    for verdict in verdicts:
        if verdict != "kept":
            return verdict
    return "kept"


def _thinking(carriage: Carriage, thought: str, answer: str) -> Message:
    if carriage == "inline":
        return {"role": "assistant", "content": f"<think>\n{thought}\n</think>\n\n{answer}"}
    return {"role": "assistant", "content": answer, "reasoning_content": thought}
