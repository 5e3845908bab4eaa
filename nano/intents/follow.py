"""Conversations that go on: send it, move it, delete that, and the day after, read the first, reply to it, am I free then."""

from __future__ import annotations

import json
import random
import re
from functools import cache

from nano import fill, results
from nano.dialogue import Dialogue
from nano.grammar import WHOLE, Piece, expand, lines, parsed
from nano.intents.calendar import changes_of, create, list_events
from nano.intents.mail import draft_mail, draft_reply, past, read_mail
from nano.intents.steps import announcement, proposal
from nano.intents.words import join, meant, moved_to
from nano.times import WEEKDAYS

_BESIDE_SHARE, _AFTER_SHARE = 0.5, 0.8
"""How often the day beside the one that was listed is asked for, and how often it is the one after it."""
_MAIL_SHARE, _ADDED_SHARE = 0.65, 0.6
"""How often it is a mail that tells of a time, not a page; how often what one is free for is added."""


def then_send(d: Dialogue) -> None:
    (draft_mail if d.rng.random() < 0.6 else draft_reply)(d)
    if d.messages[-2].get("role") != "tool" or not d.messages[-2]["content"].startswith("Draft ") or not d.has("send_draft"):
        return
    text = d.messages[-2]["content"]
    d.typed("follow_send")
    d.call("send_draft", draft=text.split()[1])
    d.answers("send_draft", "Sent " + text.split(" ", 2)[2])


def _an_event_first(d: Dialogue) -> str:
    """One event is on the table: it was just added, changed or found. Its title."""
    if d.rng.random() < 0.55:
        create(d)
        text = d.messages[-2].get("content", "")
        return (
            text.removeprefix("Created: ").rsplit(", ", 1)[0]
            if text.startswith("Created: ") and "\n" not in text and text.count(", ") == 1
            else ""
        )
    slots = d.typed("find_event")
    if not d.has("list_events"):
        d.cannot()
        return ""
    d.call("list_events", query=slots["event"], when=slots.get("period") or slots.get("day"))
    day = results.some_day(d.rng, d.now)
    one = results.an_event(d.rng, day, slots["event"])
    d.answers(
        "list_events",
        results.calendar_shape.events_text(
            results.days_of(results.datetime.combine(day, results.time(), results.ZONE), day), (one,), slots["event"]
        ),
    )
    return one.title


def then_move(d: Dialogue) -> None:
    title = _an_event_first(d)
    if not title or not d.has("update_event"):
        return
    slots = d.typed("follow_move")
    d.call("update_event", event=title, **changes_of(slots))
    text, _ = results.updated(d.rng, d.now, slots.get("new_title") or title, slots.get("new_place"))
    d.answers("update_event", text)


def then_delete(d: Dialogue) -> None:
    title = _an_event_first(d)
    if not title or not d.has("delete_event"):
        return
    d.typed("follow_delete")
    d.call("delete_event", event=title)
    d.answers("delete_event", results.deleted(d.rng, d.now, title))


def then_period(d: Dialogue) -> None:
    list_events(d)
    if not d.has("list_events"):
        return
    when = _beside(d) if d.rng.random() < _BESIDE_SHARE else ""
    if not when:
        slots = d.typed("follow_period")
        when = slots.get("period") or slots.get("day") or ""
    d.call("list_events", when=when)
    text, _ = results.events(d.rng, d.now)
    d.answers("list_events", text)


_ONE_DAY = re.compile(rf"today|tomorrow|(this )?({'|'.join(WEEKDAYS)})|the \d\d?(st|nd|rd|th)", re.IGNORECASE)
"""Days from which the calendar counts on: `the day after friday`."""


def _beside(d: Dialogue) -> str:
    """The day beside the one that was listed is asked for; nothing where that was not one day."""
    listed = json.loads(d.messages[1]["tool_calls"][0]["function"]["arguments"]).get("when", "")
    if not _ONE_DAY.fullmatch(listed):
        return ""
    where = "after" if d.rng.random() < _AFTER_SHARE else "before"
    d.typed(f"follow_day_{where}")
    return f"the day {where} {listed}"


def _events_first(d: Dialogue) -> list[str]:
    """Events were just listed. Their titles, as they were listed; none where some are not shown or two are alike."""
    slots = d.typed("list")
    if not d.has("list_events"):
        d.cannot()
        return []
    d.call("list_events", when=slots.get("period") or slots.get("day"))
    text, found = results.events(d.rng, d.now)
    d.answers("list_events", text)
    titles = [event.title for event in found]
    is_whole = len(text.split("\n")) == 1 + len(titles)
    return titles if is_whole and len({t.lower() for t in titles}) == len(titles) else []


def _one_of(d: Dialogue, bank: str, listed: list[str]) -> tuple[str, dict[str, str]]:
    """The person speaks of one of a list by its place in it: which one, and what was typed."""
    slots = d.typed(bank)
    while (one := meant(d.wording, listed)) is None:
        d.messages.pop()
        slots = d.typed(bank)
    return one, slots


def then_delete_listed(d: Dialogue) -> None:
    titles = _events_first(d)
    if not titles or not d.has("delete_event"):
        return
    title, _ = _one_of(d, "listed_delete", titles)
    d.call("delete_event", event=title)
    d.answers("delete_event", results.deleted(d.rng, d.now, title))


def then_move_listed(d: Dialogue) -> None:
    titles = _events_first(d)
    if not titles or not d.has("update_event"):
        return
    title, slots = _one_of(d, "listed_move", titles)
    d.call("update_event", event=title, new_when=moved_to(slots))
    text, _ = results.updated(d.rng, d.now, title, None)
    d.answers("update_event", text)


def _mails_first(d: Dialogue) -> list[str]:
    """Mails were just listed. Their ids, as they were listed."""
    name = d.rng.choice(("search_mail_sender", "search_mail_topic", "search_mail_unread", "search_mail_latest"))
    slots = d.typed(name, past(d))
    if not d.has("search_mail", "read_mail", "draft_reply"):
        d.cannot()
        return []
    d.call(
        "search_mail",
        sender=slots.get("person") or slots.get("address"),
        query=slots.get("topic"),
        when=slots.get("past") or slots.get("period"),
        unread=True if name.endswith("unread") or re.search(r"\bnew\b", d.wording) else None,
    )
    at_least = d.rng.choice((1, 2, 3))
    text, found = results.mails(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""), at_least=at_least)
    d.answers("search_mail", text)
    return [mail.id for mail in found]


def then_read(d: Dialogue) -> None:
    mails = _mails_first(d)
    if not mails:
        return
    mail, _ = _one_of(d, "follow_read", mails)
    d.call("read_mail", mail=mail)
    d.answers(
        "read_mail", results.mail(results.Mail(mail, results.a_person(d.rng), fill.subject(d.rng), d.now, True, fill.mail_text(d.rng)))
    )
    if d.rng.random() < 0.4:
        draft_reply(d, mail, "follow_reply")


def then_reply(d: Dialogue) -> None:
    if d.rng.random() < 0.5:
        mail = next(iter(_mails_first(d)), "")
    else:
        read_mail(d)
        text = d.messages[-2].get("content", "") if d.messages[-2].get("role") == "tool" else ""
        mail = text.split()[0] if text.startswith("m") and " from " in text else ""
    if mail and d.has("draft_reply"):
        draft_reply(d, mail, "follow_reply")


_LOOKED_UP = (
    "search for ",
    "look up ",
    "google ",
    "search the web for ",
    "please look up ",
    "can you look up ",
    "find online: ",
    "web search: ",
)


@cache
def _occasions() -> list[str]:
    """What takes place on a date that would have to be looked up."""
    pieces = [p for line in lines(WHOLE + "search_then_create") for p in expand(parsed(line), random.Random(0))]
    return sorted({p.text for p in pieces if p.slot == "query" and p.text})


def _time_told(d: Dialogue) -> tuple[str, str]:
    """A mail or a page on the web tells of a time. What it is for, and the time; nothing where nothing was found."""
    if d.rng.random() < _MAIL_SHARE:
        slots = d.typed("read_mail")
        if not d.has("read_mail"):
            d.cannot()
            return "", ""
        d.call("read_mail", mail=join(slots.get("person"), slots.get("topic")))
        when, one = proposal(d, slots)
        d.answers("read_mail", results.mail(one))
        return one.subject, when
    slots = d.types([Piece(d.rng.choice(_LOOKED_UP)), Piece(d.rng.choice(_occasions()), "query")], polite=False)
    if not d.has("web_search"):
        d.cannot()
        return "", ""
    d.call("web_search", query=slots["query"])
    when, snippet = announcement(d, with_time=True)
    d.answers("web_search", results.search(d.rng, slots["query"], snippet=snippet.replace("{q}", slots["query"])))
    return re.sub(r"^(the|an?) ", "", slots["query"], flags=re.IGNORECASE), when


def then_free(d: Dialogue) -> None:
    what, when = _time_told(d)
    if not what or not d.has("find_free_time"):
        return
    d.typed("follow_free")
    d.call("find_free_time", when=when)
    is_free = d.rng.random() < 0.5
    d.answers("find_free_time", results.span_free(d.rng, d.now, is_free=is_free))
    if is_free and d.has("create_event") and d.rng.random() < _ADDED_SHARE:
        _added(d, what, when)


def then_add(d: Dialogue) -> None:
    what, when = _time_told(d)
    if what and d.has("create_event"):
        _added(d, what, when)


def _added(d: Dialogue, what: str, when: str) -> None:
    d.typed("follow_add")
    d.call("create_event", title=what, when=when)
    text, _ = results.created(d.rng, d.now, what, "")
    d.answers("create_event", text)
