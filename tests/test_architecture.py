"""The rules of ARCHITECTURE.md, as tests: who may import whom, what stays pure, how long a file may be, and what no file may hold.

Import layers between whole packages are import-linter's contracts in `pyproject.toml` (`make check` runs those too); here are the rules
that need to look inside: a pure module's imports and calls, function-level imports, names, sizes, and the text of tracked files.
"""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from importlinter.cli import lint_imports

from config.vocabulary import Builtin

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("agent", "bots", "config", "inference", "mcp_servers")
MAX_LINES = 300
DRAWERS = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc", "shared"}
"""Module names that say nothing about what is inside."""

PURE = (
    *("agent/audit/chain", "agent/calls/*", "agent/safety/*", "agent/view/*", "agent/errors", "agent/event_parts", "agent/events"),
    *("agent/changing", "agent/engine/overflow", "agent/held_events", "agent/route_parts", "agent/unspaced", "agent/whole_text"),
    *(f"agent/tools/{name}" for name in ("forms", "pins", "plain_schema", "questions", "report", "served", "verdicts")),
    *(f"agent/routes/{name}" for name in ("deciding/*", "places/circuit", "places/meter", "places/refusals", "report")),
    *("agent/service/wire", "agent/sessions/compacting", "agent/sessions/exporting", "agent/sessions/finding", "agent/sessions/rows"),
    *("agent/watching/spans", "agent/watching/trace", "agent/watching/usage"),
    *(f"agent/faces/{name}" for name in ("acp/found", "acp/options", "acp/wire", "mcp/approval_form", "mcp/tools")),
    *(f"agent/faces/{name}" for name in ("drawn", "exact", "given_pictures", "notes", "outcome")),
    *("agent/gateway/answers", "agent/gateway/asked", "agent/gateway/deciding"),
    *(f"agent/turns/{name}" for name in ("broken", "budget", "call_state", "calling", "carrying", "deferred", "effects", "holding")),
    *(f"agent/turns/{name}" for name in ("lost", "outcomes", "rerouting", "shortening", "turn", "turn_state")),
    *("bots/lines", "bots/route_lines", "bots/tool_lines", "bots/tally"),
    *("bots/repl/commands", *(f"bots/repl/shown/{name}" for name in ("blocks", "folding", "markup", "meter", "past", "rows", "tints"))),
    *(f"bots/repl/typed/{name}" for name in ("choices", "mentions", "typeahead")),
    *("config/shapes/*", "config/diff", "config/disk/unwritable", "config/editing", "config/faults", "config/network/collectors"),
    *("config/plain", "config/schema", "config/vocabulary"),
    *("mcp_servers/accounts/failing", "mcp_servers/accounts/google_faults", "mcp_servers/accounts/oauth"),
    *(f"mcp_servers/mailbox/{name}" for name in ("gmail/words", "imap/wire", "message/*", "people", "places", "thread_mark")),
    *(f"inference/{name}" for name in ("capabilities", "catalog", "discretion", "errors", "identity", "rewrite", "views")),
    *("inference/contract/*", "inference/runtimes/*", "inference/scheduling/*", "inference/upstream/response"),
    *("inference/observing/exposition", "inference/activity/finished", "inference/door/access", "inference/door/bind"),
    *("inference/cards/card", "inference/cards/estimate", "inference/cards/lending", "inference/files/foresight"),
    *("inference/files/model_files", "inference/warmth/records", "inference/warmth/slots", "inference/warmth/trail"),
    *("inference/commands/audio_length", "inference/commands/bench_report"),
    *("mcp_servers/*/model", "mcp_servers/*/shape", "mcp_servers/*/tools", "mcp_servers/calendars/changes", "mcp_servers/calendars/free"),
    *("mcp_servers/calendars/wording/*", "mcp_servers/calendars/ranking"),
    *(f"mcp_servers/calendars/{name}" for name in ("details", "drafting", "notices", "paging", "standing", "structured")),
    *(
        f"mcp_servers/calendars/backends/components/{name}"
        for name in ("apart", "fields", "reminders", "revisions", "rule_words", "rules", "starts", "stored")
    ),
    *("mcp_servers/calendars/backends/caldav/multistatus", "mcp_servers/calendars/backends/naming"),
    "mcp_servers/calendars/backends/components/people",
    *("mcp_servers/mail/threads", "mcp_servers/outside/quotes", "mcp_servers/outbox/grants", "mcp_servers/outside/quoting"),
    *(f"mcp_servers/workspace/folders/{name}" for name in ("guarded", "ignoring", "places", "textual")),
    *(
        f"mcp_servers/workspace/{name}"
        for name in ("changing/basing", "changing/editing", "changing/patch", "looking/forms", "looking/long_files", "running/commands")
    ),
    *("mcp_servers/calendars/matching", "mcp_servers/protocol/calls", "mcp_servers/catalogue", "mcp_servers/errors"),
    *("mcp_servers/protocol/bind", "mcp_servers/mailbox/mail_server", "mcp_servers/mailbox/refused_login"),
    *("mcp_servers/outside/browserlike", "mcp_servers/outside/charsets", "mcp_servers/outside/htmltext"),
    *("mcp_servers/protocol/signatures", "mcp_servers/spans"),
    *("mcp_servers/when", "mcp_servers/when/*", "mcp_servers/wording"),
    *(f"mcp_servers/outside/{name}" for name in ("addresses", "destinations", "hidden", "markdown", "pagetree", "stylesheets", "webpage")),
    *(f"mcp_servers/outside/{name}" for name in ("code", "formulas", "raised", "unpacking")),
    *(f"mcp_servers/searxng/{name}" for name in ("answers", "asking", "cache", "circuit", "naming", "reading")),
)
"""The one table of pure modules (◆ in ARCHITECTURE.md): no `async`, clock, randomness, logging or I/O."""
IMPURE_IMPORTS = {
    *("anyio", "asyncio", "httpx2", "io", "logging", "multiprocessing"),
    *("openai", "os", "random", "secrets", "select", "selectors", "shutil"),
    *("signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "trio", "urllib.request", "uuid"),
}
IMPURE_CALLS = {"now", "today", "utcnow", "open", "read_text", "write_text", "read_bytes", "write_bytes", "print", "input"}
LAZY_TABLES = {"bots/cli.py"}
"""Where packages are loaded on demand, by a table of dotted names: the composition root alone."""
FORBIDDEN_TEXT = {
    "a registry's or download host": re.compile(r"files\.pythonhosted|pypi\.org|registry\.npmjs|crates\.io|\bproxy\.golang"),
    "a path of one machine": re.compile(r"(?<![\w.~-])/(?:home|root|Users|work|workspace|mnt|tmp/\w)[/\w]*/[\w.]+"),
}
TEXT_EXCEPTIONS = {"tests/test_architecture.py"}


def _relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def _tracked() -> tuple[Path, ...]:
    """Files that git knows or would add. Outside a git checkout: every file of the packages and the tests."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=False) if shutil.which("git") else None
    if listed is not None and listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        names = [
            _relative(file) for folder in (*SHIPPED, "tests") for file in (ROOT / folder).rglob("*") if "__pycache__" not in file.parts
        ]
    return tuple(sorted({ROOT / name for name in names if name and (ROOT / name).is_file()}))


def _python(*folders: str) -> list[Path]:
    return [file for file in _tracked() if file.suffix == ".py" and _relative(file).split("/")[0] in folders]


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _module(file: Path) -> str:
    return _relative(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(file: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported below `tree`; `from a import b` counts as `a.b`, which covers modules and names."""
    package = _module(file).split(".") if file.name == "__init__.py" else _module(file).split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _is_pure(file: Path) -> bool:
    name = Path(_relative(file)).with_suffix("")
    return any(name.match(pattern) and len(name.parts) == pattern.count("/") + 1 for pattern in PURE)


def test_import_layers_are_kept(capsys: pytest.CaptureFixture[str]):
    failed = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, is_debug_mode=False)
    assert not failed, capsys.readouterr().out


def test_the_agent_knows_the_engine_by_its_contract_only():
    found = [
        f"{_relative(file)}:{line} imports {name}"
        for file in _python("agent", "bots")
        if _relative(file) not in LAZY_TABLES
        for line, name in _imports(file, _tree(file))
        if _is_in(name, "inference") and not _is_in(name, "inference.contract")
    ]
    assert found == []


def test_tool_servers_do_not_know_each_other():
    found = [
        f"{_relative(file)}:{line} imports {name}"
        for server in get_args(Builtin)
        for file in _python("mcp_servers")
        if file.is_relative_to(ROOT / "mcp_servers" / server)
        for line, name in _imports(file, _tree(file))
        if any(_is_in(name, f"mcp_servers.{other}") for other in get_args(Builtin) if other != server)
    ]
    assert found == []


def test_what_ships_needs_nothing_that_does_not():
    outside = ("bench", "evals", "nano", "soak", "tests")
    found = [
        f"{_relative(file)}:{line} imports {name}"
        for file in _python(*SHIPPED)
        for line, name in _imports(file, _tree(file))
        if any(_is_in(name, package) for package in outside)
    ]
    assert found == []


def test_no_import_hides_in_a_function():
    found = [
        f"{_relative(file)}:{line} imports {name}"
        for file in _python(*SHIPPED)
        if _relative(file) not in LAZY_TABLES
        for function in ast.walk(_tree(file))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for line, name in _imports(file, function)
        if name.split(".")[0] in SHIPPED
    ]
    assert found == []


def test_pure_modules_are_pure():
    assert [finding for file in _python(*SHIPPED) if _is_pure(file) for finding in _impurities(file)] == []


def _impurities(file: Path) -> Iterator[str]:
    for line, name in _imports(file, _tree(file)):
        if any(_is_in(name, module) for module in IMPURE_IMPORTS):
            yield f"{_relative(file)}:{line} imports {name}"
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{_relative(file)}:{node.lineno} is asynchronous"
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
            if name in IMPURE_CALLS:
                yield f"{_relative(file)}:{node.lineno} calls {name}()"


def test_a_pure_module_imports_only_pure_modules_of_ours():
    pure = {_module(file) for file in _python(*SHIPPED) if _is_pure(file)}
    everything = {_module(file) for file in _python(*SHIPPED)}
    packages = {_module(file) for file in _python(*SHIPPED) if file.name == "__init__.py"}
    found: list[str] = []
    for file in _python(*SHIPPED):
        for line, name in _imports(file, _tree(file)) if _is_pure(file) else ():
            target = name if name in everything else name.rpartition(".")[0]
            if target in everything and target not in pure and target not in packages:
                found.append(f"{_relative(file)}:{line} imports {target}, which is not pure")
    assert found == []


def test_the_contract_imports_with_pydantic_alone():
    """A client of the engine may have nothing else installed: everything but pydantic and its own needs is blocked."""
    program = """
import importlib.abc, sys
allowed = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "inference"} | sys.stdlib_module_names
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"blocked: {name}", name=name)
sys.meta_path.insert(0, Block())
import importlib, pkgutil
import inference.contract
for module in pkgutil.iter_modules(inference.contract.__path__):
    importlib.import_module(f"inference.contract.{module.name}")
extra = [name for name in sys.modules if name.startswith("inference.") and not name.startswith("inference.contract")]
assert not extra, extra
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("package", SHIPPED)
def test_the_packages_under_test_are_those_of_this_checkout(package: str):
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).resolve() == ROOT / package / "__init__.py"


def test_no_file_is_so_long_that_it_wants_a_second_noun():
    lengths = {
        _relative(file): len(file.read_text(encoding="utf-8").splitlines()) for file in _python(*SHIPPED, "bench", "nano", "soak", "tests")
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_module_is_a_drawer():
    found = [_relative(file) for file in _python(*SHIPPED, "tests") if DRAWERS & {*Path(_relative(file)).with_suffix("").parts}]
    assert found == []


def test_every_folder_of_code_is_a_package():
    folders = {file.parent for file in _python(*SHIPPED, "tests")}
    assert [_relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("what", FORBIDDEN_TEXT)
def test_no_tracked_file_holds(what: str):
    found: list[str] = []
    for file in _tracked():
        if _relative(file) in TEXT_EXCEPTIONS or b"\0" in (data := file.read_bytes())[:4096]:
            continue
        found += [f"{_relative(file)}: {match.group()}" for match in FORBIDDEN_TEXT[what].finditer(data.decode("utf-8", "replace"))]
    assert found == []


def test_locks_are_hashed_and_name_no_address():
    locks = [file for file in _tracked() if file.suffix == ".lock"]
    assert ROOT / "requirements.lock" in locks
    assert ROOT / "uv.lock" not in locks
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
        assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
        assert "://" not in text


def test_every_path_that_the_architecture_page_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w.]+/[\w./]*)`", text)) | set(re.findall(r"\]\(([\w./]+)\)", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
