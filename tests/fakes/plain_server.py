"""A small MCP server of the revision 2025-11-25 over standard input and output, without any library: it starts at once.

Run with FOLDER [BARRIER COUNT]. With a barrier it answers nothing until so many servers have put a file into that folder.
`FOLDER/describes.json` may hold other descriptions of its tools by name; it says that they changed after `change`. Its tools: `echo`
(answers its arguments), `slow` (tells `steps` times how far it is, then answers), `silent` (never answers, and writes into `cancelled`
when it is told to stop), `ask` (asks the person by `form`, or whatever `method` says, and answers what came back), `wrong` (breaks its
own output schema), `change`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

OPEN: dict[str, Any] = {"type": "object"}
WRONG: dict[str, Any] = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
TOOLS = ("ask", "change", "echo", "silent", "slow", "wrong")


class Plain:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = threading.Lock()
        self._asked: dict[str, Any] = {}

    def say(self, **message: Any) -> None:
        with self._writing:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    def take(self, message: dict[str, Any]) -> None:
        method, asked_as = message.get("method"), message.get("id")
        if method == "initialize":
            told = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}}}
            self.say(id=asked_as, result={**told, "serverInfo": {"name": "plain", "version": "1"}})
        elif method == "tools/list":
            self.say(id=asked_as, result={"tools": self.tools()})
        elif method == "tools/call":
            threading.Thread(target=self.call, args=(asked_as, message["params"]), daemon=True).start()
        elif method == "notifications/cancelled":
            (self._folder / "cancelled").write_text(json.dumps(message["params"]), encoding="utf-8")
        elif method is None and asked_as == "question":
            self.text(self._asked["call"], json.dumps(message.get("result") or message["error"], sort_keys=True))
        elif asked_as is not None:
            self.say(id=asked_as, error={"code": -32601, "message": f"no {method} here"})

    def tools(self) -> list[dict[str, Any]]:
        file = self._folder / "describes.json"
        described: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        tools: list[dict[str, Any]] = []
        for name in TOOLS:
            tool = {"name": name, "description": described.get(name, f"Plain {name}."), "inputSchema": OPEN}
            tools.append({**tool, "outputSchema": WRONG} if name == "wrong" else tool)
        return tools

    def call(self, asked_as: Any, params: dict[str, Any]) -> None:
        name: str = params["name"]
        arguments: dict[str, Any] = params.get("arguments") or {}
        meta: dict[str, Any] = params.get("_meta") or {}
        token = meta.get("progressToken")
        if name == "slow":
            for step in range(arguments["steps"]):
                time.sleep(arguments["every_s"])
                self.say(
                    method="notifications/progress", params={"progressToken": token, "progress": step + 1, "message": f"step {step + 1}"}
                )
        if name == "silent":
            return
        if name == "ask":
            self._asked["call"] = asked_as
            self.say(id="question", method=arguments.get("method", "elicitation/create"), params=arguments["form"])
        elif name == "wrong":
            self.say(id=asked_as, result={"content": [{"type": "text", "text": "seven"}], "structuredContent": {"count": "seven"}})
        else:
            self.text(asked_as, json.dumps(arguments))
        if name == "change":
            self.say(method="notifications/tools/list_changed")

    def text(self, asked_as: Any, text: str) -> None:
        self.say(id=asked_as, result={"content": [{"type": "text", "text": text}]})


def main(folder: Path, barrier: Path | None, count: int) -> None:
    if barrier is not None:
        (barrier / folder.name).touch()
        while len(list(barrier.iterdir())) < count:
            time.sleep(0.02)
    server = Plain(folder)
    for line in sys.stdin:
        server.take(json.loads(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None, int(sys.argv[3]) if len(sys.argv) > 3 else 0)
