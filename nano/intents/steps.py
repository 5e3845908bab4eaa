"""Requests that take two acts: look something up, then do something with it; or two look-ups at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from nano import names, replies, results, times
from nano.dialogue import Dialogue
from nano.intents.mail import no_address, recipient_of
from nano.intents.words import join, when_of


def mail_then_reply(d: Dialogue, slots: dict[str, str] | None = None) -> None:
    slots = slots or d.typed("mail_then_reply")
    if not d.has("search_mail", "draft_reply"):
        return d.cannot()
    d.call("search_mail", sender=slots.get("person"), query=slots.get("topic"))
    text, found = results.mails(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))
    if not found:
        return d.answers("search_mail", text)
    d.result(text)
    d.call("draft_reply", mail=found[0].id, body=slots["body"])
    text, _ = results.draft(d.rng, found[0].sender.address, slots["body"], f"Re: {found[0].subject}")
    return d.answers("draft_reply", text)


def announcement(d: Dialogue, *, with_time: bool = False) -> tuple[str, str]:
    """A date, if wanted with a time of day, and what a page says of it; `{q}` in it is what was searched for."""
    when = times.date(d.rng) if d.rng.random() < 0.6 else results.calendar_shape.day_text(results.some_day(d.rng, d.now))[4:]
    if with_time:
        when = f"{when} at {times.clock(d.rng)}"
    form = d.rng.choice(
        (
            "It takes place on {}.",
            "The {q} is on {}.",
            "Join us on {} for the {q}.",
            "Date: {}.",
            "The next one is on {} in " + names.city(d.rng) + ".",
            "This year it happens on {}.",
        )
    )
    return when, form.replace("{}", when)


def search_then_create(d: Dialogue) -> None:
    slots = d.typed("search_then_create")
    if not d.has("web_search", "create_event"):
        return d.cannot()
    d.call("web_search", query=slots["query"])
    when, snippet = announcement(d)
    if d.rng.random() < 0.12:
        return d.answers("web_search", d.rng.choice(("Web search is not set up. Set searxng.urls in agent.toml.", "No results found")))
    d.result(results.search(d.rng, slots["query"], snippet=snippet.replace("{q}", slots["query"])))
    title = slots.get("title") or slots["query"]
    d.call("create_event", title=title, when=when)
    text, _ = results.created(d.rng, d.now, title, "")
    return d.answers("create_event", text)


def free_then_create(d: Dialogue, slots: dict[str, str] | None = None) -> None:
    slots = slots or d.typed("free_then_create")
    when = when_of(slots) or slots.get("period", "")
    if not d.has("find_free_time", "create_event"):
        return d.cannot()
    d.call("find_free_time", when=when, duration=slots.get("duration"))
    is_free = d.rng.random() < 0.6
    text = results.span_free(d.rng, d.now, is_free=is_free)
    if not is_free:
        d.result(text)
        return d.says(replies.reply("find_free_time", text) + " I added nothing.")
    d.result(text)
    d.call("create_event", title=slots["title"], when=when, duration=slots.get("duration"))
    text, _ = results.created(d.rng, d.now, slots["title"], "")
    return d.answers("create_event", text)


def draft_then_send(d: Dialogue, slots: dict[str, str] | None = None) -> None:
    slots = slots or d.typed("draft_then_send")
    if not d.has("draft_mail", "send_draft"):
        return d.cannot()
    d.call("draft_mail", to=recipient_of(slots), body=slots["body"], subject=slots.get("subject"))
    if d.rng.random() < 0.1 and "@" not in recipient_of(slots):
        return d.answers("draft_mail", no_address(recipient_of(slots)))
    address = recipient_of(slots) if "@" in recipient_of(slots) else names.address(d.rng)
    text, name = results.draft(d.rng, address, slots["body"], slots.get("subject", ""))
    d.result(text)
    d.call("send_draft", draft=name)
    return d.answers("send_draft", results.sent(d.rng, address, slots["body"], slots.get("subject", "")))


def proposal(d: Dialogue, slots: dict[str, str]) -> tuple[str, results.Mail]:
    """A time, and the mail that proposes it; it came today, so that its `tomorrow` is the reader's."""
    rng = d.rng
    day = rng.choice((rng.choice(times.WEEKDAYS), "tomorrow", f"next {rng.choice(times.WEEKDAYS)}", times.date(rng)))
    when = f"{day} at {times.clock(rng)}"
    what = rng.choice(("meet", "talk", "have lunch", "do the review", "catch up", "go through the numbers", "see each other"))
    text = rng.choice(
        (
            f"Can we {what} {when}?",
            f"Let's {what} {when}.",
            f"How about {when} to {what}?",
            f"I would like to {what} {when}. Let me know.",
            f"Hi! Shall we {what} {when}? Best wishes",
        )
    )
    sent_at = d.now - timedelta(minutes=rng.randrange(d.now.hour * 60 + d.now.minute + 1))
    one = results.a_mail(rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))
    return when, replace(one, text=text, sent_at=sent_at)


def read_then_create(d: Dialogue) -> None:
    slots = d.typed("read_then_create")
    if not d.has("read_mail", "create_event"):
        return d.cannot()
    d.call("read_mail", mail=join(slots.get("person"), slots.get("topic")))
    when, one = proposal(d, slots)
    d.result(results.mail(one))
    d.call("create_event", title=one.subject, when=when)
    text, _ = results.created(d.rng, d.now, one.subject, "")
    return d.answers("create_event", text)


def events_and_mail(d: Dialogue) -> None:
    slots = d.typed("events_and_mail")
    if not d.has("list_events", "search_mail"):
        return d.cannot()
    unread = None if slots.get("person") or slots.get("topic") else True
    d.call_all(
        ("list_events", {"when": slots.get("period") or slots.get("day")}),
        ("search_mail", {"sender": slots.get("person"), "query": slots.get("topic"), "unread": unread}),
    )
    events, _ = results.events(d.rng, d.now)
    mails, _ = results.mails(d.rng, d.now, named=slots.get("person", ""))
    d.result(events)
    d.result(mails)
    return d.says(f"{replies.reply('list_events', events)} {replies.reply('search_mail', mails)}")
