"""The names of the headers that the engine reads and writes, and the contract's version.

They are written in one place because both sides spell them, and a header that one side misspells fails silently.
"""

from __future__ import annotations

CONTRACT_VERSION = 1
"""Raised when a client written for the version before would misread an answer."""

SESSION = "X-Variet-Session"
"""Request: the client's name for a conversation. Only the engine maps it to a slot."""
WAIT = "X-Variet-Wait"
"""Request: how it waits for its model: a number of seconds, `wait` for the configured bound, or `fail-fast`, which also has the model
loaded. Absent: as the model's settings say."""
EVENTS = "X-Variet-Events"
"""Request: `loading` asks for named loading events in a stream before the first chunk."""
EVENTS_LOADING = "loading"
"""The one value of `X-Variet-Events` that this version knows."""
FORCE = "X-Variet-Force"
"""Request: `true` passes gaming mode. For what a person asked for with these very words, never for a program's own idea."""

MODEL = "X-Variet-Model"
"""Answer: the physical model that answered."""
CONTRACT = "X-Variet-Contract"
"""Answer: the contract's version, an integer."""
SHOULD_RETRY = "X-Should-Retry"
"""Answer: `false` on a failure that asking again cannot mend. Stock `openai` clients obey it."""
REQUEST_ID = "X-Variet-Request"
"""Answer: the engine's id of the request, as `/engine/status` and a forced switch name it."""
