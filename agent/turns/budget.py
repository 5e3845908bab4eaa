"""What one turn may spend, and what it says when that is spent: model calls, tokens, money, seconds.

A turn that runs out ends in an answer that says so; it never ends in silence and never goes on for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.calls.assemble import Reply
from agent.event_parts import Usage


@dataclass(frozen=True)
class Limits:
    max_steps: int = 8
    """Model calls."""
    max_turn_tokens: int | None = None
    """Tokens read and generated; None for no bound."""
    max_turn_money: float | None = None
    """What calls to servers that are paid may cost together, in the currency of their prices; None for no bound."""
    turn_timeout_s: float = 300.0
    """Seconds of work; waiting for a person does not count."""


def calls_spent(limits: Limits, *, steps: int, tokens: int, money: float = 0.0) -> str:
    """Why no further model call is made, as the answer to the person; empty while one may be made.

    1. As many model calls as allowed were made.
    2. As many tokens as allowed were used.
    3. It has cost as much as allowed.
    """
    if steps >= limits.max_steps:  # 1
        return f"I stopped after {steps} steps without coming to an end. Ask again, more narrowly, or raise agent.max_steps."
    if limits.max_turn_tokens is not None and tokens >= limits.max_turn_tokens:  # 2
        return f"I stopped after {tokens} tokens without coming to an end. Ask again, more narrowly, or raise agent.max_turn_tokens."
    if limits.max_turn_money is not None and money >= limits.max_turn_money:  # 3
        return f"I stopped, having cost {money:.4g}, without coming to an end. Ask again, more narrowly, or raise agent.max_turn_money."
    return ""


def time_spent(limits: Limits, active_s: float, said: str) -> str:
    """Why the turn stops now, as the answer to the person, behind what was `said` of one; empty while there is time."""
    if active_s < limits.turn_timeout_s:
        return ""
    # Word for word: whoever was shown it goes on from there.
    shown = f"{said}\n\n" if said.strip() else ""
    return f"{shown}I stopped after {limits.turn_timeout_s:g} seconds without coming to an end. Ask again, or raise agent.turn_timeout_s."


def thoughts_spent(reply: Reply) -> str:
    """Why a reply without a text holds none, as a sentence for the person; empty where its length is not why."""
    if not reply.is_cut:
        return ""
    tokens = f" of {reply.completion_tokens} tokens" if reply.completion_tokens else ""
    return f"The model reached its limit{tokens} while it was still thinking. Raise agent.max_tokens, or ask a tier that thinks less."


def usage_of(reply: Reply) -> Usage:
    """What an answer took that is no step of a turn, as a summary is none."""
    return Usage(
        prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens, cached_tokens=reply.cached_tokens,
        elapsed_s=reply.elapsed_s, money=reply.money,
    )  # fmt: skip
