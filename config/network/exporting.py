"""The session with which traces go to a collector: straight to the address that was named, and never through a proxy.

`requests` would take a proxy from the environment, also for a collector on this machine, and a stranger's machine would read along. It is
the library of OpenTelemetry's own exporter: imported only where that is.
"""

from __future__ import annotations

import os

import requests  # noqa: TID251 - the exporter takes no other

CREDENTIALS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
"""With one of them the exporter asks another package for a session with its own credentials."""


def direct_session() -> requests.Session | None:
    """A session that takes nothing from the environment; None where the exporter is to have one of somebody else's."""
    if any(os.environ.get(name) for name in CREDENTIALS):
        return None
    session = requests.Session()
    session.trust_env = False
    return session
