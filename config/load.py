"""Files, environment and overrides become settings; whatever is wrong is refused with file, key, what was found and what is allowed.

Precedence, last wins: the file, then the environment (`VARIET_ENGINE__SERVER__PORT=9000`, `VARIET_AGENT__ROUTING__DEFAULT_TIER=fast`),
then overrides from a command line. A missing file is no error unless it was named: the defaults run the model that ships. A link to
where nothing is, is an error: somebody has settings.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import ValidationError

from config.faults import nearest, problems_of
from config.paths import Home
from config.schema import AgentSettings, EngineSettings
from config.vocabulary import BUILTIN_MODEL, Problem, Section, is_table

Settings = TypeVar("Settings", bound=Section)
Tree = dict[str, Any]

_NO_FILES = (BUILTIN_MODEL, "llama-server")
"""Values that look like file names but are none: the model that ships, and the program on the PATH."""
_ENGINE_PATHS = ("server.tls_cert", "server.tls_key", "runtimes.llama-server.binary", "models.*.path", "models.*.mmproj", "models.*.draft")
_AGENT_PATHS = ("engine.ca", "nodes.*.ca", "calendars.store", "mail.store", "workspace.roots", "servers.*.ca", "mail.accounts.*.ca_file")
_UNREADABLE_VALUES = (ValueError, RecursionError)
"""What Python raises over a value that TOML allows: a number of thousands of digits, lists in lists in lists."""


class ConfigError(Exception):
    """Settings that cannot be used. The attributes tell the first problem; `problems` and the text tell all of them."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        self.key, self.found, self.allowed = problems[0]
        super().__init__("\n".join(f"{file}: {each.key or 'file'}: found {each.found}; allowed: {each.allowed}" for each in problems))


def load_engine(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    home: Home | None = None,
    environ: Mapping[str, str] = os.environ,
) -> EngineSettings:
    """The settings of Machine A.

    Args:
        path: the file; None for `engine.toml` in the home, which may be absent.
        overrides: values by dotted key (`{"server.port": 9000}`) or as nested mappings; they win over file and environment.
        home: where to look without a path; None for the one that the environment names.
        environ: the environment.

    Raises:
        ConfigError: the file is missing though named, is no TOML, or holds something that is not allowed.
    """
    source, folder, tree = _read(path, (home or Home.find(environ)).engine_toml)
    source, tree = _add_environment(source, tree, "VARIET_ENGINE__", environ)
    tree = _merge(tree, overrides or {})
    return _validate(EngineSettings, source, _absolute(tree, folder, _ENGINE_PATHS, source))


@dataclass(frozen=True)
class Overridden:
    """A key of a file that does not count, because something else says otherwise."""

    key: str
    """Dotted."""
    file: object
    """What the file says."""
    used: object
    """What counts."""
    by: str
    """Who says that."""


def overridden_engine(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    home: Home | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Overridden, ...]:
    """What the file says to no effect, by key; arguments as for `load_engine`.

    Raises:
        ConfigError: the file cannot be read.
    """
    _, _, tree = _read(path, (home or Home.find(environ)).engine_toml)
    file = dict(_leaves(tree))
    used: dict[str, tuple[object, str]] = {}
    for variable, layer in _layers("VARIET_ENGINE__", environ, tree):
        used |= {key: (value, f"the environment ({variable})") for key, value in _leaves(layer)}
    used |= {key: (value, "the command line") for key, value in _leaves(_merge({}, overrides or {}))}
    there = ((key, file[key], *used[key]) for key in sorted(file.keys() & used.keys()))
    return tuple(Overridden(*each) for each in there if each[1] != each[2])


def load_agent(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    home: Home | None = None,
    environ: Mapping[str, str] = os.environ,
) -> AgentSettings:
    """The settings of Machine B; see `load_engine`, with `agent.toml` and `VARIET_AGENT__…`."""
    source, folder, tree = _read(path, (home or Home.find(environ)).agent_toml)
    source, tree = _add_environment(source, tree, "VARIET_AGENT__", environ)
    tree = _merge(tree, overrides or {})
    settings = _validate(AgentSettings, source, _absolute(tree, folder, _AGENT_PATHS, source))
    if settings.agent.zone is not None:
        _check_zone(settings.agent.zone, source)
    return settings


def _read(path: Path | None, default: Path) -> tuple[str, Path, Tree]:
    file = path or default
    try:
        # Windows' editors put a mark before the text.
        return str(file), file.absolute().parent, tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        if link := _leading_nowhere(file.absolute()):
            # What it leads to is not mounted or not in step yet: the settings are somewhere, and the defaults may allow what they forbid.
            found = f"no such file, because {link} is a link to {link.readlink()}, where nothing is"
            raise ConfigError(str(file), (Problem("", found, "a link that leads somewhere, or none"),)) from error
        if path is None:
            return "settings (no file)", default.absolute().parent, {}
        raise ConfigError(str(file), (Problem("", "no such file", "a file that exists"),)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), (Problem("", f"a file that cannot be read: {error}", "a readable text file in UTF-8"),)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), (Problem("", f"no valid TOML: {error}", "TOML, such as `key = 1` under `[section]`"),)) from error
    except _UNREADABLE_VALUES as error:
        found = f"a value that cannot be read: {error}"
        raise ConfigError(str(file), (Problem("", found, "lists that are not nested so deep and numbers that are not so long"),)) from error


def _leading_nowhere(file: Path) -> Path | None:
    return next((each for each in (file, *file.parents) if each.is_symlink() and not each.exists()), None)


def _validate(kind: type[Settings], source: str, tree: Tree) -> Settings:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(source, problems_of(kind, error)) from error


def _add_environment(source: str, tree: Tree, prefix: str, environ: Mapping[str, str]) -> tuple[str, Tree]:
    """`VARIET_ENGINE__MODELS__NANO_WIDE__SLOTS=8` sets `models.nano-wide.slots`, where the file has `nano-wide`."""
    for variable, layer in _layers(prefix, environ, tree):
        tree = _merge(tree, layer)
        source += f" + {variable}"
    return source, tree


def _layers(prefix: str, environ: Mapping[str, str], tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Each variable with what it sets, spelled as `tree` and the variables before it spell it."""
    for variable in sorted(environ):
        if variable.startswith(prefix):
            keys = _spell_keys(variable.removeprefix(prefix).lower().split("__"), tree)
            layer = _nest(keys, _toml_value(environ[variable]))
            tree = _merge(tree, layer)
            yield variable, layer


def _spell_keys(parts: list[str], known: Tree) -> list[str]:
    keys: list[str] = []
    here: Any = known
    for part in parts:
        present = here if is_table(here) else {}
        spelled = next((key for key in present if key.lower().replace("-", "_") == part), part)
        keys.append("llama-server" if keys == ["runtimes"] and part == "llama_server" else spelled)
        here = present.get(spelled)
    return keys


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except _UNREADABLE_VALUES:  # which a TOMLDecodeError is, too
        return text


def _nest(keys: list[str], value: Any) -> Tree:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(tree: Tree, *layers: Mapping[str, Any]) -> Tree:
    merged = dict(tree)
    for layer in layers:
        for key, value in layer.items():
            head, _, rest = key.partition(".") if key not in merged else (key, "", "")
            new = {rest: value} if rest else value
            old = merged.get(head)
            merged[head] = _merge(old if is_table(old) else {}, new) if is_table(new) else new
    return merged


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if is_table(value):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _absolute(tree: Tree, folder: Path, patterns: tuple[str, ...], source: str) -> Tree:
    """File names relative to the settings file, not to wherever the program was started.

    Raises:
        ConfigError: one begins with a `~` that stands for nobody's home folder.
    """
    homeless: list[Problem] = []
    for pattern in patterns:
        tree = _absolute_at(tree, folder, pattern.split("."), (), homeless)
    if homeless:
        raise ConfigError(source, tuple(homeless))
    return tree


def _absolute_at(tree: Any, folder: Path, pattern: list[str], at: tuple[str, ...], homeless: list[Problem]) -> Any:
    if is_table(tree) and pattern:
        keys = list(tree) if pattern[0] == "*" else [key for key in tree if key == pattern[0]]
        return {**tree, **{key: _absolute_at(tree[key], folder, pattern[1:], (*at, key), homeless) for key in keys}}
    if not pattern and isinstance(tree, list):
        items = enumerate(cast("list[Any]", tree))
        return [_absolute_at(item, folder, pattern, (*at, str(number)), homeless) for number, item in items]
    if isinstance(tree, str) and not pattern and tree not in _NO_FILES:
        try:
            return str(folder / Path(tree).expanduser())
        except RuntimeError:
            found = f'"{tree}", and there is no home folder `{tree.partition("/")[0]}`'
            homeless.append(Problem(".".join(at), found, "a whole path, one from this file's folder, or `~/` for your own home folder"))
    return tree


def _check_zone(zone: str, source: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        guess = nearest(zone, available_timezones())
        raise ConfigError(source, (Problem("agent.zone", f'"{zone}"', f"a time zone such as {guess or 'Europe/Berlin'}"),)) from error
