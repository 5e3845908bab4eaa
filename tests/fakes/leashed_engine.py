"""A child that behaves like `variet engine serve --leashed` as far as its parent can tell: writes its port file, ends with its input."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path


def main() -> None:
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    with socket.create_server(("127.0.0.1", int(options["--port"]))) as listener:
        draft = Path(options["--port-file"] + ".draft")
        draft.write_text(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "pid": os.getpid()}), encoding="utf-8")
        draft.replace(options["--port-file"])
        sys.stdin.read()


if __name__ == "__main__":
    main()
