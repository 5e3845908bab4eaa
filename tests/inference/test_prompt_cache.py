"""Main memory in which llama-server keeps conversations beside its slots: bounded where it has such a thing, by whom it may be told."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from config.schema import EngineSettings
from inference.catalog import build_catalog
from inference.files import page_cache
from inference.processes import launching
from inference.processes.launching import Launcher
from inference.processes.program_help import asked
from inference.runtimes.llama_server import Program, build_launch, embedded_program, prompt_cache_mib
from tests.inference.test_runtimes import AROUND, LEVELS_NOW, SPEC, program_saying, value_of

HELP = f"""{LEVELS_NOW}
-cram, --cache-ram N                    set the maximum cache size in MiB (default: 8192, -1 - no limit, 0 -
                                        disable)
"""


def test_a_program_that_knows_the_bound_is_told_it_and_another_starts_without(tmp_path: Path) -> None:
    around = replace(AROUND, prompt_cache_mib=1024)
    own = replace(SPEC, extra_args=("--cache-ram", "7"))
    for program, is_told in (
        (asked(program_saying(tmp_path / "new", HELP)), True),
        (asked(program_saying(tmp_path / "old", LEVELS_NOW)), False),
        (embedded_program("/opt/python"), True),
    ):
        argv = build_launch(SPEC, 1, replace(around, program=program)).argv
        assert [value_of(argv, flag) for flag in argv if flag == "--cache-ram"] == (["1024"] if is_told else [])
        # The person's own comes last and so wins.
        assert build_launch(own, 1, replace(around, program=program)).argv[-2:] == ("--cache-ram", "7")
        assert "--cache-ram" not in build_launch(SPEC, 1, replace(AROUND, program=program)).argv
    assert value_of(build_launch(SPEC, 1, replace(around, program=embedded_program("p"), prompt_cache_mib=0)).argv, "--cache-ram") == "0"


@pytest.mark.parametrize(
    ("memory_gib", "models", "mib"),
    [(8, 1, 1024), (16, 1, 2048), (16, 2, 1024), (64, 1, 8192), (256, 1, 8192), (256, 4, 2048), (None, 2, 1024)],
)
def test_without_a_word_it_is_a_part_of_main_memory_and_never_more_than_llama_cpp_takes(
    memory_gib: int | None, models: int, mib: int
) -> None:
    assert prompt_cache_mib(None if memory_gib is None else memory_gib * 2**30, models) == mib


@pytest.mark.parametrize(
    ("residency", "mib"), [({}, 2048), ({"max_llm": 2}, 1024), ({"prompt_cache_mib": 300}, 300), ({"prompt_cache_mib": 0}, 0)]
)
def test_the_settings_say_it_and_no_saved_conversation_is_lost_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, residency: dict[str, int], mib: int
) -> None:
    monkeypatch.setattr(launching, "total_bytes", lambda: 16 * 2**30)
    program = Program(("/bin/sh",), is_embedded=False, has_prompt_cache=True)
    monkeypatch.setattr(launching, "_find_program", lambda _: program)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    file = tmp_path / "m.gguf"
    file.touch()
    models = {"m": {"path": str(file)}}
    spec = build_catalog(EngineSettings.model_validate({"models": models})).models["m"]
    with (
        closing(Launcher(EngineSettings.model_validate({"models": models, "residency": residency}), tmp_path)) as launcher,
        closing(Launcher(EngineSettings.model_validate({"models": models, "residency": {"prompt_cache_mib": 5}}), tmp_path)) as other,
    ):
        assert launcher._surroundings(spec, program).prompt_cache_mib == mib  # pyright: ignore[reportPrivateUsage]
        assert launcher.identity(spec) == other.identity(spec)


@pytest.mark.skipif(os.name != "posix", reason="the system is asked otherwise")
def test_main_memory_is_what_a_container_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(page_cache, "_CONTAINER_LIMIT", limit)
    there = page_cache.total_bytes() or 0
    assert there > 2**28
    for said, told in (("max\n", there), (f"{2**28}\n", 2**28), (f"{there * 2}\n", there)):
        limit.write_text(said)
        assert page_cache.total_bytes() == told
