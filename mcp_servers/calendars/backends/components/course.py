"""How the rule of a stored series runs on the wall, and at which wall time it gives a start that clocks may have moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mcp_servers.calendars.backends.components import fields, rules
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import Start, Starts
from mcp_servers.errors import Refusal


@dataclass(frozen=True)
class Course:
    """How a series runs: its rule, and its first and last wall times."""

    rule: rules.Rule
    starts: Starts
    first: datetime
    until: datetime | None

    @classmethod
    def of(cls, master: Component) -> Course:
        starts = Starts.of(master["DTSTART"].dt)
        rule = rules.parsed(fields.rule_text(master)) if "RRULE" in master else {}
        try:
            until = starts.until_wall(rule["UNTIL"]) if "UNTIL" in rule else None
        except ValueError as error:
            raise Refusal("The rule by which this event repeats cannot be read. Change it where it was made.") from error
        return cls(rule, starts, starts.wall(master["DTSTART"].dt), until)

    def before(self, wall: datetime) -> list[datetime]:
        return rules.starts_before(self.rule, self.first, wall, self.until)

    def holds(self, wall: datetime) -> bool:
        return rules.holds(self.rule, self.first, wall, self.until)

    def wall_of(self, start: Start) -> datetime:
        """The wall time at which the rule gives a start: clocks that skip it show a later one."""
        wall, skipped = self.starts.wall(start), self.starts.skipped(start)
        return skipped if skipped is not None and self.rule and not self.holds(wall) and self.holds(skipped) else wall

    def gives(self, start: Start) -> bool:
        return self.holds(self.wall_of(start))
