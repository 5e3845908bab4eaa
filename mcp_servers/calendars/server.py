"""The calendar tools that everyone is shown: what a person asks of a calendar every day.

Times are resolved here, relative to the message's own time; what is written is planned first, so that the host can
show exactly what will be done. The texts are frozen: a small model is trained on them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from mcp_servers.calendars import free, shape
from mcp_servers.calendars.accounts import Accounts
from mcp_servers.calendars.backends.contract import Backend
from mcp_servers.calendars.changes import changed_span, new_span
from mcp_servers.calendars.drafting import title_of
from mcp_servers.calendars.finding import SEARCHED_DAYS, find
from mcp_servers.calendars.matching import filtered
from mcp_servers.calendars.model import LOCAL, Change, Event, How
from mcp_servers.calendars.notices import notice_of
from mcp_servers.calendars.reading import Reading
from mcp_servers.calendars.structured import event_fields, removed_of, span_fields
from mcp_servers.calendars.tools import TOOLS
from mcp_servers.calendars.writing import Writing
from mcp_servers.errors import Refusal
from mcp_servers.outside.quoting import clean_line, count_text
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan
from mcp_servers.spans import days_of, span_text
from mcp_servers.when import LOOKED_THROUGH, USUAL_LENGTH, canonical_text, event_length_of, resolve
from mcp_servers.wording import ALL

__all__ = ["SEARCHED_DAYS", "TOOLS", "Calendars"]

DEFAULT_DAYS = 7
"""What `list_events` shows when no period is named."""
MAX_LISTED = 500
"""More events than this in one answer would choke a client."""


class Calendars:
    """The tools over a person's accounts.

    Args:
        backends: the accounts, the preferred one first.
        hours: when the person works.
        default: the calendar of new events; absent: the first account's first.
        own: by account the calendars that are the person's own, where the settings say which.
    """

    def __init__(
        self,
        *backends: Backend,
        hours: free.WorkingHours | None = None,
        default: str = "",
        own: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._accounts = Accounts(backends, default, own)
        self._hours = hours or free.WorkingHours()
        self._extended = {**Reading(self._accounts, self._hours).handlers(), **Writing(self._accounts).handlers()}

    def handlers(self) -> dict[str, Handler]:
        return {
            "list_events": self.list_events,
            "create_event": self.create_event,
            "update_event": self.update_event,
            "delete_event": self.delete_event,
            "find_free_time": self.find_free_time,
            **self._extended,
        }

    def list_events(self, call: Call) -> Outcome:
        period = days_of(call.now, call.now.date() + timedelta(days=DEFAULT_DAYS - 1))
        if call.text("when"):
            period = resolve(call.text("when"), call.now, years=LOOKED_THROUGH).span
        query = clean_line(call.text("query")).replace('"', "")
        listing = self._accounts.shown(period)
        events = filtered(listing.events, query) if query not in ("", ALL) else listing.events
        problems = listing.problems
        if (left := len(events) - MAX_LISTED) > 0:
            problems = (*problems, f"Not told one by one: {count_text(left, 'later event')}. Ask for a shorter period.")
        structured = {"period": span_fields(period), "query": query, "count": len(events), "left": max(0, left), "untrusted": True}
        marks = [self._accounts.mark_of(event) for event in events]
        fields = [{**event_fields(event), "mark": mark} for event, mark in zip(events, marks, strict=True)]
        shown = {"events": fields[:MAX_LISTED], "removed": removed_of(events)}
        told = tuple(shape.marked(event, mark) for event, mark in zip(events, marks, strict=True))
        text = _with_problems(shape.events_text(period, told, query), problems)
        return Outcome(text, {**structured, **shown, **_problem_fields(problems)})

    def create_event(self, call: Call) -> Plan:
        uid = call.host_text("uid") or str(uuid.uuid4())
        span = new_span(resolve(call.text("when"), call.now), call.text("duration"))
        info = self._accounts.named(call.host_text("calendar"))
        event = Event(uid, title_of(call.text("title")), span, clean_line(call.text("location")), calendar=info.name, account=info.account)
        event = replace(event, is_busy=not span.is_all_day)
        overlaps = self._overlaps(event)

        def execute() -> Outcome:
            stored = self._accounts.of(event.account).create(event, How(call.now))
            return Outcome(
                shape.created_text(stored, overlaps),
                {
                    "event": event_fields(stored),
                    "overlaps": [event_fields(other) for other in overlaps],
                    "untrusted": bool(overlaps),
                },
            )

        arguments = {"title": event.title, "when": canonical_text(span)}
        if event.location:
            arguments["location"] = event.location
        lines = _lines(event, overlaps)
        elsewhere = {"calendar": event.calendar_name} if event.account != LOCAL else {}
        return Plan(arguments, f"Create: {_described(event)}", lines, execute, host={"uid": uid, **elsewhere})

    def update_event(self, call: Call) -> Plan:
        old = find(self._accounts, call)
        span = changed_span(old.span, call.text("new_when"), call.text("new_duration"), call.now)
        title = title_of(call.text("new_title")) if call.text("new_title") else old.title
        location = clean_line(call.text("new_location")) or old.location
        event = replace(old.moved_to(span), title=title, location=location)
        if event == old and not any(call.text(name) for name in ("new_when", "new_duration", "new_title", "new_location")):
            raise Refusal(shape.NOTHING_TO_CHANGE)
        overlaps = self._overlaps(event)
        backend = self._accounts.of(old.account)
        notice = notice_of(call, self._accounts.info(old), old, me=backend.addresses, by="change_event")
        change = Change(
            span if span != old.span else None, title if title != old.title else None, location if location != old.location else None
        )
        pending = backend.update(old, change, How(call.now, notify=notice.notify))

        def execute() -> Outcome:
            stored = pending.carry_out() or event
            return Outcome(
                shape.updated_text(stored),
                {
                    "event": event_fields(stored),
                    "before": event_fields(old),
                    "overlaps": [event_fields(other) for other in overlaps],
                    "untrusted": True,
                },
            )

        lines = (("Was", f"{old.title}, {span_text(old.span)}"), *_lines(event, overlaps), *notice.lines)
        summary = f"Update: {event.title}, now {span_text(event.span)}" + (f" at {event.location}" if event.location else "")
        return Plan(_changes(old, event), summary, lines, execute, host={"version": old.version, **notice.host})

    def delete_event(self, call: Call) -> Plan:
        event = find(self._accounts, call)
        backend = self._accounts.of(event.account)
        notice = notice_of(call, self._accounts.info(event), event, me=backend.addresses, by="remove_event")
        pending = backend.delete(event, How(call.now, notify=notice.notify))

        def execute() -> Outcome:
            pending.carry_out()
            return Outcome(shape.deleted_text(event), {"event": event_fields(event), "untrusted": True})

        summary = f"Delete: {event.title}, {span_text(event.span)}"
        lines = (*_lines(event, ()), *notice.lines)
        return Plan({"event": event.id}, summary, lines, execute, host={"version": event.version, **notice.host})

    def find_free_time(self, call: Call) -> Outcome:
        when = resolve(call.text("when"), call.now)
        said = event_length_of(call.text("duration")) if call.text("duration") else None
        if span := free.span_asked(when, said):
            listing = self._accounts.busy(span)
            clashes = free.clashes(listing.events, span)
            # An account that gives no answer may have something then.
            is_free = not clashes and not listing.problems
            fields = {"span": span_fields(span), "is_free": is_free, "clashes": [event_fields(event) for event in clashes]}
            text = _with_problems(shape.span_free_text(span, clashes), shape.not_known_free(listing.problems))
            is_outside = bool(clashes or listing.problems)
            return Outcome(text, {**fields, "untrusted": is_outside, **_problem_fields(listing.problems)})
        length = said or USUAL_LENGTH
        if length >= timedelta(days=1):
            raise Refusal("That is longer than a day. Look at the events of the period instead.")
        listing = self._accounts.busy(when.span)
        hours = free.hours_for(when.span, None, self._hours)
        days = free.free_days(when, listing.events, length, hours)
        days = free.after(days, call.now, length)
        found = [{"day": day.period.first_day.isoformat(), "free": [span_fields(span) for span in day.spans]} for day in days]
        text = _with_problems(shape.free_text(days), shape.not_known_free(listing.problems))
        return Outcome(text, {"days": found, "untrusted": bool(listing.problems), **_problem_fields(listing.problems)})

    def _overlaps(self, event: Event) -> tuple[Event, ...]:
        if not event.is_busy:
            return ()
        return free.clashes(self._accounts.busy(event.span).events, event.span, but=event.id)


def _with_problems(text: str, problems: tuple[str, ...]) -> str:
    return "\n".join([text, *problems])


def _problem_fields(problems: tuple[str, ...]) -> dict[str, list[str]]:
    return {"problems": list(problems)} if problems else {}


def _described(event: Event) -> str:
    return f"{event.title}, {span_text(event.span)}" + (f" at {event.location}" if event.location else "")


def _lines(event: Event, overlaps: tuple[Event, ...]) -> tuple[tuple[str, str], ...]:
    lines = [("Title", event.title), ("When", span_text(event.span))]
    if event.location:
        lines.append(("Where", event.location))
    if event.occurrence:
        lines.append(("Repeats", "only this time is meant"))
    if overlaps:
        lines.append(("Overlaps", shape.clashes_text(overlaps)))
    return (*lines, ("Calendar", event.calendar_name))


def _changes(old: Event, event: Event) -> dict[str, str]:
    changed = {"event": old.id}
    if event.span != old.span:
        changed["new_when"] = canonical_text(event.span)
    if event.title != old.title:
        changed["new_title"] = event.title
    if event.location != old.location:
        changed["new_location"] = event.location
    # The approved call must still be a call that changes something, also when it sets what is already so.
    return changed if len(changed) > 1 else {**changed, "new_when": canonical_text(event.span)}
