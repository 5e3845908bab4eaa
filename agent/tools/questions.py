"""What a tool server may ask the person in the middle of a call (MCP's elicitation), and what an answer to it is.

Pure. A model never sees a question and never answers one. A yes sends exactly the values that the person was shown, which are the
server's own suggestions; what has none cannot be answered by a yes, and is declined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.safety.approvals import shown
from agent.view.prompt import canonical_json

Value = str | int | float | bool | list[str] | None
Action = Literal["accept", "decline", "cancel"]
TEXT_CHARS = 2000
"""Of what a server says: a question that fills a screen hides what it asks."""


@dataclass(frozen=True)
class Question:
    """One question, as its server put it."""

    server: str
    message: str
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The form: `properties` without nesting, and `required`."""
    url: str = ""
    """Where the server wants the person to go instead; nothing is opened or sent there by us."""

    @property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The form's fields by name."""
        return self.schema.get("properties") or {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Required fields that come without a value."""
        return tuple(name for name in self.schema.get("required") or () if name not in self.values)

    @property
    def values(self) -> Mapping[str, Value]:
        """What a yes sends.

        1. A field with a suggestion: that.
        2. A required yes-or-no without one: yes, which is what was asked.
        3. A required field with one possible value: that.
        """
        required = self.schema.get("required") or ()
        chosen = dict[str, Value]()
        for name, entry in self.fields.items():
            if "default" in entry:  # 1
                chosen[name] = entry["default"]
            elif name in required and entry.get("type") == "boolean":  # 2
                chosen[name] = True
            elif name in required and "const" in entry:  # 3
                chosen[name] = entry["const"]
        return chosen

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What a person is shown of it, label and value."""
        told = [("Asked by", f"the tool server {self.server}, not by the assistant"), ("It says", self.message)]
        told += [("Address", self.url)] if self.url else []
        told += [(str(self.fields[name].get("title") or name), canonical_json(value)) for name, value in self.values.items()]
        return tuple((shown(label)[:TEXT_CHARS], shown(value)[:TEXT_CHARS]) for label, value in told)

    def digest(self, asked_as: str) -> str:
        """SHA-256 of what is asked, in hexadecimal, for the question of this id."""
        whole = {"id": asked_as, "message": self.message, "schema": dict(self.schema), "server": self.server, "url": self.url}
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """A person's answer, or that there was none."""

    action: Action
    content: Mapping[str, Value] | None = None
    """Of an accepted form."""


DECLINED, CANCELLED = Answer("decline"), Answer("cancel")
"""A no, or nobody there to ask; and no answer in time."""


def accepted(question: Question) -> Answer:
    """A person's yes to what was shown."""
    return Answer("accept", None if question.url else dict(question.values))


@dataclass(frozen=True)
class Progress:
    """How far a call is, as its server says."""

    done: float
    total: float | None = None
    message: str = ""
