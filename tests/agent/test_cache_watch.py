"""A server that reads again what it had read is noticed, and one line says whose doing it was."""

from __future__ import annotations

import anyio
import pytest

from agent.calls.assemble import Assembly, Reply
from agent.events import CacheLost, ContextTrimmed, RouteChosen
from agent.view.cache_watch import CacheWatch, Difference, first_difference
from agent.view.messages import Prefix, user_message
from agent.view.pictures import LEFT_OUT, looked_at, without_pictures
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say

PREFIX = Prefix(b"SYSTEM", b"TOOLS")


def reply(tokens: int, cached: int, model: str = "m") -> Reply:
    return Reply("", model=model, prompt_tokens=tokens, cached_tokens=cached, processed_tokens=tokens - cached)


def route(tier: str = "fast") -> RouteChosen:
    return RouteChosen(turn="t", tier=tier, model=tier, rule="default", reasons=())


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ([b"ab"], [b"ab", b"c"], None),
        ([], [b"a"], None),
        ([b"ab", b"cd"], [b"ab", b"cx"], Difference(1, 1, 3)),
        ([b"ab", b"cd"], [b"ab"], Difference(1, 0, 2)),
        ([b"ab"], [b"abc"], Difference(0, 2, 2)),
    ],
)
def test_the_first_differing_byte(before: list[bytes], now: list[bytes], found: Difference | None):
    assert first_difference(before, now) == found


def test_what_is_read_once_is_no_loss():
    watch, loss = CacheWatch().after(route()).take("t", PREFIX, [b"one"], reply(2000, 0))
    assert loss is None
    watch, loss = watch.take("t", PREFIX, [b"one", b"two"], reply(3000, 1990))
    assert loss is None
    watch, loss = watch.take("t", PREFIX, [b"one", b"two", b"three"], reply(3100, 2800))
    assert loss is None, "a little is read again"


def test_same_bytes_and_little_cached_is_the_servers_loss():
    watch, _ = CacheWatch().after(route()).take("t", PREFIX, [b"one"], reply(2000, 0))
    _, loss = watch.take("t", PREFIX, [b"one", b"two"], reply(2100, 3))
    assert loss is not None
    assert (loss.cause, loss.differs_at, loss.expected_tokens, loss.cached_tokens) == ("server", None, 2000, 3)
    assert loss.line == "Server: 3 of 2000 tokens were still there although the request begins with the same bytes; 2097 were read"


def test_other_bytes_are_ours_and_the_first_one_is_named():
    watch, _ = CacheWatch().after(route()).take("t", PREFIX, [b"one", b"two"], reply(2000, 0))
    _, loss = watch.take("t", PREFIX, [b"one", b"twX", b"three"], reply(2100, 900))
    assert loss is not None
    assert (loss.cause, loss.differs_at) == ("client", len(b"TOOLSSYSTEMonetw"))
    assert "message 2 differs from its byte 2 on" in loss.line
    assert "\n" not in loss.line


def test_a_summary_another_tier_another_model_and_a_silent_server_are_no_loss():
    watch, _ = CacheWatch().after(route()).take("t", PREFIX, [b"one"], reply(2000, 0))
    trimmed = watch.after(ContextTrimmed(turn="t", kept_from="t", dropped=1, n_ctx=4096))
    assert trimmed.take("t", PREFIX, [b"x"], reply(2000, 0))[1] is None
    assert watch.after(route("balanced")).take("t", PREFIX, [b"one"], reply(2000, 0))[1] is None
    assert watch.take("t", PREFIX, [b"one"], reply(2000, 0, model="other"))[1] is None
    assert watch.take("t", PREFIX, [b"one"], Reply("", model="m", prompt_tokens=2000))[1] is None


def test_pictures_that_were_left_out_are_no_loss_and_anything_else_at_their_place_is():
    said = user_message("look", [looked_at("x.gif", b"GIF89a\x07\x00\x09\x00;")])
    watch, _ = CacheWatch().after(route()).take("t", PREFIX, [said], reply(2000, 0))
    assert watch.take("t", PREFIX, without_pictures([said], LEFT_OUT), reply(2000, 0))[1] is None
    assert watch.take("t", PREFIX, without_pictures([said]), reply(2000, 0))[1] is not None
    assert watch.take("t", PREFIX, [], reply(2000, 0))[1] is not None


@pytest.mark.parametrize(
    ("chunk", "cached", "processed"),
    [
        ({"usage": {"prompt_tokens": 20, "prompt_tokens_details": {"cached_tokens": 12}}}, 12, 8),
        ({"usage": {"prompt_tokens": 20}, "timings": {"cache_n": 15, "prompt_n": 5}}, 15, 5),
        ({"usage": {"prompt_tokens": 20}}, 0, None),
    ],
)
def test_what_was_read_comes_from_the_usage_or_from_the_timings(chunk: dict[str, object], cached: int, processed: int | None):
    assembly = Assembly()
    assembly.add({"choices": [], **chunk})
    assert (assembly.reply().cached_tokens, assembly.reply().processed_tokens) == (cached, processed)


def told(text: str, tokens: int, cached: int) -> Say:
    return Say(text, usage={"prompt_tokens": tokens, "prompt_tokens_details": {"cached_tokens": cached}})


@pytest.mark.anyio
async def test_a_server_that_forgets_is_told_in_the_log_and_every_request_keeps_its_numbers(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [told("One.", 1500, 0), told("Two.", 1600, 1500), told("Three.", 1700, 0)]) as agent:
            await agent.ask("one")
            await agent.ask("two")
            await agent.ask("three")
            stored = await agent.stored()
            (loss,) = (event for event in stored if isinstance(event, CacheLost))
            assert (loss.cause, loss.expected_tokens, loss.cached_tokens) == ("server", 1600, 0)
            replies = [event for event in stored if event.type == "model_replied"]
            assert [(event.prompt_tokens, event.cached_tokens, event.processed_tokens) for event in replies] == [
                (1500, 0, 1500),
                (1600, 1500, 100),
                (1700, 0, 1700),
            ]


@pytest.mark.anyio
async def test_a_client_that_changes_an_old_message_is_caught_with_the_byte(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [told("One.", 1500, 0), told("Two.", 1600, 700)]) as agent:
            await agent.ask("one")
            opened = await agent.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
            opened.conversation.messages[0] = user_message("something else")
            loss = next(event for event in await agent.ask("two") if isinstance(event, CacheLost))
            assert loss.cause == "client"
            assert "message 1 differs from its byte" in loss.line
