"""JSON Schemas of the settings files, so that an editor completes keys and shows their texts. Generated: `make schemas` writes them.

python -m config.editors [FOLDER]
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

from config.schema import AgentSettings, EngineSettings
from config.vocabulary import Section

FOLDER = Path(__file__).parent / "schemas"
FILES: Mapping[str, type[Section]] = {"engine.schema.json": EngineSettings, "agent.schema.json": AgentSettings}


def schema_text(kind: type[Section]) -> str:
    """The JSON Schema of one settings file, byte for byte the same for the same settings."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}
    for section in _all_sections(Section):
        shown = schema if section is kind else schema.get("$defs", {}).get(section.__name__, {})
        for name, text in texts_of(section).items():
            field = section.model_fields[name]
            if (field.alias or name) in shown.get("properties", {}):
                shown["properties"][field.alias or name]["description"] = text
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def texts_of(kind: type[Section]) -> dict[str, str]:
    """The text under each field of a section, by the field's own name; one of a section that it is built on counts too."""
    texts: dict[str, str] = {}
    for section in reversed(kind.__mro__):
        if issubclass(section, Section):
            texts |= dict(_written_in(section))
    return texts


def _written_in(section: type[Section]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in pairwise(definition.body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name) or not isinstance(below, ast.Expr):
            continue
        if isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield field.target.id, inspect.cleandoc(below.value.value)


def _all_sections(kind: type[Section]) -> Iterator[type[Section]]:
    for section in kind.__subclasses__():
        yield section
        yield from _all_sections(section)


def write_schemas(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in FILES.items():
        (folder / name).write_text(schema_text(kind), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
