"""What is asked and what goes wrong in a soak, drawn from a seed. Pure: the generator comes in as an argument.

Two kinds of models. The fakes are processes that speak like llama-server without doing its work; the real ones are the embedded server with
a file of a few hundred kilobytes. Both say words that are known beforehand, so that a torn or mixed-up answer shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from soak.verdict import Expected

AGE_BOUND_S = 2.0
STOP_S = 5.0
"""For a child to end by itself before it is killed."""
PACE_MS = 8
LONGEST = 40
"""Tokens of one answer: a few swaps have to wait for a stream, and none for long."""
REAL_SAYS = (" one", " two", " three", " four", " five", " six", " seven", " eight", " nine", " ten")
KILLS_PER_MODEL = 3
"""Within `KILL_WINDOW_S`; the engine gives a model up that dies five times in five minutes, which is another test's subject."""
KILL_WINDOW_S = 300.0

Mishap = Literal["kill", "kill the launcher", "reload", "bad reload", "unload"]
_MISHAPS: Mapping[Mishap, int] = {"kill": 6, "kill the launcher": 2, "reload": 4, "bad reload": 1, "unload": 2}


@dataclass(frozen=True)
class Model:
    """One model of a soak, which is also the name that it is asked by."""

    name: str
    is_real: bool

    def says(self, tokens: int) -> str:
        """All of its answer of so many tokens."""
        if self.is_real:
            return "".join(itertools.islice(itertools.cycle(REAL_SAYS), tokens))
        return "".join(f"word{index} " for index in range(tokens))


@dataclass(frozen=True)
class Ask:
    """One request, and what its client does about it."""

    model: Model
    tokens: int
    is_stream: bool
    wait: str | None = None
    """Its `X-Variet-Wait`."""
    wants_events: bool = False
    session: str | None = None
    leaves_after_s: float | None = None
    """The client goes then, whatever it has heard."""
    leaves_after_frames: int | None = None
    """The client goes when it has heard so much of a stream."""

    @property
    def expected(self) -> Expected:
        """What a whole answer says."""
        return Expected(self.model.name, self.model.says(self.tokens), self.is_stream)

    @property
    def is_patient(self) -> bool:
        """Whether it waits as long as the engine lets it."""
        return self.wait is None and self.leaves_after_s is None and self.leaves_after_frames is None


def models(*, fakes: int, reals: int) -> tuple[Model, ...]:
    """The models of a soak."""
    return (*(Model(f"fake-{index}", False) for index in range(fakes)), *(Model(f"real-{index}", True) for index in range(reals)))


def draw_ask(random: Random, among: Sequence[Model], client: int) -> Ask:
    """One request of one client."""
    ask = Ask(random.choice(among), random.randint(1, LONGEST), random.random() < 0.7)
    manner = random.random()
    changes: dict[str, object] = {}
    if manner < 0.12:
        changes["leaves_after_s"] = random.uniform(0, 1.5)
    elif manner < 0.24 and ask.is_stream:
        changes["leaves_after_frames"] = random.randint(1, ask.tokens)
    elif manner < 0.32:
        changes["wait"] = f"{random.uniform(0, 3):.2f}"
    elif manner < 0.38:
        changes["wait"] = "fail-fast"
    if random.random() < 0.3:
        changes["session"] = f"talk-{client}-{random.randint(0, 3)}"
    if random.random() < 0.2:
        changes["wants_events"] = ask.is_stream
    return Ask(ask.model, ask.tokens, ask.is_stream, **changes)  # pyright: ignore[reportArgumentType]  # the names are above


def draw_mishap(random: Random) -> Mishap:
    """What goes wrong next."""
    return random.choices(list(_MISHAPS), list(_MISHAPS.values()))[0]


def draw_swaps_between(random: Random) -> int:
    """Swaps from one mishap to the next."""
    return random.randint(2, 8)


def settings_text(among: Sequence[Model], files: Mapping[str, str], program: str, variant: int = 0) -> str:
    """An `engine.toml`. A variant other than 0 differs in what a reload must bear:

    1. other rules of the queue; 2. a model with another context, which is replaced; 3. a model less, whose requests are refused; 4. a model
    more, another tier and another alias.
    """
    gone = among[0].name if variant == 3 else None
    changed = among[variant % len(among)].name if variant == 2 else None
    named = [model.name for model in among if model.name != gone]
    lines = [
        "[queue]",
        f"age_bound_s = {AGE_BOUND_S + 0.5 * (variant == 1)}",
        "max_wait_s = 600",
        "[stop]",
        f"stop_s = {STOP_S}",
        "[runtimes.llama-server]",
        f'binary = "{program}"',
    ]
    for model in among:
        if model.name != gone:
            lines += _model_lines(model, files[model.name], 512 if model.name == changed else 1024)
    if variant == 4:
        lines += _model_lines(Model("one-more", False), files[among[0].name], 1024)
    lines += ["[tiers]", f'fast = "{named[-1] if variant == 4 else named[0]}"', "[aliases]", f'nickname-{variant} = "{named[0]}"']
    return "\n".join(lines) + "\n"


BAD_SETTINGS = "[queue]\nlimmit = 3\n"
VARIANTS = 5


def _model_lines(model: Model, file: str, context: int) -> list[str]:
    flags = '["--no-warmup"]' if model.is_real else f'["--fake", "--chunks", "{LONGEST}", "--pace-ms", "{PACE_MS}"]'
    return [
        f"[models.{model.name}]",
        f'path = "{file}"',
        f"context = {context}",
        "slots = 4",
        "threads = 1",
        f"extra_args = {flags}",
    ]
