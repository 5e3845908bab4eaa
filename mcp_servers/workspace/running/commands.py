"""Which commands may run, and in which environment.

Pure: the settings, the server's environment and the names of a root's files come in.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from mcp_servers.errors import Refusal
from mcp_servers.workspace.model import set_by

USUAL_TIMEOUT_S = 50.0
"""Below the minute after which the agent service gives a call up."""
MAX_TIMEOUT_S = 3600.0
_NAMES = frozenset(
    {
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
    }
)
"""What a program needs to run; anything else of the server's environment may be a secret."""
_FIXED = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
"""Nobody is there to page or to answer."""
_GIT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.bareRepository", "GIT_CONFIG_VALUE_0": "explicit"}
"""Else git takes any folder with a `HEAD` and a `config` for a repository, and that `config`, which a model may write, names programs."""
_OURS = "VARIET_"
_PROBLEM = re.compile(r"(?P<path>[^\s:][^:\n]*):(?P<line>\d+)(?::(?P<column>\d+))?:? (?P<text>.*\S)")


@dataclass(frozen=True)
class Allowed:
    """What the settings say of commands."""

    commands: tuple[str, ...] = ()
    """Programs, or beginnings of command lines such as `git status`; `*` for any."""
    environment: tuple[str, ...] = ()
    """More variables that a command may see."""
    tests: tuple[str, ...] = ()
    """The command that runs the tests; empty: found."""
    checks: tuple[str, ...] = ()
    """The command that checks the code; empty: found."""
    timeout_s: float = USUAL_TIMEOUT_S


APART = 'Give the program and each argument apart: ["git", "status"]. There is no shell.'
_SHELL = re.compile(r"[|&;<>$`\\\r\n]|^\s*\w+=")
"""What only a shell reads, and what its quoting would take away."""


def words_of(argv: Sequence[str], is_program: Callable[[str], bool]) -> tuple[str, ...]:
    """The program and its arguments; a whole command line in place of the program is taken as its words.

    Args:
        argv: as it was asked for.
        is_program: whether something of exactly that name can be run.

    Raises:
        Refusal: it needs a shell, or some words stand together and others apart.
    """
    line = argv[0].strip()
    if not line or not re.search(r"\s", argv[0]) or is_program(argv[0]):
        return tuple(argv)
    try:
        words = shlex.split(line) if len(argv) == 1 and not _SHELL.search(line) else []
    except ValueError as error:
        raise Refusal(APART) from error
    if not words:
        raise Refusal(APART)
    return tuple(words)


def check_allowed(argv: Sequence[str], allowed: Allowed) -> None:
    """Refuse what no entry allows.

    Raises:
        Refusal: it says what a person would have to set.
    """
    if not argv[0].strip() or any("\0" in part for part in argv):
        raise Refusal("The command names no program. Begin with one.")
    for entry in allowed.commands:
        words = shlex.split(entry)
        if entry == "*" or words and list(argv[: len(words)]) == words:
            return
    names = ", ".join(allowed.commands) or "none"
    what = f'"{argv[0]}" is not among the commands that may run ({names}).'
    raise Refusal(f"{what} The person can add it: {set_by('commands', '--allow-command')}.")


def _nowhere(_: str) -> bool:
    return False


def environment(
    of_server: Mapping[str, str], allowed: Allowed, is_inside: Callable[[str], bool] = _nowhere, separator: str = ":"
) -> dict[str, str]:
    """A command's whole environment: what programs need, what the settings add, and never anything of Variet's own.

    Args:
        of_server: the server's.
        allowed: the settings.
        is_inside: whether a folder of `PATH` lies in the workspace.
        separator: between the folders of `PATH`; `;` on Windows.
    """
    kept = {
        name: value
        for name, value in of_server.items()
        if (name.upper() in _NAMES or name.startswith("LC_") or name in allowed.environment) and not name.upper().startswith(_OURS)
    }
    if "PATH" in kept:
        # Such an entry, an empty one and a relative one would let a file that a model wrote run under an allowed name.
        kind = PureWindowsPath if separator == ";" else PurePosixPath
        kept["PATH"] = separator.join(part for part in kept["PATH"].split(separator) if kind(part).is_absolute() and not is_inside(part))
    return {**kept, **_FIXED}


def environment_for(argv: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    """The environment of one command, after what `environment` gave: git looks for no repository where none is meant to be."""
    is_git = re.split(r"[/\\]", argv[0])[-1].casefold() in {"git", "git.exe"}
    return {**env, **(_GIT if is_git else {})}


@dataclass(frozen=True)
class Known:
    """What is known of a root, to find its commands."""

    names: frozenset[str]
    """Of its files and folders, those of `.venv` and `venv` with their paths."""
    texts: Mapping[str, str]
    """Of `pyproject.toml` and `package.json`, where they are there."""


@dataclass(frozen=True)
class Found:
    """A command that fits a root."""

    argv: tuple[str, ...]
    takes_path: bool
    """A file or folder may be added."""


def tests_of(known: Known, has: Callable[[str], bool]) -> Found | None:
    """How this root's tests are run, as far as its files tell.

    Args:
        known: its files.
        has: whether a program is there.
    """
    is_tested = known.names & {"tests", "test", "pytest.ini", "conftest.py"} or "[tool.pytest" in known.texts.get("pyproject.toml", "")
    if is_tested and known.names & {"pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "conftest.py", "requirements.txt"}:
        for python in (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe"):
            if python in known.names:
                return Found((python, "-m", "pytest", "-q"), takes_path=True)
        if has("pytest"):
            return Found(("pytest", "-q"), takes_path=True)
    if "test" in _scripts(known) and has("npm"):
        return Found(("npm", "test", "--silent"), takes_path=False)
    return _of_language(known, has, {"Cargo.toml": ("cargo", "test", "--quiet"), "go.mod": ("go", "test", "./...")})


def checks_of(known: Known, has: Callable[[str], bool]) -> Found | None:
    """How this root's code is checked, as far as its files tell."""
    if known.names & {"pyproject.toml", "ruff.toml", ".ruff.toml", "setup.py", "requirements.txt"}:
        for ruff in (".venv/bin/ruff", "venv/bin/ruff", ".venv/Scripts/ruff.exe", "ruff"):
            if ruff in known.names or ruff == "ruff" and has("ruff"):
                return Found((ruff, "check", "--no-fix", "--output-format=concise"), takes_path=True)
    if "lint" in _scripts(known) and has("npm"):
        return Found(("npm", "run", "lint", "--silent"), takes_path=False)
    return _of_language(
        known, has, {"Cargo.toml": ("cargo", "check", "--quiet", "--message-format=short"), "go.mod": ("go", "vet", "./...")}
    )


def problems_in(output: str) -> list[dict[str, str | int]]:
    """Lines such as `src/x.py:3:1: F401 unused`, as fields."""
    problems: list[dict[str, str | int]] = []
    for match in (_PROBLEM.fullmatch(line.strip()) for line in output.splitlines()):
        if match is not None:
            column: dict[str, str | int] = {"column": int(match["column"])} if match["column"] else {}
            problems.append({"path": match["path"], "line": int(match["line"]), **column, "untrusted_text": match["text"]})
    return problems


def _of_language(known: Known, has: Callable[[str], bool], commands: Mapping[str, tuple[str, ...]]) -> Found | None:
    for name, argv in commands.items():
        if name in known.names and has(argv[0]):
            return Found(argv, takes_path=False)
    return None


def _scripts(known: Known) -> frozenset[str]:
    try:
        package: object = json.loads(known.texts.get("package.json", "{}"))
    except ValueError:
        return frozenset()
    scripts = package.get("scripts") if isinstance(package, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return frozenset(str(name) for name in scripts) if isinstance(scripts, dict) else frozenset()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
