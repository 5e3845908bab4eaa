"""The extended tools that write: events with guests, reminders, zones and rules, series in part or whole, and answers.

Whatever is written is planned first; a plan says who is told, and what else happens to a series.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from mcp_servers.calendars import details, drafting
from mcp_servers.calendars.accounts import Accounts
from mcp_servers.calendars.backends.contract import Pending
from mcp_servers.calendars.finding import find
from mcp_servers.calendars.free import clashes
from mcp_servers.calendars.model import Answer, CalendarInfo, Change, Event, How, Scope
from mcp_servers.calendars.notices import Notice, notice_of
from mcp_servers.calendars.shape import NOTHING_TO_CHANGE, clashes_text
from mcp_servers.calendars.structured import full_fields
from mcp_servers.calendars.wording.quick import sketch_of
from mcp_servers.calendars.wording.repeats import left_out
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan
from mcp_servers.spans import span_text

ANSWERS: dict[str, Answer] = {"accept": "accepted", "maybe": "tentative", "decline": "declined"}
Lines = tuple[tuple[str, str], ...]


class Writing:
    """Tools over a person's accounts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def handlers(self) -> dict[str, Handler]:
        return {
            "add_event": self.add_event,
            "quick_add": self.quick_add,
            "change_event": self.change_event,
            "remove_event": self.remove_event,
            "respond_to_invitation": self.respond_to_invitation,
        }

    def add_event(self, call: Call) -> Plan:
        info = self._calendar(call)
        event = drafting.event_of(call, info, self._uid(call))
        return self._creation(call, event, info, drafting.arguments_of(event))

    def quick_add(self, call: Call) -> Plan:
        sketch = sketch_of(call.text("text"), call.now)
        said = {"title": sketch.title, "when": sketch.when, "location": sketch.where, "repeat": sketch.repeat, "reminders": sketch.remind}
        understood = replace(call, arguments={name: value for name, value in said.items() if value})
        info = self._calendar(call)
        event = drafting.event_of(understood, info, self._uid(call))
        resolved = drafting.arguments_of(event)
        meant = replace(
            sketch, title=event.title, when=resolved["when"], repeat=resolved.get("repeat", ""), remind=resolved.get("reminders", "")
        )
        plan = self._creation(call, event, info, {"text": meant.canonical(), "calendar": event.calendar_name})
        return _preview(plan, event) if call.arguments.get("preview") else plan

    def change_event(self, call: Call) -> Plan:
        old = find(self._accounts, call)
        scope = _scope(call, old)
        base = old.series_span if old.series_span and scope != "this" else old.span
        change = drafting.change_of(call, replace(old, span=base))
        if change.is_empty:
            raise Refusal(NOTHING_TO_CHANGE)
        new = _after(replace(old, span=base), change)
        backend = self._accounts.of(old.account)
        info = self._writable(old)
        notice = notice_of(call, info, old, after=change.attendees or (), me=backend.addresses)
        uid = self._uid(call)
        pending = backend.update(old, change, How(call.now, scope, notice.notify, uid))
        arguments = {"event": old.id, **_scope_argument(old, scope), **drafting.changes_of(change, new), **notice.arguments}
        host = {"version": old.version, **({"uid": uid} if scope == "following" else {}), **notice.host}
        notes = (*pending.notes, *(left_out(change.rule, (change.span or base).first_day) if change.rule else ()))
        if change.rule and change.zone and change.zone != old.zone:
            notes = (*notes, f"its times are kept in {change.zone} from then on")
        was = ("Was", f"{old.title}, {span_text(old.span)}")
        lines = (was, *self._lines(new, scope, notes, notice, details.changed_text(change)))
        return Plan(arguments, f"Change: {_described(new)}", lines, _carried_out("Changed", pending, new, notice), host=host)

    def remove_event(self, call: Call) -> Plan:
        event = find(self._accounts, call)
        scope = _scope(call, event)
        backend = self._accounts.of(event.account)
        notice = notice_of(call, self._writable(event), event, me=backend.addresses)
        pending = backend.delete(event, How(call.now, scope, notice.notify))
        arguments = {"event": event.id, **_scope_argument(event, scope), **notice.arguments}
        summary = f"Remove: {_described(event)}" + (f", {details.SCOPES[scope]}" if event.occurrence else "")
        lines = self._lines(event, scope, pending.notes, notice)
        done = _carried_out("Removed", pending, event, notice)
        return Plan(arguments, summary, lines, done, host={"version": event.version, **notice.host})

    def respond_to_invitation(self, call: Call) -> Plan:
        event = find(self._accounts, call)
        scope = _scope(call, event, "this or all")  # no protocol answers for a part of the times
        backend = self._accounts.of(event.account)
        if not backend.addresses:
            raise Refusal(f'Your address in "{event.account}" is not known. Set its address in agent.toml.')
        # The answer goes to who invites, and to no other guest.
        notice = notice_of(call, self._writable(event), replace(event, attendees=()), me=backend.addresses)
        said = call.text("answer")
        pending = backend.respond(event, ANSWERS[said], How(call.now, scope, notice.notify))
        arguments = {"event": event.id, "answer": said, **_scope_argument(event, scope), **notice.arguments}
        lines = (("Answer", said), *self._lines(event, scope, pending.notes, notice))
        done = _carried_out(f"Answered {said}", pending, event, notice)
        return Plan(arguments, f"Answer {said}: {_described(event)}", lines, done, host={"version": event.version, **notice.host})

    def _creation(self, call: Call, event: Event, info: CalendarInfo, resolved: dict[str, str]) -> Plan:
        arguments = {**resolved, "calendar": self._accounts.name_of(info)}
        if not info.is_writable:
            raise Quoting(f'"{info.full_name}" can only be read. Name another calendar.')
        backend = self._accounts.of(event.account)
        notice = notice_of(call, info, event, me=backend.addresses)
        if event.attendees:
            event = replace(event, organizer=min(backend.addresses, default=""))

        notes = left_out(event.rule, event.span.first_day) if event.rule else ()

        def execute() -> Outcome:
            stored = backend.create(event, How(call.now, notify=notice.notify))
            return _outcome("Added", stored, notes, notice)

        shown = replace(event, span=details.span_in(event.span, call.now.tzinfo))
        lines = self._lines(shown, "all", notes, notice, details.description_text(event.description))
        return Plan({**arguments, **notice.arguments}, f"Add: {_described(shown)}", lines, execute, host={"uid": event.uid, **notice.host})

    def _calendar(self, call: Call) -> CalendarInfo:
        return self._accounts.named(call.text("calendar"))

    def _uid(self, call: Call) -> str:
        return call.host_text("uid") or str(uuid.uuid4())

    def _writable(self, event: Event) -> CalendarInfo:
        info = self._accounts.info(event)
        if not info.is_writable:
            raise Quoting(f'"{info.full_name}" can only be read. Nothing was done. Ask who shares it to let you write.')
        return info

    def _lines(self, event: Event, scope: Scope, notes: tuple[str, ...], notice: Notice, more: Lines = ()) -> Lines:
        lines = [("Title", event.title), ("When", span_text(event.span))]
        if event.location:
            lines.append(("Where", event.location))
        lines += details.facts(replace(event, series_span=None))
        if event.occurrence:
            lines.append(("Meant", details.SCOPES[scope]))
        lines += [("Also", note) for note in notes]
        others = self._accounts.busy(event.span).events if event.is_busy else ()
        if overlaps := tuple(other for other in clashes(others, event.span, but=event.id) if other.uid != event.uid):
            lines.append(("Overlaps", clashes_text(overlaps)))
        return (*lines, *more, ("Calendar", event.calendar_name), *notice.lines)


def _scope(call: Call, event: Event, choices: str = "this, following or all") -> Scope:
    said = call.text("scope")
    if not event.occurrence:
        return "this"
    if not said:
        raise Quoting(f'"{event.title}" repeats ({details.repeats_text(event)}). Say scope: {choices}.')
    return cast("Scope", said)


def _scope_argument(event: Event, scope: Scope) -> dict[str, str]:
    return {"scope": scope} if event.occurrence else {}


def _after(old: Event, change: Change) -> Event:
    """The event as it will be, to be shown."""
    span = details.span_in(change.span or old.span, old.span.start.tzinfo)
    said = {name: value for name, value in vars(change).items() if value is not None}
    new = replace(old.moved_to(span), **{**said, "span": span})
    return replace(new, guests=tuple(guest.shown_name for guest in new.attendees))


def _preview(plan: Plan, event: Event) -> Plan:
    """What was understood, for a client that cannot have a call prepared."""
    lines = "\n".join(f"{name}: {value}" for name, value in plan.lines)
    shown = Outcome(
        f"Preview, nothing was written: {plan.summary}\n{lines}", {"is_preview": True, "event": full_fields(event), "untrusted": True}
    )
    return replace(plan, arguments={**plan.arguments, "preview": True}, summary=f"Preview: {plan.summary}", execute=lambda: shown)


def _described(event: Event) -> str:
    return f"{event.title}, {span_text(event.span)}" + (f" at {event.location}" if event.location else "")


def _carried_out(word: str, pending: Pending, event: Event, notice: Notice) -> Callable[[], Outcome]:
    def execute() -> Outcome:
        return _outcome(word, pending.carry_out() or event, pending.notes, notice)

    return execute


def _outcome(word: str, event: Event, notes: tuple[str, ...], notice: Notice) -> Outcome:
    told = [f"{name}: {value}" for name, value in notice.lines]
    also = [f"Also: {note}" for note in notes]
    named = [] if word == "Removed" else [f"Id: {event.id}"]
    text = "\n".join([f"{word}: {details.event_line(event)}", *named, *also, *told])
    return Outcome(text, {"event": full_fields(event), "notes": list(notes), "notify": notice.notify, "untrusted": True})
