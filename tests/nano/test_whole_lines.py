"""Whole lines, requests with their arguments marked, have the slots that their intent reads, and times that the server understands."""

import random
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.calendars.wording.moves import moved_by_words
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span
from mcp_servers.when import Contradiction, duration_of, resolve
from nano import fill, grammar, joints
from nano.dialogue import Dialogue
from nano.grammar import WHOLE, Piece, bank, lines, whole_banks
from nano.intents.words import moved_to, when_of

NOWS = tuple(datetime(2026, month, day, hour, 20, tzinfo=ZoneInfo("Europe/Berlin")) for month, day, hour in ((11, 21, 9), (6, 3, 17)))
WHEN = "when day time"
NEW = "new_when new_day new_time new_duration new_title new_place"
WHO = "to person address"
READS: dict[str, tuple[tuple[str, ...], str]] = {
    # intent: what it cannot do without (one of each group), and what else it reads
    "create": (("title", WHEN), "duration place"),
    "update": (("event", NEW), "now_day"),
    "delete": (("event",), "now_day period"),
    "list": ((), "period day"),
    "find_event": (("event",), "period day"),
    "free": ((), f"{WHEN} period duration"),
    "ask_create_when": (("title",), "duration place"),
    "ask_create_title": ((WHEN,), "duration place"),
    "ask_create_title_when": ((), ""),
    "ask_update_new": (("event",), "now_day"),
    "ask_update_event": ((), ""),
    "ask_delete_event": ((), ""),
    "follow_move": ((NEW,), ""),
    "follow_delete": ((), ""),
    "follow_period": (("period day",), ""),
    "free_then_create": (("title", f"{WHEN} period"), "duration"),
    "events_and_mail": ((), "period day person topic"),
    "search_then_create": (("query",), "title"),
    "read_then_create": (("person topic",), "person topic"),
    "search_mail_sender": (("person address",), "topic past period"),
    "search_mail_topic": (("topic",), "person past period"),
    "search_mail_unread": ((), "person address topic past period"),
    "search_mail_latest": ((), "past period"),
    "read_mail": (("person topic",), "person topic"),
    "draft_mail": ((WHO, "body"), "subject"),
    "send_mail": ((WHO, "body"), "subject"),
    "draft_reply": (("person topic", "body"), "person topic"),
    "send_draft": ((), "draft"),
    "ask_mail_body": ((WHO,), "subject"),
    "ask_mail_to": ((), "body subject"),
    "ask_mail_both": ((), ""),
    "ask_reply_body": ((), "person topic"),
    "mail_then_reply": (("person topic", "body"), "person topic"),
    "draft_then_send": ((WHO, "body"), "subject"),
    "create_and_mail": (("title", WHEN, WHO, "body"), "duration place subject"),
    "update_and_mail": (("event", "new_when new_day new_time new_place", WHO, "body"), "now_day subject"),
    "delete_and_mail": (("event", WHO, "body"), "now_day period subject"),
    "delete_and_create": (("event", "title", WHEN), "now_day duration place"),
    "read_then_reply": (("person topic", "body"), "person topic"),
    "web_search": (("query",), ""),
    "ask_search_query": ((), ""),
    "follow_send": ((), ""),
    "follow_read": ((), ""),
    "follow_reply": (("body",), ""),
    "follow_free": ((), ""),
    "follow_add": ((), ""),
}
SPOKEN_OF = {"someone"}  # a slot that is in no call
ARTICLES = ("a ", "an ", "the ", "my ", "our ")
LENGTHS = ("duration", "new_duration")


def sentences(node: tuple[object, ...]) -> list[list[Piece]]:
    """Every sentence that a line stands for."""
    choices: list[list[list[Piece]]] = []
    for part in node:
        if isinstance(part, grammar._Choice):  # pyright: ignore[reportPrivateUsage]
            choices.append([found for option in part.options for found in sentences(option)])
        else:
            choices.append([grammar.expand((part,), random.Random(0))])
    return [[piece for group in chosen for piece in group] for chosen in product(*choices)]


def is_wrong(name: str, pieces: list[Piece]) -> str:
    """What is wrong with one sentence, or nothing."""
    slots = [p.slot for p in pieces if p.slot]
    needed, read = READS[name]
    known = set(" ".join((*needed, read)).split())
    if unknown := set(slots) - (known & fill.slots()) - SPOKEN_OF:
        return f"{name} does not read {unknown}"
    if len(slots) != len(set(slots)):
        return "a slot twice"
    if missing := [group for group in needed if not set(group.split()) & set(slots)]:
        return f"nothing of {missing}"
    if any(p.text != p.text.strip(" ,") for p in pieces if p.slot):
        return "a filling that begins or ends with what is no part of it"
    if any(p.slot in ("title", "event", "topic", "new_title") and p.text.lower().startswith(ARTICLES) for p in pieces):
        return "an article or a possessive inside"
    return _is_no_time({p.slot: p.text for p in pieces if p.slot})


def _is_no_time(slots: dict[str, str]) -> str:
    texts = {name: text for name, text in slots.items() if text}
    spoken = [texts[name] for name in ("period", "past", "now_day") if name in texts]
    if len(texts) == len(slots):
        spoken += [text for text in (when_of(texts), moved_to(texts)) if text and not _starts_from_where_it_is(text)]
    for now, text in product(NOWS, spoken):
        try:
            resolve(text, now, "back" if "past" in texts else "ahead")
        except Contradiction:
            continue  # `friday the 13th` is true at one moment and not at another
        except Refusal:
            return f"no time: {text}"
    for name in LENGTHS:
        if name in texts:
            try:
                duration_of(texts[name])
            except Refusal:
                return f"no length: {texts[name]}"
    return ""


def _starts_from_where_it_is(text: str) -> bool:
    """`an hour later`, which a change takes beside a time of its own."""
    try:
        return moved_by_words(Span(NOWS[0], NOWS[0] + timedelta(hours=1)), text) is not None
    except Refusal:
        return False


@pytest.mark.parametrize("name", whole_banks())
def test_a_whole_line_has_what_its_intent_needs(name: str):
    wrong = [
        f"{line}: {why}"
        for line, node in zip(lines(WHOLE + name), bank(WHOLE + name), strict=True)
        for why in {is_wrong(name, s) for s in sentences(node)}
        if why
    ]
    assert not wrong, "\n".join(wrong)


def test_no_whole_line_is_there_twice():
    for name in whole_banks():
        said = [line.lower() for line in lines(WHOLE + name)]
        assert len(said) == len(set(said)), sorted(line for line in set(said) if said.count(line) > 1)


def _written() -> list[Piece]:
    return grammar.expand(grammar.parse("put {title=lunch with Sue} in on {when=friday at noon} \\(please\\)"), random.Random(0))


def test_a_filling_is_what_is_written_in_the_line():
    pieces = _written()
    assert "".join(p.text for p in pieces) == "put lunch with Sue in on friday at noon (please)"
    assert [(p.text, p.slot) for p in pieces if p.is_written] == [("lunch with Sue", "title"), ("friday at noon", "when")]


def test_some_written_fillings_are_exchanged_for_others():
    titles = [next(p.text for p in fill.fill(_written(), random.Random(seed)) if p.slot == "title") for seed in range(300)]
    assert 0.5 < titles.count("lunch with Sue") / 300 < 0.8
    assert len(set(titles)) > 30


@pytest.mark.parametrize(
    ("before", "old", "new", "said"),
    [
        ("on ", Piece("friday", "when"), "tomorrow at 3", "tomorrow at 3"),
        ("on ", Piece("friday", "when"), "monday at 3", "on monday at 3"),
        ("what's on ", Piece("tomorrow", "period"), "next week", "what's on next week"),
        ("for ", Piece("friday", "period"), "on monday", "for monday"),
        ("to ", Piece("5", "new_when"), "at 6", "to 6"),
        ("for ", Piece("noon", "when"), "in 2 hours", "for in 2 hours"),
        ("my ", Piece("dentist", "event"), "the gym", "my gym"),
        ("tell him that ", Piece("it's fine", "body"), "the gym is shut", "tell him that the gym is shut"),
    ],
)
def test_an_exchanged_filling_fits_the_words_before_it(before: str, old: Piece, new: str, said: str):
    piece, text = joints.exchanged(Piece(before), old, new)
    assert piece.text + text == said


def test_an_intent_takes_whole_lines_for_most_of_its_requests_where_it_has_some():
    taken = [Dialogue(random.Random(seed), [], NOWS[0]).picked("create") for seed in range(400)]
    assert 0.79 < sum(is_whole for _, is_whole in taken) / 400 < 0.91
    assert all(line in lines(WHOLE + "create" if is_whole else "create") for line, is_whole in taken)


def test_lines_that_are_learned_come_less_often_than_others():
    every = lines(WHOLE + "create")
    learned = frozenset(every[::2])
    picked = [Dialogue(random.Random(seed), [], NOWS[0], learned=learned).picked("create") for seed in range(600)]
    taken = [line for line, is_whole in picked if is_whole]
    assert 0.12 < sum(line in learned for line in taken) / len(taken) < 0.30


class _Refusing(random.Random):
    """Takes no learned line of its own accord."""

    def random(self) -> float:
        return 0.99


def test_a_bank_of_learned_lines_alone_is_still_typed():
    every = frozenset(lines("greet"))
    assert Dialogue(_Refusing(1), [], NOWS[0], learned=every).picked("greet")[0] in every
