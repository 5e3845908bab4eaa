"""The routes for whoever watches: the page, metrics, activity, models' logs, measured rates, and what is used. None of them steers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from inference.activity.model_logs import MOST_LINES, LogTail, log_path
from inference.contract import KEEP_ALIVE, ActivityAnswer, LogLines, ModelRates, RatesReport, Resources, SwapsAnswer, event_frame
from inference.dashboard.page import load_page
from inference.discretion import discreet
from inference.door.access import key_of
from inference.errors import InvalidRequest
from inference.identity import fingerprint
from inference.observing.exposition import CONTENT_TYPE
from inference.observing.observatory import Observatory
from inference.supervisor import Supervisor

MOST_RECORDS = 500
"""Of one answer."""
LOG_EVENT = "log"
LOG_POLL_S = 0.3
"""Between two looks at a log that is followed: quicker than a person reads, and no file system tells of changes everywhere."""
_LOG_FORMS: dict[str, Any] = {"model": LogLines, "content": {"text/event-stream": {}}}
KEEP_ALIVE_TICKS = 50
"""Looks without news until a sign of life."""


def add_watching(app: FastAPI, supervisor: Supervisor, observatory: Observatory, version: str) -> None:
    """Add them to the control routes."""
    routes = _Watching(supervisor, observatory, version)
    app.get("/", include_in_schema=False)(routes.page)
    app.get("/metrics", include_in_schema=False)(routes.metrics)
    app.get("/engine/activity")(routes.activity)
    app.get("/engine/swaps")(routes.swaps)
    app.get("/engine/logs/{model:path}", response_model=None, responses={200: _LOG_FORMS})(routes.logs)
    app.get("/engine/resources")(routes.resources)
    app.post("/engine/rates")(routes.rates)


class _Watching:
    def __init__(self, supervisor: Supervisor, observatory: Observatory, version: str) -> None:
        self._supervisor = supervisor
        self._observatory = observatory
        self._version = version

    async def page(self) -> Response:
        """The dashboard. It needs no key, because nothing is in it: its script asks for everything, with the key that a person gives it."""
        page = await anyio.to_thread.run_sync(load_page)
        return HTMLResponse(page.body, headers=page.headers)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus; of all models and clients, so not for a key that is limited to some."""
        key_of(request.scope).check_everything()
        status = self._supervisor.status(self._version)
        resources = await self._observatory.resources(status)
        return PlainTextResponse(self._observatory.metrics.page(status, resources, self._observatory.log.lost), media_type=CONTENT_TYPE)

    async def activity(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 50,
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    ) -> ActivityAnswer:
        """The newest finished requests; of everybody, or with a limited key its own."""
        return await self._observatory.log.page(limit=limit, after=after, key=key_of(request.scope).sees_only)

    async def swaps(self, request: Request, limit: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 20) -> SwapsAnswer:
        """The newest loads: which model, why, who went for it, how long it took."""
        answer = await self._observatory.log.swaps(limit)
        return answer.model_copy(update={"swaps": tuple(discreet(each, key_of(request.scope)) for each in answer.swaps)})

    async def logs(
        self,
        request: Request,
        model: str,
        follow: Annotated[int, Query(ge=0, le=1)] = 0,
        lines: Annotated[int, Query(ge=0, le=MOST_LINES)] = 200,
    ) -> Response | LogLines:
        """The end of a model's log; with `follow`, and then what is added to it."""
        key_of(request.scope).check_name(model)
        name = self._supervisor.catalog.resolve(model).spec.name
        tail = LogTail(log_path(self._observatory.log_dir, name))
        last = await anyio.to_thread.run_sync(tail.last, lines)
        if not follow:
            return Response(LogLines(model=name, lines=last if lines else ()).model_dump_json(), media_type="application/json")
        frames = self._follow(name, tail, last if lines else ())
        return StreamingResponse(frames, media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def resources(self) -> Resources:
        """What the engine and its models use now."""
        return await self._observatory.resources(self._supervisor.status(self._version))

    async def rates(self, report: RatesReport, request: Request) -> ModelRates:
        """Keep what a measurement found, unless the settings have made it a measurement of something else."""
        key_of(request.scope).check_name(report.model)
        spec = self._supervisor.catalog.resolve(report.model).spec
        if report.fingerprint not in (None, fingerprint(spec)):
            why = f"engine.toml has changed what {report.model} runs since its measurement began, which is not kept. Measure it again."
            raise InvalidRequest(why, is_permanent=True)
        known = self._observatory.rates.record(spec, report)
        await anyio.to_thread.run_sync(self._observatory.rates.save)
        return known

    async def _follow(self, model: str, tail: LogTail, last: tuple[str, ...]) -> AsyncIterator[bytes]:
        """Until the client leaves or the engine stops."""
        yield event_frame(LOG_EVENT, LogLines(model=model, lines=last))
        idle = 0
        while not self._supervisor.is_stopping:
            if lines := await anyio.to_thread.run_sync(tail.more):
                yield event_frame(LOG_EVENT, LogLines(model=model, lines=lines))
                idle = 0
                continue
            idle += 1
            if idle % KEEP_ALIVE_TICKS == 0:
                yield KEEP_ALIVE
            await anyio.sleep(LOG_POLL_S)
