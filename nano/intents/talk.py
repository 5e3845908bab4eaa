"""Web searches, small talk, the time, and requests that are out of reach."""

from __future__ import annotations

from nano import fill, replies, results
from nano.dialogue import Dialogue
from nano.grammar import Piece


def _web(d: Dialogue, query: str) -> None:
    if not d.has("web_search"):
        return d.cannot()
    d.call("web_search", query=query)
    r = d.rng.random()
    if r < 0.15:
        return d.answers("web_search", "Web search is not set up. Set searxng.urls in agent.toml.")
    if r < 0.17:
        return d.answers("web_search", "No search instance answered. Try again later.")
    return d.answers("web_search", results.search(d.rng, query))


def web_search(d: Dialogue) -> None:
    _web(d, d.typed("web_search")["query"])


def web_question(d: Dialogue) -> None:
    text = fill.fill_text(d.picked("web_question")[0], d.rng)
    _web(d, d.types([Piece(text, "query")], polite=d.rng.random() < 0.3, as_written=d.as_written())["query"].rstrip("?.! "))


def ask_search_query(d: Dialogue) -> None:
    d.typed("ask_search_query")
    return d.says("What should I search for?") if d.has("web_search") else d.cannot()


def cannot(d: Dialogue) -> None:
    d.types([Piece(fill.fill_text(d.picked("cannot")[0], d.rng))], as_written=d.as_written())
    d.cannot()


def talk(d: Dialogue) -> None:
    name, answer = d.rng.choice(
        (
            ("greet", replies.HELLO),
            ("how_are_you", replies.HOW),
            ("who_are_you", replies.who(d.tools)),
            ("who_are_you", replies.who(d.tools)),
            ("thanks", replies.WELCOME),
            ("bye", replies.BYE),
            ("ok", replies.ALL_RIGHT),
        )
    )
    d.typed(name, polite=False)
    d.says(answer)


def time_now(d: Dialogue) -> None:
    d.typed("time_now")
    d.says(replies.now(d.stamp))
