"""What a server tells the model when it cannot do as asked: one sentence that says what to do next.

    Refusal             the call is understood and cannot be done; the sentence is the whole result
    ├── NotUnderstood   a time or a duration that nothing was made of
    ├── Quoting         the sentence holds what others wrote, such as the titles that match
    ├── Stale           what the call is based on has changed since
    ├── Missing         a server elsewhere has nothing there
    ├── Exists          it has one already
    ├── Busy            too much was asked of it; nothing was done, and later it may be
    └── Unanswered      no answer came from it: whether a write was made is not known
        └── Failed      it answered that it failed, which may be over in a moment

Anything else that escapes a tool is a fault of the server: logged in full, and named to the model in one plain sentence.
"""

from __future__ import annotations


class Refusal(Exception):
    """`str()` of it is the sentence."""


class NotUnderstood(Refusal):
    """Words that are no time, or no length of time."""


class Quoting(Refusal):
    """The sentence holds what others wrote, so it is fenced like any text from outside."""


class Stale(Refusal):
    """The version that a change is based on is no longer the stored one."""


class Missing(Refusal):
    """There is nothing of that id, or at that address."""


class Exists(Refusal):
    """What was to be created is already there."""


class Busy(Refusal):
    """Too much was asked of a server; nothing was done, and later it may be."""


class Unanswered(Refusal):
    """No answer came: whether a write was made is not known."""


class Failed(Unanswered):
    """It answered that it failed, which may be over in a moment."""
