"""What the small model is taught to say: one fixed sentence or two for every result text, and for every case without a tool.

Pure. A reply is a function of the text that the model reads, copied from it wherever possible: a model of
this size is right when it copies.
"""

from __future__ import annotations

import re

_HELP = {"list_events": "your calendar", "search_mail": "your mail", "web_search": "web searches"}
MAX_SENTENCES = 3
"""How much of a mail's text is read out."""


def _joined(items: list[str]) -> str:
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"


def abilities(tools: list[str]) -> str:
    """`your calendar, your mail and web searches`, by the tools that there are."""
    have = [words for tool, words in _HELP.items() if tool in tools]
    return _joined(have) if have else "nothing without tools"


def cannot(tools: list[str]) -> str:
    return f"I can't do that. I can help with {abilities(tools)}."


def who(tools: list[str]) -> str:
    return f"I am Variet, your private assistant. I can help with {abilities(tools)}."


HELLO = "Hello! What can I do for you?"
HOW = "I'm fine, thank you. What can I do for you?"
WELCOME = "You're welcome."
BYE = "Goodbye!"
ALL_RIGHT = "All right."


def now(stamp: str) -> str:
    """From the time line `[Sat 21 Nov 2026 09:15]`."""
    day, clock = stamp.strip("[]").rsplit(" ", 1)
    return f"It is {day}, {clock}."


def _sentences(text: str) -> str:
    flat = " ".join(text.split())
    return " ".join(re.split(r"(?<=[.!?]) ", flat)[:MAX_SENTENCES])


def _events(text: str) -> str:
    head, *items = text.split("\n")
    period, _, count = head.rpartition(": ")
    period, _, matching = period.partition(" matching ")
    around = f"from {period}" if " to " in period else f"on {period}"
    about = f" matching {matching}" if matching else ""
    if not items:
        return f"You have no events {around}{about}."
    # Semicolons alone: what comes before the last one would have to be known before it is read.
    return f"You have {count} {around}{about}: {'; '.join(items)}."


def _free(text: str) -> str:
    lines = text.split("\n")
    if len(lines) == 1 and lines[0].endswith(": free"):
        return f"You are free on {lines[0].removesuffix(': free')}."
    if len(lines) == 1 and ": busy, " in lines[0]:
        span, clash = lines[0].split(": busy, ", 1)
        return f"You are busy on {span}: {clash}."
    parts = [line.replace(": free ", " ").replace(": no free time", " not at all") for line in lines]
    if len(lines) == 1 and lines[0].endswith("no free time"):
        return f"You have no free time on {lines[0].removesuffix(': no free time')}."
    return f"You are free on {'; '.join(parts)}."


def _mails(text: str) -> str:
    head, *items = text.split("\n")
    if not items:
        return "I found no mails."
    shown = [re.sub(r"^m\d+ ", "", item) for item in items]
    return f"I found {head}: {'; '.join(shown)}."


def _mail(text: str) -> str:
    head, _, *body = text.split("\n")
    sender, _, date = head.rpartition(", ")
    name = re.sub(r" <[^>]*>$", "", sender.split(" from ", 1)[1])
    content = "\n".join(body).strip("-\n")
    return f"{name} wrote on {date}: {_sentences(content)}"


def _search(text: str) -> str:
    lines = text.split("\n")
    silent = f" {lines.pop()}." if lines[-1].startswith("No answer from: ") else ""
    if lines[0] == "No results found":
        return f"I found no results on the web.{silent}"
    first = lines[1].removeprefix("1. ")
    return f"I found {lines[0]}. The first is {first}{'' if first.endswith(('.', '!', '?')) else '.'}{silent}"


def _done(text: str) -> str:
    head, *rest = text.split("\n")
    verb, _, what = head.partition(": ")
    verb = {"Created": "I added", "Updated": "I changed", "Deleted": "I deleted"}[verb]
    clash = f" It overlaps {rest[0].removeprefix('Overlaps: ')}." if rest else ""
    return f"Done, {verb} {what}.{clash}"


def _error(text: str) -> str | None:
    if text.endswith("Say which one."):
        return text.removesuffix("Say which one.") + "Which one do you mean?"
    if m := re.fullmatch(r'No address is known for (".*")\. Give an address\.', text):
        return f"I know no address for {m[1]}. What is the address?"
    if m := re.fullmatch(r'Cannot understand the time (".*")\. Give .*', text):
        return f"I don't understand the time {m[1]}. When exactly?"
    if text == "The person said no. Nothing was done.":
        return "All right, I did nothing."
    if text == "This needs the person's approval. Nothing was done.":
        return "This needs your approval first, so I did nothing yet."
    if text.startswith(("No event matches", "No mail matches", "No draft matches")):
        return f"I found nothing. {text}"
    if text.startswith(
        ("Web search is not set up", "No search instance", "The event has changed", "Nothing to change", "There is nothing")
    ):
        return f"That did not work. {text}"
    return None


def reply(tool: str, text: str) -> str:
    """The answer to the person from one tool's result text."""
    error = _error(text)
    if error:
        return error
    if tool == "list_events":
        return _events(text)
    if tool == "find_free_time":
        return _free(text)
    if tool == "search_mail":
        return _mails(text)
    if tool == "read_mail":
        return _mail(text)
    if tool == "web_search":
        return _search(text)
    if tool in ("draft_mail", "draft_reply"):
        draft = text if text.endswith((".", "!", "?")) else text + "."
        return f"I saved {draft[0].lower()}{draft[1:]}"
    if tool in ("send_mail", "send_draft"):
        sent = text if text.endswith((".", "!", "?")) else text + "."
        return f"I sent it {sent.removeprefix('Sent ')}"
    return _done(text)
