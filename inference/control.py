"""The control routes: what is loaded, what waits, and load this instead. They decide nothing; each is one call to the supervisor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import anyio
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from inference.catalog import Served
from inference.contract import (
    CONTRACT,
    CONTRACT_VERSION,
    KEEP_ALIVE,
    SWAP_EVENT,
    EngineStatus,
    ErrorEnvelope,
    LoadRequest,
    ReloadAnswer,
    ServedModel,
    ServedModels,
    SessionForgotten,
    SwitchAnswer,
    SwitchRequest,
    UnloadAnswer,
    UnloadRequest,
    event_frame,
)
from inference.dashboard.routes import add_watching
from inference.discretion import discreet, discreet_status
from inference.door.access import Asker, KeyInfo, key_of
from inference.door.incoming import passes_mode
from inference.errors import EngineError, InvalidRequest, RouteNotFound
from inference.files.files_there import FilesSeen, check_files
from inference.observing.observatory import Observatory
from inference.processes.program_help import needs_tools_in_templates
from inference.reload import Standing, nothing_stands
from inference.supervisor import Supervisor
from inference.warmth.records import session_key

KEEP_ALIVE_S = 15.0
"""Between two signs of life on an idle event stream."""
_JSON = "application/json"
_NO_ROUTE = (404, 405)
"""No such path, and no such method there."""
_UNREADABLE = "The body cannot be read as JSON: its text is not UTF-8, it is nested too deep, or a number in it has too many digits."
"""What the framework only calls an error in parsing; JSON that breaks off or makes no sense is told with its place."""
_NOTHING_ASKED = UnloadRequest()
_REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorEnvelope, "description": "The client must change the request."},
    503: {"model": ErrorEnvelope, "description": "The client may ask again, or the model does not load; the code says which."},
    507: {"model": ErrorEnvelope, "description": "The model does not fit into memory."},
}
_EVENT_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def build_control(
    supervisor: Supervisor,
    version: str,
    observatory: Observatory,
    standing: Callable[[], Standing] = nothing_stands,
    max_body_mib: int | None = None,
) -> FastAPI:
    """The control routes of one engine, as an ASGI application.

    Args:
        supervisor: whose models they are about.
        version: of the program.
        observatory: what was seen of them.
        standing: what the settings file says to no effect.
        max_body_mib: the largest request that the engine takes.
    """
    app = FastAPI(
        title="Variet engine",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/engine/openapi.json",
        responses=_REFUSALS,
        # Checked by the gate, before a request comes here; this only says so in the description.
        dependencies=[Depends(HTTPBearer(auto_error=False))],
    )
    routes = _Routes(supervisor, version, observatory, standing, max_body_mib)
    app.get("/v1/models")(routes.models)
    app.get("/models", include_in_schema=False)(routes.models)
    app.get("/v1/models/{name:path}")(routes.model)
    app.get("/engine/status")(routes.status)
    app.post("/engine/switch")(routes.switch)
    app.post("/engine/load")(routes.load)
    app.post("/engine/unload")(routes.unload)
    app.get("/engine/events", response_class=Response, responses=_EVENT_STREAM)(routes.events)
    app.delete("/engine/sessions/{session:path}")(routes.forget)
    add_watching(app, supervisor, observatory, version)
    for error in (EngineError, RequestValidationError, HTTPException, Exception):
        app.exception_handler(error)(_refuse)
    return app


def add_reload(app: FastAPI, reload: Callable[[], Awaitable[ReloadAnswer]]) -> None:
    """Add the route that takes on what the settings file says now; a file that cannot be used changes nothing."""

    async def answer(request: Request) -> ReloadAnswer:
        key_of(request.scope).check_everything()
        return await reload()

    app.post("/engine/reload", description=add_reload.__doc__)(answer)


class _Routes:
    def __init__(
        self,
        supervisor: Supervisor,
        version: str,
        observatory: Observatory,
        standing: Callable[[], Standing],
        max_body_mib: int | None,
    ) -> None:
        self._standing = standing
        self._max_body_mib = max_body_mib
        self._supervisor = supervisor
        self._version = version
        self._observatory = observatory
        self._files = FilesSeen(needs_tools_in_templates)

    async def models(self) -> ServedModels:
        """Every name that can be asked for, loaded or not."""
        served = self._supervisor.served_models(self._observatory.rates.rates).model_copy(update={"max_body_mib": self._max_body_mib})
        return await self._files.listed(served, tuple(self._supervisor.catalog.models.values()))

    async def model(self, name: str) -> ServedModel:
        """One of them."""
        self._supervisor.catalog.known(name)
        return next(each for each in (await self.models()).data if each.id == name)

    async def status(self, request: Request) -> EngineStatus:
        """Models, queue and the load under way."""
        standing = self._standing()
        status = self._supervisor.status(self._version).model_copy(
            update={"needs_restart": standing.needs_restart, "overridden": standing.overridden, "max_body_mib": self._max_body_mib}
        )
        status = discreet_status(status, key_of(request.scope))
        return await self._files.told(status, tuple(self._supervisor.catalog.models.values()))

    async def switch(self, asked: SwitchRequest, request: Request) -> SwitchAnswer:
        """Load a model in place of what is there."""
        if asked.force:
            key_of(request.scope).check_force()
        model = await self._named(request, asked.name)
        if not asked.wait:
            return await self._want(request, model, is_forced=asked.force)
        ended: tuple[str, ...] = ()

        async def wait() -> None:
            nonlocal ended
            with self._supervisor.ticket(model, takes_lease=False, is_forced=asked.force, by=_asker(request)) as ticket:
                await ticket.wait_granted()
                ended = ticket.ended

        await _while_connected(request, wait)
        return self._switched(request, model, ended)

    async def load(self, asked: LoadRequest, request: Request) -> SwitchAnswer:
        """Ask for a model and do not wait."""
        return await self._want(request, await self._named(request, asked.model), is_forced=False)

    async def unload(self, request: Request, asked: UnloadRequest = _NOTHING_ASKED) -> UnloadAnswer:
        """Free the memory of one model or of all."""
        if asked.model is None:
            key_of(request.scope).check_everything()
        model = None if asked.model is None else self._known(request, asked.model).spec.name
        unloaded = await self._supervisor.unload(model)
        return UnloadAnswer(unloaded=unloaded, waiting=self._waited_for(unloaded))

    async def events(self, request: Request) -> StreamingResponse:
        """Swaps as they go on, the present state first."""
        return StreamingResponse(self._frames(key_of(request.scope)), media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def forget(self, session: str, request: Request) -> SessionForgotten:
        """Delete what is kept of a conversation; another client's of that name stays."""
        return SessionForgotten(deleted=await self._supervisor.warmth.forget(session_key(session, key_of(request.scope).id)))

    def _waited_for(self, unloaded: Collection[str]) -> dict[str, int]:
        """Who wants a model that is not there; one that was unloaded may be back for them already."""
        models = [self._supervisor.status_of(name) for name in self._supervisor.catalog.models]
        gone = [model for model in models if model.name in unloaded or model.state != "ready"]
        return {model.name: count for model in gone if (count := model.waiting + model.in_flight)}

    async def _named(self, request: Request, name: str) -> str:
        """The physical model behind a name that the request's key allows, which can be loaded."""
        spec = self._known(request, name).spec
        await check_files(spec, self._supervisor.loaded)
        return spec.name

    def _known(self, request: Request, name: str) -> Served:
        key_of(request.scope).check_name(name)
        return self._supervisor.catalog.resolve(name)

    async def _want(self, request: Request, model: str, *, is_forced: bool) -> SwitchAnswer:
        ticket = await self._supervisor.want(model, is_forced=is_forced, by=_asker(request))
        if ticket.verdict is not None:
            raise ticket.verdict
        return self._switched(request, model, ticket.ended)

    def _switched(self, request: Request, model: str, ended: tuple[str, ...]) -> SwitchAnswer:
        status = discreet(self._supervisor.status_of(model), key_of(request.scope))
        return SwitchAnswer(**status.model_dump(), ended=ended)

    async def _frames(self, key: KeyInfo) -> AsyncIterator[bytes]:
        with self._supervisor.hub.listen() as listener:
            yield KEEP_ALIVE
            for model in self._supervisor.loaded:
                yield event_frame(SWAP_EVENT, discreet(self._supervisor.progress(model), key))
            if swap := self._supervisor.swap():
                yield event_frame(SWAP_EVENT, discreet(swap, key))
            async for progress in listener.frames(KEEP_ALIVE_S):
                yield KEEP_ALIVE if progress is None else event_frame(SWAP_EVENT, discreet(progress, key))


def _asker(request: Request) -> Asker:
    key = key_of(request.scope)
    return Asker(key.client, key.priority, passes_mode(request.scope["headers"]))


async def _while_connected(request: Request, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, but give up when the client leaves: nobody else wants what it waits for."""
    refusal: EngineError | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        try:
            await work()
        except EngineError as error:
            refusal = error
        tasks.cancel_scope.cancel()
    if refusal is not None:
        raise refusal


async def _refuse(request: Request, error: Exception) -> Response:
    """Every refusal takes the one shape."""
    refusal = _refusal(request, error)
    headers = {**refusal.headers(), CONTRACT: str(CONTRACT_VERSION)}
    return Response(refusal.body(), refusal.status, headers, media_type="application/json")


def _refusal(request: Request, error: Exception) -> EngineError:
    match error:
        case EngineError():
            return error
        case RequestValidationError():
            problems: list[dict[str, Any]] = list(error.errors())
            if request.headers.get("content-type", _JSON).partition(";")[0].strip() != _JSON:
                return InvalidRequest("The body must be JSON, sent with `Content-Type: application/json`.", is_permanent=True)
            text = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problems)
            return InvalidRequest(f"{text}.", is_permanent=True)
        case HTTPException(status_code=status) if status not in _NO_ROUTE:
            return InvalidRequest(_UNREADABLE, is_permanent=True)
        case HTTPException():
            return RouteNotFound(f"There is no {request.method} {request.url.path} here.", is_permanent=True)
        case _:
            return EngineError("The engine made a mistake. Its log says which.")  # It is raised again, for the log.
