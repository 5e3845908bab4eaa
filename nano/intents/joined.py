"""Requests for two steps that are put together: a request of the first bank, and what is typed behind it to go on.

So every way to ask for a single act is also heard as the first half of two.
"""

from __future__ import annotations

from nano import results
from nano.dialogue import Dialogue
from nano.intents import pairs, steps
from nano.intents.words import join

_POLITE = r"((can|could|would) you |please |pls |ok |so |just )*"
_FINDING = _POLITE + r"(find|search|look (for|up)|look in|pull up|check|locate|dig (for|out|up)|track down|hunt|see if)\b"
"""How requests begin that look a mail up; behind them, an answer goes to what is found."""
_READING = _POLITE + r"(open|read|show)\b"
_DRAFTING = _POLITE + r"(draft|prepare|compose|write up|put together|start a draft|make a draft)\b(?!.*\b(don't|not|without|later)\b)"
"""How letters begin that are drafts, unless they are not to go out."""
_REPLYING = _POLITE + r"(reply|answer|respond|write back|get back|tell|let)\b(?!.*\b(draft|don't|not yet|later)\b)"
_TAKEN = r"\b(taken|busy|booked|anything|something|nothing|conflict|problem|clash\w*|not|vacant)\b"
_ASKING_AT = rf"(so |hey |sorry |and )*(am|is|are|do|have|would|will) (?!.*{_TAKEN})[^{{]*\{{when=[^{{]*$"
"""How people ask whether a time is free, with nothing else marked and yes for free."""

_ADDING = (
    _POLITE
    + r"(add|put|schedule|book|enter|note|create|log|stick|pop|jot|set up|pencil in)\b"
    + r"[^{]*\{title=[^{]*\{(when|day)=[^{}]*\}( please)?[.!]?$"
)
"""How people add an event whose time they say last."""


def find_and_reply(d: Dialogue) -> None:
    bank = d.rng.choice(("search_mail_sender", "search_mail_topic"))
    steps.mail_then_reply(d, d.typed_on(bank, "then_reply", _FINDING + r"(?!.*\{(past|period|address)=)"))


def read_and_reply(d: Dialogue) -> None:
    pairs.read_then_reply(d, d.typed_on("read_mail", "then_reply", _READING))


def draft_and_send(d: Dialogue) -> None:
    steps.draft_then_send(d, d.typed_on("draft_mail", "then_send", _DRAFTING))


def free_and_add(d: Dialogue) -> None:
    steps.free_then_create(d, d.typed_on("free", "then_add", _ASKING_AT))


def reply_and_send(d: Dialogue) -> None:
    """`answer Craig that it's fine and send it`: the draft of the reply is what is sent."""
    slots = d.typed_on("draft_reply", "then_send", _REPLYING)
    if not d.has("draft_reply", "send_draft"):
        return d.cannot()
    words, body = join(slots.get("person"), slots.get("topic")), slots["body"]
    d.call("draft_reply", mail=words, body=body)
    if d.rng.random() < 0.06:
        return d.answers("draft_reply", f'No mail matches "{words}".')
    mail = results.a_mail(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))
    text, name = results.draft(d.rng, mail.sender.address, body, f"Re: {mail.subject}")
    d.result(text)
    d.call("send_draft", draft=name)
    return d.answers("send_draft", results.sent(d.rng, mail.sender.address, body, f"Re: {mail.subject}"))


def add_two(d: Dialogue) -> None:
    """`add judo friday at 5 and the dentist monday at 9`: two events at once."""
    slots = d.typed_on("create", "then_create_too", _ADDING)
    if not d.has("create_event"):
        return d.cannot()
    second = {"title": slots["event"], "when": slots["new_when"]}
    return pairs.both(d, *zip(pairs.created(d, slots), pairs.created(d, second), strict=True))
