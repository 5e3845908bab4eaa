"""Human time in English to absolute spans; the rules are stated in the modules that hold them.

Pure: `resolve` (what a text means at a moment), `moments` and `ranges` (of one point, of two), `days`, `periods` and `nearby` (what a
day means), `written` (dates) and `agreeing` (a weekday beside one), `clocks` (what a bare hour means), `durations`, `points`,
`phrases` and `words`, `zones` (that are said beside a time), and `advice` where nothing was understood.
"""

from mcp_servers.when.agreeing import Contradiction
from mcp_servers.when.dates import Lean, moved
from mcp_servers.when.durations import ALL_DAY, duration_of, event_length_of
from mcp_servers.when.resolve import LOOKED_THROUGH, USUAL_LENGTH, When, at_minutes, canonical_text, later, resolve

__all__ = [
    "ALL_DAY",
    "LOOKED_THROUGH",
    "USUAL_LENGTH",
    "Contradiction",
    "Lean",
    "When",
    "at_minutes",
    "canonical_text",
    "duration_of",
    "event_length_of",
    "later",
    "moved",
    "resolve",
]
