"""What a server tells the model when it cannot do as asked: one sentence that says what to do next.

    Refusal             the call is understood and cannot be done; the sentence is the whole result
    ├── NotUnderstood   a time or a duration that nothing was made of
    └── Stale           what the call is based on has changed since

Anything else that escapes a tool is a fault of the server: logged in full, and named to the model in one plain sentence.
"""

from __future__ import annotations


class Refusal(Exception):
    """`str()` of it is the sentence."""


class NotUnderstood(Refusal):
    """Words that are no time, or no length of time."""


class Stale(Refusal):
    """The version that a change is based on is no longer the stored one."""
