"""What a tool server may ask the person in the middle of a call (MCP's elicitation), and what an answer to it is.

Pure. A model never sees a question and never answers one. A yes sends what the person typed, and else the values that they were shown,
which are the server's own suggestions; nothing is sent that the form would not take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.event_parts import AskedField
from agent.safety.approvals import shown
from agent.tools.forms import TEXT_CHARS, Filled, Value, asked_fields, fill
from agent.view.prompt import canonical_json

Action = Literal["accept", "decline", "cancel"]


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
    def fields(self) -> tuple[AskedField, ...]:
        """The form's fields, as a person is shown them."""
        return () if self.url else asked_fields(self.schema)

    def filled(self, typed: Mapping[str, str]) -> Filled:
        """What a yes sends with what was typed, by the fields' names; or why it cannot be sent."""
        return Filled({}) if self.url else fill(self.schema, typed)

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What a person is shown of it, label and value."""
        told = [("Asked by", f"the tool server {self.server}, not by the assistant"), ("It says", self.message)]
        told += [("Address", self.url)] if self.url else []
        told += [(each.label, _line(each)) for each in self.fields]
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


def accepted(question: Question, values: Mapping[str, Value]) -> Answer:
    """A person's yes to what was shown, with the values of its form."""
    return Answer("accept", None if question.url else dict(values))


def given_digest(asked_as: str, values: Mapping[str, Value]) -> str:
    """SHA-256 of what a server was given, in hexadecimal, for the question of this id."""
    return hashlib.sha256(canonical_json({"id": asked_as, "values": dict(values)}).encode()).hexdigest()


def _line(asked: AskedField) -> str:
    if asked.suggested:
        return f"{asked.suggested} (or {asked.wants})"
    return f"{asked.wants}, {'needed' if asked.is_required else 'or nothing'}"


@dataclass(frozen=True)
class Progress:
    """How far a call is, as its server says."""

    done: float
    total: float | None = None
    message: str = ""
