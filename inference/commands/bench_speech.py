"""Measure how long a model takes to speak, against how long what it says plays: through the engine, as clients hear it."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from inference.commands.asking import AskedEngine
from inference.commands.audio_length import audio_length
from inference.commands.bench_report import Speaking

PATH = "/v1/audio/speech"
TEXT = (
    "Good morning. The train to the coast leaves at ten past nine from the fourth platform, and it should be there a little before noon. "
    "Please bring the blue folder, and do not forget your umbrella."
)
"""About ten seconds of speech: long enough that the start of a sentence does not count, short enough for a slow processor."""
SHORT_TEXT = "Good morning."
MOST_BYTES = 64 * 2**20
"""Of one recording: ten seconds of the finest sound that anyone sends take five."""
FORMAT = "wav"
"""Its head tells how long it plays. What a server sends instead is looked at as it comes."""


def measure_speech(ask: AskedEngine, name: str, runs: int, voice: str, say: Callable[[str], None]) -> Speaking:
    """Have a model that is loaded speak, so many times."""

    def speak(text: str) -> tuple[float, float, float | None, str]:
        heard = ask.timed(PATH, {"model": name, "input": text, "voice": voice, "response_format": FORMAT}, MOST_BYTES)
        seconds, basis = audio_length(heard.content_type, heard.body)
        return heard.first_byte_s, heard.whole_s, seconds, basis

    speak(SHORT_TEXT)  # The first request after a load warms up what a load leaves cold.
    say(f"{name}: speaking {len(TEXT)} characters, {runs} times")
    firsts, wholes, lengths, bases = zip(*(speak(TEXT) for _ in range(runs)), strict=True)
    known = [seconds for seconds in lengths if seconds]
    is_known = len(known) == runs
    # A voice does not say the same text twice at the same pace, so each run is held against its own sound.
    factor = median(whole / seconds for whole, seconds in zip(wholes, known, strict=True)) if is_known else None
    return Speaking(
        characters=len(TEXT),
        first_byte_s=round(median(firsts), 4),
        speech_s=round(median(wholes), 4),
        audio_s=round(median(known), 3) if is_known else None,
        audio_s_basis=bases[-1] if is_known or None in lengths else "there is no sound in it",
        real_time_factor=None if factor is None else round(factor, 4),
    )
