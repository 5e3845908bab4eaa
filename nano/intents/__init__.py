"""Every kind of request that the model is taught: what is typed, the act that is right, what comes back and what is said.

An intent is a function that adds turns to a dialogue. Where the tools that it needs are missing, the right act is to say so.
"""

from __future__ import annotations

from collections.abc import Callable

from nano.dialogue import Dialogue
from nano.intents import asked, calendar, follow, joined, mail, pairs, steps, talk

Intent = Callable[[Dialogue], None]
WEIGHTS: tuple[tuple[Intent, float], ...] = (
    (calendar.list_events, 6),
    (calendar.find_event, 7),
    (calendar.create, 21),
    (calendar.update, 13),
    (calendar.delete, 9),
    (calendar.free, 4.5),
    (calendar.ask_create_when, 1.6),
    (calendar.ask_create_title, 1.2),
    (calendar.ask_create_both, 1),
    (calendar.ask_update_new, 2),
    (calendar.ask_update_event, 0.6),
    (calendar.ask_delete_event, 0.6),
    (mail.search_sender, 4),
    (mail.search_topic, 4),
    (mail.search_unread, 2),
    (mail.search_latest, 1.5),
    (mail.read_mail, 6),
    (mail.draft_mail, 7.5),
    (mail.send_mail, 5.5),
    (mail.ask_if, 1.5),
    (mail.draft_reply, 10.5),
    (mail.send_draft, 1.2),
    (mail.ask_mail_body, 1.4),
    (mail.ask_mail_to, 1),
    (mail.ask_mail_both, 0.7),
    (mail.ask_reply_body, 1),
    (talk.web_search, 6.5),
    (talk.web_question, 9),
    (talk.ask_search_query, 0.6),
    (talk.cannot, 15),
    (talk.talk, 3.2),
    (talk.time_now, 1.2),
    (steps.mail_then_reply, 4.5),
    (steps.search_then_create, 4),
    (steps.free_then_create, 4),
    (steps.draft_then_send, 3.5),
    (steps.read_then_create, 2.4),
    (steps.events_and_mail, 2),
    (pairs.create_and_mail, 2),
    (pairs.update_and_mail, 1.5),
    (pairs.delete_and_mail, 1.5),
    (pairs.delete_and_create, 1.5),
    (pairs.read_then_reply, 2.6),
    (joined.find_and_reply, 2),
    (joined.read_and_reply, 1.5),
    (joined.draft_and_send, 1),
    (joined.reply_and_send, 2.2),
    (joined.free_and_add, 1),
    (joined.add_two, 2),
    (follow.then_send, 4),
    (follow.then_move, 4),
    (follow.then_delete, 3),
    (follow.then_period, 3.6),
    (follow.then_delete_listed, 0.9),
    (follow.then_move_listed, 0.9),
    (follow.then_read, 3),
    (follow.then_reply, 3.5),
    (follow.then_free, 1.5),
    (follow.then_add, 1.2),
    (asked.which_update, 0.6),
    (asked.which_delete, 0.6),
    (asked.address_given, 0.8),
)

NEEDS_BLANK_HISTORY = frozenset({calendar.ask_update_event, calendar.ask_delete_event, mail.send_draft})
"""Requests whose right act would be another one if an event or a draft had just been spoken of."""

GOES_ON = frozenset(intent for intent, _ in WEIGHTS if intent.__module__ in (follow.__name__, asked.__name__))
"""Conversations of several requests, the later of which lean on what came before."""
