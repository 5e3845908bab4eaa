"""Where the pins of tools are kept: one private file of the home, written whole, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from agent.tools.pins import Pin
from config.disk.whole_file import write_whole

PINS_FILE = "tool_pins.json"


class PinBook:
    """What was kept of each server's tools. One process has it, by the home's lease.

    Args:
        file: where; None to keep it in memory alone.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._pins: dict[str, dict[str, Pin]] | None = None

    def of(self, server: str) -> Mapping[str, Pin]:
        """What was kept of a server's tools, by their own names. Reads the disk at the first call.

        Raises:
            OSError, ValueError: the file is there and cannot be used. It is not taken for empty: that would let everything in.
        """
        return self._read().get(server, {})

    def keep(self, server: str, pins: Mapping[str, Pin]) -> None:
        """Keep these from now on. Writes the disk where there is something new.

        Raises:
            OSError: it cannot be written.
        """
        if not pins:
            return
        kept = self._read()
        kept[server] = {**kept.get(server, {}), **pins}
        if self._file is not None:
            plain = {
                name: {tool: {"description": pin.description, "input_schema": pin.input_schema} for tool, pin in tools.items()}
                for name, tools in kept.items()
            }
            write_whole(self._file, json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def _read(self) -> dict[str, dict[str, Pin]]:
        if self._pins is None:
            plain: Any = json.loads(self._file.read_text(encoding="utf-8")) if self._file is not None and self._file.exists() else {}
            self._pins = {name: _pins(tools) for name, tools in cast("dict[str, Any]", plain).items()}
        return self._pins


def _pins(tools: Mapping[str, Any]) -> dict[str, Pin]:
    try:
        return {tool: Pin(entry["description"], entry["input_schema"]) for tool, entry in tools.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the kept descriptions of tools cannot be read") from error
