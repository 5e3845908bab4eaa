"""What a tool asked back is answered: which of several events, or to what address."""

from __future__ import annotations

from nano import names, results
from nano.dialogue import Dialogue
from nano.grammar import Piece
from nano.intents.calendar import ask_update, changes_of
from nano.intents.mail import no_address, recipient_of, written
from nano.intents.words import meant
from nano.times import WEEKDAYS

_TITLE_SHARE = 0.4
_DAY_SHARE = 0.3
"""How often an event is told by its title, or by its day where no other is on that day; else it is told by its place in the list."""


def which_update(d: Dialogue) -> None:
    slots = d.typed("update")
    changes = changes_of(slots)
    if not d.has("update_event"):
        return d.cannot()
    if not any(changes.values()):
        return d.says(ask_update(slots["event"]))
    when = slots.get("now_day")
    d.call("update_event", event=slots["event"], when=when, **changes)
    title = _told_which(d, "update_event", slots["event"], on_one_day=bool(when))
    d.call("update_event", event=title, when=when, **changes)
    text, _ = results.updated(d.rng, d.now, changes["new_title"] or title, changes["new_location"])
    return d.answers("update_event", text)


def which_delete(d: Dialogue) -> None:
    slots = d.typed("delete")
    if not d.has("delete_event"):
        return d.cannot()
    when = slots.get("now_day") or slots.get("period")
    d.call("delete_event", event=slots["event"], when=when)
    title = _told_which(d, "delete_event", slots["event"], on_one_day=bool(when))
    d.call("delete_event", event=title, when=when)
    return d.answers("delete_event", results.deleted(d.rng, d.now, title))


def _told_which(d: Dialogue, tool: str, words: str, *, on_one_day: bool) -> str:
    """Several events match these words (on the day that was said), and the person says which one; its title."""
    text, found = results.several_events(d.rng, d.now, words, on_one_day=on_one_day)
    # A title that is exactly these words would have been taken, and titles that are alike would not tell which one.
    while len({words.lower(), *(event.title.lower() for event in found)}) <= len(found):
        text, found = results.several_events(d.rng, d.now, words, on_one_day=on_one_day)
    d.answers(tool, text)
    titles = [event.title for event in found]
    days = [event.span.first_day.weekday() for event in found]
    at = d.rng.randrange(len(found))
    r = d.rng.random()
    if r < _TITLE_SHARE:
        d.types([Piece(d.rng.choice(("", "", "the one ", "i mean ", "the "))), Piece(titles[at], "event")], polite=False)
        return titles[at]
    if r < _TITLE_SHARE + _DAY_SHARE and days.count(days[at]) == 1:
        form = d.rng.choice(("the one on {}", "the {} one", "{}'s", "on {}", "the one on {} please", "{}"))
        d.types([Piece(form.format(WEEKDAYS[days[at]].capitalize()))], polite=False)
        return titles[at]
    d.typed("listed_which")
    while not (title := meant(d.wording, titles)):
        d.messages.pop()
        d.typed("listed_which")
    return title


def address_given(d: Dialogue) -> None:
    """Nobody of that name is known, and the person says what the address is."""
    tool = "send_mail" if d.rng.random() < 0.5 else "draft_mail"
    slots = d.typed(tool)
    if not d.has(tool):
        return d.cannot()
    to = recipient_of(slots)
    d.call(tool, to=to, body=slots["body"], subject=slots.get("subject"))
    if "@" not in to:
        d.answers(tool, no_address(to))
        lead = d.rng.choice(("", "", "", "it's ", "it is ", "use ", "sorry, ", "try ", "the address is ", "oh, "))
        to = d.types([Piece(lead), Piece(names.address(d.rng), "address")], polite=False)["address"]
        d.call(tool, to=to, body=slots["body"], subject=slots.get("subject"))
    return written(d, tool, to, slots)
