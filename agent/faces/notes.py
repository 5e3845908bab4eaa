"""What a person is told beside a turn's answer, because it may explain it: tools that are not there, turns that are forgotten, a mail
that reaches nobody. Pure.

Every front-end says it in these words: an answer without its tools looks as if there were nothing to find.
"""

from __future__ import annotations

from agent.events import CallDecided, ContextTrimmed, Event, ServersMissing
from agent.safety.approvals import shown

STAYS_HERE = "Stays here"
"""The label of the line by which the outbox says that what it sends reaches nobody."""


def notes(event: Event) -> list[str]:
    """What is told of an event in lines of its own; of most events nothing."""
    match event:
        case ServersMissing():
            return missing_notes(event)
        case ContextTrimmed():
            return [trimmed_note(event)]
        case CallDecided():
            return staying_notes(event)
        case _:
            return []


def missing_notes(event: ServersMissing) -> list[str]:
    """Which tool servers are not there, and why."""
    return [" ".join(f"{server} is not there: {why}".split()) for server, why in sorted(event.problems.items())]


def staying_notes(event: CallDecided) -> list[str]:
    """That what a call sends stays on this machine, where it runs without a question: who is asked reads it there."""
    told = [value for label, value in event.details if label == STAYS_HERE and event.verdict == "allow"]
    return [shown(" ".join(f"{event.name}: {value}".split())) for value in told]


def trimmed_note(event: ContextTrimmed) -> str:
    """That the model has forgotten something, and how much."""
    turns = "turn is" if event.dropped == 1 else "turns are"
    instead = "; a summary stands there instead" if event.summary else ""
    gone = f"the oldest {event.dropped} {turns} no longer in the model's view ({event.n_ctx} tokens){instead}"
    return f"{gone}; `variet sessions search` finds them"
