"""`variet usage` adds up what the log holds, by the person's own days, and neither loses nor doubles a request."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.events import ContextTrimmed, Event, ModelReplied, RouteChosen, Usage
from agent.watching.cli import first_day, usage
from agent.watching.usage import BYS, By, Logged, asked_in, grouped, since, total
from config.paths import HOME_VARIABLE, Home
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


def route(turn: str, tier: str, node: str = "engine") -> RouteChosen:
    return RouteChosen(turn=turn, node=node, tier=tier, model=tier, rule="default", reasons=())


def reply(turn: str, tokens: int = 10, model: str = "nano") -> ModelReplied:
    return ModelReplied(
        turn=turn, text="", model=model, prompt_tokens=tokens, completion_tokens=1, cached_tokens=4, elapsed_s=0.5, money=0.25
    )


def logged(*events: Event, session: str = "s", at: datetime = NOON) -> list[Logged]:
    return [Logged(session, "Title", at, event) for event in events]


def test_each_request_counts_for_the_tier_that_answered_it():
    asked = asked_in(logged(route("t", "fast"), reply("t"), route("t", "deep"), reply("t", 100), route("u", "fast"), reply("u")))
    groups = grouped(asked, "tier", None)
    assert list(groups) == ["deep", "fast"]
    assert (groups["fast"].requests, groups["fast"].prompt_tokens, len(groups["fast"].turns)) == (2, 20, 2)
    assert groups["deep"].as_json() == {
        "turns": 1, "requests": 1, "prompt_tokens": 100, "cached_tokens": 4, "completion_tokens": 1, "elapsed_s": 0.5, "money": 0.25,
    }  # fmt: skip
    assert len(total(asked).turns) == 2


def test_another_nodes_tier_is_named_with_it():
    assert list(grouped(asked_in(logged(route("t", "deep", "big"), reply("t"))), "tier", None)) == ["big/deep"]


def test_what_a_summary_took_is_counted_once():
    trimmed = ContextTrimmed(turn="t", kept_from="t", dropped=1, n_ctx=4096, usage=Usage(requests=1, prompt_tokens=50, completion_tokens=5))
    bare = trimmed.model_copy(update={"usage": Usage()})
    asked = asked_in(logged(route("t", "fast"), trimmed, bare, reply("t")))
    assert (total(asked).requests, total(asked).prompt_tokens) == (2, 60)
    # As a turn writes it: a summary is no step of it.
    stepless = trimmed.model_copy(update={"usage": Usage(prompt_tokens=50, completion_tokens=5)})
    assert total(asked_in(logged(route("t", "fast"), stepless, reply("t")))) == total(asked)
    paid = trimmed.model_copy(update={"usage": Usage(elapsed_s=2.0, money=0.5)})
    used = total(asked_in(logged(route("t", "fast"), paid, reply("t"))))
    assert (used.requests, used.elapsed_s, used.money) == (2, 2.5, 0.75), "also of a server that counts no tokens"


def test_a_day_is_the_persons_own():
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    asked = asked_in(logged(route("t", "fast"), reply("t"), at=late))
    assert list(grouped(asked, "day", BERLIN)) == ["2026-11-21"]
    assert since(asked, date(2026, 11, 21), BERLIN) == asked
    assert since(asked, date(2026, 11, 21), UTC) == []


def test_a_period_ends_today():
    today = date(2026, 11, 21)
    days = [first_day("today", today), first_day("week", today), first_day("all", today)]
    assert days == [today, today - timedelta(days=6), None]


@given(st.lists(st.tuples(st.sampled_from("tuv"), st.integers(0, 99), st.integers(-90, 0))), st.sampled_from(BYS))
def test_however_they_are_grouped_nothing_is_lost(drawn: list[tuple[str, int, int]], by: By):
    log = [line for turn, tokens, days in drawn for line in logged(reply(turn, tokens), at=NOON + timedelta(days=days))]
    asked, groups = asked_in(log), grouped(asked_in(log), by, BERLIN)
    assert sum(used.prompt_tokens for used in groups.values()) == total(asked).prompt_tokens == sum(tokens for _, tokens, _ in drawn)
    assert sum(used.requests for used in groups.values()) == len(drawn)


def run(home: Home, *arguments: str) -> Any:
    return CliRunner().invoke(usage, list(arguments), env={HOME_VARIABLE: str(home.root)})


@pytest.mark.anyio
async def test_what_a_real_turn_took_is_told_while_its_service_runs(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[("list_events", {"when": "tomorrow"})]), Say("Done.")]) as agent:
            await agent.ask()
            told = await anyio.to_thread.run_sync(run, home, "--json", "--by", "session")
            shown = await anyio.to_thread.run_sync(run, home)
    found = json.loads(told.output)
    assert (found["today"]["turns"], found["today"]["requests"], found["week"]["prompt_tokens"]) == (1, 2, 40)
    assert found["rows"] == [{"session": agent.session, **found["week"]}]
    assert [line.split()[0] for line in shown.output.splitlines() if line] == ["turns", "today", "last", "tier", "fast"]


def test_a_home_in_which_nothing_was_asked_says_so_in_noughts(home: Home):
    ran = run(home, "--json")
    assert (ran.exit_code, json.loads(ran.output)["today"]["turns"], json.loads(ran.output)["rows"]) == (0, 0, [])


def test_a_log_that_cannot_be_read_is_a_sentence(home: Home):
    (home.state_dir / "sessions.sqlite3").write_text("no database", encoding="utf-8")
    ran = run(home)
    assert (ran.exit_code, "cannot be read" in ran.output) == (1, True)
