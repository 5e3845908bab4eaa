"""What the runtime raises, as an answer with a stable code, and that answer as the same exception on the other side.

The tree in `agent.errors` is for everybody; what is added here exists only because there is a process in between:

    AgentError
    ├── SendCancelled         the front-end: what was asked for was cancelled before it began
    ├── ServiceError          the person: the service could not be started, or answered with something unknown
    └── ServiceGone           the front-end: attach again; the session is in the log, what was completed stays done
"""

from __future__ import annotations

from typing import NamedTuple, get_args

from agent.errors import (
    AgentError,
    ApprovalError,
    ApprovalProblem,
    EngineUnreachable,
    HoldError,
    HomeBusy,
    NotWritable,
    PictureRefused,
    SessionBusy,
    SessionNotFound,
    TaskUnknown,
    TurnNotFound,
)
from agent.service.wire import Fault

UNKNOWN_TASK = "unknown_task"
"""The code of a refusal: the settings have no such type of task."""
_APPROVAL = "approval_"


class ServiceError(AgentError):
    """The service could not be started, or answered with a code that has no exception of its own."""

    def __init__(self, message: str, code: str = "service") -> None:
        super().__init__(message)
        self.code = code


class ServiceGone(AgentError):
    """The service went away while we were attached."""

    def __init__(self) -> None:
        super().__init__("The agent service is gone.")


class SendCancelled(AgentError):
    """What was asked for was cancelled while it was being taken: it never began, and nothing of it is in the log."""

    def __init__(self) -> None:
        super().__init__("This was cancelled before it began. Nothing was done.")


class Answer(NamedTuple):
    """An HTTP status and what its body says."""

    status: int
    code: str


_ANSWERS: dict[type[AgentError], Answer] = {
    SessionNotFound: Answer(404, "session_not_found"),
    TurnNotFound: Answer(404, "turn_not_found"),
    SessionBusy: Answer(409, "session_busy"),
    SendCancelled: Answer(409, "send_cancelled"),
    HoldError: Answer(409, "not_held"),
    PictureRefused: Answer(422, "picture_refused"),
    TaskUnknown: Answer(422, UNKNOWN_TASK),
    HomeBusy: Answer(409, "home_busy"),
    NotWritable: Answer(507, "not_writable"),
    EngineUnreachable: Answer(503, "engine_unreachable"),
}


def answer_for(error: AgentError) -> Answer:
    """The answer that one of the runtime's errors becomes."""
    if isinstance(error, ApprovalError):
        return Answer(404 if error.problem == "unknown" else 409, _APPROVAL + error.problem)
    return next((answer for kind, answer in _ANSWERS.items() if isinstance(error, kind)), Answer(500, "agent_error"))


def error_for(fault: Fault, subject: str) -> AgentError:
    """The exception that a fault stands for.

    Args:
        fault: as answered.
        subject: the session or approval that was asked for.
    """
    problems: dict[str, ApprovalProblem] = {_APPROVAL + problem: problem for problem in get_args(ApprovalProblem)}
    if fault.code in problems:
        return ApprovalError(problems[fault.code])
    match fault.code:
        case "session_not_found":
            return SessionNotFound(subject)
        case "session_busy":
            return SessionBusy(subject, fault.message)
        case "not_held":
            return HoldError()
        case "send_cancelled":
            return SendCancelled()
        case "leaving":
            return ServiceGone()
        case _:
            return ServiceError(fault.message, fault.code)
