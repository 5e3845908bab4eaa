"""Time zones that are said beside a time: `3pm EST`, `15:00 UTC`, `9am New York time`.

Pure. No zone is converted: `CST` is of three countries, and `EST` is said in summer, too. What the person's own clock says goes
without saying, also by its name for the other half of the year.
"""

from __future__ import annotations

import re
from datetime import datetime

from mcp_servers.errors import NotUnderstood

_ABBREVIATIONS = (
    "utc gmt est edt cst cdt mst mdt pst pdt akst akdt hst adt nst ndt cet cest eet eest bst msk ist jst kst hkt sgt"
    " pht pkt gst aest aedt aet acst acdt awst nzst nzdt sast brt"
).split()
_WRITTEN_LARGE = "ET CT MT PT AST CAT EAT WAT WET WEST ART WIB ICT".split()
"""Small they are other words."""
_THINGS = r"scan|session|appointment|class|exam|exercises?"
"""What has such a name, too: a `CT scan`."""
_REGIONS = "pacific mountain central eastern atlantic alaska hawaii greenwich".split()
_PLACES = (
    "new york|boston|washington|chicago|denver|los angeles|san francisco|seattle|toronto|vancouver|mexico city|sao paulo|us|uk|london"
    "|dublin|lisbon|paris|berlin|vienna|zurich|rome|madrid|amsterdam|brussels|stockholm|oslo|copenhagen|helsinki|warsaw|prague|athens"
    "|kyiv|istanbul|moscow|dubai|delhi|india|mumbai|bangalore|singapore|hong kong|beijing|shanghai|china|seoul|korea|tokyo|japan|sydney"
    "|melbourne|australia|auckland|british|german|french|european|american|indian|chinese|japanese|korean|australian|universal|zulu"
).split("|")
_DAY = r"today|tomorrow|tmrw|tonight|[a-z]+day|mon|tue|wed|thu|fri|sat|sun"
_NAMED = rf"(?:{'|'.join(_REGIONS)})(?: (?:standard|daylight|summer|mean))? time|(?:{'|'.join(_PLACES)}) time"
_AT_THE_END = rf"(?:pacific|eastern)(?=[,.;)\s]*(?:$|(?:on|at|for|with|in|next|this|{_DAY})\b))"
_ZONE = (
    rf"(?P<zone>(?i:(?:utc|gmt) ?[+-] ?\d{{1,2}}(?::?\d\d)?|{'|'.join(_ABBREVIATIONS)}|{_NAMED}|{_AT_THE_END})"
    rf"|(?:{'|'.join(_WRITTEN_LARGE)})(?!\s+(?i:{_THINGS})\b)|(?<=\d)Z|(?<=:\d\d)\+\d\d:?\d\d)"
)
_JOINT = rf"at|@|from|to|until|till?|by|before|after|around|about|and|or|{_DAY}"
_CLOCK = (
    rf"(?:\d{{1,2}}(?:[:.]\d\d)?\s?(?:[ap]\.?m\b\.?|h\b|o'?clock)|\d{{1,2}}[:.]\d\d|(?<=-)\d{{1,2}}|noon|midday|midnight"
    rf"|(?:(?<=@)|\b(?:{_JOINT})\s+)(?:\d{{1,2}}|[01]\d[0-5]\d|2[0-3][0-5]\d))"
)
_BESIDE = re.compile(rf"(?<![\w:.+])(?i:{_CLOCK})(?P<gap>,?\s*\(?){_ZONE}(?![\w])\)?")


def without_own_zone(words: str, now: datetime) -> str:
    """The words without the name of the zone that is that of `now`, where it stands beside a time.

    Raises:
        NotUnderstood: another zone stands there.
    """
    own = _own_names(now)

    def plain(match: re.Match[str]) -> str:
        if match["zone"].lower() not in own:
            raise NotUnderstood(
                f'Times are taken as your own clock shows them, and "{match["zone"]}" is another zone.'
                ' Say the time of your clock, such as "tomorrow at 3pm", or one with its offset, such as "2027-01-31T15:00+00:00".'
            )
        return match[0][: match.start("gap") - match.start()]

    return _BESIDE.sub(plain, words)


def _own_names(now: datetime) -> frozenset[str]:
    """What people call the zone of `now`, in summer and in winter, in small letters."""
    halves = (now.replace(month=1, day=1), now.replace(month=7, day=1))
    short = {(half.tzname() or "").lower() for half in halves}
    american = {said for name in short if re.fullmatch(r"[ecmp][sd]t", name) for said in _american(name[0])}
    place = getattr(now.tzinfo, "key", "").rpartition("/")[2].replace("_", " ").lower()
    return frozenset({*short, *american, f"{place} time"})


def _american(initial: str) -> tuple[str, ...]:
    region = next(region for region in _REGIONS if region.startswith(initial))
    return f"{initial}t", region, f"{region} time"
