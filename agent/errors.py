"""The agent's exception tree, named by who must react; foreign errors are mapped to it once, at the boundary where they appear.

AgentError
├── HomeBusy              the person: another process holds this home
├── NotWritable           the person: the home's disk takes nothing more
├── SessionNotFound       the front-end: no such session
├── TurnNotFound          the front-end: no such turn in the session
├── SessionBusy           the front-end: a turn is still running
├── ApprovalError         the front-end: this answer does not count (and why)
├── HoldError             the front-end: nothing of that name can be taken back (any more)
├── PictureRefused        the front-end: this picture cannot be shown, or not here
├── TaskUnknown           the front-end: the settings have no such type of task
├── ModelError            the turn ends, with a sentence for the person
│   ├── EngineUnreachable     nobody answers at the engine's address
│   └── ModelFailed           the engine or the model could not answer
│       ├── ContextOverflow       the turn: older turns leave the model's view, once
│       ├── RequestTooLarge       the conversation: earlier pictures are left out, then those of tools
│       ├── ModelRefused          the conversation: pictures of tools are left out, once
│       └── ModelFaulted          the conversation: the same, where pictures may be why
└── ToolError             the model is told, and goes on
    ├── ToolUnavailable       the call did not reach a server: nothing was done
    └── OutcomeUnknown        the call was sent and no answer came back
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal
from urllib.parse import urlsplit


class AgentError(Exception):
    """Everything that the agent raises on purpose; `str()` is a sentence for a person."""


class HomeBusy(AgentError):
    """Another process holds the home's lease."""

    def __init__(self, holder_pid: int | None, where: str) -> None:
        who = f"process {holder_pid}" if holder_pid else "another process"
        super().__init__(f"The home at {where} is in use by {who}. Attach to it, or stop it first.")
        self.holder_pid = holder_pid


class NotWritable(AgentError):
    """The home's disk takes nothing more. What was to follow from what could not be written down has not been done."""

    def __init__(self, why: str, remedy: str) -> None:
        """`why` goes on after "the disk", `remedy` is what the person has to do."""
        super().__init__(
            f"Nothing more can be written in Variet's home: the disk {why}. Nothing more was done. {remedy.capitalize()}, and ask again."
        )


class SessionNotFound(AgentError):
    """No session has this id."""

    def __init__(self, session: str) -> None:
        super().__init__(f'There is no session "{session}".')


class TurnNotFound(AgentError):
    """No turn of that id has ended in the session."""

    def __init__(self, turn: str) -> None:
        super().__init__(f'No turn "{turn}" has ended in this session.')


class SessionBusy(AgentError):
    """One turn at a time per session."""

    def __init__(self, session: str, sentence: str = "") -> None:
        """`sentence` says it where something else than a turn runs."""
        super().__init__(sentence or f'A turn is still running in session "{session}". Wait for it, answer what it asks, or cancel it.')


ApprovalProblem = Literal["unknown", "answered", "expired", "digest"]


class ApprovalError(AgentError):
    """An answer to an approval that does not count."""

    def __init__(self, problem: ApprovalProblem) -> None:
        super().__init__(
            {
                "unknown": "There is no such approval.",
                "answered": "This approval has already been answered.",
                "expired": "This approval has expired. Nothing was done.",
                "digest": "This answer was given for another call. Look at the approval again.",
            }[problem]
        )
        self.problem: ApprovalProblem = problem


class HoldError(AgentError):
    """What was to be taken back is not held: it has gone out, was taken back before, is asked about again, or never was."""

    def __init__(self) -> None:
        super().__init__("This is not held any more: it has gone out, was taken back already, or is asked about again.")


ModelErrorCode = Literal["engine_unreachable", "model_failed"]


class ModelError(AgentError):
    """The model could not answer; the turn ends."""

    code: ModelErrorCode = "model_failed"
    is_refusal: bool = False
    """A server outside refused by its status, before any of an answer: nobody pays for that."""


class EngineUnreachable(ModelError):
    """Nobody answers at the engine's address."""

    code: ModelErrorCode = "engine_unreachable"
    was_taken: bool = False
    """It took the request and then said nothing: it may have worked on it, and want to be paid."""

    def __init__(self, url: str, why: str | None = None) -> None:
        """`why` says it better than that it does not answer, such as an untrusted certificate."""
        super().__init__(why or not_there(url))


def not_there(url: str, section: str = "engine") -> str:
    """What to do where nothing listens at the address of an engine, which `section` of `agent.toml` names."""
    # Typed where it is read, the command would start a second engine, which answers nobody who asks for the other.
    there = "" if urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost") else "on its machine "
    return f"The engine at {url} does not answer. Start it {there}with `variet engine serve`, or set {section}.url in agent.toml."


class ModelFailed(ModelError):
    """The engine refused, or the model's stream broke."""


class ContextOverflow(ModelFailed):
    """The request is longer than the model's context."""

    def __init__(self, prompt_tokens: int, n_ctx: int) -> None:
        """Sizes in tokens, as the server says; 0 where it does not."""
        sizes = (f"{prompt_tokens} tokens", f"it holds {n_ctx}" if n_ctx else "") if prompt_tokens else ()
        told = f" ({', '.join(filter(None, sizes))})" if sizes else ""
        super().__init__(f"This is longer than the model can read{told}. Begin a new session, or ask a larger tier.")
        self.prompt_tokens = prompt_tokens
        self.n_ctx = n_ctx


class RequestTooLarge(ModelFailed):
    """A server on the way takes no request of this size."""

    def __init__(self, size: int, said: str = "", *, node: str = "") -> None:
        """`size`: of the request, in bytes. `said`: the server's own words. `node`: one that is not an engine of ours."""
        taker, advice = (
            f"the node {node}" if node else "the model's server",
            "" if node else ", or raise server.max_body_mib in engine.toml",
        )
        super().__init__(
            f"The request has {size / 2**20:.1f} MiB with the pictures of the conversation, more than {taker} takes. "
            f"{said or 'It did not say how much it takes.'} Send fewer or smaller pictures{advice}."
        )


class ModelRefused(ModelFailed):
    """The engine refused what the request says (HTTP 4xx) before any of an answer; the same again would be refused again."""


class ModelFaulted(ModelFailed):
    """The engine failed at the request (HTTP 500) before any of an answer: at what it says, or because something else broke."""


class PictureRefused(AgentError):
    """A picture cannot be shown: it is none, too large, or no model here can see."""


class TaskUnknown(AgentError):
    """A type of task that no rule can mean: taken in silence, it would switch off what the words say."""

    def __init__(self, task: str, known: Collection[str]) -> None:
        there = f"there are: {', '.join(known)}. Name one of them, or none: then the words say it." if known else "there are none."
        super().__init__(f'"{task}" is no type of task in [routing.tasks]; {there}')


class ToolError(AgentError):
    """A call that gave no result; the sentence goes to the model."""


class ToolUnavailable(ToolError):
    """The call did not reach a server: nothing was done."""


class OutcomeUnknown(ToolError):
    """The call was sent and no answer came back."""
