"""Mail requests: searching, reading, drafting, sending, replying, and what is missing from them."""

from __future__ import annotations

import re

from nano import fill, names, results, times
from nano.dialogue import Dialogue
from nano.grammar import Piece, lines
from nano.intents.words import join, refused


def _search(d: Dialogue, slots: dict[str, str], *, unread: bool | None = None) -> None:
    if not d.has("search_mail"):
        return d.cannot()
    unread = unread or bool(re.search(r"\bnew\b", d.wording)) or None  # whoever asks for new mail means what is unread
    d.call(
        "search_mail",
        sender=slots.get("person") or slots.get("address"),
        query=slots.get("topic"),
        when=slots.get("past") or slots.get("period"),
        unread=unread,
    )
    text, _ = results.mails(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))
    return d.answers("search_mail", text)


def past(d: Dialogue) -> dict[str, str]:
    return {"period": times.past_period(d.rng)}


def search_sender(d: Dialogue) -> None:
    _search(d, d.typed("search_mail_sender", past(d)))


def search_topic(d: Dialogue) -> None:
    _search(d, d.typed("search_mail_topic", past(d)))


def search_unread(d: Dialogue) -> None:
    _search(d, d.typed("search_mail_unread", past(d)), unread=True)


def search_latest(d: Dialogue) -> None:
    _search(d, d.typed("search_mail_latest", past(d)))


def read_mail(d: Dialogue) -> None:
    slots = d.typed("read_mail", past(d))
    if not d.has("read_mail"):
        return d.cannot()
    words = join(slots.get("person"), slots.get("topic"))
    d.call("read_mail", mail=words)
    if d.rng.random() < 0.08:
        return d.answers("read_mail", f'No mail matches "{words}".')
    return d.answers("read_mail", results.mail(results.a_mail(d.rng, d.now, named=slots.get("person", ""), about=slots.get("topic", ""))))


def recipient_of(slots: dict[str, str]) -> str:
    return slots.get("to") or slots.get("person") or slots.get("address") or ""


def no_address(to: str) -> str:
    """What the tools that write mails answer where nobody of that name is known."""
    return f'No address is known for "{to}". Give an address.'


def written(d: Dialogue, tool: str, to: str, slots: dict[str, str]) -> None:
    """The mail was sent or drafted, and that is told."""
    body, subject = slots["body"], slots.get("subject", "")
    text = results.sent(d.rng, to, body, subject) if tool == "send_mail" else results.draft(d.rng, to, body, subject)[0]
    d.answers(tool, text)


def _letter(d: Dialogue, slots: dict[str, str], *, send: bool) -> None:
    tool, to = "send_mail" if send else "draft_mail", recipient_of(slots)
    d.call(tool, to=to, body=slots["body"], subject=slots.get("subject"))
    r = d.rng.random()
    if r < 0.08 and "@" not in to:
        return d.answers(tool, no_address(to))
    if r < 0.12:
        return d.answers(tool, refused(d.rng))
    return written(d, tool, to, slots)


def draft_mail(d: Dialogue) -> None:
    slots = d.typed("draft_mail")
    return _letter(d, slots, send=False) if d.has("draft_mail") else d.cannot()


def send_mail(d: Dialogue) -> None:
    slots = d.typed("send_mail")
    return _letter(d, slots, send=True) if d.has("send_mail") else d.cannot()


_ASKING = {
    "draft_mail": (
        ("draft a mail to ", " asking "),
        ("draft an email to ", " to ask "),
        ("draft something to ", " asking "),
        ("write to ", " and ask "),
        ("write to ", " to find out "),
        ("write ", " a mail asking "),
        ("write ", " and ask "),
        ("prepare a mail for ", ", asking "),
        ("compose an email to ", " that asks "),
    ),
    "send_mail": (
        ("ask ", " "),
        ("ask ", " "),
        ("ask ", " by mail "),
        ("ask ", " via email "),
        ("can you ask ", " "),
        ("could you ask ", " "),
        ("please ask ", " "),
        ("email ", " and ask "),
        ("email ", " asking "),
        ("email ", " to find out "),
        ("mail ", " to ask "),
        ("send ", " a mail asking "),
        ("send an email to ", " asking "),
        ("shoot ", " an email asking "),
        ("i need to know from ", " by mail "),
    ),
    "draft_reply": (
        ("reply to ", " asking "),
        ("reply to ", " and ask "),
        ("answer ", " and ask "),
        ("write back to ", " to ask "),
        ("write back to ", " asking "),
        ("ask ", " in a reply "),
    ),
}
"""What stands before and after the name when somebody is asked something."""


def ask_if(d: Dialogue) -> None:
    """`ask Anna if she can come at 5`: the indirect question becomes a direct one."""
    said, _, asked = d.rng.choice(lines("fill_ask_if")).partition(" => ")
    given = {
        "time": times.clock(d.rng),
        "day": times.day(d.rng),
        "place": fill.place(d.rng),
        "person": names.first_name(d.rng),
        "word": names.word(d.rng),
        "number": names.number(d.rng),
        "topic": fill.topic(d.rng),
        "period": times.period(d.rng),
        "event": fill.event(d.rng),
        "city": names.city(d.rng),
    }
    low = d.rng.random() < 0.5
    for slot, text in given.items():
        said, asked = said.replace("{" + slot + "}", text), asked.replace("{" + slot + "}", text)
    tool = d.rng.choice(("draft_mail", "draft_mail", "send_mail", "send_mail", "draft_reply"))
    before, after = d.rng.choice(_ASKING[tool])
    who = names.person(d.rng) if tool == "draft_reply" else fill.recipient(d.rng)
    pieces = [Piece(before), Piece(who, "to"), Piece(after), Piece(said)]
    pieces = [Piece(p.text.lower(), p.slot) for p in pieces] if low else pieces
    slots = d.types(pieces, polite=False)
    slots["body"] = asked.lower() if low else asked
    if not d.has(tool):
        return d.cannot()
    if tool == "draft_reply":
        return _reply(d, slots["to"], slots["body"])
    return _letter(d, slots, send=tool == "send_mail")


def draft_reply(d: Dialogue, mail: str | None = None, bank: str = "draft_reply") -> None:
    slots = d.typed(bank)
    if not d.has("draft_reply"):
        return d.cannot()
    return _reply(d, mail or join(slots.get("person"), slots.get("topic")), slots["body"])


def _reply(d: Dialogue, mail: str, body: str) -> None:
    d.call("draft_reply", mail=mail, body=body)
    if d.rng.random() < 0.05:
        return d.answers("draft_reply", f'No mail matches "{mail}".')
    text, _ = results.draft(d.rng, "", body, f"Re: {fill.subject(d.rng)}")
    return d.answers("draft_reply", text)


def send_draft(d: Dialogue) -> None:
    slots = d.typed("send_draft")
    if not d.has("send_draft"):
        return d.cannot()
    draft = slots.get("draft", "last")
    d.call("send_draft", draft=draft)
    if d.rng.random() < 0.1:
        return d.answers("send_draft", f'No draft matches "{draft}".')
    return d.answers("send_draft", results.sent(d.rng, "", fill.body(d.rng), ""))


_SAYING = (
    *("", "", "", "", "that ", "that ", "say ", "say that ", "tell them ", "tell them that ", "tell him ", "tell her that ", "just say "),
    *("write that ", "write: ", "just ", "let them know ", "let her know that ", "something like ", "put ", "oh, that ", "well, say "),
)
_ADDRESSING = ("", "", "", "to ", "to ", "it's for ", "for ", "send it to ", "it goes to ", "address it to ", "oh, to ", "make it to ")
"""What stands before the answer when somebody is asked what a mail should say, or whom it is for."""


def ask_mail_body(d: Dialogue) -> None:
    slots = d.typed("ask_mail_body")
    if not d.has("draft_mail"):
        return d.cannot()
    d.says(f"What should I write to {recipient_of(slots)}?")
    if d.rng.random() < 0.6:
        more = d.types([Piece(d.rng.choice(_SAYING)), Piece(fill.body(d.rng), "body")], polite=False)
        _letter(d, {**slots, **more}, send=False)
    return None


def ask_mail_to(d: Dialogue) -> None:
    slots = d.typed("ask_mail_to")
    if not d.has("draft_mail"):
        return d.cannot()
    d.says("Who should it go to?")
    if d.rng.random() < 0.6 and "body" in slots:
        more = d.types([Piece(d.rng.choice(_ADDRESSING)), Piece(fill.recipient(d.rng), "to")], polite=False)
        _letter(d, {**slots, **more}, send=False)
    return None


def ask_mail_both(d: Dialogue) -> None:
    d.typed("ask_mail_both")
    return d.says("Who should it go to, and what should it say?") if d.has("draft_mail") else d.cannot()


def ask_reply_body(d: Dialogue) -> None:
    slots = d.typed("ask_reply_body")
    if not d.has("draft_reply"):
        return d.cannot()
    words = join(slots.get("person"), slots.get("topic"))
    d.says(f"What should I reply to {words}?" if words else "What should I reply?")
    if d.rng.random() < 0.6 and words:
        more = d.types([Piece(d.rng.choice(_SAYING)), Piece(fill.body(d.rng), "body")], polite=False)
        d.call("draft_reply", mail=words, body=more["body"])
        text, _ = results.draft(d.rng, "", more["body"], f"Re: {fill.subject(d.rng)}")
        d.answers("draft_reply", text)
    return None
