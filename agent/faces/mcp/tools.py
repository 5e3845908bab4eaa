"""The agent's own tools as other programs' models see them: what each takes, and what is said of it. Pure."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from agent.route_parts import TASK_CHARS
from agent.view.pictures import MAX_PICTURES
from config.shapes.routing import Latency

MAX_TEXT = 200_000
"""Characters of one message; a model with a small context holds less, and says so."""
MAX_ROWS = 100
TaskType = Annotated[str | None, Field(max_length=TASK_CHARS, description="A type of task that the routing knows; absent: by the words.")]
Wanted = Annotated[Latency, Field(description="When the answer should begin; the routing weighs it.")]


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GivenPicture(_Arguments):
    name: str = Field(default="picture", max_length=100)
    data: str = Field(min_length=1, description="The file (PNG, JPEG or GIF) as base64.")


Pictures = Annotated[
    tuple[GivenPicture, ...], Field(max_length=MAX_PICTURES, description="Shown to the assistant, where a model of it can see.")
]


class RunTask(_Arguments):
    task: str = Field(min_length=1, max_length=MAX_TEXT, description="What to do, in plain words.")
    tier: str | None = Field(default=None, description="Have this tier answer, such as fast or balanced; absent: the routing chooses.")
    task_type: TaskType = None
    latency: Wanted = "any"
    pictures: Pictures = ()


class ContinueTask(_Arguments):
    session: str = Field(min_length=1, max_length=100, description="The session that run_task or list_sessions named.")
    message: str = Field(min_length=1, max_length=MAX_TEXT, description="What to say next.")
    tier: str | None = Field(default=None, description="Have this tier answer; absent: the routing chooses.")
    task_type: TaskType = None
    latency: Wanted = "any"
    pictures: Pictures = ()


class ListSessions(_Arguments):
    text: str | None = Field(default=None, max_length=1000, description="Only those in which all these words were said.")
    limit: int = Field(default=20, ge=1, le=MAX_ROWS, description="How many, the last used first.")


class Routes(_Arguments):
    session: str | None = Field(default=None, max_length=100, description="Of this session; absent: of the one used last.")
    limit: int = Field(default=10, ge=1, le=MAX_ROWS, description="How many, newest first.")


class OwnTool(NamedTuple):
    """One tool."""

    arguments: type[_Arguments]
    description: str
    is_read: bool

    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        return self.arguments.model_json_schema()


TOOLS: dict[str, OwnTool] = {
    "run_task": OwnTool(
        RunTask,
        "Give the person's own assistant a task: it has their calendar, mail and web search. It answers with a text. Whatever would write, "
        "delete or send waits for the person's yes; then the status is `waiting`, and nothing was done yet.",
        is_read=False,
    ),
    "continue_task": OwnTool(ContinueTask, "Say something more in a session of the assistant.", is_read=False),
    "list_sessions": OwnTool(ListSessions, "List the assistant's conversations, the last used first, or search in them.", is_read=True),
    "routes": OwnTool(Routes, "Which tiers answered in a session of the assistant, and why.", is_read=True),
}
