"""`variet engine bench`: what is measured of a model that speaks, how it is shown, and what is not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from click.testing import CliRunner, Result

from config.paths import HOME_VARIABLE
from inference.cli import engine
from inference.commands.audio_length import audio_length
from inference.commands.bench_report import Measured, Speaking, Writing, comparison, held_mib, notes, table_text
from inference.commands.bench_speech import TEXT
from inference.contract import Resources
from tests.fakes.speech import RATE, SECONDS_PER_CHARACTER, sound, voice, wav, wav_as_it_is_made
from tests.inference.engines import RunningEngine, running

PAUSE_S = 0.02
PLAYS_S = SECONDS_PER_CHARACTER * len(TEXT)
VOICE_AND_MORE: dict[str, Any] = {
    "models": {
        "speaker": {"path": "/models/speaker", "kind": "tts"},
        "ranks": {"path": "/models/ranks.gguf", "extra_args": ["--rerank"]},
    },
    "tiers": {},
    "virtual": {},
}
WRITER = Measured("on-cpu", 1.0, 900.0, 0, writing=Writing(100.0, 10.0, 512, 128))
SPEAKER = Measured("voice", 2.0, 700.0, 0, speaking=Speaking(160, 0.25, 5.0, 10.0, "read from its WAV header", 0.5))


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "asking"))


async def _bench(on: RunningEngine, *arguments: str) -> Result:
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(engine, ["bench", *arguments, "--runs", "2", "--url", on.url]))


async def test_a_voice_is_measured_against_what_it_says_and_its_rates_are_served(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60, models=VOICE_AND_MORE) as (on, upstream, _):
        upstream.script = voice(pause_s=PAUSE_S)
        found = await _bench(on, "speaker", "--json")
        assert found.exit_code == 0, found.output
        (measured,) = json.loads(found.stdout)["models"]
        listed = {each["id"]: each["meta"]["rates"] for each in (await on.client.get("/v1/models")).json()["data"]}
        asked = [json.loads(each.body) for each in upstream.heard if each.target == "/v1/audio/speech"]
        shown = await _bench(on, "speaker", "--voice", "anna")
    assert measured["audio_s"] == pytest.approx(PLAYS_S, abs=0.01)
    assert PAUSE_S <= measured["first_byte_s"] <= measured["speech_s"] - PAUSE_S
    assert measured["speech_s"] >= 4 * PAUSE_S
    assert measured["real_time_factor"] == pytest.approx(measured["speech_s"] / PLAYS_S, rel=0.2)
    assert listed["speaker"] == {
        "prefill_tps": None, "decode_tps": None, "load_s": measured["load_s"],
        "first_byte_s": measured["first_byte_s"], "real_time_factor": measured["real_time_factor"],
    }  # fmt: skip
    # Once to warm it up, then the runs; nothing was asked of it that only a language model knows.
    assert [len(each["input"]) for each in asked[1:]] == [len(TEXT), len(TEXT)]
    assert len(asked) == 3 and {each["response_format"] for each in asked} == {"wav"}
    rows = {line.split("  ")[0]: line.split()[-2:] for line in shown.stdout.splitlines() if "  " in line}
    assert rows["audio"] == [f"{PLAYS_S:.2f}", "s"]
    assert "prefill" not in rows
    assert "speaker: the audio's length was read from its WAV header." in shown.stdout


@pytest.mark.parametrize(
    ("sends", "plays_s", "told"),
    [
        ("pcm", PLAYS_S, "was counted as 16-bit samples, 24000 a second."),
        ("mp3", None, "is not known: audio/mpeg does not tell it without being decoded."),
        ("silence", None, "is not known: there is no sound in it."),
    ],
)
async def test_what_a_server_sends_instead_is_counted_or_said_not_to_be_known(
    sends: str, plays_s: float | None, told: str, tmp_path: Path
) -> None:
    async with running(tmp_path, bound_s=60, models=VOICE_AND_MORE) as (on, upstream, _):
        upstream.script = voice(sends)
        shown = await _bench(on, "speaker")
        rates = (await on.client.get("/v1/models/speaker")).json()["meta"]["rates"]
    assert f"speaker: the audio's length {told}" in shown.stdout
    assert rates["first_byte_s"] > 0
    assert (rates["real_time_factor"] is not None) == (plays_s is not None)


async def test_what_a_voices_own_server_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60, models=VOICE_AND_MORE) as (on, upstream, _):
        upstream.script = voice()
        found = await _bench(on, "speaker", "--voice", "nobody")
    assert found.exit_code == 1
    assert 'speaker refused with status 400: {"detail": "Voice \'nobody\' not found"}' in found.output


async def test_a_model_that_neither_writes_nor_speaks_is_refused_before_anything_is_unloaded(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60, models=VOICE_AND_MORE) as (on, _, children):
        await on.client.post("/engine/switch", json={"model": "ranks"})
        found = await _bench(on, "ranks")
        is_there = not children.started[0].is_stopped
    assert found.exit_code == 1
    assert "ranks is for rerank, and what is measured" in found.output
    assert is_there


def test_a_card_that_is_hardly_faster_than_the_processor_is_told_as_a_wrong_placement() -> None:
    good, poor = (replace(WRITER, model="on-card", writing=Writing(900.0, rate, 512, 128), vram_mib=8000) for rate in (60.0, 30.0))
    assert comparison([good, WRITER]) == ["on-card reads 9.0 times and writes 6.0 times as fast as on-cpu."]
    assert "the placement is wrong" in comparison([WRITER, poor])[1]
    unknown = replace(WRITER, model="unknown", vram_mib=None)
    assert comparison([good, unknown, WRITER]) == comparison([good, WRITER])
    assert comparison([good]) == []


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ({"a": 0, "b": 0}, "there are on a card: no model; on none: a, b."),
        ({"a": 8000, "b": 0, "c": 9000}, "there are on a card: a, c; on none: b."),
        # As with n_gpu_layers = 0, where a server made for cards keeps its context and its buffers there all the same.
        ({"a": 8000, "b": 350}, "there are on a card: a, b; on none: no model. One with gpus = [] in engine.toml sees none"),
        ({"a": 8000, "b": None}, "there are on a card: a; on none: no model; not known where: b. One with gpus = []"),
    ],
)
def test_of_models_that_are_no_pair_of_card_and_processor_it_is_said_why_they_are_not_compared(
    places: dict[str, int | None], told: str
) -> None:
    (line,) = comparison([replace(WRITER, model=name, vram_mib=mib) for name, mib in places.items()])
    assert line.startswith("Processor and card are not compared: ")
    assert told in line


def test_a_voice_on_a_card_is_held_against_the_same_voice_on_the_processor_and_not_against_a_writer() -> None:
    assert SPEAKER.speaking is not None
    on_card = replace(SPEAKER, model="on-card", speaking=replace(SPEAKER.speaking, real_time_factor=0.05), vram_mib=2000)
    assert comparison([on_card, SPEAKER]) == ["on-card speaks 10.0 times as fast as voice."]
    assert comparison([on_card, WRITER]) == ["Processor and card are not compared: one of them writes and the other speaks."]
    silent = replace(SPEAKER, speaking=replace(SPEAKER.speaking, audio_s=None, real_time_factor=None))
    assert comparison([on_card, silent]) == ["Processor and card are not compared: it is not known of both how long what they say plays."]


def test_a_table_of_both_kinds_has_the_rows_of_both() -> None:
    lines = {line[:13].strip(): line[13:].split() for line in table_text([WRITER, SPEAKER]).splitlines()}
    assert lines["decode"] == ["10.0", "tokens/s", "-"]
    assert lines["speech"] == ["-", "5.00", "s"]
    assert lines["speech/audio"] == ["-", "0.50"]
    assert "speech" not in table_text([WRITER])
    assert notes([WRITER]) == []


def test_what_a_model_holds_is_summed_over_its_cards() -> None:
    held: list[dict[str, int]] = [{"small": 4000, "voice": 1}, {"small": 5000}]
    gpus = [{"index": index, "name": "Card", "total_mib": 12288, "free_mib": 288, "used_by": each} for index, each in enumerate(held)]
    used = Resources.model_validate({"engine": {"name": "engine", "pid": 1, "resident_mib": 60.0}, "models": [], "gpus": gpus})
    assert (held_mib(used, "small"), held_mib(used, "large")) == (9000, None)


@pytest.mark.parametrize(
    ("kind", "data", "seconds"),
    [
        ("audio/wav", wav(sound(1.5)), 1.5),
        ("audio/wav", wav(sound(1.5), rate=RATE // 2, channels=2), 1.5),
        ("audio/wav", wav_as_it_is_made(sound(0.5)), 0.5),
        ("application/octet-stream", wav(sound(0.25)), 0.25),
        # Another chunk before the samples, of an odd length, which is filled up to an even one.
        ("audio/wav", wav(sound(1.0))[:36] + b"LIST\x03\0\0\0abc\0" + wav(sound(1.0))[36:], 1.0),
        # And one behind them.
        ("audio/wav", wav(sound(1.0)) + b"LIST\x04\0\0\0abcd", 1.0),
        ("audio/wav", wav(sound(1.0))[:-RATE], 0.5),
        ("audio/pcm", sound(2.0), 2.0),
        ("audio/L16; rate=48000; channels=2", sound(2.0), 0.5),
        ("audio/pcm;rate=no", sound(2.0), 2.0),
        ("audio/wav", wav(sound(1.0))[:30], None),
        ("audio/wav", b"RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff", None),
        ("audio/mpeg", b"\xff\xf3\x44\xc4", None),
        ("", b"", None),
    ],
)
def test_a_recordings_length_is_read_from_its_bytes_or_not_at_all(kind: str, data: bytes, seconds: float | None) -> None:
    found = audio_length(kind, data)
    assert found.seconds == (None if seconds is None else pytest.approx(seconds))
    assert found.basis
