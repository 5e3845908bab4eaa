"""Human time in English to absolute spans; the rules are stated in the modules that hold them.

Pure: `resolve` (what a text means at a moment), `days` and `periods` (what a day means), `clocks` (what a bare hour means),
`durations`, `points` and `words`.
"""

from mcp_servers.when.durations import ALL_DAY, duration_of
from mcp_servers.when.periods import Lean
from mcp_servers.when.resolve import USUAL_LENGTH, When, at_minutes, canonical_text, later, resolve

__all__ = ["ALL_DAY", "USUAL_LENGTH", "Lean", "When", "at_minutes", "canonical_text", "duration_of", "later", "resolve"]
