"""JSON Schemas of the settings files, so that an editor completes keys and shows their texts. Generated: `make schemas` writes them.

python -m config.editors [FOLDER]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from config.schema import AgentSettings, EngineSettings
from config.vocabulary import Section

FOLDER = Path(__file__).parent / "schemas"
FILES: Mapping[str, type[Section]] = {"engine.schema.json": EngineSettings, "agent.schema.json": AgentSettings}


def schema_text(kind: type[Section]) -> str:
    """The JSON Schema of one settings file, byte for byte the same for the same settings."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in FILES.items():
        (folder / name).write_text(schema_text(kind), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
