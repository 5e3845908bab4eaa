"""Get to know an engine before anything is kept of it: is it one, does it speak our contract, does it take the key, what does it offer."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import httpx2
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from agent.engine.key import ENGINE, REFUSED, EngineKey
from agent.errors import AgentError, EngineUnreachable
from config.network.trust import why_untrusted
from config.vocabulary import is_table
from inference.contract.failures import ErrorEnvelope
from inference.contract.headers import CONTRACT_VERSION
from inference.contract.status import ServedModels

ANSWER_BOUND_S = 10.0
"""What is asked here is answered from memory; a machine that is just waking up takes seconds."""


class NotOurEngine(AgentError):
    """Something answers there, and it cannot be paired with."""


class KeyWanted(AgentError):
    """The engine takes only clients with a key, and did not take this one."""

    def __init__(self, url: str, *, was_shown: bool) -> None:
        what = "does not know this key" if was_shown else "wants a key"
        super().__init__(f"The engine at {url} {what}. Make one there with `variet engine keys add NAME`, then: variet connect {url}")


class Paired(BaseModel):
    """An engine that can be worked with."""

    model_config = ConfigDict(frozen=True)

    url: str
    version: str
    contract: int
    served: ServedModels


def get_to_know(url: str, key: SecretStr | None, http: httpx2.Client) -> Paired:
    """Ask an engine for what a client must know.

    Args:
        url: of the engine, without `/v1`.
        key: what to show it.
        http: with its time-outs.

    Raises:
        EngineUnreachable: nobody answers there.
        NotOurEngine: it is no engine of ours, or one of another contract.
        KeyWanted: it wants a key, or another one.
    """
    health = _health(url, http)
    contract, version = health.get("contract"), str(health.get("version", "unknown"))
    if contract != CONTRACT_VERSION:
        raise NotOurEngine(_mismatch(url, contract, version))
    answer = _get(f"{url}/v1/models", url, http, EngineKey(key).headers)
    if answer.status_code == REFUSED:
        raise KeyWanted(url, was_shown=key is not None)
    try:
        if not answer.is_success:
            raise NotOurEngine(ErrorEnvelope.model_validate_json(answer.content).error.message)
        return Paired(url=url, version=version, contract=CONTRACT_VERSION, served=ServedModels.model_validate_json(answer.content))
    except ValidationError as error:
        raise NotOurEngine(f"The engine at {url} answered /v1/models with status {answer.status_code} and something unexpected.") from error


def _health(url: str, http: httpx2.Client) -> dict[str, Any]:
    answer = _get(f"{url}/health", url, http, {})
    try:
        parsed: Any = json.loads(answer.content)
    except ValueError:
        parsed = None
    health: dict[str, Any] = parsed if is_table(parsed) else {}
    if "error" in health and not answer.is_success:
        # Our own refusals have this shape too, such as that of a name that is not the engine's.
        raise NotOurEngine(_message(health) or f"What answers at {url} refuses with status {answer.status_code}.")
    if "contract" not in health:
        raise NotOurEngine(f"What answers at {url} is no engine of Variet: its /health names no contract.")
    return health


def _message(body: dict[str, Any]) -> str | None:
    try:
        return ErrorEnvelope.model_validate(body).error.message
    except ValidationError:
        return None


def _mismatch(url: str, contract: object, version: str) -> str:
    own = importlib.metadata.version("variet")
    older = "the engine" if isinstance(contract, int) and contract < CONTRACT_VERSION else "this machine"
    return (
        f"The engine at {url} (version {version}) speaks contract {contract}, this machine (version {own}) speaks {CONTRACT_VERSION}. "
        f"Update {older}, which is the older of the two."
    )


def _get(where: str, url: str, http: httpx2.Client, headers: dict[str, str]) -> httpx2.Response:
    try:
        return http.get(where, headers=headers, timeout=ANSWER_BOUND_S)
    except httpx2.TransportError as error:
        if untrusted := why_untrusted(url, error):
            raise NotOurEngine(untrusted) from error
        raise EngineUnreachable(url, ENGINE.unreached(url, error)) from error
