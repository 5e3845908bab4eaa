"""The engine's exception tree, each with the answer that it becomes.

EngineError
├── RequestRefused      the client must change the request
│   ├── InvalidRequest      400 invalid_request
│   ├── InvalidKey          401 invalid_key
│   ├── OriginRefused       403 origin_refused
│   ├── TierNotAllowed      403 tier_not_allowed: the key is limited to others
│   ├── ReadOnlyKey         403 read_only_key: the key may look and not ask
│   ├── RouteNotFound       404 route_not_found
│   ├── ModelNotFound       404 model_not_found
│   ├── BodyTooLarge        413 body_too_large
│   ├── HeadersTooLarge     431 headers_too_large
│   └── SettingsRefused     422 settings_refused: a reload of a file that cannot be used
├── TryLater            the client may ask again
│   ├── QueueFull           503 queue_full
│   ├── WaitExpired         503 wait_expired
│   ├── EngineStopping      503 engine_stopping
│   ├── RequestEnded        503 request_ended: a person's forced switch or unload ended it
│   └── GamingMode          503 gaming_mode: the machine is lent to a game
├── ModelTrouble        the operator must look at the model
│   ├── ModelFailed         503 model_failed
│   ├── OutOfMemory         507 out_of_memory
│   └── UpstreamDied        502 upstream_died
└── SetupRefused        the operator must change the set-up; never reaches a client
├── CatalogRefused      models that cannot be served
├── BindRefused         an address that would expose the engine
├── TlsRefused          a certificate or its key that cannot be used
└── KeyFileRefused      a key file that others can read, or that makes no sense
"""

from __future__ import annotations

import math
from typing import ClassVar

from inference.contract import SHOULD_RETRY, ErrorCode, ErrorDetail, ErrorEnvelope


class EngineError(Exception):
    """Anything that the engine says no to."""

    status: ClassVar[int] = 500
    code: ClassVar[ErrorCode] = "internal_error"
    kind: ClassVar[str] = "server_error"

    def __init__(self, message: str, *, retry_after_s: float | None = None, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.is_permanent = is_permanent

    @property
    def detail(self) -> ErrorDetail:
        """The failure as it goes over the wire. A client's half characters, which it may quote, cannot."""
        return ErrorDetail(message=self.message.encode(errors="replace").decode(), type=self.kind, code=self.code)

    def body(self) -> bytes:
        """The error envelope."""
        return ErrorEnvelope(error=self.detail).model_dump_json().encode()

    def headers(self) -> dict[str, str]:
        """What the answer says about asking again."""
        headers: dict[str, str] = {}
        if self.is_permanent:
            headers[SHOULD_RETRY] = "false"
        elif self.retry_after_s is not None:
            # Whole seconds: HTTP knows no fractions here, and zero would invite a storm.
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return headers


class RequestRefused(EngineError):
    status = 400
    code = "invalid_request"
    kind = "invalid_request_error"


class InvalidRequest(RequestRefused):
    pass


class InvalidKey(RequestRefused):
    status = 401
    code = "invalid_key"
    kind = "authentication_error"


class OriginRefused(RequestRefused):
    status = 403
    code = "origin_refused"
    kind = "permission_error"


class TierNotAllowed(RequestRefused):
    status = 403
    code = "tier_not_allowed"
    kind = "permission_error"


class ReadOnlyKey(RequestRefused):
    status = 403
    code = "read_only_key"
    kind = "permission_error"


class RouteNotFound(RequestRefused):
    status = 404
    code = "route_not_found"
    kind = "not_found_error"


class ModelNotFound(RequestRefused):
    status = 404
    code = "model_not_found"
    kind = "not_found_error"


class BodyTooLarge(RequestRefused):
    status = 413
    code = "body_too_large"


class HeadersTooLarge(RequestRefused):
    status = 431
    code = "headers_too_large"


class SettingsRefused(RequestRefused):
    status = 422
    code = "settings_refused"


class TryLater(EngineError):
    status = 503
    kind = "unavailable_error"


class QueueFull(TryLater):
    code = "queue_full"


class WaitExpired(TryLater):
    code = "wait_expired"


class EngineStopping(TryLater):
    code = "engine_stopping"


class RequestEnded(TryLater):
    code = "request_ended"


class GamingMode(TryLater):
    code = "gaming_mode"


class ModelTrouble(EngineError):
    status = 503
    code = "model_failed"


class ModelFailed(ModelTrouble):
    kind = "unavailable_error"


class OutOfMemory(ModelTrouble):
    status = 507
    code = "out_of_memory"


class UpstreamDied(ModelTrouble):
    status = 502
    code = "upstream_died"


class SetupRefused(EngineError):
    pass


class CatalogRefused(SetupRefused):
    pass


class BindRefused(SetupRefused):
    pass


class TlsRefused(SetupRefused):
    pass


class KeyFileRefused(SetupRefused):
    pass


REFUSALS: dict[str, type[EngineError]] = {
    error.code: error
    for error in (ModelNotFound, QueueFull, WaitExpired, EngineStopping, RequestEnded, GamingMode, ModelFailed, OutOfMemory, UpstreamDied)
}
"""The error for each code that the scheduler, which knows no exceptions, refuses with."""
