"""A home of one's own with the service in it as a process, whose runtime is in memory."""

from __future__ import annotations

from tests.agent_service.conftest import attached, home

__all__ = ["attached", "home"]
