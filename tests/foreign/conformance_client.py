"""The agent's MCP client as the official conformance suite wants one: a program that is given an address, and uses what is there.

Run by the suite with the address as its last argument and the scenario's name in `MCP_CONFORMANCE_SCENARIO`. It is the client as the agent
has it (`agent.tools.toolbox`), with a person who says yes to every question.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from pydantic import SecretStr

from agent.errors import ToolError
from agent.tools.caller import Caller
from agent.tools.questions import Answer, Question, accepted
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Tool, Toolbox

BOUND_S = 100.0


async def _yes(question: Question) -> Answer:
    return accepted(question, question.filled({}).values)


def arguments_for(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Something that fits a tool's schema, from the schema alone."""
    samples: dict[str, Any] = {"number": 2, "integer": 2, "string": "x", "boolean": True, "array": [], "object": {}}
    properties: dict[str, dict[str, Any]] = schema.get("properties") or {}
    return {name: samples.get(str(entry.get("type")), "x") for name, entry in properties.items()}


def calls_for(tools: Sequence[Tool], context: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What is called: what the suite names, else every tool with something that fits. Its echo of schemas is sent the one it asks for."""
    if named := context.get("toolCalls"):
        return [(each["name"], each["arguments"]) for each in named]
    schemas = {tool.name: dict(tool.input_schema) for tool in tools}
    echoed = {"schema": schemas.get("json_schema_2020_12_tool", {})}
    return [(name, echoed if name == "json_schema_echo" else arguments_for(schema)) for name, schema in schemas.items()]


async def main(url: str) -> int:
    context: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    token = context.get("token")
    spec = ServerSpec("suite", url=url, token=lambda: SecretStr(token) if token else None, start_timeout_s=BOUND_S)
    with anyio.fail_after(BOUND_S):
        async with Toolbox([spec]).running() as box:
            for name, arguments in calls_for(await box.tools(), context):
                try:
                    result = await box.call(name, arguments, meta={}, is_read=False, caller=Caller(ask=_yes))
                    sys.stderr.write(f"{name}: {result.text}\n")
                except ToolError as error:
                    sys.stderr.write(f"{name}: {error}\n")
            problems = box.problems()
    sys.stderr.write(f"{problems}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, sys.argv[-1]))
