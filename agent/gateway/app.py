"""The gateway's routes: the names, completions routed or passed through, and everything else under `/v1` as the engine offers it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.engine.child import EngineLink
from agent.engine.key import EngineKey, KeySource
from agent.engine.model_client import timeouts
from agent.errors import AgentError
from agent.facade import Facade
from agent.gateway.answers import AGENT, Failure, own_models
from agent.gateway.asked import Asked, NotUnderstood, read
from agent.gateway.deciding import Decision, decide, force_headers, named, needs_choice
from agent.gateway.relay import Passing, Relay, Upstream, failure_of, passed_on
from agent.gateway.turns import PATH, TurnAnswer
from agent.routes.from_settings import rules_of
from agent.routes.routing import RoutingRules
from config.schema import AgentSettings
from config.trust import CertificatesRefused, trust_of
from inference.contract.headers import SESSION

JSON = "application/json"
_PLAIN_PATH = re.compile(r"/v1(/[\w:-][\w.:-]*)+")
"""What is passed on: no way up and out of `/v1`, where the engine's own controls are, and nothing that a URL could read in two ways."""


class Gateway:
    """One home's gateway."""

    def __init__(self, upstream: Upstream, engine: EngineLink, facade: Facade, rules: RoutingRules) -> None:
        self._upstream = upstream
        self._engine = engine
        self._facade = facade
        self._rules = rules

    async def list_models(self, _: Request) -> Response:
        """Every name: the gateway's own, then the engine's."""
        served = (await self._upstream.served()).model_dump(mode="json")
        return _json({**served, "data": [*own_models(), *served["data"]]})

    async def show_model(self, request: Request) -> Response:
        """One of them."""
        name = request.path_params["name"]
        served = (await self._upstream.served()).model_dump(mode="json")
        found = next((each for each in (*own_models(), *served["data"]) if each["id"] == name), None)
        return _json(found) if found is not None else _refusal(Failure(404, "model_not_found", f'There is no model "{name}".'))

    async def complete(self, request: Request) -> Response:
        """A completion: of the agent where it is named, else of the engine."""
        asked = read(await request.body())
        if asked.model != AGENT:
            return await self._routed(request, asked)
        session = request.headers.get(SESSION)
        return TurnAnswer(self._facade, asked, session=session, ensure_engine=self._engine.ensure)

    async def pass_on(self, request: Request) -> Response:
        """Any other route. What is no JSON, such as a form with a sound, is passed as it is."""
        if not _PLAIN_PATH.fullmatch(request.url.path):
            return _no_route(request)
        body = await request.body()
        if body and request.headers.get("content-type", JSON).startswith(JSON):
            return await self._routed(request, read(body))
        return Relay(self._upstream, _passing(request, body), told={})

    async def _routed(self, request: Request, asked: Asked) -> Response:
        decision = await self._decide(request, asked)
        body = asked.text.encode() if decision.model == asked.model else asked.with_model(decision.model)
        passing = _passing(request, body, decision)
        return Relay(self._upstream, passing, told=decision.headers())

    async def _decide(self, request: Request, asked: Asked) -> Decision:
        if not needs_choice(asked, request.headers):
            return named(asked)
        return decide(asked, request.url.path, request.headers, served=await self._upstream.served(), rules=self._rules)


@asynccontextmanager
async def open_gateway(engine: EngineLink, key: KeySource, settings: AgentSettings, facade: Facade) -> AsyncGenerator[Starlette]:
    """The gateway of a home, without the guard in front of it.

    Args:
        engine: where completions come from.
        key: of the engine, or what reads it.
        settings: of `agent.toml`.
        facade: the agent.

    Raises:
        AgentError: `engine.ca` cannot be used.
    """
    try:
        trusted = trust_of(settings.engine.ca)
    except CertificatesRefused as error:
        raise AgentError(f"engine.ca in agent.toml: {error}") from error
    rules = rules_of(settings.routing)
    # As many connections as clients come with: each may hold a stream open for minutes.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8)
    async with httpx2.AsyncClient(timeout=timeouts(), trust_env=False, verify=trusted, limits=limits) as http:
        yield build_gateway(Gateway(Upstream(engine, EngineKey(key), http), engine, facade, rules))


def build_gateway(gateway: Gateway) -> Starlette:
    """Its routes."""
    return Starlette(
        routes=[
            Route("/v1/models", gateway.list_models),
            Route("/v1/models/{name:path}", gateway.show_model),
            Route(PATH, gateway.complete, methods=["POST"]),
            Route("/v1/{rest:path}", gateway.pass_on, methods=["GET", "POST"]),
        ],
        exception_handlers={
            NotUnderstood: lambda _, error: _refusal(Failure(400, "invalid_request", str(error))),
            AgentError: _agent_failed,
            404: lambda request, _: _no_route(request),
            405: lambda request, _: _refusal(Failure(405, "invalid_request", f"{request.url.path} does not take {request.method}.")),
        },
    )


def _passing(request: Request, body: bytes, decision: Decision | None = None) -> Passing:
    query = f"?{request.url.query}" if request.url.query else ""
    forced = force_headers(decision) if decision is not None else {}
    return Passing(request.method, request.url.path + query, passed_on(request.headers) | forced, body)


def _no_route(request: Request) -> Response:
    return _refusal(Failure(404, "route_not_found", f"There is no {request.method} {request.url.path} here."))


def _agent_failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, AgentError)
    return _refusal(failure_of(error))


def _refusal(failure: Failure) -> Response:
    return Response(failure.body(), failure.status, media_type=JSON)


def _json(value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), media_type=JSON)
