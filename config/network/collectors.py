"""Whether OpenTelemetry's own variables name a collector for traces, for every process that can tell one something. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
OFF: Mapping[str, frozenset[str]] = MappingProxyType(
    {"OTEL_SDK_DISABLED": frozenset({"true"}), "OTEL_TRACES_EXPORTER": frozenset({"none"})}
)
"""The standard's ways to say no, which count for everything."""


def is_off(environ: Mapping[str, str]) -> bool:
    """Whether they say no."""
    return any(environ.get(name, "").strip().lower() in words for name, words in OFF.items())


def is_traced(environ: Mapping[str, str]) -> bool:
    """Whether they name one."""
    return not is_off(environ) and any(environ.get(name, "").strip() for name in (TRACES_ENDPOINT, ENDPOINT))


def passed_on(environ: Mapping[str, str], endpoint: str | None) -> dict[str, str]:
    """What a process that we start is to know of it; nothing where nobody watches.

    Args:
        environ: this process's variables.
        endpoint: of the settings, without `/v1/traces`, which comes before the variables.
    """
    if is_off(environ) or not (endpoint or is_traced(environ)):
        return {}
    kept = {name: value for name, value in environ.items() if name.startswith("OTEL_") and name != "OTEL_SERVICE_NAME"}
    return kept | ({TRACES_ENDPOINT: traces_url(endpoint)} if endpoint else {})


def traces_url(endpoint: str) -> str:
    """Where a collector at this address takes traces."""
    return f"{endpoint.rstrip('/')}/v1/traces"
