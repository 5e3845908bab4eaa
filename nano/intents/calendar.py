"""Calendar requests: listing, finding, adding, changing, deleting, free time, and what is missing from them."""

from __future__ import annotations

from nano import fill, results, times
from nano.dialogue import Dialogue
from nano.grammar import Piece
from nano.intents.words import moved_to, refused, when_of


def list_events(d: Dialogue) -> None:
    slots = d.typed("list")
    if not d.has("list_events"):
        return d.cannot()
    d.call("list_events", when=slots.get("period") or slots.get("day"))
    text, _ = results.events(d.rng, d.now)
    d.answers("list_events", text)
    return None


def find_event(d: Dialogue) -> None:
    slots = d.typed("find_event")
    if not d.has("list_events"):
        return d.cannot()
    d.call("list_events", query=slots["event"], when=slots.get("period") or slots.get("day"))
    text, _ = results.events(d.rng, d.now, query=slots["event"])
    d.answers("list_events", text)
    return None


def _create(d: Dialogue, slots: dict[str, str]) -> None:
    d.call("create_event", title=slots["title"], when=when_of(slots), duration=slots.get("duration"), location=slots.get("place"))
    if d.rng.random() < 0.03:
        return d.answers("create_event", f'Cannot understand the time "{when_of(slots)}". Give a day or a time, such as "tomorrow at 3pm".')
    if d.rng.random() < 0.05:
        return d.answers("create_event", refused(d.rng))
    text, _ = results.created(d.rng, d.now, slots["title"], slots.get("place", ""))
    d.answers("create_event", text)
    return None


def create(d: Dialogue) -> None:
    slots = d.typed("create")
    if not d.has("create_event"):
        return d.cannot()
    if not when_of(slots):
        d.says(_ask_when(slots["title"]))
        return None
    _create(d, slots)
    return None


def _ask_when(title: str) -> str:
    return f"When is {title}?"


def ask_create_when(d: Dialogue) -> None:
    slots = d.typed("ask_create_when")
    if not d.has("create_event"):
        return d.cannot()
    d.says(_ask_when(slots["title"]))
    if d.rng.random() < 0.6:
        more = d.types(
            [Piece(d.rng.choice(("", "", "", "on ", "make it ", "it's ", "let's say ", "for "))), Piece(times.when(d.rng), "when")],
            polite=False,
        )
        _create(d, {**slots, **more})
    return None


def ask_create_title(d: Dialogue) -> None:
    slots = d.typed("ask_create_title")
    if not d.has("create_event"):
        return d.cannot()
    d.says("What should I call it?")
    if d.rng.random() < 0.6 and when_of(slots):
        more = d.types([Piece(d.rng.choice(("", "", "", "call it ", "it's ", "just "))), Piece(fill.title(d.rng), "title")], polite=False)
        _create(d, {**slots, **more})
    return None


def ask_create_both(d: Dialogue) -> None:
    d.typed("ask_create_title_when")
    if not d.has("create_event"):
        return d.cannot()
    d.says("What should I add, and when?")
    if d.rng.random() < 0.5:
        more = d.types(
            [Piece(fill.title(d.rng), "title"), Piece(d.rng.choice((" ", ", "))), Piece(times.when(d.rng), "when")], polite=False
        )
        _create(d, more)
    return None


def _event_problem(d: Dialogue, tool: str, words: str) -> bool:
    """Sometimes the event is not found, or several are, or the person says no."""
    r = d.rng.random()
    if r < 0.07:
        d.answers(tool, results.no_event(d.rng, d.now, words))
    elif r < 0.14:
        d.answers(tool, results.several_events(d.rng, d.now, words)[0])
    elif r < 0.19:
        d.answers(tool, refused(d.rng))
    else:
        return False
    return True


def changes_of(slots: dict[str, str]) -> dict[str, str | None]:
    """What is to change about an event, as arguments; all empty where nothing was said."""
    return {
        "new_when": moved_to(slots),
        "new_duration": slots.get("new_duration"),
        "new_title": slots.get("new_title"),
        "new_location": slots.get("new_place"),
    }


def update(d: Dialogue, given: dict[str, str] | None = None) -> None:
    slots = d.typed("update", given)
    if not d.has("update_event"):
        return d.cannot()
    changes = changes_of(slots)
    if not any(changes.values()):
        return d.says(ask_update(slots["event"]))
    d.call("update_event", event=slots["event"], when=slots.get("now_day"), **changes)
    if _event_problem(d, "update_event", slots["event"]):
        return None
    text, _ = results.updated(d.rng, d.now, slots.get("new_title") or slots["event"], slots.get("new_place"))
    return d.answers("update_event", text)


def ask_update(event: str) -> str:
    return f"What should change about {event}?"


def ask_update_new(d: Dialogue) -> None:
    slots = d.typed("ask_update_new")
    if not d.has("update_event"):
        return d.cannot()
    d.says(ask_update(slots["event"]))
    if d.rng.random() < 0.6:
        more = d.types([Piece(d.rng.choice(("", "move it to ", "to ", "make it "))), Piece(times.moment(d.rng), "new_when")], polite=False)
        d.call("update_event", event=slots["event"], when=slots.get("now_day"), new_when=more["new_when"])
        text, _ = results.updated(d.rng, d.now, slots["event"], None)
        d.answers("update_event", text)
    return None


def ask_update_event(d: Dialogue) -> None:
    d.typed("ask_update_event")
    return d.says("Which event do you mean?") if d.has("update_event") else d.cannot()


def delete(d: Dialogue, given: dict[str, str] | None = None) -> None:
    slots = d.typed("delete", given)
    if not d.has("delete_event"):
        return d.cannot()
    d.call("delete_event", event=slots["event"], when=slots.get("now_day") or slots.get("period"))
    if not _event_problem(d, "delete_event", slots["event"]):
        d.answers("delete_event", results.deleted(d.rng, d.now, slots["event"]))
    return None


def ask_delete_event(d: Dialogue) -> None:
    d.typed("ask_delete_event")
    return d.says("Which event should I delete?") if d.has("delete_event") else d.cannot()


def free(d: Dialogue) -> None:
    slots = d.typed("free")
    if not d.has("find_free_time"):
        return d.cannot()
    when = slots.get("when") or slots.get("period") or when_of(slots)
    if not when:
        d.call("find_free_time", when="this week", duration=slots.get("duration"))
        return d.answers("find_free_time", results.free_days(d.rng, d.now))
    d.call("find_free_time", when=when, duration=slots.get("duration"))
    point = "when" in slots
    return d.answers(
        "find_free_time", results.span_free(d.rng, d.now) if point and d.rng.random() < 0.8 else results.free_days(d.rng, d.now)
    )
