"""How long an answer takes and what it costs, from measured rates alone: what was not measured is said to be unknown, never guessed."""

from __future__ import annotations

from agent.events import RouteCost
from agent.routes.deciding.nodes import Place

MILLION = 1_000_000


def predict(place: Place, *, prompt_tokens: int, answer_tokens: int, cached_tokens: int = 0) -> RouteCost:
    """What one answer of a place takes.

    Args:
        place: with its rates and prices.
        prompt_tokens: of the whole request.
        answer_tokens: that are reckoned with.
        cached_tokens: of the prompt that the place need not read again.
    """
    tier = place.tier
    load_s = 0.0 if tier.is_resident else tier.load_s
    fresh = max(0, prompt_tokens - cached_tokens)
    read_s = fresh / tier.prefill_tps if tier.prefill_tps else None
    write_s = answer_tokens / tier.decode_tps if tier.decode_tps else None
    money = (prompt_tokens * place.node.price_in + answer_tokens * place.node.price_out) / MILLION
    begins_s = None if load_s is None or read_s is None else load_s + read_s
    return RouteCost(
        load_s=_rounded(load_s),
        read_s=_rounded(read_s),
        write_s=_rounded(write_s),
        begins_s=_rounded(begins_s),
        ends_s=None if begins_s is None or write_s is None else _rounded(begins_s + write_s),
        money=round(money, 6),
    )


def told(cost: RouteCost) -> str:
    """The arithmetic as a text: `begins in 52.0 s: load 40.0 s + read 12.0 s`."""
    if cost.begins_s is None:
        missing = "load time" if cost.load_s is None else "reading rate"
        return f"its {missing} was never measured"
    return f"begins in {cost.begins_s:.1f} s: load {cost.load_s or 0:.1f} s + read {cost.read_s or 0:.1f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
