"""What becomes of a stored event, single or repeating, when one time of it, that and the later ones, or all change.

Pure but for copying components. The decision tree of a change:
1. a single event is changed itself; so is one of several times whose series is not there, and the others stay;
2. `this`: an exception holds what differs at that time, a removed time is taken out of the series;
3. `following`: the series ends before that time, and a series of its own, with an id of its own, goes on from there;
   from the first time on that is `all`. Where those before the first are removed, and it is to come up at other times,
   the series begins with it: what was removed does not come back. A series cannot begin at a wall time that clocks
   skip and be understood alike everywhere: it begins before, at a time that is removed from it;
4. `all`: the series is changed. A new time moves every time by as much as the named one; times that were changed by
   themselves keep what they have of their own, and move along unless their time is their own. Where the rule does
   not allow that, or is a new one, times that no longer come up are dropped, and it is said.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

from mcp_servers.calendars.backends.components import apart, fields, ics, rules
from mcp_servers.calendars.backends.components.course import Course
from mcp_servers.calendars.backends.components.exceptions import Exceptions
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.rule_words import words_of_rule
from mcp_servers.calendars.backends.components.starts import Start, Starts, occurrence_text, start_of
from mcp_servers.calendars.model import Answer, Change, Event, How
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.spans import Span

_SEVERAL = "The calendar keeps several events under the id of this one, which cannot be told apart here. Change it where it was made."
ADDED_BY_HAND = "This time was added to the series by hand. Say scope: this or all."


@dataclass(frozen=True)
class Edited:
    """What is stored afterwards; both parts empty when the event is gone."""

    kept: tuple[Component, ...]
    split_off: tuple[Component, ...] = ()
    event_id: str = ""
    """What the changed event is called then."""
    notes: tuple[str, ...] = ()
    """What else happens to the series, in sentences."""


def changed(series: list[Component], event: Event, change: Change, how: How) -> Edited:
    """What becomes of the components of one UID.

    Raises:
        Refusal: the series' rule does not allow it.
    """
    if apart.is_apart(series):
        if change.rule is not None:
            raise Refusal(apart.NO_SERIES)
        return _apart(series, event, how, lambda one: fields.write(one, change, how.now))
    master, exceptions = _parts(series)
    if not event.occurrence:  # 1.
        fields.write(master, change, how.now)
        return _edited(master, exceptions, how, _first_id(master))
    if how.scope == "this":  # 2.
        if change.rule is not None:
            raise Refusal("One time of a series does not repeat by itself. Say scope: following or all.")
        fields.write(exceptions.of(master, event.occurrence), change, how.now)
        return _edited(master, exceptions, how, event.id)
    head: tuple[Component, ...] = ()
    if how.scope == "following":  # 3.
        head, master, exceptions = _from_then_on(master, exceptions, event, how, change)
    notes, wall = _change_all(master, exceptions, event, change, how)  # 4.
    starts = Starts.of(master["DTSTART"].dt)
    after = f"{master['UID']}#{occurrence_text(starts.start(wall))}" if ics.is_recurring([master]) else str(master["UID"])
    done = _edited(master, exceptions, how, after, notes)
    return replace(done, kept=_edited(head[0], Exceptions(list(head[1:])), how, "").kept, split_off=done.kept) if head else done


def removed(series: list[Component], event: Event, how: How) -> Edited:
    """What is left of the components of one UID when an event of it goes.

    Raises:
        Refusal: the series' rule does not allow it.
    """
    if apart.is_apart(series):
        _, others = apart.parted(series, event.id)
        return _edited(others[0], Exceptions(others[1:]), how, "") if others else Edited(())
    master, exceptions = _parts(series)
    if not event.occurrence or how.scope == "all" or (how.scope == "following" and _is_first(master, exceptions, event)):
        return Edited(())
    if how.scope == "this":
        exceptions.take_out(master, event.occurrence)
        fields.stamp(master, how.now)
        return _edited(master, exceptions, how, "")
    head, _, _ = _split(master, exceptions, event, how, Change())
    return _edited(head[0], Exceptions(list(head[1:])), how, "")


def answered(series: list[Component], event: Event, answer: Answer, me: frozenset[str], how: How) -> Edited:
    """The components with one's own answer to the invitation.

    Args:
        series: all of one UID.
        event: the invitation, or one time of it.
        answer: to it.
        me: one's own addresses, in lower case.
        how: `this` or `all`.

    Raises:
        Refusal: none of the addresses is invited.
    """
    if apart.is_apart(series):
        return _apart(series, event, how, lambda one: _answer([one], answer, me, how))
    master, exceptions = _parts(series)
    is_one = bool(event.occurrence) and how.scope == "this"
    if how.scope == "following" and event.occurrence:
        raise Refusal("An invitation is answered for this time or for all. Say scope: this or all.")
    targets = [exceptions.of(master, event.occurrence)] if is_one else [master, *exceptions.components]
    _answer(targets, answer, me, how)
    return _edited(master, exceptions, how, event.id)


def _answer(targets: list[Component], answer: Answer, me: frozenset[str], how: How) -> None:
    if not [target for target in targets if fields.put_answer(target, me, answer)]:
        mine = ", ".join(sorted(me))
        hint = "Set the one that is invited as the account's address in agent.toml."
        raise Quoting(f"None of your addresses ({mine}) is invited to this event. Nothing was answered. {hint}")
    for target in targets:
        fields.mark(target, how.now)


def _apart(series: list[Component], event: Event, how: How, edit: Callable[[Component], None]) -> Edited:
    """The one time that is meant, edited, and the others as they are."""
    one, others = apart.parted(series, event.id)
    edit(one)
    return _edited(one, Exceptions(others), how, event.id)


def silenced(series: list[Component], how: How) -> Edited:
    """The same event, which says of itself that its server shall write to nobody."""
    return _edited(*_parts(series), how, "")


def _parts(series: list[Component]) -> tuple[Component, Exceptions]:
    copies = [copy.deepcopy(component) for component in series]
    if any("RECURRENCE-ID" not in component for component in copies[1:]):
        raise Refusal(_SEVERAL)  # one of them is shown, and all would go with it
    return copies[0], Exceptions(copies[1:])


def _edited(master: Component, exceptions: Exceptions, how: How, event_id: str, notes: tuple[str, ...] = ()) -> Edited:
    kept = (master, *exceptions.components)
    for component in kept:
        if how.notify:
            fields.put_notify(component, how.notify)
    return Edited(kept, event_id=event_id, notes=notes)


def _first_id(master: Component) -> str:
    is_series = ics.is_recurring([master])
    return f"{master['UID']}#{occurrence_text(master['DTSTART'].dt)}" if is_series else str(master["UID"])


def _is_first(master: Component, exceptions: Exceptions, event: Event) -> bool:
    """Whether nothing of the series comes up before; its start does even where the rule does not give it."""
    first = master["DTSTART"].dt
    if occurrence_text(first) == event.occurrence:
        return True
    course = Course.of(master)
    if not course.rule or " " in fields.rule_text(master):
        return False
    wall = course.wall_of(start_of(event.occurrence, course.starts))
    return exceptions.has_only_removed(master, [first, *map(course.starts.start, course.before(wall))], wall, course.starts)


def _from_then_on(
    master: Component, exceptions: Exceptions, event: Event, how: How, change: Change
) -> tuple[tuple[Component, ...], Component, Exceptions]:
    """The part before the event, if there is any, and the series that is to be changed."""
    if not _is_first(master, exceptions, event):
        return _split(master, exceptions, event, how, change)
    is_moved = change.span is not None and not _is_start_of(change.span, event)
    if occurrence_text(master["DTSTART"].dt) == event.occurrence or not (is_moved or change.rule is not None or change.zone is not None):
        return (), master, exceptions
    # What is before never comes up: servers refuse such a series, and the rest of it goes on under the same id.
    _, master, exceptions = _split(master, exceptions, event, replace(how, uid=str(master["UID"])), change)
    return (), master, exceptions


def _split(
    master: Component, exceptions: Exceptions, event: Event, how: How, change: Change
) -> tuple[tuple[Component, ...], Component, Exceptions]:
    """The part before the event, and the series that begins with it, not yet changed."""
    exceptions.check_editable(master)
    course = Course.of(master)
    wall = course.wall_of(start_of(event.occurrence, course.starts))
    if not course.rule or not course.holds(wall):
        raise Refusal(ADDED_BY_HAND)
    tail = copy.deepcopy(master)
    tail["UID"] = type(master["UID"])(how.uid)
    length = fields.length_of(master)
    before = course.before(wall)
    start, removed = _beginning(course, before, wall, change, event)
    fields.put_start(tail, start, cast("Any", start) + length)
    later = dict(course.rule)
    if "COUNT" in later:
        later["COUNT"] = str(int(later["COUNT"]) - len(before) + len(removed))
    fields.put_rule(tail, rules.written(later))
    fields.put_rule(master, rules.written({**rules.without_end(course.rule), "UNTIL": course.starts.until((before or [course.first])[-1])}))
    earlier, after = exceptions.parted(course.starts, wall, how.uid)
    Exceptions.keep_dates(master, course.starts, lambda moment: moment < wall)
    Exceptions.keep_dates(tail, course.starts, lambda moment: moment >= wall)
    Exceptions.remove_dates(tail, removed)
    fields.stamp(master, how.now)
    return (master, *earlier.components), tail, after


def _beginning(course: Course, before: list[datetime], wall: datetime, change: Change, event: Event) -> tuple[Start, list[Start]]:
    """Where a series begins that is split off, and its times that are removed because they are before that.

    1. At the time itself; so too where clocks skip it and the change moves it on.
    2. Skipped, and repeating by a new rule: at the time that clocks show, which that rule begins with.
    3. Skipped, and to stay so: at the last time before it that clocks do show.
    """
    starts = course.starts
    is_moved = change.span is not None and not _is_start_of(change.span, event)
    if not starts.is_skipped(wall) or is_moved:  # 1.
        return starts.start(wall), []
    if change.rule is not None:  # 2.
        return starts.shown(wall), []
    shown = [number for number, each in enumerate(before) if not starts.is_skipped(each)][-1:]  # 3.
    removed = [starts.start(each) for each in before[shown[0] :]] if shown else []
    return (removed[0] if removed else starts.start(wall)), removed


def _is_start_of(span: Span, event: Event) -> bool:
    """Whether that begins when the series has the event."""
    own = event.series_span or event.span
    return span.start == own.start and span.is_all_day == own.is_all_day


def _change_all(master: Component, exceptions: Exceptions, event: Event, change: Change, how: How) -> tuple[tuple[str, ...], datetime]:
    """Change a whole series; what is to be said of it, and the wall time at which the named event is then."""
    exceptions.check_editable(master)
    course = Course.of(master)
    old_wall = course.wall_of(start_of(event.occurrence, course.starts))
    inherited = copy.deepcopy(master)
    plain = replace(change, span=None, zone=None, rule=None)
    fields.write(master, plain, how.now)
    exceptions.write_inherited(inherited, plain, how.now)
    notes: list[str] = []
    new_wall = old_wall
    if change.span is not None:
        new_wall, is_exact = _move(master, course, old_wall, change, event)
        notes += exceptions.follow(inherited, master, course.wall_of, new_wall - old_wall, is_exact=is_exact)
        notes += _rule_notes(inherited, master) if change.rule is None else []
    if change.rule is not None:
        fields.put_rule(master, change.rule)
        new_course = Course.of(master)
        notes += exceptions.keep_those_of(master, new_course.gives)
        if not new_course.holds(new_wall):
            new_wall = new_course.first
    return tuple(notes), new_wall


def _rule_notes(before: Component, after: Component) -> list[str]:
    """What a move made of the rule, where it did."""
    old, new = fields.rule_text(before), fields.rule_text(after)
    days = [{name: value for name, value in rules.parsed(rule).items() if name.startswith("BY")} for rule in (old, new) if rule]
    if len(days) < 2 or days[0] == days[1]:
        return []
    zone = cast("tzinfo | None", getattr(after["DTSTART"].dt, "tzinfo", None))
    return [f"it repeats {words_of_rule(new, zone)} from then on"]


def _move(master: Component, course: Course, old_wall: datetime, change: Change, event: Event) -> tuple[datetime, bool]:
    """Move a series' start and rule; the named event's new wall time, and whether every other moves by as much."""
    span = change.span
    if span is None:
        raise ValueError("no time to move to")
    is_other_kind = span.is_all_day != (course.starts.kind == "days")
    starts = Starts.of_span(span) if is_other_kind or change.zone is not None else course.starts
    new_wall = starts.of_moment(span.start, event.span.start.tzinfo)
    length = starts.of_moment(span.end, span.end.tzinfo) - new_wall
    if starts == course.starts and _is_start_of(span, event):
        new_wall = old_wall
    first = course.first + (new_wall - old_wall)
    is_exact = not is_other_kind
    if course.rule and change.rule is None:
        is_exact = rules.is_exact(course.rule, old_wall, new_wall) and rules.is_exact(course.rule, course.first, first) and is_exact
        rule = rules.moved(course.rule, course.first, first)
        if course.until is not None:
            last = course.before(course.until + timedelta(seconds=1))[-1:] or [course.first]
            rule["UNTIL"] = starts.until(last[0] + (new_wall - old_wall))
        fields.put_rule(master, rules.written(rule))
    start = starts.start(first)
    fields.put_start(master, start, cast("Any", start) + length)
    return new_wall, is_exact
