"""What a good model would say to the demo's questions, by rule: it stands in where the shipped model is not there yet.

It sees exactly what a model sees (the request's messages), picks the tool by the words of the question and answers with the result's text.
"""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.scripted_model import Say

RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"\b(?:reply|answer) to (?P<mail>\w+).*?(?:that|:) (?P<body>.+)", "draft_reply", ("mail", "body")),
    (r"\b(?:mails?|messages?|anything)\b.*\b(?:from|by) (?P<sender>\w+)", "search_mail", ("sender",)),
    (r"\b(?:add|book|put|schedule) (?P<title>.+?) (?P<when>(?:tomorrow|on \w+)(?: at .+)?)$", "create_event", ("title", "when")),
    (r"\bsend (?P<to>\w+) (?P<body>.+)", "send_mail", ("to", "body")),
    (r"\b(?P<when>today|tomorrow)\b", "list_events", ("when",)),
)


def answer(body: dict[str, Any]) -> Say:
    """The next thing to say."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return Say(text=str(last["content"]))
    question = str(last["content"]).split("\n", 1)[-1].rstrip("?. ")
    for pattern, tool, names in RULES:
        found = re.search(pattern, question, re.IGNORECASE)
        if found:
            return Say(calls=[(tool, {name: found[name] for name in names})])
    return Say(text="I can look at your calendar and your mail.")
