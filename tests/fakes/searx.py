"""A real metasearch server for tests: Debian's searx on loopback, with an engine that answers from this process and one nobody serves.

It is no dependency of ours: the system's own Python has it where `python3-searx` is installed (CI does that), else the tests are skipped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2

PYTHON = "/usr/bin/python3"
PACKAGE = Path("/usr/lib/python3/dist-packages/searx/webapp.py")
SHARED = "/usr/share/python3-searx"
START_TIMEOUT_S = 60.0
"""A start on a busy machine takes many seconds."""
STOP_TIMEOUT_S = 10.0


class _Engine(BaseHTTPRequestHandler):
    """What searx asks: one page for every query, and the query in its words."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)["q"][0]
        page = {"url": "https://example.org/everest", "title": "Mount Everest\u200b", "content": f"8,849 m, found for {asked}"}
        body = json.dumps({"results": [page]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@cache
def has_searx() -> bool:
    return PACKAGE.is_file()


@contextmanager
def searx_in(folder: Path) -> Generator[str]:
    """Its address; `house` answers, `away` does not."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as engine:
        threading.Thread(target=engine.serve_forever, daemon=True).start()
        port = _free_port()
        settings = folder / "settings.yml"
        settings.write_text(json.dumps(_settings(port, engine.server_port)), encoding="utf-8")
        environment = {**os.environ, "SEARX_SETTINGS_PATH": str(settings)}
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [PYTHON, "-m", "searx.webapp"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _await(url, server, folder / "log")
            yield url
        finally:
            server.terminate()
            server.wait(STOP_TIMEOUT_S)
            engine.shutdown()


def _settings(port: int, engine_port: int) -> dict[str, object]:
    """JSON is YAML, too."""
    engine = {
        "engine": "json_engine", "categories": "general", "results_query": "results", "url_query": "url", "title_query": "title",
        "content_query": "content", "enable_http": True, "timeout": 5.0,
    }  # fmt: skip
    return {
        "general": {"debug": False, "instance_name": "test"},
        "search": {
            "safe_search": 0, "autocomplete": "", "default_lang": "", "formats": ["html", "json"], "ban_time_on_fail": 0,
            "max_ban_time_on_fail": 0,
        },
        "server": {
            "port": port, "bind_address": "127.0.0.1", "secret_key": "planted-canary-11ab90", "base_url": False, "image_proxy": False,
            "http_protocol_version": "1.0", "method": "GET", "default_http_headers": {},
        },
        "ui": {
            "static_path": f"{SHARED}/static", "templates_path": f"{SHARED}/templates", "default_theme": "oscar", "default_locale": "",
        },
        "outgoing": {"request_timeout": 5.0, "useragent_suffix": "", "pool_connections": 5, "pool_maxsize": 5},
        "engines": [
            {"name": "house", "shortcut": "ho", "search_url": f"http://127.0.0.1:{engine_port}/?q={{query}}", **engine},
            {"name": "away", "shortcut": "aw", "search_url": "http://127.0.0.1:1/?q={query}", **engine},
        ],
        "locales": {"en": "English"},
        "doi_resolvers": {"oadoi.org": "https://oadoi.org/"},
        "default_doi_resolver": "oadoi.org",
    }  # fmt: skip


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        with suppress(httpx2.HTTPError):
            httpx2.get(f"{url}/config", timeout=START_TIMEOUT_S)
            return
        time.sleep(0.1)
    raise AssertionError(f"searx did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
