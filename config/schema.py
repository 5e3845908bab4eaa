"""What the user may set: the frozen shape of `engine.toml` (Machine A) and `agent.toml` (Machine B), a text under each field.

It is the single source for validation, for the JSON Schemas that editors read and for the commented defaults; it reads no files and
holds no secrets (those come from `config.credentials`). Values here are facts about the set-up, never decisions about a request. The
sections themselves lie beside it, one file for each machine; everybody else imports them from here.
"""

from __future__ import annotations

from config.shapes.agent import (
    AgentSection,
    AgentSettings,
    EngineLink,
    PolicySection,
    RoutingSection,
    SearxngSection,
    ServerEntry,
)
from config.shapes.engine import (
    ActivitySection,
    EngineSettings,
    LlamaServerRuntime,
    LoadSection,
    ModeSection,
    QueueSection,
    ResidencySection,
    RuntimesSection,
    ServerSection,
    StopSection,
    WarmthSection,
)
from config.shapes.models import ModelSettings, Sampling, VirtualSettings

__all__ = [
    "ActivitySection",
    "AgentSection",
    "AgentSettings",
    "EngineLink",
    "EngineSettings",
    "LlamaServerRuntime",
    "LoadSection",
    "ModeSection",
    "ModelSettings",
    "PolicySection",
    "QueueSection",
    "ResidencySection",
    "RoutingSection",
    "RuntimesSection",
    "Sampling",
    "SearxngSection",
    "ServerEntry",
    "ServerSection",
    "StopSection",
    "VirtualSettings",
    "WarmthSection",
]
