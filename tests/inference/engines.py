"""A whole supervisor, or a whole engine on a real port, over fake children; for the tests of this folder."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import uvicorn
from fastapi import FastAPI

from config.paths import Home
from config.schema import EngineSettings
from inference.activity.finished import Finished, Observer, observe_nothing
from inference.app import Engine
from inference.cards.card import Look, no_cards
from inference.cards.returning import NOT_WATCHED, CardMemory
from inference.catalog import build_catalog
from inference.contract import ErrorEnvelope
from inference.control import build_control
from inference.door.gate import Gate
from inference.door.heads import HeadProtocol
from inference.door.keys import Keys
from inference.events import EventHub
from inference.mode.obey import NO_MODE, ObeyedMode
from inference.observing.history import LoadTimes
from inference.observing.observatory import Observatory
from inference.proxy import HUNG_S, Proxy, open_connections
from inference.scheduling.endings import ObserveEnd, observe_no_end
from inference.scheduling.policy import Policy
from inference.scheduling.schedule import (
    State,
)
from inference.serve import Server
from inference.supervisor import Supervisor
from inference.warmth.keeper import Keeper
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import Upstream, serve_upstream

TWO_MODELS: Mapping[str, Any] = {
    "models": {
        "small": {"path": "/models/small.gguf", "slots": 2},
        "large": {"path": "/models/large.gguf", "slots": 2},
    },
    "tiers": {"fast": "small", "balanced": "large"},
    "virtual": {"thinker": {"model": "large", "thinking": True, "sampling": {"temperature": 0.5}}},
}


def settings(**changes: Any) -> EngineSettings:
    return EngineSettings.model_validate({**TWO_MODELS, **changes})


@asynccontextmanager
async def supervised(
    children: FakeChildren,
    folder: Path,
    change: Callable[[Policy], Policy] = lambda policy: policy,
    observe_end: ObserveEnd = observe_no_end,
    memory: CardMemory = NOT_WATCHED,
    models: Mapping[str, Any] = TWO_MODELS,
    warmth: Keeper | None = None,
) -> AsyncIterator[Supervisor]:
    """A running supervisor; its children are ended at the end."""
    catalog = build_catalog(settings(**models))
    policy = change(Policy(catalog.models))
    supervisor = Supervisor(catalog, policy, children, LoadTimes(folder / "times.json"), EventHub(observe_end), warmth, memory)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        yield supervisor
        tasks.cancel_scope.cancel()
    assert all(child.is_stopped or child.is_over for child in children.started)


async def until(supervisor: Supervisor, holds: Callable[[State], bool]) -> None:
    """Wait for the supervisor's state to be such."""
    await supervisor.wait_until(holds)


def with_files(folder: Path, settings: Mapping[str, Any] = TWO_MODELS) -> Mapping[str, Any]:
    """The settings with files that are there, since nothing is loaded for one that is not."""
    models: dict[str, Any] = {}
    for name, model in settings["models"].items():
        file = folder / f"{name}.gguf"
        file.touch()
        models[name] = {**model, "path": str(file)}
    return {**settings, "models": models}


@asynccontextmanager
async def _watching(observatory: Observatory) -> AsyncIterator[None]:
    with observatory.watching():
        yield


@dataclass
class RunningEngine:
    supervisor: Supervisor
    client: httpx2.AsyncClient
    url: str
    gate: Gate
    observatory: Observatory
    control: FastAPI


@asynccontextmanager
async def engine(
    children: FakeChildren,
    folder: Path,
    *,
    keys: Keys | None = None,
    mode: ObeyedMode = NO_MODE,
    change: Callable[[Policy], Policy] = lambda policy: policy,
    observe: Observer = observe_nothing,
    look: Look = no_cards,
    memory: CardMemory = NOT_WATCHED,
    hung_s: float = HUNG_S,
    models: Mapping[str, Any] = TWO_MODELS,
) -> AsyncIterator[RunningEngine]:
    """An engine on a real port, with a client."""
    observatory = Observatory.at(Home.at(folder / "home").prepare(), retention_days=1, look=look)

    def observe_both(finished: Finished) -> None:
        observe(finished)
        observatory.observe(finished)

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with (
            _watching(observatory),
            supervised(children, folder, change, observatory.observe_swap, memory, with_files(folder, models)) as supervisor,
            open_connections() as connections,
            anyio.create_task_group() as tasks,
        ):
            gate = Gate("127.0.0.1", keys or Keys())
            app = Engine(gate, supervisor, Proxy(supervisor, connections, 2**20, observe_both, hung_s), "0.0.0", mode)
            control = build_control(supervisor, "0.0.0", observatory)
            app.set_control(control)
            config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", http=HeadProtocol, timeout_graceful_shutdown=1)  # pyright: ignore[reportArgumentType]
            server = Server(config)
            tasks.start_soon(server.serve, [listener])
            async with httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
                yield RunningEngine(supervisor, client, url, gate, observatory, control)
            server.end()


def limited(**changes: Any) -> Callable[[Policy], Policy]:
    """A change of the policy."""
    return lambda policy: replace(policy, **changes)


ASKED = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def frame(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return (
        f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [choice]})}\n\n".encode()
    )


@asynccontextmanager
async def running(
    tmp_path: Path,
    *,
    bound_s: float = 10,
    observe: Observer = observe_nothing,
    keys: Keys | None = None,
    mode: ObeyedMode = NO_MODE,
    look: Look = no_cards,
    memory: CardMemory = NOT_WATCHED,
    hung_s: float = HUNG_S,
    models: Mapping[str, Any] = TWO_MODELS,
    **changes: Any,
) -> AsyncIterator[tuple[RunningEngine, Upstream, FakeChildren]]:
    async with serve_upstream() as upstream:
        children = FakeChildren(port=upstream.port, loads_at_once=True)
        with anyio.fail_after(bound_s):
            change = limited(**changes)
            own: dict[str, Any] = {"keys": keys, "mode": mode, "look": look, "memory": memory, "hung_s": hung_s, "models": models}
            async with engine(children, tmp_path, change=change, observe=observe, **own) as running:
                yield running, upstream, children


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, ErrorEnvelope.model_validate_json(answer.content).error.code
