"""That a model's chat template has no tools is known before it is loaded, where its file says so for sure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import inference.embedded
from inference import control
from inference.catalog import ModelSpec
from inference.files.templates import Templates
from inference.processes import binaries, program_help
from inference.processes.program_help import needs_tools_in_templates
from inference.runtimes.chat_template import has_no_tools, is_template_told
from tests.fakes.gguf_file import gguf, number_key, text_key, texts_key
from tests.inference.engines import TWO_MODELS, running

PLAIN = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}"
ABLE = "{% if tools %}{{ tools | tojson }}{% endif %}" + PLAIN
VOCABULARY = texts_key("tokenizer.ggml.tokens", [f"token-{number}" for number in range(300_000)])
"""Larger than what is read at once."""


def head_of(*templates: tuple[str, str]) -> bytes:
    keys = [number_key("llama.block_count", 1), VOCABULARY]
    return gguf([*keys, *(text_key(f"tokenizer.chat_template{name}", text) for name, text in templates)], {})


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (head_of(("", PLAIN)), True),
        (head_of(("", ABLE)), False),
        # llama-server takes the other one for tools; it may stand on either side.
        (head_of((".tool_use", ABLE), ("", PLAIN)), False),
        (head_of(("", PLAIN), (".tool_use", ABLE)), False),
        # What is not there says nothing: llama-server has a template of its own then.
        (head_of(), None),
        (head_of(("", PLAIN))[:-60], None),
        (b"", False),
        (b"no such file", False),
    ],
)
def test_only_a_template_that_names_no_tools_anywhere_is_said_to_have_none(head: bytes, found: bool | None) -> None:
    assert has_no_tools(head) is found


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (("--chat-template-file", "x"), True),
        (("--chat_template_file", "x"), True),
        (("--chat-template=chatml",), True),
        (("--chat-template-kwargs", "{}"), False),
        ((), False),
    ],
)
def test_a_template_from_the_command_line_counts_before_the_files(arguments: tuple[str, ...], is_told: bool) -> None:
    assert is_template_told(arguments) is is_told


def test_the_model_that_ships_keeps_its_tools() -> None:
    assert has_no_tools((Path(inference.embedded.__path__[0]) / "nano.gguf").read_bytes()) is False


@pytest.mark.parametrize(("says", "needs"), [("-lv N: 4: trace, 5: debug", True), ("-lv N: verbosity", False), (None, False)])
def test_only_a_program_that_is_recent_has_no_tools_for_a_template_without(
    says: str | None, needs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "llama-server"
    program.write_text("")
    program.chmod(0o700)

    def found(_: str) -> str | None:
        return None if says is None else str(program)

    def printed(*_: object) -> str | None:
        return says

    monkeypatch.setattr(binaries.shutil, "which", found)
    monkeypatch.setattr(program_help, "_help", printed)
    assert needs_tools_in_templates(str(program)) is needs


async def test_a_model_without_tools_is_listed_so_before_it_was_ever_loaded_until_its_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counts(_: str | None) -> bool:
        return True

    monkeypatch.setattr(control, "needs_tools_in_templates", counts)
    file = tmp_path / "small.gguf"
    file.write_bytes(head_of(("", PLAIN)))
    (tmp_path / "large.gguf").write_bytes(head_of(("", ABLE)))
    async with running(tmp_path) as (on, _, children):

        async def listed() -> dict[str, Any]:
            return {each["id"]: each["meta"]["capabilities"] for each in (await on.client.get("/v1/models")).json()["data"]}

        while "tools" in (found := await listed())["fast"]:
            pass  # a disk may take longer than the first answer waits for it
        assert (found["fast"], found["small"], "tools" in found["balanced"], "tools" in found["thinker"]) == (
            ["chat"],
            ["chat"],
            True,
            True,
        )
        assert children.started == []
        file.write_bytes(head_of(("", ABLE)))
        os.utime(file, ns=(1, 1))
        while "tools" not in (await listed())["fast"]:
            pass


async def test_a_template_for_tools_that_is_read_only_later_counts_and_a_file_that_is_gone_says_nothing(tmp_path: Path) -> None:
    models = {name: {**model, "path": str(tmp_path / f"{name}.gguf")} for name, model in TWO_MODELS["models"].items()}
    models["small"]["extra_args"] = ["--chat-template-file", "/own.jinja"]
    (tmp_path / "small.gguf").write_bytes(head_of(("", PLAIN)))
    (tmp_path / "large.gguf").write_bytes(head_of(("", PLAIN), (".tool_use", ABLE)))
    async with running(tmp_path, models={**TWO_MODELS, "models": models}) as (on, _, _):
        specs = tuple(on.supervisor.catalog.models.values())
        assert await _seen(specs, counts=True) == frozenset()
        # By an older program, too, a model is asked with tools.
        (tmp_path / "large.gguf").write_bytes(head_of(("", PLAIN)))
        assert await _seen(specs, counts=True) == {"large"}
        assert await _seen(specs, counts=False) == frozenset()
        (tmp_path / "large.gguf").unlink()
        assert await _seen(specs, counts=True) == frozenset()


async def _seen(specs: Sequence[ModelSpec], *, counts: bool) -> frozenset[str]:
    """What is known once the disk has answered."""
    templates = Templates(lambda _: counts)
    await templates.toolless(specs)
    while templates._look is not None and not templates._look.is_over:  # noqa: ASYNC110  # pyright: ignore[reportPrivateUsage]
        await anyio.sleep(0.005)
    return await templates.toolless(specs)
