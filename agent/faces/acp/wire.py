"""The Agent Client Protocol's values (version 1), as far as the agent speaks it: prompts read, events as updates of a session. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from agent.calls.telling import for_person
from agent.errors import PictureRefused
from agent.event_parts import DEFERRED_TEXT, Beside, PictureFile
from agent.events import (
    ApprovalNeeded,
    Attached,
    CallDecided,
    Event,
    ToolClass,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnFailed,
    TurnStarted,
)
from agent.faces.drawn import Answers
from agent.faces.exact import escaped, fenced, question
from agent.faces.given_pictures import name_in, picture_given
from agent.faces.notes import notes
from agent.faces.outcome import Outcome
from agent.held_events import ToolHeld
from agent.service.wire import SessionRow

VERSION = 1
YES, NO = "yes", "no"
ASK, LATER = "ask", "later"
MODES: Mapping[str, tuple[str, str]] = {
    ASK: ("Ask here", "What would write, delete or send is asked in the editor, with the exact call."),
    LATER: (
        "Leave for later",
        "What would write, delete or send is left in the queue, shown by `variet chat`; the turn goes on without it.",
    ),
}
"""Who is asked for approvals; what may be done without one is the same in both."""
PAGE = 50
"""Conversations on one page of a list."""
TITLE_CHARS = 100
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, FAILED = -32700, -32600, -32601, -32602, -32603
_KINDS: Mapping[ToolClass, str] = {"read": "read", "write": "edit", "delete": "delete", "send": "other", "run": "execute"}
NOT_ASKED = "\n\nThis editor could not ask you: {}. It waits for your yes or no in `variet chat` (/approvals), and the turn with it.\n\n"
"""Said where the turn would else stand still without a word."""
MAX_ATTACHED = 16
"""Files beside one prompt, as the service takes them."""
MAX_TEXT = 8_000
"""Characters of a tool's result that an editor is shown."""


class BadParams(Exception):
    """What a request carries is not what its method takes."""


def initialized(version: str, *, sees: bool = False) -> dict[str, Any]:
    """The answer to `initialize`: the one version that is spoken here; the client ends where it cannot speak it.

    Args:
        version: of the agent.
        sees: a model is configured that can be shown pictures.
    """
    prompts = {"image": sees, "audio": False, "embeddedContext": True}
    return {
        "protocolVersion": VERSION,
        "agentCapabilities": {
            "loadSession": True,
            "promptCapabilities": prompts,
            "mcpCapabilities": {"http": False, "sse": False},
            "sessionCapabilities": {"list": {}, "resume": {}, "fork": {}, "close": {}, "delete": {}},
        },
        "agentInfo": {"name": "variet", "title": "Variet", "version": version},
        "authMethods": [],
    }


def session_of(params: Mapping[str, Any]) -> str:
    """The session that a request is about."""
    session = params.get("sessionId")
    if not isinstance(session, str):
        raise BadParams("sessionId is missing.")
    return session


def cwd_of(params: Mapping[str, Any]) -> str:
    """The folder that a request names; the agent has none of its own, so every conversation is of the one that is asked about."""
    cwd = params.get("cwd")
    return cwd if isinstance(cwd, str) and cwd else "/"


def listed(rows: Sequence[SessionRow], cwd: str, cursor: object) -> dict[str, Any]:
    """One page of the conversations, the last used first.

    Args:
        rows: all of them.
        cwd: the folder that is asked about.
        cursor: where the page before ended; None for the first.
    """
    start = int(cursor) if isinstance(cursor, str) and cursor.isdigit() else 0
    page = rows[start : start + PAGE]
    told: dict[str, Any] = {"sessions": [_listed(row, cwd) for row in page]}
    return told | ({"nextCursor": str(start + PAGE)} if start + PAGE < len(rows) else {})


def _listed(row: SessionRow, cwd: str) -> dict[str, Any]:
    title = row.title or row.last_text
    return {"sessionId": row.session, "cwd": cwd, "title": title[:TITLE_CHARS] or None}


def replayed(session: str, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """What was said and done in a conversation, as the updates that told of it."""
    outcome, answers = Outcome(session, ""), Answers()
    for event in events:
        answers.take(event)
        if isinstance(event, TurnStarted):
            outcome = Outcome(session, event.turn)
            beside = [*(f"[file: {each.name}]" for each in event.attached), *(f"[picture: {each.name}]" for each in event.pictures)]
            # The host's own words about an approved call quote what outsiders wrote, and are no words of the person's.
            text = answers.whole("\n".join((event.text, *beside)))
            is_own = not text.startswith(DEFERRED_TEXT)
            yield {"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": text}} if is_own else said(f"\n\n{text}\n\n")
        if told := answers.whole(outcome.take(event)):
            yield said(told)
        yield from updates_of(event)
        if told := ending(event):
            yield said(told)


def ending(event: Event) -> str:
    """How a turn ended that has no answer, where it was not begun with a prompt: a prompt's own answer says it."""
    match event:
        case TurnCancelled():
            return "\n\n*Cancelled.*"
        case TurnFailed():
            return f"\n\n*Failed: {event.error}*"
        case _:
            return ""


class Prompt(NamedTuple):
    """What was typed, with links by their address; and the files that the editor put beside it, which anybody may have written."""

    text: str
    attached: tuple[Beside, ...]


def prompt_of(params: Mapping[str, Any]) -> Prompt:
    """A request's prompt.

    Raises:
        BadParams: nothing was typed, a part is of a kind that is not taken, a file is too long, or a picture cannot be read.
    """
    blocks = params.get("prompt")
    parts = [_block(block, at) for at, block in enumerate(cast("list[Any]", blocks), 1)] if isinstance(blocks, list) else []
    text = "\n".join(part for part in parts if isinstance(part, str) and part).strip()
    if not text:
        raise BadParams("The prompt holds no text.")
    attached = tuple(part for part in parts if not isinstance(part, str))
    if len(attached) > MAX_ATTACHED:
        raise BadParams(f"The prompt holds {len(attached)} files; {MAX_ATTACHED} are taken.")
    return Prompt(text, attached)


def _block(block: Any, at: int) -> str | Beside:
    if not isinstance(block, dict):
        raise BadParams("A part of the prompt is no object.")
    part = cast("dict[str, Any]", block)
    match part.get("type"):
        case "text":
            return str(part.get("text", ""))
        case "resource_link":
            return str(part.get("uri", ""))
        case "resource":
            inside: Any = part.get("resource")
            held: dict[str, Any] = cast("dict[str, Any]", inside) if isinstance(inside, dict) else {}
            return _held(held, at)
        case "image":
            return _picture(part.get("data"), name_in(part.get("uri"), f"picture {at}"))
        case _:
            raise BadParams(f"The agent takes no {part.get('type')!r} in a prompt.")


def _held(held: Mapping[str, Any], at: int) -> Beside:
    """A file that the editor sends whole: text, or a picture."""
    if "blob" not in held:
        return _attached(str(held.get("uri", "")), str(held.get("text", "")))
    name = name_in(held.get("uri"), f"file {at}")
    if str(held.get("mimeType", "")).startswith("image/"):
        return _picture(held["blob"], name)
    raise BadParams(f"{name[:TITLE_CHARS]} is neither text nor a picture, and nothing else is taken beside a prompt.")


def _picture(data: object, name: str) -> PictureFile:
    try:
        return picture_given(data, name)
    except PictureRefused as error:
        raise BadParams(str(error)) from error


def _attached(name: str, text: str) -> Attached:
    try:
        return Attached(name=name, text=text)
    except ValidationError as error:
        raise BadParams(f"{name[:TITLE_CHARS]} is too long to be put beside a prompt: {error.errors()[0]['msg']}.") from error


def said(text: str) -> dict[str, Any]:
    """A piece of the answer."""
    return {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}


def updates_of(event: Event) -> list[dict[str, Any]]:
    """All that an editor is shown of an event, beside the answer's text: of a call also what nobody is asked about, and should know."""
    lines = notes(event) if isinstance(event, CallDecided) else []
    return [each for each in (update_of(event), _noted(lines)) if each is not None]


def update_of(event: Event) -> dict[str, Any] | None:
    """The first of them; None for nothing."""
    match event:
        case CallDecided():
            shown = {"title": event.name, "kind": _KINDS[event.tool_class], "status": "pending", "rawInput": event.arguments}
            return {"sessionUpdate": "tool_call", "toolCallId": _call(event.turn, event.call), **shown}
        case ToolHeld():
            text = f"Goes out at {event.until[11:19]}. Cancel the turn, or run `variet undo`, to take it back: {escaped(event.summary)}"
            held = {"type": "content", "content": {"type": "text", "text": text}}
            return {
                "sessionUpdate": "tool_call_update", "toolCallId": _call(event.turn, event.call), "status": "pending", "content": [held],
            }  # fmt: skip
        case ToolStarted():
            return {"sessionUpdate": "tool_call_update", "toolCallId": _call(event.turn, event.call), "status": "in_progress"}
        case ToolFinished():
            result = {"type": "content", "content": {"type": "text", "text": fenced(for_person(event.text)[:MAX_TEXT])}}
            status = "completed" if event.ok else "failed"
            return {
                "sessionUpdate": "tool_call_update", "toolCallId": _call(event.turn, event.call), "status": status, "content": [result],
            }  # fmt: skip
        case _:
            return _noted(notes(event))


def _noted(lines: Sequence[str]) -> dict[str, Any] | None:
    return said("\n\n{}\n\n".format("\n\n".join(lines))) if lines else None


def permission(session: str, needed: ApprovalNeeded) -> dict[str, Any]:
    """The question for a person: exactly the call that would run, and it is asked once."""
    shown = {"type": "content", "content": {"type": "text", "text": question(needed)}}
    options = [{"optionId": YES, "name": "Yes, once", "kind": "allow_once"}, {"optionId": NO, "name": "No", "kind": "reject_once"}]
    call = {"toolCallId": _call(needed.turn, needed.call), "title": escaped(needed.summary), "status": "pending", "content": [shown]}
    return {"sessionId": session, "toolCall": call | {"kind": _KINDS[needed.tool_class]}, "options": options}


def decision_of(result: Any) -> bool | None:
    """What the person chose; None where nothing was chosen, and the question stays open."""
    outcome: Any = cast("dict[str, Any]", result).get("outcome") if isinstance(result, dict) else None
    if not isinstance(outcome, dict):
        return None
    chosen = cast("dict[str, Any]", outcome)
    if chosen.get("outcome") != "selected":
        return None
    return {YES: True, NO: False}.get(str(chosen.get("optionId")))


def is_unasked(result: Any) -> bool:
    """Whether the editor cannot ask: its answer is no outcome at all. Of a turn that is cancelled it says that."""
    return not isinstance(result, dict) or not isinstance(cast("dict[str, Any]", result).get("outcome"), dict)


def _call(turn: str, call: str) -> str:
    """Models number their calls anew in each turn; an editor wants one name per session."""
    return f"{turn}/{call}"
