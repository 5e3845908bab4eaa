"""What the agent makes of a model at its worst: calls that were written badly, and circles; counted, on a server that plays each case.

Every case is a whole turn of a whole runtime in a conversation of its own; whatever is asked is granted, so that a call which must not
run has nothing but the agent's reading in its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.events import Event, TurnDone
from agent.tools.served import ToolResult
from bench.figures import Figure
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.fakes.scripted_model import Say

READ, WRITE = "list_events", "create_event"
ONE = '{"name": "list_events", "arguments": {"title": "tea"}}'
RIGHT = f"{READ}: tea at "
MEANT: Mapping[str, Say] = {
    "comma": Say(calls=[(READ, '{"title": "tea",}')]),
    "quotes": Say(calls=[(READ, "{'title': 'tea'}")]),
    "bare name": Say(calls=[(READ, '{title: "tea"}')]),
    "fence": Say(calls=[(READ, '```json\n{"title": "tea"}\n```')]),
    "twice encoded": Say(calls=[(READ, '"{\\"title\\": \\"tea\\"}"')]),
    "bracket": Say(calls=[(READ, '{"title": "tea"}}')]),
    "half a read": Say(calls=[(READ, '{"title": "tea"')]),
    "name in capitals": Say(calls=[(READ, '{"Title": "tea"}')]),
    "tool in capitals": Say(calls=[("listEvents", '{"title": "tea"}')]),
    "hermes": Say(f"<tool_call>\n{ONE}\n</tool_call>"),
    "qwen xml": Say("<tool_call>\n<function=list_events>\n<parameter=title>\ntea\n</parameter>\n</function>\n</tool_call>"),
    "mistral": Say(f"[TOOL_CALLS][{ONE}]"),
    "mistral with arguments": Say('[TOOL_CALLS]list_events[ARGS]{"title": "tea"}'),
    "fenced json": Say(f"```json\n{ONE}\n```"),
    "gemma fence": Say(f"```tool_call\n{ONE}\n```"),
    "llama tag": Say("<|python_tag|>" + ONE),
    "llama list": Say('[list_events(title="tea")]'),
    "react": Say('Thought: I look.\nAction: list_events\nAction Input: {"title": "tea"}\nObservation: none\nFinal Answer: None.'),
    "functionary": Say('>>>list_events\n{"title": "tea"}'),
    "functionary tags": Say('<function=list_events>{"title": "tea"}</function>'),
    "apertus": Say('<|tools_prefix|>[{"list_events": {"title": "tea"}}]<|tools_suffix|>'),
    "thoughts before a call": Say(f"<think>tea, then</think>\n<tool_call>{ONE}</tool_call>"),
}
"""What was meant is plain: it runs, at once, with the right arguments."""
UNSAFE: Mapping[str, Say] = {
    "half a write": Say(calls=[(WRITE, '{"title": "tea')]),
    "half a write, whole text": Say(calls=[(WRITE, '{"title": "tea"')]),
    "two objects": Say(calls=[(WRITE, '{"title": "tea"}{"title": "coffee"}')]),
    "no object": Say(calls=[(WRITE, "tea tomorrow")]),
    "parameter too many": Say(calls=[(WRITE, '{"title": "tea", "colour": "red"}')]),
    "wrong type": Say(calls=[(WRITE, '{"title": ["tea", "coffee"]}')]),
    "unknown tool": Say(calls=[("launch_rocket", '{"title": "tea"}')]),
    "half a leaked write": Say("<function=create_event><parameter=title>te"),
    "half a llama list": Say('[create_event(title="te'),
    "half a react step": Say('Action: create_event\nAction Input: {"title": "te'),
    "half of functionary": Say('>>>create_event\n{"title": "te'),
    "half of apertus": Say('<|tools_prefix|>[{"create_event": {"title": "te'),
    "cut off": Say(calls=[(WRITE, '{"title": "tea"}')], finish="length"),
}
"""Nothing of it may run."""
SPOKEN: Mapping[str, Say] = {
    "thoughts": Say("<think>hm</think>Done."),
    "thoughts without a beginning": Say("hm</think>Done."),
    "empty": Say(""),
}
"""Answers."""
LEAKS = (
    *("<tool_call", "<function=", "[TOOL_CALLS]", "<|python_tag|>", "<think>", "</think>", '"arguments"'),
    *("[create_event", "[list_events", ">>>", "Action", "Observation", "<|tools"),
)
WASTED_LIMIT = 4
"""At most three."""
STEPS = 30


class Telling(MemoryTools):
    """Tools whose results are given by the case."""

    def __init__(self, tell: Callable[[int, str], str]) -> None:
        super().__init__()
        self.tell, self.calls = tell, 0

    async def call(self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, **_more: Any) -> ToolResult:
        self.calls += 1
        return ToolResult(self.tell(self.calls, str(arguments.get("title", ""))), is_error=False)


async def measure_recovery(place: Path) -> list[Figure]:
    """Play every bad call; the figure names what did not come right."""
    async with agent_of(Home.at(place / "home"), [], settings=_settings()) as agent:
        # Without it an end of thoughts that nothing began is taken for a text that talks about one.
        agent.model.template = lambda _request: "<think>\n"
        played = {name: await _played(agent, say) for name, say in {**MEANT, **UNSAFE, **SPOKEN}.items()}
        effects = len(agent.effects)
    lost = [name for name in MEANT if not _is_right(played[name])]
    ran = [name for name in UNSAFE if _has_run(played[name])]
    silent = [name for name in SPOKEN if not _answers(played[name])]
    leaked = [name for name, events in played.items() if _leaks(_said(events))]
    shown = [name for name, events in played.items() if _leaks(_streamed(events))]
    return [
        Figure(_named(f"of {len(MEANT)} calls that can be put right, not run right", lost), "calls", len(lost), limit=1),
        Figure(_named(f"of {len(UNSAFE)} calls that must not run, run", ran), "calls", max(len(ran), effects), limit=1),
        Figure(_named(f"of {len(SPOKEN)} answers with thoughts or nothing, lost", silent), "answers", len(silent), limit=1),
        Figure(_named("answers with a call or a thought in them", leaked), "answers", len(leaked), limit=1),
        Figure(_named("of them streamed so at first, for nothing said yet that it was one", shown), "answers", len(shown)),
    ]


async def measure_loops(place: Path) -> list[Figure]:
    """Circles that must end, and work that only looks like one."""
    wasted = {
        "the same call": await _calls_of(place / "same", lambda n: "tea", lambda n, title: "nothing") - 1,
        "a cycle of two": await _calls_of(place / "two", lambda n: "ab"[n % 2], lambda n, title: f"nothing of {title}") - 2,
        "a cycle of four": await _calls_of(place / "four", lambda n: "abcd"[n % 4], lambda n, title: f"nothing of {title}") - 4,
        "a counter": await _calls_of(place / "counter", lambda n: f"page {n}", lambda n, title: "nothing") - 1,
    }
    wanted = 10
    polled = await _calls_of(place / "poll", lambda n: "job", lambda n, title: f"{n} of {wanted} done", until=wanted)
    words = ("tea", "coffee", "milk", "bread", "jam", "salt", "oil", "rice", "corn", "figs")
    sought = await _calls_of(place / "seek", lambda n: words[n], lambda n, title: "nothing", until=wanted)
    stopped = sum(calls < wanted for calls in (polled, sought))
    return [
        *(Figure(f"wasted calls in {name}", "calls", calls, limit=WASTED_LIMIT) for name, calls in wasted.items()),
        Figure("false stops of two that only look like circles", "turns", stopped, limit=1),
    ]


async def _calls_of(place: Path, title: Callable[[int], str], tell: Callable[[int, str], str], *, until: int = STEPS) -> int:
    """How many calls a model gets that never stops by itself, or only after so many."""
    asked = 0

    def script(request: dict[str, Any]) -> Say:
        nonlocal asked
        if asked >= until:
            return Say("Done.")
        asked += 1
        return Say(calls=[(READ, {"title": title(asked - 1)})], id_of=lambda _index, number=asked: f"c{number}")

    tools = Telling(tell)
    async with agent_of(Home.at(place), script, settings=_settings(), tools=tools) as agent:
        end = (await agent.ask("go"))[-1]
    if not isinstance(end, TurnDone) or not end.answer:
        raise RuntimeError(f"the turn ended with {end}")
    return tools.calls


def _settings() -> AgentSettings:
    return AgentSettings(agent=AgentSection(zone="Europe/Berlin", max_steps=STEPS, tools="core"))


async def _played(agent: Agent, say: Say) -> list[Event]:
    """One turn in a new conversation; when the case is told, the model has done."""
    agent.session = await agent.runtime.open_session()
    left = [say]
    agent.model.script = lambda _request: left.pop() if left else Say("Done.")
    return await agent.ask("go", agent.answer(granted=True))


def _is_right(events: Sequence[Event]) -> bool:
    results = [event for event in events if event.type == "tool_finished"]
    replies = sum(event.type == "model_replied" for event in events)
    return [result.ok and result.text.startswith(RIGHT) for result in results] == [True] and replies == 2


def _has_run(events: Sequence[Event]) -> bool:
    return any(event.type == "tool_started" for event in events)


def _answers(events: Sequence[Event]) -> bool:
    return events[-1].type == "turn_done" and events[-1].answer == "Done."


def _streamed(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if event.type == "text_delta")


def _said(events: Sequence[Event]) -> str:
    return "".join(event.answer for event in events if event.type == "turn_done")


def _leaks(text: str) -> bool:
    return any(mark in text for mark in LEAKS)


def _named(name: str, failed: Sequence[str]) -> str:
    return f"{name} ({', '.join(failed)})" if failed else name
