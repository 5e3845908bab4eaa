"""One node as it was when it was last asked: what it serves, in which mode its machine is, whether it answers at all.

A node that failed is looked at again in the background only, after a pause that doubles, so that no turn waits for a dead one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

import anyio
import httpx2
from anyio.abc import TaskGroup
from pydantic import BaseModel, ValidationError

from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.errors import AgentError
from agent.routes.deciding.from_settings import use_of
from agent.routes.deciding.nodes import AUTO, NodeState, TierState
from agent.routes.deciding.obstacles import OUTSIDE
from agent.routes.deciding.seeing import ATTACHMENTS
from agent.routes.places.circuit import Circuit
from agent.routes.places.limits import Limits
from agent.routes.places.refusals import wants_another_key
from config.network.trust import why_untrusted
from config.shapes.routing import NodeEntry
from inference.contract.mode import Mode, ModeStatus
from inference.contract.status import EngineStatus, ServedModel, ServedModels

LOOK_S = 2.0
"""A node on the local network answers within milliseconds; one that needs longer than this to say what it serves is as good as dead."""
NO_LIMITS: Mapping[str, int] = {}
FRESH_S = 1.0
"""As long as a change of mode may take to count."""
log = logging.getLogger(__name__)

Tiers = dict[str, TierState]


class Asked(Protocol):
    """What a node says it serves."""

    async def __call__(self) -> Tiers:
        """Its tiers.

        Raises:
            AgentError: it does not answer, or with nonsense.
        """
        ...


class ModeReader:
    """Asks a machine for its mode; who cannot read it takes it for GAMING.

    Args:
        where: it is told, for the log.
        read: asks for it.
        clock: seconds.
    """

    def __init__(self, where: str, read: Callable[[], Awaitable[Mode]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._read = read
        self._clock = clock
        self._circuit = Circuit()

    async def is_gaming(self) -> bool:
        """Whether the machine is lent to a game."""
        if not self._circuit.may_try(self._clock()):
            return True
        try:
            with anyio.fail_after(LOOK_S / 2):
                mode = await self._read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the mode is not known, and no turn ends for that.
            self._circuit = self._circuit.failed(str(error), self._clock())
            log.info("the mode at %s cannot be read, so it counts as GAMING: %s", self._where, error)
            return True
        self._circuit = Circuit()
        return mode == "GAMING"


def reads_mode(url: str, http: httpx2.AsyncClient) -> ModeReader:
    """What asks at an address for the mode."""

    async def read() -> Mode:
        return ModeStatus.model_validate_json((await http.get(url)).content).mode

    return ModeReader(url, read)


class Scout:
    """Looks at one node.

    Args:
        blank: the node before anything is known of it.
        ask: asks it what it serves; None for one that is never asked, because that alone would tell somebody outside.
        mode: asks for its mode; None for one without.
        is_only: there is no other, so it is asked anew for every turn, whatever went wrong before.
        clock: seconds.
    """

    def __init__(
        self, blank: NodeState, ask: Asked | None, mode: ModeReader | None = None, *, is_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.state = blank
        self.circuit = Circuit()
        self._ask = ask
        self._mode = mode
        self._is_only = is_only
        self._clock = clock
        self._looked_at: float | None = None
        self._lock = anyio.Lock()

    async def look(self, tasks: TaskGroup) -> NodeState:
        """Its state; asked for where the last answer is old. A node that failed is asked in the background."""
        now = self._clock()
        if self._is_only:
            self._looked_at = None
            await self._refresh()
        elif self.circuit.is_open:
            if self.circuit.may_try(now) and not self._lock.locked():
                tasks.start_soon(self._refresh)
        elif self._looked_at is None or now - self._looked_at >= FRESH_S:
            await self._refresh()
        return self.state

    def note_failure(self, why: str, *, in_use: bool = True) -> None:
        """It did not answer when it was used, or when it was looked at."""
        self.circuit = self.circuit.failed(why, self._clock(), in_use=in_use)
        self.state = replace(self.state, down=why)

    def note_success(self) -> None:
        """It answered when it was used."""
        self.circuit = Circuit()
        self.state = replace(self.state, down="")

    async def _refresh(self) -> None:
        async with self._lock:
            if self._looked_at is not None and self._clock() - self._looked_at < FRESH_S:
                return
            tiers: Tiers | None = None
            try:
                with anyio.fail_after(LOOK_S):
                    tiers = await self._ask() if self._ask else None
            except (AgentError, TimeoutError, OSError) as error:
                self._fail(str(error) or f"no answer within {LOOK_S:g} s")
                return
            except Exception as error:
                # Of one node, and never the end of a turn that another answers.
                log.exception("node %s cannot be looked at", self.state.name)
                self._fail(f"it cannot be asked ({type(error).__name__}); the log has the details")
                return
            self.circuit, self.state = self.circuit.looked_at(), replace(self.state, down="")
            if tiers is not None:
                main = self.state.main_tier if self.state.main_tier in tiers else next(iter(tiers), "")
                self.state = replace(self.state, tiers=tiers, main_tier=main)
            if self._mode is not None:
                self.state = replace(self.state, is_gaming=await self._mode.is_gaming())
            self._looked_at = self._clock()

    def _fail(self, why: str) -> None:
        self.note_failure(why, in_use=False)
        if self._is_only:
            self.state = replace(self.state, tiers=None)
        log.info("node %s: %s", self.state.name, self.state.down)
        self._looked_at = self._clock()


class _Listed(BaseModel):
    id: str


class _List(BaseModel):
    data: tuple[_Listed, ...]


def asks_engine(engine: EngineClient, *, weighs: bool) -> Asked:
    """What asks another engine of ours.

    Args:
        engine: its client.
        weighs: times are compared, so that the rest of a load that is under way is worth a request.
    """
    limits = Limits(engine)

    async def ask() -> Tiers:
        try:
            models = await engine.models()
        except AgentError:
            limits.forget()
            engine.forget_toolless()
            raise
        real = await limits.of(models)
        is_loading = weighs and any(model.meta.state == "loading" for model in models.data)
        return _able(tiers_of(models, await engine.status() if is_loading else None, real), engine.toolless)

    return ask


def _able(tiers: Tiers, toolless: Collection[str]) -> Tiers:
    """The tiers without tools where the template of their model has none, whatever its settings promise.

    Args:
        tiers: as an engine lists them.
        toolless: names of which that is known; others may stand for the same model.
    """
    models = {tiers[name].model for name in toolless if name in tiers}
    return {
        name: replace(tier, capabilities=tier.capabilities - {"tools"}) if tier.model in models else tier for name, tier in tiers.items()
    }


def checks_key(key: EngineKey, ask: Asked | None, blank: NodeState) -> Asked:
    """What sees that a node's key may be used, and then asks it; one that is never asked serves what was known of it before."""

    async def checked() -> Tiers:
        await key.check()
        return await ask() if ask is not None else dict(blank.tiers or {})

    return checked


def asks_list(url: str, entry: NodeEntry, key: EngineKey, http: httpx2.AsyncClient) -> Asked:
    """What asks an OpenAI-compatible server for its list of models.

    A model that the settings name is there whether it is listed or not: servers answer to shorter names, aliases and patterns too, and
    say themselves what they do not have.
    """
    place = f"{url.rstrip('/')}/models"

    async def ask() -> Tiers:
        shown = key.headers
        try:
            answer = await http.get(place, headers=shown, timeout=LOOK_S)
            if wants_another_key(answer.status_code, answer.text) and await key.has_changed(shown):
                shown = key.headers
                answer = await http.get(place, headers=shown, timeout=LOOK_S)
            if wants_another_key(answer.status_code, answer.text):
                raise AgentError(key.whose.declined(place, f"status {answer.status_code}", was_shown=bool(shown)))
            names = [each.id for each in _List.model_validate_json(answer.content).data]
        except (httpx2.HTTPError, ValidationError) as error:
            untrusted = why_untrusted(url, error, f"{key.whose.section}.ca")
            raise AgentError(untrusted or f"{url}/models gave no list of models: {type(error).__name__}") from error
        return {name: tier_of(name, entry) for name in ([entry.model] if entry.model else names)}

    return ask


def tier_of(name: str, entry: NodeEntry) -> TierState:
    """A model of an OpenAI-compatible server, by its settings."""
    return TierState(name, name, entry.context, frozenset({"chat", ATTACHMENTS, *entry.capabilities}))


def tiers_of(models: ServedModels, status: EngineStatus | None = None, limits: Mapping[str, int] = NO_LIMITS) -> Tiers:
    """What an engine serves, with its measured rates; `limits` are what its loaded models can really hold."""
    left: dict[str, float] = {}
    if status is not None and status.swap is not None and status.swap.expected_s is not None:
        left[status.swap.model] = max(0.0, status.swap.expected_s - status.swap.elapsed_s)
    most = None if models.max_body_mib is None else models.max_body_mib * 2**20
    return {model.id: _tier(model, left.get(model.meta.model), limits.get(model.meta.model), most) for model in models.data}


def _tier(served: ServedModel, left_s: float | None, limit: int | None, max_body_bytes: int | None) -> TierState:
    meta, rates = served.meta, served.meta.rates
    return TierState(
        name=served.id,
        model=meta.model,
        n_ctx=min(meta.n_ctx, limit or meta.n_ctx),
        capabilities=frozenset[str](meta.capabilities) | ({ATTACHMENTS} if meta.capabilities and meta.reads_attached else set[str]()),
        max_tools=meta.max_tools,
        max_body_bytes=max_body_bytes,
        is_resident=meta.state == "ready",
        unavailable="" if meta.available else (meta.reason or "not available"),
        load_s=left_s if left_s is not None else rates.load_s if rates else None,
        prefill_tps=rates.prefill_tps if rates else None,
        decode_tps=rates.decode_tps if rates else None,
    )


def blank_node(name: str, entry: NodeEntry) -> NodeState:
    """A node before it was asked. One outside this house is taken at its settings' word."""
    known = {entry.model: tier_of(entry.model, entry)} if entry.kind == "openai" and entry.model else {}
    return NodeState(
        name, use_of(entry), is_external=entry.is_external, tiers=known, main_tier=entry.model or "",
        only_chat=entry.kind == "openai", is_gaming=entry.mode_url is not None, price_in=entry.price_in, price_out=entry.price_out,
    )  # fmt: skip


def closed_node(name: str, entry: NodeEntry) -> NodeState:
    """A node outside this house where none may be used: it is never asked, so no more is known of it than what the settings say."""
    blank = blank_node(name, entry)
    return replace(blank, tiers=blank.tiers or None, main_tier=blank.main_tier or AUTO, is_gaming=False, closed=OUTSIDE)
