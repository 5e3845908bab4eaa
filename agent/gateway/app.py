"""The gateway's routes: the names, completions routed or passed through, and everything else under `/v1` as the engine offers it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.engine.child import EngineLink
from agent.engine.key import EngineKey, KeySource
from agent.engine.model_client import http_client
from agent.errors import AgentError
from agent.facade import Facade
from agent.gateway.answers import AGENT, Failure, own_models
from agent.gateway.asked import Asked, NotUnderstood, read
from agent.gateway.deciding import force_headers, headers_of, named, needs_choice, wish_of
from agent.gateway.dispatch import Dispatch, Dispatcher
from agent.gateway.relay import Relay, Straight, Upstream, failure_of, passed_on
from agent.gateway.turns import TurnAnswer
from agent.routes.deciding.from_settings import rules_of
from agent.routes.deciding.nodes import CHAT_PATH, NodeState
from agent.routes.deciding.routing import Route as Chosen
from agent.routes.places.forwarding import Passing
from agent.routes.router import Router
from config.network.trust import CertificatesRefused, trust_of
from config.schema import AgentSettings
from inference.contract.headers import SESSION

JSON = "application/json"
_PLAIN_PATH = re.compile(r"/v1(/[\w:-][\w.:-]*)+")
"""What is passed on: no way up and out of `/v1`, where the engine's own controls are, and nothing that a URL could read in two ways."""


class Gateway:
    """One home's gateway."""

    def __init__(self, shared: Dispatcher, engine: EngineLink, facade: Facade, *, has_nodes: bool) -> None:
        self._shared = shared
        self._upstream = shared.upstream
        self._engine = engine
        self._facade = facade
        self._has_nodes = has_nodes

    async def list_models(self, _: Request) -> Response:
        """Every name: the gateway's own, then the engine's, then the other nodes'."""
        return _json({"object": "list", "data": await self._names()})

    async def show_model(self, request: Request) -> Response:
        """One of them."""
        name = request.path_params["name"]
        found = next((each for each in await self._names() if each["id"] == name), None)
        return _json(found) if found is not None else _refusal(Failure(404, "model_not_found", f'There is no model "{name}".'))

    async def _names(self) -> list[dict[str, Any]]:
        others = (await self._shared.router.states())[1:] if self._has_nodes else ()
        try:
            served = (await self._upstream.served()).model_dump(mode="json")["data"]
        except AgentError:
            if not others:
                raise
            served = []
        return [*own_models(), *served, *(_as_model(node, name) for node in others if node.use != "human" for name in node.tiers or ())]

    async def complete(self, request: Request) -> Response:
        """A completion: of the agent where it is named, else of the engine."""
        asked = read(await request.body())
        if asked.model != AGENT:
            return await self._routed(request, asked)
        session, wish = request.headers.get(SESSION), wish_of(request.headers, self._shared.rules.tasks)
        return TurnAnswer(self._facade, asked, session=session, wish=wish, ensure_engine=self._engine.ensure)

    async def pass_on(self, request: Request) -> Response:
        """Any other route, of the models alone. What is no JSON, such as a form with a sound, is passed as it is."""
        if not _PLAIN_PATH.fullmatch(request.url.path):
            return _no_route(request)
        body = await request.body()
        if body and request.headers.get("content-type", JSON).startswith(JSON):
            asked = read(body)
            if asked.model == AGENT:
                raise NotUnderstood(f'The model "{AGENT}" answers {CHAT_PATH} only. Ask "auto" or a tier here.')
            return await self._routed(request, asked)
        return Relay(Straight(self._upstream, _passing(request, body), {}))

    async def _routed(self, request: Request, asked: Asked) -> Response:
        wish = wish_of(request.headers, self._shared.rules.tasks)
        if not needs_choice(asked, wish, has_nodes=self._has_nodes):
            route = named(asked)
            return Relay(Straight(self._upstream, _passing(request, asked.text.encode()), headers_of(route)))

        def make_out(route: Chosen) -> Passing:
            body = asked.text.encode() if route.tier == asked.model else asked.with_model(route.tier)
            return _passing(request, body, force_headers(route))

        session = request.headers.get(SESSION, "")
        return Relay(Dispatch(self._shared, asked, wish, session=session, make_out=make_out, path=request.url.path))


@asynccontextmanager
async def open_gateway(
    engine: EngineLink, key: KeySource, settings: AgentSettings, facade: Facade, router: Router
) -> AsyncGenerator[Starlette]:
    """The gateway of a home, without the guard in front of it.

    Args:
        engine: where completions come from.
        key: of the engine, or what reads it.
        settings: of `agent.toml`.
        facade: the agent.
        router: its nodes.

    Raises:
        AgentError: `engine.ca` cannot be used.
    """
    try:
        trusted = trust_of(settings.engine.ca)
    except CertificatesRefused as error:
        raise AgentError(f"engine.ca in agent.toml: {error}") from error
    rules = rules_of(settings.routing, is_embedded=settings.engine.url is None)
    # As many connections as clients come with: each may hold a stream open for minutes.
    async with http_client(trusted, most=None, kept=8) as http:
        shared = Dispatcher(router, Upstream(engine, EngineKey(key), http), rules)
        yield build_gateway(Gateway(shared, engine, facade, has_nodes=bool(settings.nodes)))


def build_gateway(gateway: Gateway) -> Starlette:
    """Its routes."""
    return Starlette(
        routes=[
            Route("/v1/models", gateway.list_models),
            Route("/v1/models/{name:path}", gateway.show_model),
            Route(CHAT_PATH, gateway.complete, methods=["POST"]),
            Route("/v1/{rest:path}", gateway.pass_on, methods=["GET", "POST"]),
        ],
        exception_handlers={
            NotUnderstood: lambda _, error: _refusal(Failure(400, "invalid_request", str(error))),
            AgentError: _agent_failed,
            404: lambda request, _: _no_route(request),
            Exception: _failed,
            405: lambda request, _: _refusal(Failure(405, "invalid_request", f"{request.url.path} does not take {request.method}.")),
        },
    )


def _passing(request: Request, body: bytes, more: Mapping[str, str] | None = None) -> Passing:
    query = f"?{request.url.query}" if request.url.query else ""
    return Passing(request.method, request.url.path + query, passed_on(request.headers) | dict(more or {}), body)


def _as_model(node: NodeState, tier: str) -> dict[str, Any]:
    """One tier of another node, in the form of the model list."""
    where = "outside this house" if node.is_external else "another machine of this house"
    return {"id": f"{node.name}/{tier}", "object": "model", "created": 0, "owned_by": node.name, "description": where}


def _no_route(request: Request) -> Response:
    return _refusal(Failure(404, "route_not_found", f"There is no {request.method} {request.url.path} here."))


def _agent_failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, AgentError)
    return _refusal(failure_of(error))


def _failed(_: Request, __: Exception) -> Response:
    return _refusal(Failure(500, "internal_error", "The agent failed. The service's log says why."))


def _refusal(failure: Failure) -> Response:
    return Response(failure.body(), failure.status, media_type=JSON)


def _json(value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), media_type=JSON)
