"""Going in circles is seen within three wasted calls, and what makes progress is left alone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from agent.calls.repeats import NOTE, WASTED, Done, done_of, is_repeat, is_stuck
from agent.events import TurnDone
from agent.tools.served import ToolResult
from config.paths import Home
from mcp_servers.outside.quotes import quoted
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say


def calls(*letters: str) -> list[Done]:
    return [Done("look", letter.rstrip("'"), letter) for letter in letters]


def wasted_before_stop(done: list[Done]) -> int | None:
    """Calls that told nothing new until it was seen; None if it never was."""
    for n in range(1, len(done) + 1):
        if is_stuck(done[:n]):
            return sum(is_repeat(done[:i], *done[i]) for i in range(n))
    return None


@pytest.mark.parametrize("cycle", ["A", "AB", "ABC", "ABCD"])
def test_a_call_or_a_cycle_of_calls_is_seen_after_three_wasted_ones(cycle: str):
    assert wasted_before_stop(calls(*(cycle * 6))) == WASTED


def test_a_counter_that_grows_while_nothing_changes_is_seen():
    grows = [Done("list", f'{{"page": {n}}}', "No mails found") for n in range(1, 9)]
    assert [is_stuck(grows[:n]) for n in range(1, 6)] == [False, False, False, True, True]


def test_a_row_of_effects_that_each_say_the_same_is_no_circle_and_one_that_fails_again_and_again_is():
    row = [Done("archive_mail", f'{{"mail": {n}}}', "Done.") for n in range(1, 9)]
    assert not any(is_stuck(row[:n], row[:n]) for n in range(1, 9))
    assert is_stuck(row)
    again = [Done("archive_mail", '{"mail": 1}', "Done.")] * 4
    assert is_stuck(again, again), "the very same effect once more is a circle"


def test_polling_that_changes_is_no_circle():
    assert not any(is_stuck([Done("job", "{}", f"{p} % done") for p in range(n)]) for n in range(1, 50))


def test_pages_that_bring_something_are_no_circle():
    assert not is_stuck([Done("list", f'{{"page": {n}}}', f"mails {n * 8} to {n * 8 + 7}") for n in range(20)])


def test_other_words_with_the_same_result_are_no_circle():
    assert not is_stuck([Done("search", word, "No mails found") for word in ("anna", "budget", "invoice", "rent", "trip")])


def test_a_repeat_between_steps_that_tell_something_is_none():
    assert not is_stuck(calls("A", "A", "B", "B", "C", "C", "D", "D"))


def test_the_note_behind_a_result_does_not_make_it_another():
    done = [done_of("look", "{}", "Nothing."), done_of("look", "{}", "Nothing." + NOTE)]
    assert is_repeat(done[:1], "look", "{}", "Nothing.")
    assert is_stuck([*done, done[1], done[1]])


def test_a_block_whose_token_and_time_are_new_with_each_call_does_not_make_it_another():
    def told(call: int, text: str = "3 events\n09:00 Standup") -> str:
        at = datetime(2026, 11, 21, 9, call, tzinfo=UTC)
        return quoted(text, origin="calendars list_events", at=at).block(secrets.token_hex(12))

    assert is_stuck([done_of("list_events", "{}", told(call)) for call in range(4)])
    assert not is_stuck([done_of("list_events", "{}", told(call, f"{call} events")) for call in range(4)])


class Quoting(MemoryTools):
    """A built-in server's tool as it is: each result a block with a new token, and fields that have handles."""

    lines, calls = 3, 0

    async def call(self, name: str, arguments: Any, **options: Any) -> ToolResult:
        self.calls += 1
        at = datetime(2026, 11, 21, 9, self.calls, tzinfo=UTC)
        text = "\n".join(f"0{number % 10}:00 Standup" for number in range(self.lines))
        told = quoted(text, origin=f"calendars {name}", at=at).block(secrets.token_hex(12))
        return ToolResult(told, structured={"count": self.lines, "fetched": at.isoformat()})


@pytest.mark.anyio
@pytest.mark.parametrize(("n_ctx", "lines"), [(8192, 3), (8192, 3000), (2048, 3)])
async def test_a_real_tools_result_that_is_told_again_is_a_repeat_whatever_handles_it_has(home: Home, n_ctx: int, lines: int):
    tools = Quoting()
    tools.lines = lines
    with anyio.fail_after(60):
        async with agent_of(home, lambda _: Say("", [("list_events", {"when": "tomorrow"})]), tools=tools) as agent:
            agent.model.meta = {"n_ctx": n_ctx}
            events = await agent.ask("what is on tomorrow?", tier="fast")
    assert tools.calls == WASTED + 1
    done = events[-1]
    assert isinstance(done, TurnDone)
    assert done.answer.startswith("I stopped, because list_events told me the same again and again: ")
    assert "handle for a value" not in done.answer
    assert NOTE not in done.answer
