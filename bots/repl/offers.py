"""What the person puts beside a message: files of the folders that are theirs to show, and what a command of theirs printed.

Both are read here, on the person's machine and at their word alone; nothing goes anywhere but into the message that mentions it.
"""

from __future__ import annotations

import codecs
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, Process

from agent.errors import AgentError
from agent.event_parts import Attached, Beside
from agent.launch import kill_group
from agent.view.pictures import MAX_PICTURE_BYTES
from bots.pictures import picture_of
from bots.repl.typed.mentions import (
    OUTPUT,
    Mention,
    is_named_as_file,
    is_named_as_package,
    is_picture,
    looks_like_path,
    mentions_of,
    pasted_pictures,
)

MAX_FILE_BYTES = 64 * 1024
"""Of one file; a model with a small context holds less, and says so."""
MAX_OUTPUT_CHARS = 32 * 1024
"""Of a command, for the model; its end is kept, the screen gets all of it."""
KILLED_BOUND_S = 2.0
"""What was killed is gone at once, unless the system hangs."""
COMMAND_BOUND_S = 600.0
"""A command that runs longer is ended, as by Ctrl-C."""
NO_SHELLS = frozenset({"nologin", "false"})
"""What the accounts of services have as theirs, so that nobody logs in."""
NO_FILE = "For a name and not a file, leave the @ out."
GUARD = ("mcp_servers.workspace.folders.guarded", "is_secret")
"""Whose names are secrets; reached by name: an installation without the tool servers still has a chat."""


class Offers:
    """What can be mentioned.

    Args:
        roots: folders whose files may be shown; paths are taken from the first.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._output: Attached | None = None

    async def attached(self, text: str, tell: Callable[[str], None] | None = None) -> list[Beside]:
        """Everything that a message mentions, and the pictures whose whole paths stand in it.

        Args:
            text: the message.
            tell: gets a line about what looks like a file of it and is not shown.

        Raises:
            AgentError: something of it may not be shown, or cannot.
        """
        found, notes = await anyio.to_thread.run_sync(self._found, text)
        if tell is not None:
            for note in notes:
                tell(note)
        return found

    async def run(self, command: str, show: Callable[[str], None]) -> str:
        """Run a command in the first root, without input.

        Args:
            command: for the person's own shell.
            show: gets its output, line by line.

        Returns:
            How it ended and what can be done with its output.

        Raises:
            AgentError: it could not be begun.
        """
        kept = ""
        is_late = True
        # A group of its own: with the shell, all that it has started is ended.
        async with await self._begun(command) as process:
            assert process.stdout is not None
            try:
                with anyio.move_on_after(COMMAND_BOUND_S):
                    async for line in _lines(process.stdout):
                        show(line)
                        kept = f"{kept}{line}\n"[-MAX_OUTPUT_CHARS:]
                    await process.wait()
                    is_late = False
            finally:
                if process.returncode is None:
                    if not kill_group(process.pid):
                        process.kill()
                    # Else whoever asks for it next takes its end away from asyncio's watcher, which then complains on the screen.
                    with anyio.move_on_after(KILLED_BOUND_S, shield=True):
                        await process.wait()
        self._output = Attached(name=f"output of {command}", text=kept.rstrip("\n"))
        ending = f"Ended after {COMMAND_BOUND_S:.0f} s" if is_late else f"Exit code {process.returncode}"
        return f"{ending}. Nobody was told; write @! in a message to show it to the assistant."

    def names(self, begun: str) -> list[str]:
        """What a mention that begins so can become, as it would be typed: files that can be shown, and folders on the way to them."""
        head = begun[: begun.rfind("/") + 1]
        with suppress(OSError):
            entries = sorted((self._roots[0] / _expanded(head)).iterdir())
            found = [(path, head + path.name) for path in entries if (head + path.name).startswith(begun)]
            return [f"{name}/" if path.is_dir() else name for path, name in found if self._is_offered(path)]
        return []

    def _is_offered(self, path: Path) -> bool:
        try:
            real = path.resolve()
            if real.is_dir() and any(root.is_relative_to(real) for root in self._roots):
                return True
            root = self._root_of(real)
            if root is None or _is_secret(real.relative_to(root).parts):
                return False
            limit = MAX_PICTURE_BYTES if is_picture(real.name) else MAX_FILE_BYTES
            return real.is_dir() or (real.is_file() and real.stat().st_size <= limit)
        except (OSError, RuntimeError):  # A link that leads to itself.
            return False

    async def _begun(self, command: str) -> Process:
        folder = self._roots[0]
        try:
            return await anyio.open_process(
                _in_shell(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            gone = "" if folder.is_dir() else f" {folder}, where this chat began, is not there any more."
            raise AgentError(f"The command could not be run: {error.strerror}.{gone}") from error
        except ValueError as error:
            raise AgentError(f"The command could not be run: {error}.") from error

    def _found(self, text: str) -> tuple[list[Beside], list[str]]:
        """What is to be shown, and what there is to tell.

        Whoever types one line and mentions a file that is not there has mistyped it. Several lines are pasted: code with decorators, a log.
        """
        found: list[Beside] = []
        left: list[str] = []
        is_typed = "\n" not in text
        for mention in mentions_of(text):
            if mention.name == OUTPUT:
                if self._output is None:
                    raise AgentError("@! is the output of the last command; none has run yet. !COMMAND runs one.")
                found.append(self._output)
            elif (path := self._path(mention)) is not None and (is_typed or not path.is_dir()):
                found.append(self._shown(path))
            elif is_typed and self._is_mistyped(mention.shorter):
                raise AgentError(f"There is no file {mention.shorter} here. {NO_FILE}")
            elif path is not None or looks_like_path(mention.shorter):
                left.append(f"@{mention.shorter}")
        pictures, notes = self._dropped(text, is_typed=is_typed)
        if left:
            notes.insert(0, f"No file here, sent as it stands: {', '.join(left)}")
        return [*found, *(picture for picture in pictures if picture not in found)], notes

    def _dropped(self, text: str, *, is_typed: bool) -> tuple[list[Beside], list[str]]:
        """The pictures whose whole paths stand in it; one from elsewhere is told, and refused where it was surely dropped there."""
        found: list[Beside] = []
        notes: list[str] = []
        for pasted in pasted_pictures(text):
            path = _expanded(pasted.path)
            if not _exists(path):
                continue
            if self._root_of(path.resolve()) is None and not (is_typed and pasted.is_dropped):
                # The folders last: a line is cut where the terminal ends.
                notes.append(f"Not shown: {path.name}, which lies outside {self._places}.")
            elif (picture := self._shown(path)) not in found:
                found.append(picture)
        return found, notes

    def _path(self, mention: Mention) -> Path | None:
        """Where it is, if anywhere."""
        forms = (form for name in mention if name for form in (Path(name), _expanded(name)))
        return next((path for form in forms if _exists(path := self._roots[0] / form)), None)

    def _is_mistyped(self, name: str) -> bool:
        """Whether it can only have been meant for a file: it leads into a folder that is there, or ends as files do."""
        if is_named_as_file(name):
            return True
        first, slash, _ = name.partition("/")
        return slash == "/" and _exists(self._roots[0] / _expanded(first or "/")) and not self._is_package(name)

    def _is_package(self, name: str) -> bool:
        """Whether it can be a package of npm's: the project takes some, or has some of that scope."""
        places = ("package.json", f"node_modules/@{name.partition('/')[0]}")
        return is_named_as_package(name) and any(_exists(self._roots[0] / place) for place in places)

    def _root_of(self, real: Path) -> Path | None:
        return next((root for root in self._roots if real.is_relative_to(root)), None)

    @property
    def _places(self) -> str:
        return ", ".join(map(str, self._roots))

    def _shown(self, path: Path) -> Beside:
        """What a file brings.

        1. It must be in a root, and a file; links are followed first.
        2. It must not be a secret or too long.
        3. It must be a picture or text.
        """
        real = path.resolve()
        root = self._root_of(real)
        if root is None:
            raise AgentError(f"{path.name} lies outside {self._places}; nothing else can be shown.")
        if not real.is_file():
            raise AgentError(f"{path.name} is no file. {NO_FILE}")
        below = real.relative_to(root)
        if is_picture(real.name):
            return picture_of(real, str(below), is_secret=_is_secret(below.parts))
        return Attached(name=str(below), text=_text_of(real, below))


def _in_shell(command: str) -> str | Sequence[str]:
    """The command in the shell that the person uses, and in the system's where that is not known, not there, or only turns away."""
    if sys.platform == "win32":
        return command
    own = shutil.which(os.environ.get("SHELL", ""))
    return [own if own and Path(own).name not in NO_SHELLS else "/bin/sh", "-c", command]


def _text_of(file: Path, below: Path) -> str:
    if _is_secret(below.parts):
        raise AgentError(f"{below} looks like a secret and is not shown.")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise AgentError(f"{below} has more than {MAX_FILE_BYTES // 1024} KB; show a part of it, such as by !head and @!.")
        content = file.read_bytes()
    except OSError as error:
        raise AgentError(f"{below} cannot be read: {error.strerror}.") from error
    if b"\0" in content:
        raise AgentError(f"{below} is no text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AgentError(f"{below} is no text in UTF-8.") from error


def _expanded(name: str) -> Path:
    """With the home for a ~; one that is nobody's is a name like any other."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # A name that no file can have.
        return False


def _is_secret(parts: Sequence[str]) -> bool:
    """By the workspace server's own rule; without it everything hidden counts."""
    module, name = GUARD
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        return any(part.startswith(".") for part in parts)
    return bool(getattr(importlib.import_module(module), name)(parts))


async def _lines(stream: ByteReceiveStream) -> AsyncIterator[str]:
    """Whole lines of a program's output; what is no UTF-8 is replaced."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    async for chunk in stream:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield line
        if len(rest) > MAX_OUTPUT_CHARS:
            yield rest
            rest = ""
    if rest:
        yield rest
