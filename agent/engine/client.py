"""The engine's control routes as the agent needs them: what is served, how it is, and a switch of tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from agent.engine.key import REFUSED, UNKNOWN_KEY, EngineKey
from agent.engine.toolless import Toolless
from agent.errors import EngineUnreachable, ModelFailed
from agent.routes.deciding.candidates import Kept
from agent.routes.deciding.nodes import NodeState
from agent.view.taken import Taken, taken_by
from inference.contract.failures import ErrorEnvelope
from inference.contract.headers import WAIT
from inference.contract.mode import Mode, ModeStatus
from inference.contract.status import EngineStatus, ServedModels, SessionForgotten, SwitchAnswer, SwitchRequest

CONTROL_TIMEOUT_S = 5.0
"""Control routes answer from memory."""
SWITCH_TIMEOUT_S = 900.0
"""The largest models load for minutes from a slow disk; the engine itself notices a load that has stalled."""
NO_ROUTE = 404

_Answer = TypeVar("_Answer", bound=BaseModel)
_NONE: Mapping[str, str] = {}
_AT_ONCE: Mapping[str, str] = {WAIT: "0"}
"""For looks at a model that is loaded: should it be gone, nothing is waited for and nothing loaded."""


class _Props(BaseModel):
    """llama-server's word on itself, as far as it matters here."""

    chat_template: str
    build_info: str = ""


class _Generation(BaseModel):
    n_ctx: int


class _Limits(BaseModel):
    default_generation_settings: _Generation
    chat_template_caps: Any = None


class _Caps(BaseModel):
    chat_template_caps: Any = None


class _Conversation(BaseModel):
    model: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    add_generation_prompt: bool = False


class _Prompt(BaseModel):
    prompt: str


class Served(NamedTuple):
    """What an engine can be asked for."""

    names: frozenset[str]
    contexts: Mapping[str, int]
    """Tokens that each can hold."""
    nodes: tuple[NodeState, ...] = ()
    """Every node that can answer, where the settings name more than one or that was asked for."""
    kept: Kept | None = None
    """Where the conversation was answered last."""


class EngineClient:
    """One engine.

    Args:
        url: of the engine, without `/v1`.
        key: its bearer key, if it wants one; read again once when it is refused.
        http: shared client.
    """

    def __init__(self, url: str, key: EngineKey, http: httpx2.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._http = http
        self._toolless = Toolless()

    @property
    def toolless(self) -> frozenset[str]:
        """Names of models whose templates have no tools, as their servers said when they were last asked about themselves."""
        return self._toolless.names

    def forget_toolless(self) -> None:
        """It was away: what was said of its templates may not be true any more."""
        self._toolless.forget()

    async def served(self) -> Served | None:
        """Every name that may be asked for; None when the engine does not say, which is for the completion itself to report."""
        try:
            models = await self.models()
        except (EngineUnreachable, ModelFailed):
            return None
        return Served(frozenset(model.id for model in models.data), {model.id: model.meta.n_ctx for model in models.data})

    async def models(self) -> ServedModels:
        """The same with all that it says of each.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused.
        """
        served = await self._ask(ServedModels, "GET", "/v1/models", timeout_s=CONTROL_TIMEOUT_S)
        self._toolless.see(served)
        return served

    async def status(self) -> EngineStatus:
        """How it is.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused.
        """
        return await self._ask(EngineStatus, "GET", "/engine/status", timeout_s=CONTROL_TIMEOUT_S)

    async def mode(self) -> Mode:
        """Whether its machine is lent to a game. One that has no such route has no mode.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it answered with something else.
        """
        response = await self._request("GET", "/engine/mode", None, self._key.headers, CONTROL_TIMEOUT_S)
        if response.status_code == NO_ROUTE:
            return "NORMAL"
        try:
            return ModeStatus.model_validate_json(response.content).mode
        except ValidationError as error:
            raise ModelFailed(f"The engine answered /engine/mode with status {response.status_code} and something unexpected.") from error

    async def switch(self, tier: str, *, wait: bool = True) -> SwitchAnswer:
        """Make a tier ready.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused, or the model did not load.
        """
        request = SwitchRequest(tier=tier, wait=wait)
        return await self._ask(SwitchAnswer, "POST", "/engine/switch", request, timeout_s=SWITCH_TIMEOUT_S)

    async def template(self, name: str) -> str:
        """What decides how a loaded model's prompts are written: its chat template, and the build that renders it.

        Args:
            name: as it is asked for.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused, does not tell its template, or is not loaded any more.
        """
        told = await self._ask(_Props, "GET", f"/props?model={quote(name, safe='')}", timeout_s=CONTROL_TIMEOUT_S, headers=_AT_ONCE)
        return f"{told.build_info}\0{told.chat_template}"

    async def context(self, name: str) -> int:
        """Tokens that a conversation with a loaded model can really have: what its server gave it, maybe less than the settings say.

        Args:
            name: as it is asked for.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused, does not tell, or is not loaded any more.
        """
        told = await self._ask(_Limits, "GET", f"/props?model={quote(name, safe='')}", timeout_s=CONTROL_TIMEOUT_S, headers=_AT_ONCE)
        self._toolless.note(name, is_toolless=taken_by(told.chat_template_caps) == "none")
        return told.default_generation_settings.n_ctx

    async def calls_taken(self, name: str) -> Taken | None:
        """How the template of a loaded model takes calls; None where its server does not say.

        Args:
            name: as it is asked for.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused, or is not loaded any more.
        """
        told = await self._ask(_Caps, "GET", f"/props?model={quote(name, safe='')}", timeout_s=CONTROL_TIMEOUT_S, headers=_AT_ONCE)
        taken = taken_by(told.chat_template_caps)
        self._toolless.note(name, is_toolless=taken == "none")
        return taken

    async def rendered(
        self, name: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = (), *, is_begun: bool = False
    ) -> str:
        """A conversation as a loaded model's prompt.

        Args:
            name: as it is asked for.
            messages: the conversation.
            tools: what it is offered.
            is_begun: with the beginning of an answer, as the template writes it.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused, or is not loaded any more.
        """
        asked = _Conversation(model=name, messages=messages, tools=tools or None, add_generation_prompt=is_begun)
        return (await self._ask(_Prompt, "POST", "/apply-template", asked, timeout_s=CONTROL_TIMEOUT_S, headers=_AT_ONCE)).prompt

    async def forget(self, session: str) -> None:
        """Have it throw away what it keeps of a conversation to make it warm again.

        Raises:
            EngineUnreachable: nobody answers there.
            ModelFailed: it refused.
        """
        await self._ask(SessionForgotten, "DELETE", f"/engine/sessions/{session}", timeout_s=CONTROL_TIMEOUT_S)

    async def _ask(
        self, kind: type[_Answer], method: str, route: str, body: BaseModel | None = None, *,
        timeout_s: float, headers: Mapping[str, str] = _NONE,
    ) -> _Answer:  # fmt: skip
        shown = self._key.headers
        response = await self._request(method, route, body, {**headers, **shown}, timeout_s)
        if response.status_code == REFUSED and await self._key.has_changed(shown):
            response = await self._request(method, route, body, {**headers, **self._key.headers}, timeout_s)
        try:
            if response.status_code == 200:
                return kind.model_validate_json(response.content)
            said = ErrorEnvelope.model_validate_json(response.content).error
            was_shown = bool(self._key.headers)
            raise ModelFailed(self._key.whose.refused(self._url, was_shown=was_shown) if said.code == UNKNOWN_KEY else said.message)
        except ValidationError as error:
            raise ModelFailed(f"The engine answered {route} with status {response.status_code} and something unexpected.") from error

    async def _request(self, method: str, route: str, body: BaseModel | None, shown: dict[str, str], timeout_s: float) -> httpx2.Response:
        try:
            return await self._http.request(
                method,
                self._url + route,
                headers=shown | {"Content-Type": "application/json"},
                content=body.model_dump_json(exclude_none=True).encode() if body else None,
                timeout=timeout_s,
            )
        except httpx2.TransportError as error:
            raise EngineUnreachable(self._url, self._key.whose.unreached(self._url, error)) from error
