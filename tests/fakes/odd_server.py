"""A small MCP server of the revision 2025-11-25 over standard input and output, without any library, as some that people use are.

Run with FOLDER and any of `strict` (a first message that is not `initialize` ends it), `silent` (it says nothing to what it does not know)
and `late` (it reads nothing before `FOLDER/ready` is there). Each start is a line in `FOLDER/started`. Its tools: `refuse`
(answers with the JSON-RPC error that its arguments are), `latin` (puts a line that is no UTF-8 before its answer), `echo` (answers its
arguments).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TOOLS = ("echo", "latin", "refuse")


def say(**message: Any) -> None:
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    sys.stdout.buffer.flush()


def call(asked_as: Any, name: str, arguments: dict[str, Any]) -> None:
    if name == "refuse":
        say(id=asked_as, error=arguments)
        return
    if name == "latin":
        sys.stdout.buffer.write("opening Café.txt\n".encode("latin-1"))
    say(id=asked_as, result={"content": [{"type": "text", "text": json.dumps(arguments)}]})


def main(folder: Path, oddities: list[str]) -> None:
    with (folder / "started").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    while "late" in oddities and not (folder / "ready").exists():
        time.sleep(0.02)
    is_first = True
    for line in sys.stdin:
        message: dict[str, Any] = json.loads(line)
        method, asked_as = message.get("method"), message.get("id")
        if is_first and "strict" in oddities and method != "initialize":
            sys.exit(f"expected initialize, got {method}")
        is_first = False
        if method == "initialize":
            told: dict[str, Any] = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "odd", "version": "1"},
            }
            say(id=asked_as, result=told)
        elif method == "tools/list":
            say(id=asked_as, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]})
        elif method == "tools/call":
            call(asked_as, message["params"]["name"], message["params"].get("arguments") or {})
        elif asked_as is not None and "silent" not in oddities:
            say(id=asked_as, error={"code": -32601, "message": f"no {method} here"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
