"""What `GET /mode` answers and `PUT /mode` takes, on the mode's own port and under `/engine/mode`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Mode = Literal["NORMAL", "GAMING"]
"""`GAMING`: the machine is lent to a game; the engine is there and admits only what was forced."""


class ModeStatus(BaseModel):
    """The mode. Who cannot get it, or cannot read it, takes it for GAMING."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
