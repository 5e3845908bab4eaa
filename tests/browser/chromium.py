"""A headless Chromium that is driven over its own pipe, in the DevTools protocol: no driver program, no port, no package."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ENDS_BOUND_S = 20
"""For the browser to go away after it was killed."""


def find_chromium() -> str | None:
    """The browser's program, where there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class PageFailed(AssertionError):
    """The page's script threw, or the browser refused something."""


class Page:
    """One page. Blocks until the browser answers; the browser bounds every wait by the test's own time-out."""

    def __init__(self, reader: io.BufferedReader, writer: IO[bytes]) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = 0
        self._buffered = b""
        self._session: str | None = None
        self.complaints: list[str] = []
        """What the console and the content security policy said."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """The window's size in CSS pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if is_phone else 1, mobile=is_phone
        )

    def scheme(self, name: str) -> None:
        """Whether the person likes it `light` or `dark`."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def value(self, expression: str) -> Any:
        """What a piece of script is worth, promises waited for."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageFailed(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def until(self, expression: str, timeout_s: float = 30) -> None:
        """Wait until a piece of script is true; the page itself looks at every frame that it draws."""
        looked = (
            f"new Promise((done) => {{ const end = Date.now() + {timeout_s * 1000}; const look = () => "
            f"({expression}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 30); look(); }})"
        )
        if not self.value(looked):
            raise PageFailed(f"never: {expression}\n{self.value('document.body.innerText')}\n{self.complaints}")

    def press(self, key: str, code: int = 0) -> None:
        """Press and let go of one key, such as `Tab`, `Enter` or a letter."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            given = {"text": text} if text and kind == "keyDown" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **given)

    def write(self, text: str) -> None:
        """Put text where the cursor is."""
        self._call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        content = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": content["width"], "height": content["height"], "scale": 1}
        picture = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        self._writer.flush()
        while True:
            heard = self._hear()
            if heard.get("id") == self._sent:
                if "error" in heard:
                    raise PageFailed(f"{method}: {heard['error']}")
                return heard["result"]
            self._note(heard)

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._buffered:
            part = self._reader.read1(65536)
            if not part:
                raise PageFailed("The browser has ended.")
            self._buffered += part
        text, _, self._buffered = self._buffered.partition(b"\0")
        return json.loads(text)

    def _note(self, heard: Mapping[str, Any]) -> None:
        match heard.get("method"):
            case "Log.entryAdded":
                self.complaints.append(heard["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(heard["params"]["exceptionDetails"])[:500])
            case _:
                pass


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own in `folder`; ended with all its processes."""
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        "--no-proxy-server",
    )
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps")
    command = [program, *options, *quiet, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank"]
    # The protocol wants descriptors 3 and 4.
    place = f"import os, sys; os.dup2({to_browser}, 3); os.dup2({from_browser}, 4); os.execv(sys.argv[1], sys.argv[1:])"
    environment = {**os.environ, "HOME": str(folder)}
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", place, *command],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            with os.fdopen(ours_in, "rb") as reader, os.fdopen(ours_out, "wb") as writer:
                yield Page(reader, writer)
        finally:
            process.kill()
            process.wait(ENDS_BOUND_S)
