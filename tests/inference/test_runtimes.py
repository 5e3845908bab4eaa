"""The pure side of running models: command lines, state lines, and why a child died."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.catalog import ModelSpec
from inference.processes import binaries, program_help
from inference.processes.binaries import ProgramMissing, find_llama_server
from inference.processes.program_help import asked
from inference.runtimes.failures import Reason, classify
from inference.runtimes.llama_server import Program, Surroundings, build_launch, embedded_program
from inference.runtimes.state_lines import STATE_PREFIX, StateLine, format_loading, format_state, parse_state
from inference.upstream.address import Address
from tests.fakes.processes import processes_naming

SPEC = ModelSpec(name="coder", runtime="llama-server", path=Path("/models/coder.gguf"), context=8192, slots=2, admitted=2)
RECENT = Program(("/usr/bin/llama-server",), is_embedded=False, has_trace=True)
AROUND = Surroundings(RECENT, {"PATH": "/usr/bin"}, stall_timeout_s=60, stop_timeout_s=5)


LAST = "srv          init: exiting due to model loading error"
"""What llama-server says last, whatever kept it from starting."""


def value_of(argv: tuple[str, ...], flag: str) -> str:
    return argv[argv.index(flag) + 1]


def program_saying(path: Path, text: str) -> Program:
    """A program that answers `--help`, and notes that it was asked."""
    path.write_text(
        f'#!/bin/sh\necho "$@ ${{LLAMA_ARG_PORT-unset}} $CUDA_VISIBLE_DEVICES." >> {path}.asked\ncat <<"END"\n{text}\nEND\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return Program((str(path),), is_embedded=False)


LEVELS_BEFORE = """-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold. Values:
                                         - 3: info
                                         - 4: debug
                                        (default: 3)"""
LEVELS_NOW = LEVELS_BEFORE.replace("4: debug", "4: trace (more info)\n                                         - 5: debug")
LEVELS_LONG_AGO = "-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold. Messages with a higher verbosity will be ignored."


@pytest.mark.parametrize(("said", "is_recent"), [(LEVELS_NOW, True), (LEVELS_BEFORE, False), (LEVELS_LONG_AGO, False), ("", False)])
def test_only_a_program_that_says_so_is_given_the_level_at_which_others_log_prompts_and_the_variable_over_which_others_end(
    tmp_path: Path, said: str, is_recent: bool
) -> None:
    program = asked(program_saying(tmp_path / "llama-server", said))
    # One that the engine itself was started with is not passed on either.
    launch = build_launch(SPEC, 1, replace(AROUND, program=program, environ={"LLAMA_SERVER_ROUTER_PORT": "8080"}))
    assert ("-lv" in launch.argv, launch.env.get("LLAMA_SERVER_ROUTER_PORT")) == (is_recent, "1" if is_recent else None)
    assert launch.speaks_state_lines is is_recent


def test_a_program_is_asked_once_for_its_help_without_cards_and_again_when_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_PORT", "x")
    path = tmp_path / "llama-server"
    program = program_saying(path, LEVELS_NOW)
    assert asked(program) == asked(program) == replace(program, has_trace=True)
    assert Path(f"{path}.asked").read_text(encoding="utf-8") == "--help unset .\n"
    assert not asked(program_saying(path, LEVELS_BEFORE)).has_trace


def test_a_program_that_does_not_answer_is_ended_and_counts_as_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_help, "HELP_BOUND_S", 0.2)
    path = tmp_path / "llama-server"
    path.write_text(f"#!/bin/sh\necho x >> {path}.asked\nsleep 60 & echo $! > {path}.pid\nwait\n", encoding="utf-8")
    path.chmod(0o755)
    for _ in range(2):
        assert asked(Program((str(path),), is_embedded=False)) == Program((str(path),), is_embedded=False)
    assert Path(f"{path}.asked").read_text(encoding="utf-8") == "x\n", "each start would wait for it"
    assert not processes_naming(str(path))
    assert int(Path(f"{path}.pid").read_text(encoding="utf-8")) not in processes_naming("sleep 60")
    assert asked(Program(("/nowhere/llama-server",), is_embedded=False)) == Program(("/nowhere/llama-server",), is_embedded=False)


def test_a_program_that_fails_at_its_help_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "llama-server"
    program = program_saying(path, LEVELS_NOW)
    works = path.read_text(encoding="utf-8")
    lacking = f"[ -e {path}.found ] || {{ touch {path}.found; echo 'libcudart.so.12: cannot open shared object file'; exit 127; }}"
    path.write_text(works.replace("#!/bin/sh\n", f"#!/bin/sh\n{lacking}\n"), encoding="utf-8")
    assert [asked(program).has_trace for _ in range(2)] == [False, True]


def test_a_model_becomes_a_command_line_that_leaves_nothing_to_defaults_that_move() -> None:
    launch = build_launch(SPEC, 5001, AROUND)
    assert launch.argv == (
        *("/usr/bin/llama-server", "-m", "/models/coder.gguf", "--alias", "coder", "--host", "127.0.0.1", "--port", "5001"),
        *("-c", "16384", "-np", "2", "-lv", "4"),
    )
    assert (launch.port, launch.health_path, launch.speaks_state_lines) == (5001, "/health", True)
    assert (launch.stall_timeout_s, launch.stop_timeout_s) == (60, 5)


def test_what_the_settings_name_is_passed_and_the_persons_own_arguments_come_last() -> None:
    spec = replace(
        SPEC,
        threads=6,
        n_gpu_layers=0,
        n_cpu_moe=20,
        tensor_split=(1.0, 0.5),
        cache_type_k="q8_0",
        cache_type_v="q4_0",
        mmproj=Path("/models/eyes.gguf"),
        draft=Path("/models/small.gguf"),
        extra_args=("--swa-full",),
    )
    argv = build_launch(spec, 5001, replace(AROUND, slots_dir=Path("/run/slots"))).argv
    flags = ("-t", "-ngl", "--n-cpu-moe", "-ts", "-ctk", "-ctv", "--mmproj", "-md", "--slot-save-path")
    values = ["6", "0", "20", "1,0.5", "q8_0", "q4_0", "/models/eyes.gguf", "/models/small.gguf", "/run/slots"]
    assert [value_of(argv, flag) for flag in flags] == values
    assert argv[-1] == "--swa-full"


def test_the_childs_environment_is_ours_without_llama_cpps_settings_and_our_secrets() -> None:
    environ = {"PATH": "/bin", "LLAMA_ARG_PORT": "1", "llama_arg_ctx_size": "2", "LLAMA_SERVER_CHILD_MODE": "x", "VARIET_ENGINE_KEY": "s"}
    page = {"LLAMA_ARG_UI": "0", "LLAMA_ARG_NO_WEBUI": "1"}
    own = {"LLAMA_SERVER_ROUTER_PORT": "1", "GGML_NO_BACKTRACE": "1", **page}
    assert dict(build_launch(SPEC, 1, replace(AROUND, environ=environ)).env) == {"PATH": "/bin", **own}


def test_each_start_asks_for_a_key_of_its_own_which_its_command_line_and_what_is_written_of_it_do_not_tell() -> None:
    theirs = replace(AROUND, environ={"PATH": "/bin", "LLAMA_API_KEY": "somebody's"})
    first, second = (build_launch(SPEC, 1, theirs, key) for key in ("a" * 64, "b" * 64))
    assert (first.env["LLAMA_API_KEY"], second.env["LLAMA_API_KEY"]) == (first.key, second.key) == ("a" * 64, "b" * 64)
    assert first.argv == second.argv
    assert "a" * 64 not in f"{first.argv} {first} {Address(1, first.key)}"
    assert "LLAMA_API_KEY" not in build_launch(SPEC, 1, theirs).env


@pytest.mark.parametrize(("gpus", "visible"), [((0, 2), "0,2"), ((), "")])
def test_a_model_sees_only_its_gpus_counted_as_nvml_counts(gpus: tuple[int, ...], visible: str) -> None:
    env = build_launch(replace(SPEC, gpus=gpus), 1, AROUND).env
    assert (env["CUDA_VISIBLE_DEVICES"], env["CUDA_DEVICE_ORDER"]) == (visible, "PCI_BUS_ID")


def test_the_servers_own_page_is_off_without_a_flag_that_builds_of_another_year_refuse() -> None:
    launch = build_launch(SPEC, 1, AROUND)
    assert not [part for part in launch.argv if "ui" in part]
    page = {name: value for name, value in launch.env.items() if name.startswith("LLAMA_ARG_")}
    assert page == {"LLAMA_ARG_UI": "0", "LLAMA_ARG_NO_WEBUI": "1"}


def test_the_embedded_server_is_run_by_our_own_interpreter() -> None:
    launch = build_launch(SPEC, 1, replace(AROUND, program=embedded_program("/opt/python")))
    assert (launch.program, "--no-ui" in launch.argv) == ("", True)
    assert (value_of(launch.argv, "-lv"), launch.env["LLAMA_SERVER_ROUTER_PORT"], launch.speaks_state_lines) == ("4", "1", True)
    assert launch.argv[:5] == ("/opt/python", "-P", "-m", "inference.embedded", "-m")


def test_a_configured_binary_is_taken_or_missed_but_never_replaced(tmp_path: Path) -> None:
    program = tmp_path / "my-server"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.raises(ProgramMissing, match="my-server"):
        find_llama_server(str(program))  # not executable
    program.chmod(0o755)
    assert find_llama_server(str(program)) == Program((str(program),), is_embedded=False)


def test_path_comes_before_the_embedded_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_llama_server(None).is_embedded
    (tmp_path / "llama-server").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "llama-server").chmod(0o755)
    assert find_llama_server(None).command == (str(tmp_path / "llama-server"),)


def test_with_neither_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(ProgramMissing, match=r"variet\[embedded\]"):
        find_llama_server(None)


def test_progress_counts_finished_stages_whole() -> None:
    line = format_state("loading", {"stages": ["text_model", "mmproj_model"], "current": "mmproj_model", "value": 0.5})
    state = parse_state(line)
    assert state is not None and (state.state, state.percent) == ("loading", 75.0)


@given(st.floats(min_value=0, max_value=1))
def test_what_is_written_is_what_is_read(value: float) -> None:
    state = parse_state(format_loading(value))
    assert state is not None and state.percent == pytest.approx(100 * value)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"state": 3}', "null", '"ready"'])
def test_a_damaged_state_line_says_nothing(damage: str) -> None:
    assert parse_state(STATE_PREFIX + damage) is None


@pytest.mark.parametrize("payload", ["null", "7", '{"value": true}', '{"value": "half"}', "{}"])
def test_a_state_without_a_number_is_still_a_state(payload: str) -> None:
    assert parse_state(f'{STATE_PREFIX}{{"state": "sleeping", "payload": {payload}}}') in (
        StateLine("sleeping"),
        StateLine("sleeping", None, {"value": True}),
        StateLine("sleeping", None, {"value": "half"}),
    )


@given(st.text())
def test_no_line_of_a_log_breaks_the_reader(line: str) -> None:
    parse_state(line)
    parse_state(STATE_PREFIX + line)


@pytest.mark.parametrize(
    ("code", "lines", "reason"),
    [
        (127, ["leash: cannot run llama-server: No such file or directory"], "not_started"),
        (127, ["sh: llama: not found"], "exited"),
        (1, ["CUDA error: out of memory", "failed to load model, 'x'"], "out_of_memory"),
        (1, ["ggml_vulkan: ErrorOutOfDeviceMemory"], "out_of_memory"),
        (1, ["srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 1"], "port_in_use"),
        (1, ["llama_model_load_from_file_impl: failed to load model", "srv load_model: failed to load model, 'x'", LAST], "bad_model"),
        (1, ["llama_model_load: error loading model: unknown model architecture: 'z'", LAST], "bad_model"),
        (
            1,
            ["clip_init: failed to load model 'eyes.gguf': it is bad", "failed to load multimodal model, 'eyes.gguf'", LAST],
            "bad_projector",
        ),
        (1, ["llama_model_load_from_file_impl: failed to load model", "failed to load draft model, 'small.gguf'", LAST], "bad_draft"),
        (1, ["quantized V cache requires flash_attn to be enabled", "failed to create_context with model '/m.gguf'", LAST], "exited"),
        (1, ["srv init: init: chat template parsing error: std::exception", LAST], "exited"),
        (139, [], "exited"),
    ],
)
def test_a_death_has_the_reason_that_its_last_words_give(code: int, lines: list[str], reason: Reason) -> None:
    assert classify(code, lines) == reason
