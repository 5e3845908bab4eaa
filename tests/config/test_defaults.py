"""The commented defaults and the editors' schemas say what the schema says: nothing less, nothing else, nothing old."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest

from config import editors
from config.load import load_agent, load_engine
from config.schema import AgentSettings, EngineSettings
from config.vocabulary import Section

DEFAULTS = Path(editors.__file__).parent / "defaults"
SCHEMAS = {"engine.toml": EngineSettings, "agent.toml": AgentSettings}


def test_the_commented_defaults_are_the_defaults():
    assert load_engine(DEFAULTS / "engine.toml", environ={}) == EngineSettings()
    assert load_agent(DEFAULTS / "agent.toml", environ={}) == AgentSettings()


def test_the_example_with_two_gpus_is_valid(tmp_path: Path):
    """What follows the ruler line, without its comment signs, is a file of its own."""
    text = (DEFAULTS / "engine.toml").read_text(encoding="utf-8")
    lines = text[text.index("# --------") :].splitlines()
    example = tmp_path / "engine.toml"
    first = next(number for number, line in enumerate(lines) if line.startswith("# [models."))
    example.write_text("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[first:]), encoding="utf-8")
    settings = load_engine(example, environ={})
    assert list(settings.tiers) == ["fast", "balanced", "deep-coder", "deep-logic", "ultra"]
    assert settings.models[settings.tiers["ultra"]].gpus == (1,)
    assert settings.virtual["qwen-35b-quick"].thinking is False


def test_the_commented_examples_for_the_agent_are_valid(tmp_path: Path):
    text = (DEFAULTS / "agent.toml").read_text(encoding="utf-8")
    example = tmp_path / "agent.toml"
    example.write_text(re.sub(r"(?m)^# ((?:\w+ = )|(?:\[+(?:servers|calendars|mail|nodes|routing)))", r"\1", text), encoding="utf-8")
    settings = load_agent(example, environ={})
    assert settings.servers["notes"].env
    assert settings.policy.tools == {"create_event": "allow", "send_mail": "deny"}
    assert settings.agent.zone == "Europe/Berlin"
    assert settings.calendars.accounts["work"].url == "https://dav.example.org/"
    assert settings.mail.accounts["work"].imap_security == "tls"
    assert settings.routing.rules[0].to == ("ultra", "big/deep", "balanced", "cloud")
    assert (settings.nodes["big"].is_external, settings.nodes["cloud"].is_external) == (False, True)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_of_the_schema_is_mentioned(name: str):
    text = (DEFAULTS / name).read_text(encoding="utf-8")
    missing = [key for key in sorted(_keys(SCHEMAS[name])) if not re.search(rf"(?m)^[# ]*(\[+[\w.\"-]*)?{re.escape(key)}\b", text)]
    assert missing == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_has_its_text(name: str):
    assert [field for field, text in _texts(SCHEMAS[name]) if not text] == []


@pytest.mark.parametrize("name", editors.FILES)
def test_the_editors_schemas_are_fresh(name: str):
    written = (editors.FOLDER / name).read_text(encoding="utf-8")
    assert written == editors.schema_text(editors.FILES[name]), "run `make schemas`"


def test_the_defaults_hold_no_secret():
    for name in SCHEMAS:
        tree = tomllib.loads((DEFAULTS / name).read_text(encoding="utf-8"))
        assert not re.search(r"(?i)(password|token|secret|_key)\W", str(tree))


def _sections(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    is_generic = get_origin(annotation) in (Union, UnionType) or get_args(annotation)
    return [section for part in get_args(annotation) for section in _sections(part)] if is_generic else []


def _texts(kind: type[Section]) -> list[tuple[str, str | None]]:
    texts = [(f"{kind.__name__}.{name}", editors.texts_of(kind).get(name)) for name in kind.model_fields]
    return texts + [text for field in kind.model_fields.values() for section in _sections(field.annotation) for text in _texts(section)]


def _keys(kind: type[Section]) -> set[str]:
    keys = {field.alias or name for name, field in kind.model_fields.items()}
    return keys.union(*(_keys(section) for field in kind.model_fields.values() for section in _sections(field.annotation)))
