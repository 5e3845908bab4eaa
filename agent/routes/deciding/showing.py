"""Which tools a place's model is shown, where the settings leave that to what is known of it: the core, and what reads back, or the bridge.

Decided with a conversation's first route to that place, kept with the route, and not looked at again before turns have left the view: the
list stands before everything else in each prompt, and a server reads all of it again when it changes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from agent.route_parts import Shown

Setting = Literal["auto", "core", "all", "bridge"]
BRIDGE_TOKENS = 8192
"""Of context, from which on the bridge has room: its list takes up to 2,000 of them, and what a search finds half as many again."""
RECALL_TOKENS = 4096
"""Of context, from which on there is room for the two tools that read back: they take about 110, what they tell a fifth at most, and from
so small a view turns leave soonest, and without a summary."""
BRIDGE_TOOLS = 20
"""That a model has before it with the bridge: the core's twelve, four of the host's own, and four that a search describes."""
FOREIGN_SHARE = 1 / 8
"""Of a small context, for the tools of servers that are not ours: in 2,048 tokens about what the bridge takes that stands for them."""
FOREIGN_TOOLS = 8
"""Of such servers, where a model is said to cope with few: with the core's twelve no more than the bridge puts before it."""
SETTINGS_SAY = "the settings say so"


class Foreign(NamedTuple):
    """What the tools of servers that are not ours come to, were they all in a prompt."""

    tools: int = 0
    tokens: int = 0


NO_FOREIGN = Foreign()


class Showing(NamedTuple):
    """What was decided, and why."""

    shown: Shown | None
    """None in a conversation that is older than the question."""
    why: str


def shown_to(setting: Setting, *, n_ctx: int, max_tools: int | None, foreign: Foreign = NO_FOREIGN, was_told: bool = True) -> Showing:
    """Which tools a model is shown.

    1. The settings say it.
    2. The core would name more tools of other servers than it has room for: the bridge stands for them, whatever the model is.
    3. The model is said to cope with fewer tools than the bridge puts before it: the core.
    4. It can hold too little for more, or its server did not answer, so that it may be the model that ships: the core.
    5. Its server does not know what it can hold, or it is too little for the bridge: the core, and what reads back.
    6. Else the core and the bridge.

    Args:
        setting: `agent.tools`.
        n_ctx: tokens that it can hold; 0 where nobody says.
        max_tools: that it copes with at once; None where nobody says.
        foreign: tools of servers that are not ours, which the core would name.
        was_told: its server has said what it serves.
    """
    if setting != "auto":  # 1
        return Showing(setting, SETTINGS_SAY)
    copes_with_few = max_tools is not None and max_tools < BRIDGE_TOOLS
    held = f"its model holds {n_ctx:,} tokens" if n_ctx else "what its model can hold is not known"
    if copes_with_few or n_ctx < BRIDGE_TOKENS:
        if foreign.tokens > (n_ctx or BRIDGE_TOKENS) * FOREIGN_SHARE:  # 2
            return Showing("bridge", f"{held}, and {foreign.tools} tools of other servers would take about {foreign.tokens:,}")
        if copes_with_few and foreign.tools > FOREIGN_TOOLS:  # 2
            return Showing("bridge", f"its model is said to cope with {max_tools} tools at once, and other servers have {foreign.tools}")
    if copes_with_few:  # 3
        return Showing("core", f"its model is said to cope with {max_tools} tools at once, and the bridge takes {BRIDGE_TOOLS}")
    if 0 < n_ctx < RECALL_TOKENS or (not n_ctx and not was_told):  # 4
        return Showing("core", f"{held}, and more takes {RECALL_TOKENS:,}")
    if n_ctx < BRIDGE_TOKENS:  # 5
        return Showing("recall", f"{held}, and the bridge takes {BRIDGE_TOKENS:,}")
    return Showing("bridge", held)  # 6
