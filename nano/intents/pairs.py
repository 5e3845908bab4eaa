"""Requests for two acts of which neither needs what the other brings: both are called at once, and both results are told."""

from __future__ import annotations

import re

from nano import replies, results
from nano.dialogue import Dialogue
from nano.intents.mail import recipient_of
from nano.intents.words import join, moved_to, when_of

Call = tuple[str, dict[str, str | bool | None]]
_DRAFTED = re.compile(r"\b(draft|prepare|compose|write)\b", re.IGNORECASE)
"""Words by which a letter is only to be prepared; by all others it is to be sent."""


def both(d: Dialogue, calls: tuple[Call, Call], texts: tuple[str, str]) -> None:
    """Both calls at once, and what came back of each."""
    d.call_all(*calls)
    for text in texts:
        d.result(text)
    d.says(" ".join(replies.reply(tool, text) for (tool, _), text in zip(calls, texts, strict=True)))


def _letter(d: Dialogue, slots: dict[str, str]) -> tuple[Call, str]:
    tool = "draft_mail" if _DRAFTED.search(d.wording) else "send_mail"
    to, body, subject = recipient_of(slots), slots["body"], slots.get("subject")
    if tool == "send_mail":
        text = results.sent(d.rng, to, body, subject or "")
    else:
        text, _ = results.draft(d.rng, to, body, subject or "")
    return (tool, {"to": to, "body": body, "subject": subject}), text


def created(d: Dialogue, slots: dict[str, str]) -> tuple[Call, str]:
    """The call that adds an event, and what it answers."""
    text, _ = results.created(d.rng, d.now, slots["title"], slots.get("place", ""))
    arguments = {"title": slots["title"], "when": when_of(slots), "duration": slots.get("duration"), "location": slots.get("place")}
    return ("create_event", dict(arguments)), text


def _deleted(d: Dialogue, slots: dict[str, str]) -> tuple[Call, str]:
    event = slots["event"]
    return ("delete_event", {"event": event, "when": slots.get("now_day") or slots.get("period")}), results.deleted(d.rng, d.now, event)


def create_and_mail(d: Dialogue) -> None:
    slots = d.typed("create_and_mail")
    if not d.has("create_event", "draft_mail", "send_mail"):
        return d.cannot()
    (first, said), (second, told) = created(d, slots), _letter(d, slots)
    return both(d, (first, second), (said, told))


def update_and_mail(d: Dialogue) -> None:
    slots = d.typed("update_and_mail")
    if not d.has("update_event", "draft_mail", "send_mail"):
        return d.cannot()
    arguments = {"event": slots["event"], "when": slots.get("now_day"), "new_when": moved_to(slots), "new_location": slots.get("new_place")}
    said, _ = results.updated(d.rng, d.now, slots["event"], slots.get("new_place"))
    second, told = _letter(d, slots)
    return both(d, (("update_event", dict(arguments)), second), (said, told))


def delete_and_mail(d: Dialogue) -> None:
    slots = d.typed("delete_and_mail")
    if not d.has("delete_event", "draft_mail", "send_mail"):
        return d.cannot()
    (first, said), (second, told) = _deleted(d, slots), _letter(d, slots)
    return both(d, (first, second), (said, told))


def delete_and_create(d: Dialogue) -> None:
    slots = d.typed("delete_and_create")
    if not d.has("delete_event", "create_event"):
        return d.cannot()
    (first, said), (second, told) = _deleted(d, slots), created(d, slots)
    return both(d, (first, second), (said, told))


def read_then_reply(d: Dialogue, slots: dict[str, str] | None = None) -> None:
    """`read Craig's mail and answer that it's fine`: the mail that was read is the one that is answered."""
    slots = slots or d.typed("read_then_reply")
    if not d.has("read_mail", "draft_reply"):
        return d.cannot()
    words = join(slots.get("person"), slots.get("topic"))
    d.call("read_mail", mail=words)
    if d.rng.random() < 0.08:
        return d.answers("read_mail", f'No mail matches "{words}".')
    one = results.a_mail(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))
    read = results.mail(one)
    d.result(read)
    d.call("draft_reply", mail=one.id, body=slots["body"])
    text, _ = results.draft(d.rng, one.sender.address, slots["body"], f"Re: {one.subject}")
    d.result(text)
    return d.says(f"{replies.reply('read_mail', read)} {replies.reply('draft_reply', text)}")
