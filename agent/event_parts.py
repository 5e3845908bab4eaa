"""The values inside events: what every event has, what a person puts beside a message, a call as the model wrote it, what was used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.whole_text import WholeText

ToolClass = Literal["read", "write", "delete", "send", "run"]
"""What a tool does to the world, from the pinned manifest, never from the server's own word; `run` starts a program of this machine."""
Decision = Literal["allow", "asked-yes", "asked-no", "denied"]
"""How a call came to run or not: by policy, by a person's yes or no, or refused by policy (nobody could be asked, expired, forbidden)."""

DEFERRED_TEXT = "Approved: "
"""How the text of a turn begins that runs one call which was approved later: the host's words, not the person's."""


class EventBase(BaseModel):
    """What every event has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    seq: int = 0
    """Place in the session's log, from 1; 0 for a live event that is not stored."""
    turn: str
    """Id of the turn that it belongs to."""


class Attached(BaseModel):
    """What the person put beside a message: a file, a command's output. Anybody may have written it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: WholeText = Field(max_length=1000)
    text: WholeText = Field(max_length=100_000)


class AskedField(BaseModel):
    """One value that a tool server asks the person for, fit to be shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    label: str
    wants: str
    """What may be given, in words: `a whole number from 1 to 5`, `one of top, bottom`."""
    is_required: bool = False
    suggested: str = ""
    """What counts where nothing is given."""
    kind: Literal["text", "integer", "number", "boolean", "choice"] = "text"
    """For a front-end that has a box of its own for each; what is given travels as text all the same."""
    choices: tuple[str, ...] = ()
    """Of a `choice`, the values."""


MediaType = Literal["image/png", "image/jpeg", "image/gif"]


class Picture(BaseModel):
    """A picture that the person put beside a message, as the log knows it; its bytes are kept apart from the events."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str = Field(max_length=1000)
    media_type: MediaType
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of its bytes."""
    size: int
    """Bytes."""
    width: int
    height: int
    """Pixels."""


class PictureFile(BaseModel):
    """A picture on its way to the store."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, ser_json_bytes="base64", val_json_bytes="base64")
    name: str = Field(max_length=1000)
    content: bytes
    """The file; in JSON as base64."""


Beside = Attached | PictureFile
"""What a person puts beside a message."""


class Usage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    elapsed_s: float = 0.0
    money: float = 0.0
    """In the currency of the servers' prices."""

    def with_(self, more: Usage) -> Usage:
        """Both together."""
        return Usage(**{name: getattr(self, name) + getattr(more, name) for name in Usage.model_fields})


class CallValue(BaseModel):
    """One tool call as the model wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    id: str
    name: str
    arguments: str
    """JSON text as generated: history replays these bytes. Of what was no JSON it is what was made of it: templates fail on other text."""
    repaired: str = ""
    """What was put right in how the model wrote it; empty for a call that was right."""


class Taken(BaseModel):
    """An argument of a call that holds a value of an earlier result, because the model gave its handle."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    argument: str
    tool: str
    """Whose result it stood in."""
    value: str
    """Canonical JSON."""
    is_outside: bool
    """Anyone could have written it."""
